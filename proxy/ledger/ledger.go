// Package ledger keeps the log of every signature that was made, and all of a package repository that changes, in an
// SQLite database, or in one of PostgreSQL that several processes share. A signature is recorded here before anybody can
// see it, so that a signature which the ledger does not have was not made by this server.
//
// It is the only package that imports database/sql.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// ErrClosed is wrapped by the errors of everything that is asked of a ledger after Close.
var ErrClosed = errors.New("the ledger is closed")

// readers is how many reads run at once; more wait. Reads take microseconds, so this bounds memory rather than speed.
const readers = 4

// A Ledger is an open database. All methods may be called concurrently. What a method wrote is durable once it returns
// nil, and every read that begins afterwards sees it, in other processes too.
//
// A crash, of the program or of the machine, loses no more than calls that have not returned; of each of these, either
// everything is there afterwards or nothing.
type Ledger struct {
	*database

	last, insert, void, note *sql.Stmt            // on write
	commits                  map[string]*sql.Stmt // on write, by their text
	signed, hasReferrer      *sql.Stmt            // on read, as are all below

	head, packageAt, packagesAt, packageIn, packagesFrom, fileNow, fileThen, fileLasting, filesFrom, object, state, scan *sql.Stmt

	queue   chan *change  // unbuffered: what is in it has been taken by the writer
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the writer has ended
	close   func() error
}

// Open opens the SQLite database at path, and makes it if there is none; the folder must exist. The file is readable and
// writable by its owner alone, and so are the files -wal and -shm that SQLite keeps beside it. The schema is brought up
// to date. A database whose schema is newer than this program fails to open and stays as it is.
//
// The ledger expects to be the only program that writes the database. Others may read it.
func Open(ctx context.Context, path string) (*Ledger, error) {
	d, err := openSQLite(path)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return start(ctx, d)
}

// OpenPostgres opens a PostgreSQL database by its address, postgres://user@host:port/name?setting=value, which must be
// there, in UTF-8. What the address leaves out comes from PGPASSWORD and the other variables of PostgreSQL's own
// clients, and from a .pgpass file. The schema is kept up to date as by [Open]; several programs may open it at once.
// No error holds the password.
func OpenPostgres(ctx context.Context, address string) (*Ledger, error) {
	d, err := openPostgres(address)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", withoutPassword(address), err)
	}
	return start(ctx, d)
}

func start(ctx context.Context, d *database) (*Ledger, error) {
	l := &Ledger{database: d, queue: make(chan *change), closing: make(chan struct{}), stopped: make(chan struct{})}
	l.close = sync.OnceValue(l.shut)
	err := d.migrate(ctx)
	if err == nil {
		if err = l.prepare(ctx); err != nil {
			err = fmt.Errorf("prepare statements: %w", err)
		}
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("ledger %s: %w", d.name, err)
	}
	go l.run()
	return l, nil
}

// Shared reports whether other processes may write the database at the same time.
func (l *Ledger) Shared() bool { return l.shared }

// Ready returns nil if the database answers.
func (l *Ledger) Ready(ctx context.Context) error {
	_, err := l.Head(ctx, "")
	return err
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
		{&l.packagesAt, l.read, packagesAt},
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
	if err := l.database.close(); err != nil {
		return fmt.Errorf("close ledger %s: %w", l.name, err)
	}
	return nil
}

// fail names the ledger, and what was asked of it, in an error of the database.
func (l *Ledger) fail(what string, err error) error {
	return fmt.Errorf("%s in ledger %s: %w", what, l.name, err)
}
