package upstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"sync"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/publish"
)

// A found file is one that no index of the upstream lists, in a scope that has such: somebody has asked for it, and since
// then it is listed here. Nothing but the upstream itself says whether it is still what it was.
type found struct {
	mu         sync.Mutex // held while the upstream is asked
	next       time.Time  // when to ask again
	validators Validators // of what is listed; they are forgotten with the process
}

// maxFound bounds what is remembered of found files.
const maxFound = 100_000

func (r *Repository) foundAt(path string) *found {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.found[path]
	if f == nil {
		if len(r.found) >= maxFound {
			clear(r.found)
		}
		f = &found{}
		r.found[path] = f
	}
	return f
}

// open returns the Finder and what is known of a scope, or nil if it has no files that no index lists.
func (r *Repository) open(ctx context.Context, scope string) (format.Finder, publish.Followed, error) {
	finder, ok := r.options.Format.(format.Finder)
	if !ok {
		return nil, publish.Followed{}, nil
	}
	followed, err := r.publish.Followed(ctx, scope)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !followed.Open {
		return nil, followed, nil
	}
	return finder, followed, err
}

// find looks for a file that no index lists, and lists it.
func (r *Repository) find(ctx context.Context, scope, path string) error {
	finder, followed, err := r.open(ctx, scope)
	if finder == nil || err != nil {
		return err
	}
	if _, err := finder.Found(path, make([]byte, sha256.Size), 0); err != nil {
		return nil // no such file can be there
	}
	f := r.foundAt(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if there, err := r.Find(ctx, []string{path}, nil); err != nil || len(there) == 1 && there[0].Removed.IsZero() {
		return err // somebody else was quicker
	}
	l, validators, err := r.fetchFound(ctx, finder, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.next, f.validators = r.options.Now().Add(r.options.Refresh), validators
	return r.publish.Follow(ctx, change(scope, followed, l))
}

// lookAgain asks the upstream about a found file, if that is due. Where the upstream fails, what it had is good enough.
func (r *Repository) lookAgain(ctx context.Context, scope, path string) error {
	finder, followed, err := r.open(ctx, scope)
	if finder == nil || err != nil {
		return err
	}
	f := r.foundAt(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := r.options.Now()
	if now.Before(f.next) {
		return nil
	}
	there, err := r.Find(ctx, []string{path}, nil)
	if err != nil || len(there) == 0 {
		return err
	}
	listed, _, foreign, err := publish.ForeignOf(there[0])
	if err != nil || !foreign {
		return err // it was uploaded here
	}
	f.next = now.Add(r.options.Refresh)
	resp, err := r.options.Client.Get(ctx, path, f.validators)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		gone := change(scope, followed)
		gone.Remove = []string{path}
		return r.publish.Follow(ctx, gone)
	case err == nil:
		resp.Body.Close()
		if resp.NotModified {
			return nil
		}
	}
	var l publish.Listed
	var validators Validators
	if err == nil {
		l, validators, err = r.fetchFound(ctx, finder, path)
	}
	if err != nil {
		r.options.Log.Warn("the upstream does not say whether a file is still what it was; it is served as it was", "repository", r.options.Name, "path", path, "error", err)
		f.next = now.Add(min(r.options.Refresh, soon))
		return nil
	}
	f.validators = validators
	if bytes.Equal(l.SHA256, listed.SHA256) {
		return nil
	}
	return r.publish.Follow(ctx, change(scope, followed, l))
}

// change lists files of a scope beside those that are there.
func change(scope string, followed publish.Followed, listed ...publish.Listed) publish.Following {
	return publish.Following{Scope: scope, Edition: followed.Edition, Note: followed.Note, Add: listed}
}

// fetchFound fetches a file that no index lists, whole, since its digest is what it is listed by.
func (r *Repository) fetchFound(ctx context.Context, finder format.Finder, path string) (l publish.Listed, v Validators, err error) {
	resp, err := r.options.Client.Get(ctx, path, Validators{})
	if err != nil {
		return l, v, err
	}
	resp.Body.Close()
	key := sha256.Sum256([]byte(rand.Text())) // the bytes are not known before they are there
	c, err := r.downloads.Open(ctx, Want{Key: key, Source: path, Size: -1, Limit: r.options.Limit})
	if err != nil {
		return l, v, err
	}
	defer c.Close()
	if err := c.Wait(ctx); err != nil {
		return l, v, err
	}
	digest, _ := c.Complete()
	if l.Foreign, err = finder.Found(path, digest[:], c.Size()); err != nil {
		return l, v, err
	}
	l.Content, l.Print = key, digest[:len(print{})]
	return l, resp.Validators, nil
}
