package ledger

import (
	"database/sql"
	"errors"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// A database is what a ledger is kept in. All that differs between SQLite and PostgreSQL is here and in the folders of
// migrations: the statements are the same.
type database struct {
	name  string  // for people: a path, or an address without its password
	write *sql.DB // one connection, used by the writer alone
	read  *sql.DB // connections that cannot write

	dialect    goose.Dialect
	migrations fs.FS

	// Of a database that several processes write.
	shared   bool
	begin    string        // the statement that a transaction begins with
	patience time.Duration // for a transaction; 0: as long as it takes
	hints    *sql.DB       // connections for locks

	full   func(error) bool // there is no space left
	undone func(error) bool // a transaction was undone for no fault of its own: it may succeed if it is tried again
	lost   func(error) bool // the connection is gone: what was not committed is undone
}

// close closes the readers first: the last connection of SQLite to go folds the write-ahead log into the database, which
// a reader could not.
func (d *database) close() error {
	var errs []error
	for _, db := range []*sql.DB{d.hints, d.read, d.write} {
		if db != nil {
			errs = append(errs, db.Close()) // with its statements
		}
	}
	return errors.Join(errs...)
}

// pool returns at most n connections, which all stay open.
func pool(db *sql.DB, n int) *sql.DB {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}
