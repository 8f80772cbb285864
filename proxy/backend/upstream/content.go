package upstream

import (
	"context"
	"errors"
	"io"
	"os"

	"hallmark/proxy/backend"
)

// A Content is an open file of an upstream, which may be on its way yet. It is for one reader.
type Content struct {
	ctx    context.Context
	file   *os.File // its offset is at
	size   int64
	at     int64
	flight *flight // nil: it came from the cache
	digest backend.Digest
	closed bool
}

// Size returns how many bytes the file has.
func (c *Content) Size() int64 { return c.size }

// Cached reports whether the file was in the cache already, and did not come, and match, just now.
func (c *Content) Cached() bool { return c.flight == nil }

// Read implements [io.Reader]. It waits for bytes that are not there yet. The last ones of a file come when all matched;
// if they do not, the error wraps backend.ErrUpstream. It ends with the context of [Downloads.Open].
func (c *Content) Read(p []byte) (int, error) {
	n, err := c.ready(c.ctx, c.at)
	if err != nil {
		return 0, err
	}
	read, err := c.file.Read(p[:min(n, int64(len(p)))])
	c.at += int64(read)
	return read, err
}

// ready waits until readers may have more than the first at bytes, and returns how many more. It is io.EOF at the end.
func (c *Content) ready(ctx context.Context, at int64) (n int64, err error) {
	visible := c.size
	if c.flight != nil {
		var failed error
		err := c.flight.await(ctx, func() bool {
			visible, failed = c.flight.visible(), c.flight.err
			return c.flight.done || visible > at
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return 0, err
		}
	}
	if visible <= at {
		return 0, io.EOF
	}
	return visible - at, nil
}

// Next returns the file, at the place of the reader, and how many bytes of it follow that may be read now: at most limit, at
// least one. It waits like Read. The reader is behind these bytes then. So the system can send them without us.
func (c *Content) Next(limit int64) (*os.File, int64, error) {
	n, err := c.ready(c.ctx, c.at)
	if err != nil {
		return nil, 0, err
	}
	n = min(n, limit)
	c.at += n
	return c.file, n, nil
}

// Seek implements [io.Seeker].
func (c *Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if _, err := c.file.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	c.at = offset
	return offset, nil
}

// Wait returns nil when all of the file is there and matched.
func (c *Content) Wait(ctx context.Context) error {
	if _, err := c.ready(ctx, c.size); err != io.EOF {
		return err
	}
	return nil
}

// Complete reports whether all of the file is there and matched, with its digest.
func (c *Content) Complete() (backend.Digest, bool) {
	if c.flight == nil {
		return c.digest, true
	}
	c.flight.mu.Lock()
	defer c.flight.mu.Unlock()
	return c.flight.digest, c.flight.done && c.flight.err == nil
}

// File returns the file itself, which the system can send without us, and nil unless the content is complete. It is the
// same reader: they share their place in the file, and the content's Close.
func (c *Content) File() *os.File {
	if _, ok := c.Complete(); !ok {
		return nil
	}
	return c.file
}

// Close ends reading. It may be called more than once.
func (c *Content) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.file.Close()
	if c.flight != nil {
		c.flight.leave()
	}
	return err
}
