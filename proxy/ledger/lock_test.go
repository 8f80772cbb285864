package ledger_test

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"hallmark/proxy/ledger/ledgertest"
)

// lock holds the database as a writer, so that nothing is committed until release is called.
func lock(t *testing.T, place ledgertest.Place) (release func()) {
	t.Helper()
	driver, name := "sqlite", "file:"+place.Path+"?_txlock=immediate"
	if place.Path == "" {
		driver, name = "pgx", place.Address
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err == nil && place.Path == "" {
		_, err = tx.ExecContext(t.Context(), "LOCK TABLE writer IN EXCLUSIVE MODE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// commits counts the transactions that wrote signatures. PostgreSQL notes in each row which one has written it.
func commits(t *testing.T, place ledgertest.Place) (n int) {
	t.Helper()
	if place.Path != "" {
		return walCommits(t, place.Path)
	}
	db, err := sql.Open("pgx", place.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(DISTINCT xmin::text) FROM signatures").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// walCommits counts the transactions in the write-ahead log: a frame that ends one holds the size of the database, others
// hold 0. See https://www.sqlite.org/fileformat2.html#walformat.
func walCommits(t *testing.T, path string) int {
	t.Helper()
	const header, frameHeader = 32, 24
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	page := int(binary.BigEndian.Uint32(wal[8:]))
	n := 0
	for at := header; at+frameHeader+page <= len(wal); at += frameHeader + page {
		if binary.BigEndian.Uint32(wal[at+4:]) != 0 {
			n++
		}
	}
	return n
}
