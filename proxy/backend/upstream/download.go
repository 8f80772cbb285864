package upstream

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"sync"

	"hallmark/proxy/backend"
)

// Downloads fetches files from an upstream into a [Cache], each once, however many ask for it, and lets them read along.
// It is safe for concurrent use.
type Downloads struct {
	client *Client
	cache  *Cache
	log    *slog.Logger

	ctx     context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	flights map[Key]*flight
}

// NewDownloads returns Downloads that fetch with a client into a cache, which is theirs until [Downloads.Close].
func NewDownloads(client *Client, cache *Cache, log *slog.Logger) *Downloads {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Downloads{client: client, cache: cache, log: log, ctx: ctx, cancel: cancel, flights: map[Key]*flight{}}
}

// ErrClosed says that the house is closing, and downloads with it.
var ErrClosed = errors.New("downloads from the upstream are closed")

// Close breaks off what is on its way, and returns when nothing is.
func (d *Downloads) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel(ErrClosed)
	d.running.Wait()
}

// A Want is a file that the upstream has, and what is known of it. Equal keys stand for equal wants, but for the digest:
// a file of another one takes the old one's place.
type Want struct {
	Key    Key
	Source string // the path of [Client.Get]
	// Size is in bytes; -1: it is not known.
	Size int64
	// SHA256 is the digest of the bytes. Nil: it is not known.
	SHA256 *backend.Digest
	// Check returns a writer for all the bytes, whose Close returns an error if they are not the right ones. Nil: there is
	// none.
	Check func() (io.WriteCloser, error)
	// Limit is the most bytes that a file of unknown size may have.
	Limit int64
	// Since are the validators of a file that is known: where the upstream has that one still, the error is errUnchanged.
	Since Validators
	// Arrived is told of a file that came and matched, before any reader gets the last bytes of it. Its error is the
	// readers', and then the file is not kept. Nil: nobody is told.
	Arrived func(context.Context, Arrival) error
	// Failed is told that the file does not come, or is not what it should be, before any reader is. Nil: nobody is told.
	Failed func()
}

// An Arrival is what is known of a file when all of it is there.
type Arrival struct {
	SHA256     backend.Digest
	Size       int64
	Validators Validators
}

// errUnchanged: the upstream has the file still that is known.
var errUnchanged = errors.New("the file has not changed")

// attempts is how often a file may vanish from the cache between its arrival and its opening.
const attempts = 3

// Open returns the file: from the cache, or while it comes. It returns when the size is known, which may be when all is
// there. Errors of the upstream are those of [Client], as far as they are known by then; what does not match is a
// backend.ErrUpstream. The error wraps backend.ErrFull if the disk is.
//
// The download goes on if the context ends. A file that is bigger than the cache comes all the same, and goes when nobody
// reads it any more, even if it is not complete.
func (d *Downloads) Open(ctx context.Context, w Want) (*Content, error) {
	for range attempts {
		f, c, err := d.find(w)
		if err != nil || c != nil {
			return c, err
		}
		c, err = f.open(ctx)
		if err == nil {
			return c, nil
		}
		f.leave()
		if !errors.Is(err, errVanished) {
			return nil, err
		}
	}
	return nil, d.client.fault("sends %s, which the cache is too small to keep", w.Source)
}

// find returns the content from the cache, or else the flight that brings it, entered.
func (d *Downloads) find(w Want) (*flight, *Content, error) {
	if c, err := d.cached(w); c != nil || err != nil {
		return nil, c, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, ErrClosed
	}
	f, ok := d.flights[w.Key]
	if !ok || f.want.SHA256 != nil && w.SHA256 != nil && *f.want.SHA256 != *w.SHA256 {
		// It may have arrived since the look into the cache.
		if c, err := d.cached(w); c != nil || err != nil {
			return nil, c, err
		}
		f = newFlight(d, w)
		d.flights[w.Key] = f
		d.running.Go(f.run)
	}
	f.readers++
	return f, nil, nil
}

// cached returns the content from the cache, or nil if it is not there.
func (d *Downloads) cached(w Want) (*Content, error) {
	file, digest, err := d.cache.Open(w.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if w.SHA256 != nil && digest != *w.SHA256 {
		file.Close()
		d.cache.Remove(w.Key)
		return nil, nil
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Content{file: file, size: info.Size(), digest: digest}, nil
}
