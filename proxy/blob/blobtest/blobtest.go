// Package blobtest is what every store of blobs passes, whatever its driver.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"hallmark/proxy/backend"
)

// A Store is what a collector and the write path see of one.
type Store interface {
	backend.Blobs
	Ready(ctx context.Context) error
	Walk(ctx context.Context, visit func(d backend.Digest, size int64, put time.Time) error) error
	Delete(ctx context.Context, d backend.Digest, before time.Time) (bool, error)
}

// Run tests the stores that open opens. Each call returns one that is empty.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Store)
	}{
		{"a blob is read at any place", readAtAnyPlace},
		{"what is not what it is said to be is not stored", refuseOtherBytes},
		{"what cannot be read to its end is not stored", refuseBrokenReader},
		{"a blob that was put a moment ago is not deleted", keepWhatIsNew},
		{"many put the same blob", putAtOnce},
		{"walk finds every blob", walk},
		{"walk stops at the first error", walkStops},
		{"a request that has ended does nothing", endWithContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Put stores data, which must work, and returns its digest.
func Put(t *testing.T, s Store, data []byte) backend.Digest {
	t.Helper()
	d := sha256.Sum256(data)
	if err := s.Put(t.Context(), d, int64(len(data)), bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return d
}

// There reports whether a blob is there.
func There(t *testing.T, s Store, d backend.Digest) bool {
	t.Helper()
	b, err := s.Open(t.Context(), d)
	if err == nil {
		return b.Close() == nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	return false
}

// sizes are on both sides of those at which drivers do something else.
var sizes = []int{0, 1, 1 << 20, 1<<20 + 1, 2<<20 + 77, 5 << 20, 5<<20 + 1, 10 << 20, 10<<20 + 1}

func readAtAnyPlace(t *testing.T, s Store) {
	for _, n := range sizes {
		data := bytes.Repeat([]byte("0123456789abc"), n/13+1)[:n]
		d := Put(t, s, data)
		Put(t, s, data)
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
		p := make([]byte, 20)
		if m, err := b.ReadAt(p, max(0, int64(n)-10)); m != min(n, 10) || err != io.EOF {
			t.Errorf("at the end of %d: %d bytes, %v", n, m, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func refuseOtherBytes(t *testing.T, s Store) {
	for _, n := range []int{10, 2 << 20, 11 << 20} {
		data := bytes.Repeat([]byte("x"), n)
		d := sha256.Sum256(data)
		for name, body := range map[string][]byte{"short": data[1:], "long": append(data, 'x'), "other": bytes.Repeat([]byte("y"), n)} {
			if err := s.Put(t.Context(), d, int64(n), bytes.NewReader(body)); err == nil {
				t.Errorf("%s: it was stored", name)
			}
			if There(t, s, d) {
				t.Errorf("%s of %d: it is there", name, n)
			}
		}
		if Put(t, s, data); !There(t, s, d) {
			t.Error("after that it cannot be stored")
		}
	}
}

func refuseBrokenReader(t *testing.T, s Store) {
	broken := errors.New("broken")
	for _, n := range []int{10, 11 << 20} {
		data := bytes.Repeat([]byte("x"), n)
		d := sha256.Sum256(data)
		body := io.MultiReader(bytes.NewReader(data[:n-1]), iotest.ErrReader(broken))
		if err := s.Put(t.Context(), d, int64(n), body); !errors.Is(err, broken) {
			t.Errorf("put: %v", err)
		}
		if There(t, s, d) {
			t.Errorf("half of %d bytes are there", n)
		}
	}
}

func keepWhatIsNew(t *testing.T, s Store) {
	d, never := Put(t, s, []byte("one")), sha256.Sum256([]byte("never"))
	for _, step := range []struct {
		name   string
		digest backend.Digest
		before time.Duration // from now
		want   bool
	}{
		{"put a moment ago", d, -time.Minute, false},
		{"after its time", d, time.Minute, true},
		{"gone already", d, time.Minute, false},
		{"never there", never, time.Minute, false},
	} {
		if gone, err := s.Delete(t.Context(), step.digest, time.Now().Add(step.before)); gone != step.want || err != nil {
			t.Errorf("%s: deleted %t, %v", step.name, gone, err)
		}
	}
	if There(t, s, d) {
		t.Error("what was deleted is there")
	}
}

func putAtOnce(t *testing.T, s Store) {
	for _, n := range []int{100, 6 << 20} {
		data := bytes.Repeat([]byte("z"), n)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { Put(t, s, data) })
		}
		all.Wait()
		b, err := s.Open(t.Context(), sha256.Sum256(data))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size())); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes come back, %v", len(got), n, err)
		}
	}
}

func walk(t *testing.T, s Store) {
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("an empty store is not ready: %v", err)
	}
	want := make(map[backend.Digest]int64)
	for n := range 30 {
		data := bytes.Repeat([]byte("w"), n)
		want[Put(t, s, data)] = int64(n)
	}
	err := s.Walk(t.Context(), func(d backend.Digest, size int64, at time.Time) error {
		if n, known := want[d]; !known || n != size || time.Since(at).Abs() > time.Minute {
			t.Errorf("%x has %d bytes and was put at %v", d, size, at)
		}
		delete(want, d)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%d blobs were not found, %v", len(want), err)
	}
}

func walkStops(t *testing.T, s Store) {
	none := func(backend.Digest, int64, time.Time) error { t.Error("there is something"); return nil }
	if err := s.Walk(t.Context(), none); err != nil {
		t.Errorf("an empty store: %v", err)
	}
	Put(t, s, []byte("one"))
	Put(t, s, []byte("two"))
	enough, seen := errors.New("enough"), 0
	err := s.Walk(t.Context(), func(backend.Digest, int64, time.Time) error { seen++; return enough })
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("after %d blobs: %v", seen, err)
	}
}

func endWithContext(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := bytes.Repeat([]byte("c"), 6<<20)
	d := sha256.Sum256(data)
	err := s.Put(ctx, d, int64(len(data)), bytes.NewReader(data))
	if err != nil && !errors.Is(err, context.Canceled) { // drivers that never wait need not look
		t.Errorf("put: %v", err)
	}
	if err != nil && There(t, s, d) {
		t.Error("what was not stored is there")
	}
}
