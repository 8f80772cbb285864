package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/blob"
)

// each runs a test on every driver.
func each(t *testing.T, test func(t *testing.T, s *blob.Store)) {
	for name, parameters := range map[string]map[string]any{
		"filesystem": {"rootdirectory": filepath.Join(t.TempDir(), "storage")},
		"inmemory":   {},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := blob.Open(t.Context(), name, parameters, nil)
			if err != nil {
				t.Fatal(err)
			}
			test(t, s)
		})
	}
}

func put(t *testing.T, s *blob.Store, data []byte) backend.Digest {
	t.Helper()
	d := sha256.Sum256(data)
	if err := s.Put(t.Context(), d, int64(len(data)), bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestABlobIsReadAtAnyPlace(t *testing.T) {
	each(t, func(t *testing.T, s *blob.Store) {
		for _, n := range []int{0, 1, 1 << 20, 1<<20 + 1, 2<<20 + 77} {
			data := bytes.Repeat([]byte("0123456789abc"), n/13+1)[:n]
			d := put(t, s, data)
			put(t, s, data)
			b, err := s.Open(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if b.Size() != int64(n) {
				t.Errorf("size %d, want %d", b.Size(), n)
			}
			got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes come back, %v", len(got), n, err)
			}
			for _, off := range []int64{0, int64(n) / 2, int64(n) / 3, int64(n) - 1} {
				if off < 0 || n == 0 {
					continue
				}
				p := make([]byte, min(10, int64(n)-off))
				if _, err := b.ReadAt(p, off); err != nil && err != io.EOF || !bytes.Equal(p, data[off:off+int64(len(p))]) {
					t.Errorf("at %d: %q, %v", off, p, err)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestWhatIsNotWhatItIsSaidToBeIsNotStored(t *testing.T) {
	each(t, func(t *testing.T, s *blob.Store) {
		for _, n := range []int{10, 2 << 20} {
			data := bytes.Repeat([]byte("x"), n)
			d := sha256.Sum256(data)
			for name, body := range map[string][]byte{"short": data[1:], "long": append(data, 'x'), "other": bytes.Repeat([]byte("y"), n)} {
				if err := s.Put(t.Context(), d, int64(n), bytes.NewReader(body)); err == nil {
					t.Errorf("%s: it was stored", name)
				}
				if _, err := s.Open(t.Context(), d); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: open: %v", name, err)
				}
			}
		}
	})
}

func TestABlobThatWasPutSinceIsNotDeleted(t *testing.T) {
	each(t, func(t *testing.T, s *blob.Store) {
		d := put(t, s, []byte("one"))
		if gone, err := s.Delete(t.Context(), d, time.Now().Add(-time.Minute)); gone || err != nil {
			t.Errorf("a blob that was put a moment ago is gone: %t, %v", gone, err)
		}
		later := time.Now().Add(time.Minute)
		if gone, err := s.Delete(t.Context(), d, later); !gone || err != nil {
			t.Errorf("after its time it is gone: %t, %v", gone, err)
		}
		if gone, err := s.Delete(t.Context(), d, later); gone || err != nil {
			t.Errorf("it is gone again: %t, %v", gone, err)
		}
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
	d := put(t, s, []byte("one"))
	if len(kept) != 0 {
		t.Errorf("a new blob is kept: %x", kept)
	}
	for range 2 {
		put(t, s, []byte("one"))
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

func TestWalkFindsEveryBlobAndNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storage")
	s, err := blob.Open(t.Context(), "filesystem", map[string]any{"rootdirectory": dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[backend.Digest]int64{put(t, s, []byte("one")): 3, put(t, s, []byte("four")): 4}
	if err := os.WriteFile(filepath.Join(dir, "packages/sha256/00/half.tmp"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.Walk(context.Background(), func(d backend.Digest, size int64, at time.Time) error {
		if want[d] != size || time.Since(at) > time.Minute {
			t.Errorf("%x has %d bytes and was put at %v", d, size, at)
		}
		delete(want, d)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%d blobs were not found, %v", len(want), err)
	}
}
