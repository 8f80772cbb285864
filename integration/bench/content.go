package main

import (
	"encoding/binary"
	"io"
	"math/rand/v2"

	"github.com/opencontainers/go-digest"
)

// A blob is content that is like no other, of any size, and takes no memory: each block is the same random one with its
// number at the front.
type blob struct {
	number uint64
	size   int64
	digest digest.Digest
}

// newBlob makes a blob. It computes the digest, which takes a while.
func newBlob(size int64) blob {
	b := blob{number: uint64(serial.Add(1)), size: size}
	d := digest.SHA256.Digester()
	io.Copy(d.Hash(), b.open()) // neither end can fail
	b.digest = d.Digest()
	return b
}

// open returns a reader of the content.
func (b blob) open() io.Reader {
	return io.LimitReader(&blocks{blob: b.number}, b.size)
}

const blockSize = 1 << 20

// block is random, so that no file system can make it smaller.
var block = func() (b [blockSize]byte) {
	source := rand.NewChaCha8([32]byte([]byte("the same content in every run ..")))
	source.Read(b[:])
	return b
}()

// blocks is a stream without end.
type blocks struct {
	blob, number uint64
	at           int // in the block
}

// Read never mixes two blocks, and never returns an error.
func (s *blocks) Read(p []byte) (int, error) {
	n := copy(p, block[s.at:])
	if s.at < 16 {
		var head [16]byte
		binary.BigEndian.PutUint64(head[:], s.blob)
		binary.BigEndian.PutUint64(head[8:], s.number)
		copy(p[:n], head[s.at:])
	}
	if s.at += n; s.at == blockSize {
		s.at, s.number = 0, s.number+1
	}
	return n, nil
}
