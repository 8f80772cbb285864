// Package ledger keeps the log of every signature that was made, in an SQLite database. A signature is recorded here
// before anybody can see it, so that a signature which the ledger does not have was not made by this server.
//
// It is the only package that imports database/sql.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// ErrClosed is wrapped by the errors of everything that is asked of a ledger after Close.
var ErrClosed = errors.New("the ledger is closed")

// readers is how many reads run at once; more wait. Reads take microseconds, so this bounds memory rather than speed.
const readers = 4

// busyTimeout is how long SQLite waits for another process, such as a backup, to let go of the database.
const busyTimeout = 5 * time.Second

// A Ledger is an open database. All methods may be called concurrently. What a method wrote is durable once it returns
// nil, and every read that begins afterwards sees it.
//
// A crash, of the program or of the machine, loses no more than calls that have not returned; of each of these, either
// everything is there afterwards or nothing.
type Ledger struct {
	path  string
	write *sql.DB // one connection, used by the writer alone
	read  *sql.DB // connections that cannot write

	last, insert, void, note *sql.Stmt            // on write
	commits                  map[string]*sql.Stmt // on write, by their text
	signed, hasReferrer      *sql.Stmt            // on read, as are all below

	head, packageAt, packageIn, packagesFrom, fileNow, fileThen, fileLasting, filesFrom, object, state, scan *sql.Stmt

	queue   chan *change  // unbuffered: what is in it has been taken by the writer
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the writer has ended
	close   func() error
}

// Open opens the database at path, and makes it if there is none; the folder must exist. The file is readable and
// writable by its owner alone, and so are the files -wal and -shm that SQLite keeps beside it. The schema is brought up
// to date. A database whose schema is newer than this program fails to open and stays as it is.
//
// The ledger expects to be the only program that writes the database. Others may read it.
func Open(ctx context.Context, path string) (*Ledger, error) {
	l, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	go l.run()
	return l, nil
}

func open(ctx context.Context, path string) (_ *Ledger, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := ownFile(path); err != nil {
		return nil, err
	}
	l := &Ledger{
		path:    path,
		queue:   make(chan *change),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	l.close = sync.OnceValue(l.shut)
	defer func() {
		if err != nil {
			l.closeDatabases()
		}
	}()

	// FULL syncs the write-ahead log at every commit; with NORMAL a power cut could take back what was acknowledged.
	if l.write, err = connect(path, 1, url.Values{
		"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
		// Pages that one commit after the other writes, such as the end of an index, are copied into the database once.
		"_pragma": {"wal_autocheckpoint(4000)"},
	}); err != nil {
		return nil, err
	}
	if err := migrate(ctx, l.write); err != nil {
		return nil, err
	}
	if l.read, err = connect(path, readers, url.Values{"mode": {"ro"}, "_query_only": {"on"}}); err != nil {
		return nil, err
	}
	if err := l.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare statements: %w", err)
	}
	return l, nil
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

// connect returns a pool of at most n connections to the database, which all stay open.
func connect(path string, n int, params url.Values) (*sql.DB, error) {
	params.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	params.Set("_defensive", "1")
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func (l *Ledger) prepare(ctx context.Context) error {
	for _, s := range []struct {
		stmt **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&l.last, l.write, lastSignature},
		{&l.insert, l.write, insertSignature},
		{&l.void, l.write, voidSignature},
		{&l.note, l.write, insertReferrer},
		{&l.signed, l.read, isSigned},
		{&l.hasReferrer, l.read, isReferred},
		{&l.head, l.read, selectHead},
		{&l.packageAt, l.read, packageAt},
		{&l.packageIn, l.read, packageIn},
		{&l.packagesFrom, l.read, packagesFrom},
		{&l.fileNow, l.read, fileNow},
		{&l.fileThen, l.read, fileThen},
		{&l.fileLasting, l.read, fileLasting},
		{&l.filesFrom, l.read, filesFrom},
		{&l.object, l.read, selectObject},
		{&l.state, l.read, selectState},
		{&l.scan, l.read, scanState},
	} {
		var err error
		if *s.stmt, err = s.db.PrepareContext(ctx, s.text); err != nil {
			return err
		}
	}
	l.commits = make(map[string]*sql.Stmt)
	for _, text := range commitStatements() {
		var err error
		if l.commits[text], err = l.write.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the ledger. Calls that the writer has taken are finished first; those that wait fail with ErrClosed.
// Close may be called more than once, and always returns what it returned first.
func (l *Ledger) Close() error {
	return l.close()
}

func (l *Ledger) shut() error {
	close(l.closing)
	<-l.stopped
	if err := l.closeDatabases(); err != nil {
		return fmt.Errorf("close ledger %s: %w", l.path, err)
	}
	return nil
}

// closeDatabases closes the readers first: the last connection to go folds the write-ahead log into the database, which
// a reader could not.
func (l *Ledger) closeDatabases() error {
	var errs []error
	for _, db := range []*sql.DB{l.read, l.write} {
		if db != nil {
			errs = append(errs, db.Close()) // with its statements
		}
	}
	return errors.Join(errs...)
}

// fail names the ledger, and what was asked of it, in an error of the database.
func (l *Ledger) fail(what string, err error) error {
	return fmt.Errorf("%s in ledger %s: %w", what, l.path, err)
}
