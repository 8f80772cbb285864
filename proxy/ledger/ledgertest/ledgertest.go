// Package ledgertest opens ledgers for tests: on SQLite, or, where HALLMARK_TEST_POSTGRES is the address of a server, on
// PostgreSQL. So one suite serves both.
package ledgertest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"hallmark/proxy/ledger"
)

// Variable names the server on which every Place makes a database of its own, by a user who may do that.
const Variable = "HALLMARK_TEST_POSTGRES"

// A Place is where one ledger is kept.
type Place struct {
	Path    string // of SQLite's file; empty: it is on PostgreSQL
	Address string // of PostgreSQL's database
}

// New returns a place where there is no ledger yet. It is gone when the test ends.
func New(t testing.TB) Place {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		return Place{Path: filepath.Join(t.TempDir(), "ledger.db")}
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", Variable, err)
	}
	u.Path = "/test_" + strings.ToLower(rand.Text())
	name := pgx.Identifier{u.Path[1:]}.Sanitize()
	Execute(t, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	t.Cleanup(func() { Execute(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	t.Logf("on PostgreSQL, in %s", name)
	return Place{Address: u.String()}
}

// Open opens a ledger that is closed when the test ends.
func Open(t testing.TB) *ledger.Ledger {
	t.Helper()
	return New(t).Open(t)
}

// Open opens the ledger at a place, as a process does. It is closed when the test ends.
func (p Place) Open(t testing.TB) *ledger.Ledger {
	t.Helper()
	l, err := p.TryOpen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TryOpen opens the ledger at a place. The caller closes it.
func (p Place) TryOpen(ctx context.Context) (*ledger.Ledger, error) {
	if p.Path != "" {
		return ledger.Open(ctx, p.Path)
	}
	return ledger.OpenPostgres(ctx, p.Address)
}

// Execute runs SQL on a database of PostgreSQL, behind the ledger's back.
func Execute(t testing.TB, address, text string) {
	t.Helper()
	ctx := context.Background() // the test may be over
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}
