package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// These follow the name of the upstream, and the path follows them.
var (
	errNotTaken = errors.New("stopped taking")
	errStalled  = errors.New("stopped sending")
)

// slowest is the least that a body must bring, in bytes for each second of waiting for it.
const slowest = 1 << 10

// incoming is the body of an answer. It fails if nothing comes for longer than the timeout, or less than the slowest
// pace allows; time in which nobody reads does not count.
type incoming struct {
	client *Client
	path   string
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc

	watch  *time.Timer
	read   int64
	waited time.Duration
}

func (b *incoming) Read(p []byte) (int, error) {
	timeout := b.client.options.Timeout
	if b.watch == nil {
		b.watch = time.AfterFunc(timeout, func() { b.cancel(errStalled) })
	} else {
		b.watch.Reset(timeout)
	}
	began := time.Now()
	n, err := b.body.Read(p)
	b.watch.Stop()
	b.read += int64(n)
	b.waited += time.Since(began)
	if err == nil && b.waited > timeout+time.Duration(b.read/slowest)*time.Second {
		b.cancel(errStalled)
		return n, b.client.fault("sends %s too slowly: %d bytes in %v", b.path, b.read, b.waited.Round(time.Second))
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	if interrupted := b.client.interrupted(b.ctx, b.path); interrupted != nil {
		return n, interrupted
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, b.client.fault("broke off %s after %d bytes", b.path, b.read)
	}
	return n, b.client.fault("broke off %s: %s", b.path, reason(err))
}

func (b *incoming) Close() error {
	defer b.cancel(nil)
	return b.body.Close()
}

// outgoing is the body of a request. It gives up if nobody reads for longer than the timeout; a source that is slow does
// not count. After Close nobody reads from the source, although net/http may still try.
type outgoing struct {
	source  io.Reader
	timeout time.Duration
	stalled func()

	mu     sync.Mutex
	watch  *time.Timer
	closed bool
}

func (b *outgoing) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errNotTaken
	}
	if b.watch != nil {
		b.watch.Stop()
	}
	n, err := b.source.Read(p)
	if err == nil {
		b.watch = time.AfterFunc(b.timeout, b.stalled)
	}
	return n, err
}

func (b *outgoing) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.watch != nil {
		b.watch.Stop()
	}
	return nil
}
