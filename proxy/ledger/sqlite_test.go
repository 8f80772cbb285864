package ledger_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/proxy/ledger"
)

func TestOpenMakesFilesThatOnlyTheirOwnerReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	record(t, l, row("a"))
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(name), got)
		}
	}
}

func TestOpenTightensTheModeOfAFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
}

func TestOpenTakesAnyPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% odd ?mode=memory#.db")
	l := open(t, path)
	record(t, l, row("a"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the database is not where it was asked for: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    string
	}{
		{"a folder that is missing", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		{"a folder in place of the file", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
		{"a file that is no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a database"},
		{"a schema of a newer program", func(t *testing.T, path string) {
			shut(t, open(t, path))
			execute(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)`)
		}, "its schema has version 4711 and this program knows versions up to 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "ledger.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			tt.prepare(t, path)
			l, err := ledger.Open(t.Context(), path)
			if err == nil {
				l.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error = %q, want it to name the path and to contain %q", err, tt.want)
			}
		})
	}
}

// What a kill leaves is what is in the files while the ledger is open, so a copy of them is a killed ledger.
func TestKilledLedgerHasWhatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	record(t, l, row("a"))
	ids := record(t, l, row("b"))
	if err := l.Void(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	if err := l.NoteReferrer(t.Context(), "images", "app", digestOf("c")); err != nil {
		t.Fatal(err)
	}

	killed := open(t, copyOf(t, path))
	if got := signatures(t, killed, "a"); len(got) != 1 || got[0].State != ledger.Made {
		t.Errorf("signatures of a: %+v", got)
	}
	if got := signatures(t, killed, "b"); len(got) != 1 || got[0].State != ledger.Void {
		t.Errorf("signatures of b: %+v", got)
	}
	if noted, err := killed.HasReferrer(t.Context(), "images", "app", digestOf("c")); err != nil || !noted {
		t.Errorf("HasReferrer = %t, %v", noted, err)
	}
}

func TestWriteThatWasCutOffLeavesTheOnesBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	record(t, l, row("a"))
	record(t, l, row("b"))

	killed := copyOf(t, path)
	info, err := os.Stat(killed + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(killed+"-wal", info.Size()-1); err != nil {
		t.Fatal(err)
	}
	l = open(t, killed)
	if got := len(signatures(t, l, "a")); got != 1 {
		t.Errorf("%d signatures of a, which was whole, want 1", got)
	}
	if got := len(signatures(t, l, "b")); got != 0 {
		t.Errorf("%d signatures of b, which was cut off, want 0", got)
	}
	if ids := record(t, l, row("c")); ids[0] != 2 {
		t.Errorf("the next ID is %d, want 2, without a gap", ids[0])
	}
}

// open returns the ledger at path, which is closed when the test ends.
func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), path)
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

// execute runs SQL on a database behind the ledger's back.
func execute(t testing.TB, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// copyOf copies a database with its write-ahead log.
func copyOf(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
