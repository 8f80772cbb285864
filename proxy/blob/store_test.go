package blob_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/blob"
	"hallmark/proxy/blob/blobtest"
)

func open(t *testing.T, driver string, parameters map[string]any) *blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), driver, parameters, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A real S3 server passes the same in integration.
func TestDriversKeepBlobs(t *testing.T) {
	t.Run("filesystem", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blobtest.Store {
			return open(t, "filesystem", map[string]any{"rootdirectory": filepath.Join(t.TempDir(), "storage")})
		})
	})
	t.Run("inmemory", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blobtest.Store { return open(t, "inmemory", nil) })
	})
}

func TestABlobThatIsPutAgainIsKept(t *testing.T) {
	var s *blob.Store
	var kept []backend.Digest
	var meanwhile error
	s, err := blob.Open(t.Context(), "filesystem", map[string]any{"rootdirectory": t.TempDir()}, func(ctx context.Context, d backend.Digest) error {
		kept = append(kept, d)
		if len(kept) == 2 { // a collector is a moment faster
			if gone, err := s.Delete(ctx, d, time.Now().Add(time.Minute)); !gone || err != nil {
				t.Errorf("deleted: %t, %v", gone, err)
			}
		}
		return meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	d := blobtest.Put(t, s, []byte("one"))
	if len(kept) != 0 {
		t.Errorf("a new blob is kept: %x", kept)
	}
	for range 2 {
		blobtest.Put(t, s, []byte("one"))
		b, err := s.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	if !slices.Equal(kept, []backend.Digest{d, d}) {
		t.Errorf("kept is %x, want %x twice", kept, d)
	}
	meanwhile = errors.New("the database is away")
	if err := s.Put(t.Context(), d, 3, strings.NewReader("one")); !errors.Is(err, meanwhile) {
		t.Errorf("a blob that cannot be kept is put: %v", err)
	}
}

func TestWalkFindsNothingButBlobs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storage")
	s := open(t, "filesystem", map[string]any{"rootdirectory": dir})
	want := blobtest.Put(t, s, []byte("one"))
	for _, name := range []string{"00/half.tmp", "00/ab"} {
		if err := os.WriteFile(filepath.Join(dir, "packages/sha256", name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Walk(t.Context(), func(d backend.Digest, size int64, _ time.Time) error {
		if d != want || size != 3 {
			t.Errorf("%x has %d bytes", d, size)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAStoreWithAFaultInItsSettingsDoesNotOpen(t *testing.T) {
	for driver, parameters := range map[string]map[string]any{
		"s3":         {"region": "us-east-1"}, // no bucket
		"filesystem": {"rootdirectory": "/dev/null/storage"},
		"floppy":     {},
	} {
		if _, err := blob.Open(t.Context(), driver, parameters, nil); err == nil {
			t.Errorf("%s is opened", driver)
		}
	}
}
