package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// remote is a blob on a driver that knows streams alone. Reads one after the other share a stream; one that breaks is
// opened again where it broke, as long as that leads on.
type remote struct {
	ctx    context.Context
	driver driver.StorageDriver
	path   string
	size   int64

	mu     sync.Mutex
	stream io.ReadCloser
	at     int64 // of the stream
}

func (r *remote) Size() int64 { return r.size }

func (r *remote) ReadAt(p []byte, off int64) (n int, err error) {
	if off >= r.size {
		return 0, io.EOF
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		m, err := r.read(p[n:], off+int64(n))
		n += m
		switch {
		case n == len(p):
			return n, nil
		case off+int64(n) == r.size:
			return n, io.EOF
		case m == 0 || r.ctx.Err() != nil:
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("read blob %s at %d: %w", r.path, off+int64(n), plain(r.ctx, err))
		}
		r.close()
	}
}

// read fills p as far as one stream goes.
func (r *remote) read(p []byte, off int64) (int, error) {
	if r.stream == nil || r.at != off {
		r.close()
		var err error
		if r.stream, err = r.driver.Reader(r.ctx, r.path, off); err != nil {
			r.stream = nil
			return 0, err
		}
		r.at = off
	}
	n, err := io.ReadFull(r.stream, p)
	r.at += int64(n)
	return n, err
}

func (r *remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.close()
	return nil
}

// rest is how much of a stream is read in vain, so that its connection can serve another.
const rest = 64 << 10

func (r *remote) close() {
	if r.stream == nil {
		return
	}
	if r.size-r.at <= rest {
		io.CopyN(io.Discard, r.stream, rest)
	}
	r.stream.Close() // of something that was only read
	r.stream = nil
}
