package upstream

import (
	"crypto/sha256"
	"io"
)

// What is on its way is hashed by a goroutine of its own, while it is written and the next chunk comes: on two processors that
// costs no time.
const (
	chunkSize = 256 << 10
	chunks    = 3
)

// A hashing takes the chunks of a file. Whoever takes one from free sends it to work, and may read it until he takes the next.
// Free is closed when the check has failed.
type hashing struct {
	free, work chan []byte
	done       chan struct{}
	check      io.Writer

	sum []byte // when done
	err error
}

// newHashing returns a hashing that writes all bytes to check, too. It must be ended.
func newHashing(check io.Writer) *hashing {
	h := &hashing{free: make(chan []byte, chunks), work: make(chan []byte, chunks), done: make(chan struct{}), check: check}
	for range chunks {
		h.free <- make([]byte, chunkSize)
	}
	go h.run()
	return h
}

func (h *hashing) run() {
	defer close(h.done)
	sum := sha256.New()
	for chunk := range h.work {
		if h.err != nil {
			continue
		}
		sum.Write(chunk)
		if _, h.err = h.check.Write(chunk); h.err != nil {
			close(h.free)
			continue
		}
		h.free <- chunk[:chunkSize]
	}
	h.sum = sum.Sum(nil)
}

// end returns the SHA-256 of all chunks, or the error of the check.
func (h *hashing) end() ([]byte, error) {
	close(h.work)
	<-h.done
	return h.sum, h.err
}
