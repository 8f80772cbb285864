package ledger

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The disk is filled and write-protected by SQLite's own means, on the ledger's connection: tests run as root, too, whom
// no mode of a file keeps from writing.
func TestAppendToADiskThatTakesNothingFailsClearly(t *testing.T) {
	for _, tt := range []struct{ name, spoil, mend, want string }{
		{"a full disk", `PRAGMA max_page_count = 1`, `PRAGMA max_page_count = 1000000`, "full"},
		{"a disk that has become read-only", `PRAGMA query_only = on`, `PRAGMA query_only = off`, "readonly"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			l, err := Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := Signature{
				Time: time.Unix(1, 0), Repository: "images", Name: "app", Scheme: "cosign", By: strings.Repeat("x", 10000),
				Digest: someDigest, Key: someDigest, Message: someDigest, Value: someDigest,
			}
			if _, err := l.Append(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if _, err := l.write.ExecContext(t.Context(), tt.spoil); err != nil {
				t.Fatal(err)
			}
			ids, err := l.Append(t.Context(), s)
			if err == nil {
				t.Fatalf("recorded as %d", ids)
			}
			if errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %q, want it to name the path and to contain %q", err, tt.want)
			}
			if all, err := l.Signatures(t.Context(), "images", "app", someDigest); err != nil || len(all) != 1 {
				t.Errorf("%d rows can be read, %v; want the 1 from before", len(all), err)
			}

			if _, err := l.write.ExecContext(t.Context(), tt.mend); err != nil {
				t.Fatal(err)
			}
			if ids, err := l.Append(t.Context(), s); err != nil || ids[0] != 2 {
				t.Errorf("Append once there is room again = %v, %v; want 2", ids, err)
			}
		})
	}
}

// What is durable after a power cut no unit test can show; these settings are what SQLite promises it for.
func TestWriterSyncsEveryCommit(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := l.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := l.read.ExecContext(t.Context(), "DELETE FROM signatures"); err == nil {
		t.Error("a reader can write")
	}
}

const someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
