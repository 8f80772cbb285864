package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"hallmark/proxy/backend"
)

// withheld is how many bytes at the end nobody gets before all of them matched.
const withheld = 16 << 10

var (
	errVanished = errors.New("the file has left the cache")
	errUnwanted = errors.New("nobody wants it any more")
)

// A flight is one file on its way from the upstream into the cache.
type flight struct {
	house  *Downloads
	want   Want
	ctx    context.Context
	cancel context.CancelCauseFunc

	// The lock of the house guards these.
	readers    int
	over, kept bool // run has ended; the file is in the cache

	mu      sync.Mutex
	changed chan struct{} // closed when something below changes
	path    string        // of the file; empty: the upstream has not answered yet
	size    int64         // -1: unknown before the end
	written int64
	done    bool // all of it is there and matched, or err says why not
	err     error
	digest  backend.Digest
}

func newFlight(d *Downloads, w Want) *flight {
	f := &flight{house: d, want: w, size: w.Size, changed: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancelCause(d.ctx)
	return f
}

// change applies a change and wakes those who wait for one.
func (f *flight) change(apply func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	apply()
	close(f.changed)
	f.changed = make(chan struct{})
}

// await returns when ready does not return false any more, which is asked under the lock after each change.
func (f *flight) await(ctx context.Context, ready func() bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !ready() {
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// visible returns how many bytes readers may have, under the lock.
func (f *flight) visible() int64 {
	if f.done {
		return f.written
	}
	return max(0, min(f.written, f.size-withheld))
}

// run fetches the file, and takes the flight from the house's list when it is over.
func (f *flight) run() {
	defer f.cancel(nil)
	kept, err := f.fetch()
	if err != nil {
		f.fail(err)
	}
	d := f.house
	d.mu.Lock()
	defer d.mu.Unlock()
	f.unlist()
	f.over, f.kept = true, kept
	if !kept && (err != nil || f.readers == 0) {
		os.Remove(f.path)
	}
}

// fail tells the readers. Who comes after that causes another request.
func (f *flight) fail(err error) {
	if f.want.Failed != nil {
		f.want.Failed()
	}
	f.house.mu.Lock()
	f.unlist()
	f.house.mu.Unlock()
	f.change(func() { f.done, f.err = true, err })
}

// unlist takes the flight from the house's list, under the lock of the house.
func (f *flight) unlist() {
	if f.house.flights[f.want.Key] == f {
		delete(f.house.flights, f.want.Key)
	}
}

// leave is called once by everyone who was counted among the readers.
func (f *flight) leave() {
	d := f.house
	d.mu.Lock()
	defer d.mu.Unlock()
	f.readers--
	switch {
	case f.readers > 0 || f.kept:
	case f.over:
		os.Remove(f.path)
	case f.tooBig():
		f.cancel(errUnwanted)
		f.unlist() // so that nobody enters it
	}
}

// tooBig reports whether the file does not fit into the cache, as far as one knows.
func (f *flight) tooBig() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.size, f.written) > f.house.cache.Size()
}

// fetch brings the file. Kept says that it is in the cache. The readers have all of it before it is durable.
func (f *flight) fetch() (kept bool, err error) {
	client, cache := f.house.client, f.house.cache
	resp, err := client.Get(f.ctx, f.want.Source, f.want.Since)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.NotModified {
		return false, errUnchanged
	}
	size := f.want.Size
	switch {
	case size < 0:
		size = resp.Size
	case resp.Size >= 0 && resp.Size != size:
		return false, f.mismatch(resp.Body, resp.Size)
	}
	if f.want.Size < 0 && size > f.want.Limit {
		return false, client.fault("sends %s with %d bytes, and at most %d are taken", f.want.Source, size, f.want.Limit)
	}
	if size <= cache.Size() {
		defer cache.reserve(max(0, size))()
	}
	file, err := cache.create()
	if err != nil {
		return false, full(err)
	}
	defer file.Close()
	f.change(func() { f.path, f.size = file.Name(), size })
	if err := f.take(file, resp); err != nil {
		return false, err
	}
	if f.tooBig() {
		return false, nil
	}
	if err := f.keep(file); err != nil {
		f.house.log.Warn("a file of the upstream is not kept", "upstream", client.Host(), "path", f.want.Source, "error", err)
		return false, nil
	}
	return true, nil
}

// take writes what is sent to the file, lets readers follow, and returns nil if it is what is wanted: then they have all of it.
func (f *flight) take(file *os.File, resp *Response) error {
	client, bound := f.house.client, f.size
	if bound < 0 {
		bound = f.want.Limit
	}
	check, err := f.check()
	if err != nil {
		return err
	}
	hashing := newHashing(check)
	err = f.copy(file, resp.Body, bound, hashing)
	sum, checkErr := hashing.end()
	if checkErr != nil {
		return client.fault("sends a %s that is not what its index says: %v", f.want.Source, checkErr)
	}
	if err != nil {
		return err
	}
	if f.size >= 0 && f.written != f.size {
		return client.fault("sends %d bytes of the %d that %s has", f.written, f.size, f.want.Source)
	}
	got := backend.Digest(sum)
	if f.want.SHA256 != nil && got != *f.want.SHA256 {
		return f.differs(got, f.written, nil)
	}
	if err := check.Close(); err != nil {
		return f.differs(got, f.written, err)
	}
	if f.want.Arrived != nil {
		if err := f.want.Arrived(f.ctx, Arrival{SHA256: got, Size: f.written, Validators: resp.Validators}); err != nil {
			return err
		}
	}
	f.change(func() { f.done, f.digest, f.size = true, got, f.written })
	return nil
}

// copy writes the body to the file, and has it hashed meanwhile. It ends early if that has found a fault.
func (f *flight) copy(file *os.File, body io.Reader, bound int64, h *hashing) error {
	for chunk := range h.free {
		n, readErr := body.Read(chunk)
		if f.written+int64(n) > bound {
			return f.house.client.fault("sends more than the %d bytes that %s may have", bound, f.want.Source)
		}
		h.work <- chunk[:n]
		if n > 0 {
			if _, err := file.Write(chunk[:n]); err != nil {
				return full(err)
			}
			f.change(func() { f.written += int64(n) })
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
	return nil
}

// keep moves the file into the cache.
func (f *flight) keep(file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	return f.house.cache.add(f.want.Key, f.digest, f.written, file.Name())
}

// check returns where all bytes are written to be checked, beside their SHA-256.
func (f *flight) check() (io.WriteCloser, error) {
	if f.want.Check == nil {
		return unchecked{io.Discard}, nil
	}
	return f.want.Check()
}

type unchecked struct{ io.Writer }

func (unchecked) Close() error { return nil }

// maxWrong is how much is read of a file that is known to be wrong, to tell its digest.
const maxWrong = 64 << 20

// mismatch is the error for a file of another size. Nobody waits until its digest is known.
func (f *flight) mismatch(body io.Reader, size int64) error {
	err := f.house.client.fault("sends %s with %d bytes, and its index says %d", f.want.Source, size, f.want.Size)
	f.fail(err)
	sum := sha256.New()
	io.CopyN(sum, body, maxWrong)
	f.differs(backend.Digest(sum.Sum(nil)), size, err)
	return err
}

// differs logs that the bytes are others than the index says, and returns the error for it.
func (f *flight) differs(got backend.Digest, size int64, why error) error {
	attrs := []any{slog.String("upstream", f.house.client.Host()), slog.String("path", f.want.Source), slog.Int64("size", size)}
	if f.want.SHA256 != nil {
		attrs = append(attrs, slog.String("expected", hex.EncodeToString(f.want.SHA256[:])))
	}
	attrs = append(attrs, slog.String("got", hex.EncodeToString(got[:])))
	if why != nil {
		attrs = append(attrs, slog.String("error", why.Error()))
	}
	f.house.log.Error("the upstream sends a file that is not the one in its index", attrs...)
	if why != nil {
		return f.house.client.fault("sends a %s that is not the one in its index: %v", f.want.Source, why)
	}
	return f.house.client.fault("sends a %s whose SHA-256 is not the one in its index", f.want.Source)
}

// full makes errors of a full disk wrap backend.ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", backend.ErrFull, err)
	}
	return err
}

// open returns a reader of its own, once the size is known.
func (f *flight) open(ctx context.Context) (*Content, error) {
	if err := f.await(ctx, func() bool { return f.done || f.path != "" && f.size >= 0 }); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errVanished // into the cache, or from there
	}
	if err != nil {
		return nil, full(err)
	}
	return &Content{ctx: ctx, file: file, size: f.size, flight: f}, nil
}
