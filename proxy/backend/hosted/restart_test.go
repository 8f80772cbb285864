package hosted_test

import (
	"crypto/sha256"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/ledger"
)

// A client that has read an index is in the middle of an update, also if the server is restarted meanwhile: what the index
// names stays readable, however many generations come after it.
func TestWhatWasReadBeforeARestartStaysReadable(t *testing.T) {
	path := t.TempDir() + "/ledger.db"
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		commit := func(r *hosted.Repository, base int64, text string) {
			t.Helper()
			content := backend.Content{Data: []byte(text), Size: int64(len(text)), Tag: sha256.Sum256([]byte(text))}
			err := r.Commit(t.Context(), backend.Commit{Base: base, Time: time.Now(), Date: time.Now(), Files: []backend.Put{
				{Path: "InRelease", Content: content, Index: true},
				{Path: "Packages", Content: content, Index: true},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		read := func(r *hosted.Repository, at int64, path string) string {
			t.Helper()
			f, err := r.Open(t.Context(), at, path)
			if err != nil {
				t.Errorf("%s of generation %d: %v", path, at, err)
				return ""
			}
			defer f.Close()
			data, err := io.ReadAll(f)
			if err != nil {
				t.Error(err)
			}
			return string(data)
		}
		before := hosted.New("debian", l, nil)
		commit(before, 0, "one")
		if got := read(before, backend.Current, "InRelease"); got != "one" {
			t.Fatalf("InRelease is %q", got)
		}
		after := hosted.New("debian", l, nil) // what a new process has
		commit(after, 1, "two")
		time.Sleep(time.Minute)
		commit(after, 2, "three")
		time.Sleep(time.Minute)
		commit(after, 3, "four")
		if got := read(after, 1, "Packages"); got != "one" {
			t.Errorf("Packages of the index that was read before the restart is %q", got)
		}
	})
}
