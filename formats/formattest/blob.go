package formattest

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"hallmark/formats/format"
)

// A Blob is bytes in memory as a format sees them. It counts what is read of it, so that a test can say that a reader reads
// no more than it must.
type Blob struct {
	data []byte
	read atomic.Int64
}

var _ format.Blob = (*Blob)(nil)

// NewBlob returns a Blob of data, which must not change.
func NewBlob(data []byte) *Blob { return &Blob{data: data} }

// Size returns the number of bytes.
func (b *Blob) Size() int64 { return int64(len(b.data)) }

// Digest returns the digest of all bytes by any hash that the program holds.
func (b *Blob) Digest(h crypto.Hash) []byte {
	if h == crypto.SHA256 {
		sum := sha256.Sum256(b.data)
		return sum[:]
	}
	w := h.New()
	w.Write(b.data)
	return w.Sum(nil)
}

// ReadAt implements [io.ReaderAt].
func (b *Blob) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("read at a negative offset")
	}
	n, err := bytes.NewReader(b.data).ReadAt(p, offset)
	b.read.Add(int64(n))
	return n, err
}

// Read returns how many bytes were read.
func (b *Blob) Read() int64 { return b.read.Load() }

// A restricted Blob gives only the digests that a format has declared.
type restricted struct {
	*Blob
	digests []crypto.Hash
	guard   *guard
}

func (r restricted) Digest(h crypto.Hash) []byte {
	for _, declared := range append([]crypto.Hash{crypto.SHA256}, r.digests...) {
		if h == declared {
			return r.Blob.Digest(h)
		}
	}
	r.guard.breach("it asks for a %v that Spec.Digests does not name", h)
	return nil
}

// A padded is a blob of some bytes with zeros behind them, which cost no memory.
type padded struct {
	*Blob
	size int64
}

func (p padded) Size() int64 { return p.size }

func (p padded) Digest(crypto.Hash) []byte { return make([]byte, sha256.Size) }

func (p padded) ReadAt(to []byte, offset int64) (int, error) {
	if offset < 0 || offset >= p.size {
		return 0, fmt.Errorf("read at %d of %d bytes: %w", offset, p.size, io.EOF)
	}
	n := 0
	if offset < p.Blob.Size() {
		n = copy(to, p.data[offset:])
	}
	rest := to[n:min(int64(len(to)), p.size-offset)]
	clear(rest)
	n += len(rest)
	p.read.Add(int64(n))
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
