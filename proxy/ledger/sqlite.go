package ledger

import (
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// busyTimeout is how long SQLite waits for another process, such as a backup, to let go of the database.
const busyTimeout = 5 * time.Second

// openSQLite opens the database at path, and makes the file if there is none.
func openSQLite(path string) (d *database, err error) {
	d = &database{name: path, dialect: goose.DialectSQLite3}
	d.full = func(err error) bool {
		var fault *sqlite.Error
		return errors.As(err, &fault) && fault.Code()&0xff == sqlite3.SQLITE_FULL
	}
	d.undone = func(error) bool { return false }
	d.lost = d.undone
	if d.migrations, err = fs.Sub(sqliteMigrations, "migrations/sqlite"); err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := ownFile(path); err != nil {
		return nil, err
	}
	// FULL syncs the write-ahead log at every commit; with NORMAL a power cut could take back what was acknowledged.
	if d.write, err = connectSQLite(path, 1, url.Values{
		"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
		// Pages that one commit after the other writes, such as the end of an index, are copied into the database once.
		// A commit changes pages all over the indexes: 16 MiB of them stay in memory, so that few are read again.
		"_pragma": {"wal_autocheckpoint(4000)", "cache_size(-16384)"},
	}); err != nil {
		return nil, err
	}
	if d.read, err = connectSQLite(path, readers, url.Values{"mode": {"ro"}, "_query_only": {"on"}}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// ownFile makes sure that the file is there and is its owner's alone. SQLite gives its other files the same mode.
func ownFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Chmod(0o600)
}

func connectSQLite(path string, n int, params url.Values) (*sql.DB, error) {
	params.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	params.Set("_defensive", "1")
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	return pool(sql.OpenDB(connector), n), nil
}
