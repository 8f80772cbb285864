// Package spool takes request bodies in: it keeps them until they are stored, and computes all digests in one pass.
package spool

import (
	"bytes"
	"context"
	"crypto"
	_ "crypto/md5" // the hashes that formats may ask for
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"slices"
	"syscall"
)

// Errors of Take.
var (
	// ErrTooLarge: the body is larger than the limit.
	ErrTooLarge = errors.New("too large")
	// ErrFull: there is no space left for the body.
	ErrFull = errors.New("no space left")
	// ErrBody: the body ended early, or could not be read.
	ErrBody = errors.New("the body could not be read to its end")
)

// inMemory is the size up to which a body is kept in memory.
const inMemory = 1 << 20

// A Spool takes bodies in. It is safe for concurrent use.
type Spool struct {
	dir    string
	chunks chan []byte // buffers that nobody uses
}

// Open returns the spool that keeps big bodies in the folder dir, which it empties: what is in it is left from a crash.
func Open(dir string) (*Spool, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Spool{dir: dir, chunks: make(chan []byte, 16)}, nil
}

// Take reads r to its end. The body holds its SHA-256 and the given hashes. The caller closes it.
func (s *Spool) Take(ctx context.Context, r io.Reader, limit int64, hashes ...crypto.Hash) (*Body, error) {
	b := &Body{spool: s, hashes: newHashes(hashes)}
	err := s.fill(ctx, b, r, limit)
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func newHashes(wanted []crypto.Hash) map[crypto.Hash]hash.Hash {
	hashes := map[crypto.Hash]hash.Hash{crypto.SHA256: crypto.SHA256.New()}
	for _, h := range wanted {
		if hashes[h] == nil {
			hashes[h] = h.New()
		}
	}
	return hashes
}

func (s *Spool) fill(ctx context.Context, b *Body, r io.Reader, limit int64) error {
	chunk := s.chunk()
	defer s.release(chunk)
	for {
		n, err := read(r, chunk)
		b.size += int64(n)
		if b.size > limit {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		for _, h := range b.hashes {
			h.Write(chunk[:n])
		}
		if err := s.keep(b, chunk[:n]); err != nil {
			if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
				err = fmt.Errorf("%w: %w", ErrFull, err)
			}
			return fmt.Errorf("keep the body: %w", err)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBody, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// read fills p, as far as r goes. Unlike io.ReadFull it tells a body that ends from one that is cut off, which net/http
// reports as io.ErrUnexpectedEOF.
func read(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

func (s *Spool) chunk() []byte {
	select {
	case c := <-s.chunks:
		return c
	default:
		return make([]byte, 256<<10)
	}
}

func (s *Spool) release(c []byte) {
	select {
	case s.chunks <- c:
	default:
	}
}

// keep appends to the body, which moves to a file when it becomes big.
func (s *Spool) keep(b *Body, p []byte) error {
	if b.file == nil && b.size <= inMemory {
		b.small = append(b.small, p...)
		return nil
	}
	if b.file == nil {
		f, err := os.CreateTemp(s.dir, "body-")
		if err != nil {
			return err
		}
		os.Remove(f.Name()) // it lives as long as it is open
		b.file = f
		if _, err := f.Write(b.small); err != nil {
			return err
		}
		b.small = nil
	}
	_, err := b.file.Write(p)
	return err
}

// A Body is bytes that were taken in. It may be read concurrently.
type Body struct {
	spool  *Spool // that took it in
	small  []byte
	file   *os.File
	size   int64
	hashes map[crypto.Hash]hash.Hash
}

// Spliced takes r in, which reads from b, into a body of its own. It is kept where b is: in memory or in a file.
func (b *Body) Spliced(r io.Reader, hashes ...crypto.Hash) (*Body, error) {
	return b.spool.Take(context.Background(), r, math.MaxInt64, hashes...)
}

// ReadAt implements [io.ReaderAt].
func (b *Body) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	return bytes.NewReader(b.small).ReadAt(p, off)
}

// Size returns the size in bytes.
func (b *Body) Size() int64 { return b.size }

// Digest returns a digest of the whole body: SHA-256, or one that Take was told. Nil: it was not.
func (b *Body) Digest(h crypto.Hash) []byte {
	if b.hashes[h] == nil {
		return nil
	}
	return b.hashes[h].Sum(nil)
}

// State returns a hash into which the whole body was written and more may be.
func (b *Body) State(h crypto.Hash) (hash.Hash, error) {
	cloner, ok := b.hashes[h].(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("the body has no %v", h)
	}
	return cloner.Clone()
}

// Hashes returns the hashes that the body holds.
func (b *Body) Hashes() []crypto.Hash {
	var all []crypto.Hash
	for h := range b.hashes {
		all = append(all, h)
	}
	slices.Sort(all)
	return all
}

// Close gives the memory or the file back.
func (b *Body) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}
