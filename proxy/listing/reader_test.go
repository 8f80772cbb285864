package listing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"hallmark/proxy/listing"
)

// scattered stores random bytes as parts of every kind.
func scattered(t testing.TB, h *house, pieces, limit int) (listing.Parts, []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, uint64(pieces)))
	var parts listing.Parts
	var all []byte
	for i := range pieces {
		data := make([]byte, r.IntN(limit))
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		whole := listing.Object(data)
		switch i % 4 {
		case 0:
			h.objects[whole.Digest] = data
			parts = append(parts, whole)
		case 1, 2:
			h.blobs[whole.Digest] = data
			whole.Object = false
			whole.Offset = int64(len(data) / 3)
			data = data[len(data)/3:]
			data = data[:len(data)*3/4]
			whole.Size = int64(len(data))
			parts = append(parts, whole)
		default:
			data = data[:min(len(data), 100)]
			parts = append(parts, listing.Inline(data))
		}
		all = append(all, data...)
	}
	return parts, all
}

func TestAReaderReadsWhatThePartsSay(t *testing.T) {
	for _, c := range []struct {
		name          string
		pieces, limit int
	}{
		{"nothing", 0, 1},
		{"empty parts", 8, 1},
		{"small parts", 50, 40},
		{"parts larger than a chunk", 9, 400_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse()
			parts, want := scattered(t, h, c.pieces, c.limit)
			r := listing.NewReader(t.Context(), h, parts)
			if c.limit <= 40 {
				if err := iotest.TestReader(r, want); err != nil {
					t.Error(err)
				}
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(iotest.HalfReader(r))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if n, err := r.WriteTo(&out); err != nil || n != int64(len(want)) || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("wrote %d bytes, %v; want %d", n, err, len(want))
			}
			ranges(t, r, want)
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
			if h.opened != h.closed {
				t.Errorf("%d blobs were opened and %d closed", h.opened, h.closed)
			}
			for _, read := range []func() (int, error){
				func() (int, error) { return r.Read(make([]byte, 1)) },
				func() (int, error) { return r.ReadAt(make([]byte, 1), 0) },
			} {
				if _, err := read(); len(want) > 0 && c.limit > 200 && !errors.Is(err, fs.ErrClosed) {
					t.Errorf("a read after Close returns %v", err)
				}
			}
		})
	}
}

// ranges reads at random places: sequentially after Seek, and by ReadAt from several goroutines meanwhile.
func ranges(t *testing.T, r *listing.Reader, want []byte) {
	t.Helper()
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 9))
			for range 50 {
				off, n := rng.IntN(len(want)+1), rng.IntN(3000)
				p := make([]byte, n)
				got, err := r.ReadAt(p, int64(off))
				expected := want[off:min(len(want), off+n)]
				if !bytes.Equal(p[:got], expected) || (err != nil) != (got < n) || err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("ReadAt(%d, %d) = %d, %v", n, off, got, err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(7, 9))
	for range 50 {
		off, n := rng.IntN(len(want)+1), rng.IntN(300_000)
		if _, err := r.Seek(int64(off-len(want)), io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := io.CopyN(&got, r, int64(n)); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want[off:min(len(want), off+n)]) {
			t.Fatalf("%d bytes from %d on are not those", n, off)
		}
	}
	all.Wait()
}

func TestAReaderFails(t *testing.T) {
	h := newHouse()
	data := bytes.Repeat([]byte("x"), 1000)
	part := listing.Object(data)
	missing := part
	blob := part
	blob.Object = false
	short := blob
	short.Offset = 500
	missing.Digest[0]++
	h.objects[part.Digest] = data
	h.blobs[part.Digest] = data
	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name string
		ctx  context.Context
		part listing.Part
		want error
	}{
		{"for an object that is gone", t.Context(), missing, fs.ErrNotExist},
		{"for a blob that is shorter than it should be", t.Context(), short, io.ErrUnexpectedEOF},
		{"after its context has ended", ended, blob, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := listing.NewReader(c.ctx, h, listing.Parts{listing.Inline([]byte("head")), c.part})
			defer r.Close()
			if _, err := io.ReadAll(r); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
			if _, err := r.ReadAt(make([]byte, 900), 4); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
		})
	}
	t.Run("for a place before the beginning", func(t *testing.T) {
		r := listing.NewReader(t.Context(), h, listing.Parts{part})
		defer r.Close()
		if _, err := r.Seek(-1, io.SeekStart); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Seek: %v", err)
		}
		if _, err := r.ReadAt(make([]byte, 1), -1); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ReadAt: %v", err)
		}
	})
}

func TestAReaderKeepsFewBlobsOpen(t *testing.T) {
	h := newHouse()
	var parts listing.Parts
	for i := range 50 {
		data := fmt.Appendf(nil, "blob %d", i)
		p := listing.Object(data)
		p.Object = false
		h.blobs[p.Digest] = data
		parts = append(parts, p)
	}
	r := listing.NewReader(t.Context(), h, parts)
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if open := h.opened - h.closed; open > 2 {
		t.Errorf("%d blobs are open", open)
	}
}
