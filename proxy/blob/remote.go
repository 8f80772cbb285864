package blob

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// remote is a blob on a driver that knows streams alone. Reads one after the other share a stream.
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

func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.size {
		return 0, io.EOF
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream == nil || r.at != off {
		if err := r.close(); err != nil {
			return 0, err
		}
		var err error
		if r.stream, err = r.driver.Reader(r.ctx, r.path, off); err != nil {
			return 0, err
		}
		r.at = off
	}
	n, err := io.ReadFull(r.stream, p)
	r.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) && r.at == r.size {
		err = io.EOF
	}
	return n, err
}

func (r *remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.close()
}

func (r *remote) close() error {
	if r.stream == nil {
		return nil
	}
	err := r.stream.Close()
	r.stream = nil
	return err
}
