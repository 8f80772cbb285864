package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
)

// A Ledger is where the overlay and what is known of the upstream are kept: the hosted backend.
type Ledger interface {
	backend.State
	backend.Tree
}

// Options are what a [Repository] is made of. All are required.
type Options struct {
	Name   string
	Format format.Format // also a format.Mirror
	Ledger Ledger
	Blobs  backend.Blobs // of the overlay
	Client *Client
	Cache  *Cache
	Keys   *Keys
	Spool  *spool.Spool
	// Refresh is how old the index of the upstream may be before it is asked whether there is another.
	Refresh time.Duration
	// Limit is the most bytes that a file may have whose size no index says.
	Limit int64
	Log   *slog.Logger
	Now   func() time.Time
}

// A Repository stands in front of an upstream. It is a [backend.State], a [backend.Tree] and a [backend.Upstream], and safe
// for concurrent use.
//
// What the upstream lists stands in our own ledger, generation by generation, like what was uploaded here. Only the bytes
// of its files are elsewhere: in the cache, or with the upstream.
type Repository struct {
	Ledger
	options   Options
	mirror    format.Mirror
	downloads *Downloads
	publish   *publish.Repository

	mu     sync.Mutex
	scopes map[string]*scope
	found  map[string]*found
	making map[string]*attesting
}

// New returns a Repository. Serve must be called before it is used as an Upstream.
func New(o Options) (*Repository, error) {
	mirror, ok := o.Format.(format.Mirror)
	if !ok {
		return nil, fmt.Errorf("%s cannot stand in front of an upstream", o.Format.Spec().Title)
	}
	return &Repository{
		Ledger: o.Ledger, options: o, mirror: mirror, downloads: NewDownloads(o.Client, o.Cache, o.Log),
		scopes: map[string]*scope{}, found: map[string]*found{}, making: map[string]*attesting{},
	}, nil
}

// Serve says by whom changes are published.
func (r *Repository) Serve(p *publish.Repository) { r.publish = p }

// Close breaks off what is on its way from the upstream.
func (r *Repository) Close() { r.downloads.Close() }

// Ready reports whether the upstream answers.
func (r *Repository) Ready(ctx context.Context) error { return r.options.Client.Ready(ctx) }

// VerifyCache reads every file that is kept of the upstream, and tells how many there are. The error names the first
// whose bytes are not what they were.
func (r *Repository) VerifyCache(ctx context.Context, tell func(string)) error {
	var first error
	files, err := VerifyCache(ctx, r.options.Cache.dir, func(file string, fault error) {
		if first == nil {
			first = fmt.Errorf("%s, which is kept of the upstream: %w; remove it, so that it is fetched again", file, fault)
		}
	})
	if first != nil || err != nil {
		return cmp.Or(first, err)
	}
	tell(fmt.Sprintf("%d files that are kept of the upstream are what they were", files))
	return nil
}

// Open implements [backend.Tree]. The bytes of a file of the upstream may be on their way yet: see [backend.File]. The upstream
// is asked for a file that no index lists, if [Repository.Freshen] was asked about its path.
func (r *Repository) Open(ctx context.Context, at int64, paths ...string) (*backend.File, error) {
	var sought map[string]Want
	if at == backend.Current {
		sought = r.sought(paths)
	}
	f, err := r.Ledger.Open(ctx, at, paths...)
	if len(sought) > 0 && errors.Is(err, fs.ErrNotExist) {
		return r.openSought(ctx, paths, sought)
	}
	if err != nil || f.Index {
		return f, err
	}
	want, ok, err := r.want(ctx, f)
	if err != nil || !ok {
		return f, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, f, want); errors.Is(err, fs.ErrNotExist) {
		return nil, r.options.Client.fault("lists %s and has no such file", want.Source)
	} else if err != nil {
		return nil, err
	}
	return f, nil
}

// fetch gives an open file the bytes that the upstream has, as soon as it is known how many they are.
func (r *Repository) fetch(ctx context.Context, f *backend.File, w Want) error {
	c, err := r.downloads.Open(ctx, w)
	if err != nil {
		return err
	}
	if c.Size() <= withheld {
		// Nothing of it is given away before the end: what is wrong with it can be an answer, not a broken transfer.
		if err := c.Wait(ctx); err != nil {
			c.Close()
			return err
		}
	}
	f.ReadSeeker, f.Size, f.Wait, f.Close = c, c.Size(), c.Wait, c.Close
	if file := c.File(); file != nil {
		f.ReadSeeker, f.Wait = file, nil
	}
	return nil
}

// want returns what the upstream says of an open file. It reports false for one whose bytes are here.
func (r *Repository) want(ctx context.Context, f *backend.File) (w Want, ok bool, err error) {
	found, err := r.Find(ctx, []string{f.Path}, nil)
	if err != nil || len(found) == 0 {
		return w, false, err
	}
	foreign, _, ok, err := publish.ForeignOf(found[0])
	if err != nil || !ok {
		return w, false, err
	}
	b, err := r.options.Blobs.Open(ctx, f.Tag)
	if err == nil {
		return w, false, b.Close() // it was uploaded here, and is the upstream's by now
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return w, false, err
	}
	if found[0].Digest != f.Tag {
		// An older generation's, whose digest may be all that is left of it.
		if !bytes.Equal(foreign.SHA256, found[0].Digest[:]) {
			return w, false, fmt.Errorf("%s was another file then: %w", f.Path, fs.ErrNotExist)
		}
		foreign.Size, foreign.SHA256 = f.Size, f.Tag[:]
	}
	return r.wantOf(foreign, f.Tag), true, nil
}

// wantOf returns how a file of the upstream is fetched. Content is its key.
func (r *Repository) wantOf(f format.Foreign, content backend.Digest) Want {
	w := Want{Key: content, Source: sourceOf(f), Size: f.Size, Limit: r.options.Limit}
	if f.SHA256 != nil {
		sum := backend.Digest(f.SHA256)
		w.SHA256 = &sum
	}
	if checker, ok := r.options.Format.(format.Checker); ok && f.Check != "" {
		w.Check = func() (io.WriteCloser, error) { return checker.Check(f.Check) }
	}
	return w
}

func sourceOf(f format.Foreign) string {
	if f.Source != "" {
		return f.Source
	}
	return f.Path
}

// Put implements [backend.Upstream].
func (r *Repository) Put(ctx context.Context, path string, size int64, body io.Reader) error {
	return r.options.Client.Put(ctx, path, size, body)
}

// Delete implements [backend.Upstream].
func (r *Repository) Delete(ctx context.Context, path string) error {
	return r.options.Client.Delete(ctx, path)
}

// Digest implements [backend.Upstream].
func (r *Repository) Digest(ctx context.Context, path string) (d backend.Digest, err error) {
	resp, err := r.options.Client.Get(ctx, path, Validators{})
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	body, err := r.options.Spool.Take(ctx, resp.Body, r.options.Limit)
	if err != nil {
		return d, err
	}
	defer body.Close()
	return digestOf(body), nil
}

// Kept implements [backend.Upstream].
func (r *Repository) Kept(ctx context.Context, content backend.Digest) (backend.Blob, error) {
	b, err := r.options.Blobs.Open(ctx, content)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	file, _, err := r.options.Cache.Open(content)
	if err != nil {
		return nil, err
	}
	return asBlob(file)
}

// cachedFile is a file of the cache as a [backend.Blob].
type cachedFile struct {
	*os.File
	size int64
}

func asBlob(f *os.File) (*cachedFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &cachedFile{f, info.Size()}, nil
}

// Size returns the number of bytes.
func (f *cachedFile) Size() int64 { return f.size }
