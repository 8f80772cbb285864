package upstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
)

// A found file is one that no index of the upstream lists, in a scope that has such: somebody has asked for it, and since
// then it is listed here. Nothing but the upstream itself says whether it is still what it was.
//
// Until it is listed it is sought: whoever opens it has the upstream asked for it, together with all others who do. They
// read along while it comes, and it is listed before any of them has the last bytes.
type found struct {
	asking sync.Mutex // held while the upstream is asked about one that is listed

	mu         sync.Mutex
	want       *Want      // how it is fetched while it is sought
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
			for some := range r.found {
				delete(r.found, some)
				break
			}
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

// seek notes that a file which is not listed is sought, if one can be there. It asks nobody.
func (r *Repository) seek(ctx context.Context, scope, path string) error {
	finder, _, err := r.open(ctx, scope)
	if finder == nil || err != nil {
		return err
	}
	foreign, err := finder.Found(path, make([]byte, sha256.Size), 0)
	if err != nil {
		return nil // no such file can be there
	}
	f := r.foundAt(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.want == nil {
		r.wantSought(f, scope, foreign)
	}
	return nil
}

// wantSought notes how a file is fetched, under the lock of found. What comes after a failure may be other bytes, and has
// another key: whoever has got some of the first must not take the rest of these for theirs.
func (r *Repository) wantSought(f *found, scope string, foreign format.Foreign) {
	w := r.wantFound(foreign)
	w.Arrived = func(ctx context.Context, a Arrival) error {
		if err := r.listFound(ctx, scope, foreign.Path, w.Key, a); err != nil {
			return err
		}
		f.settle(a.Validators, r.options.Now().Add(r.options.Refresh))
		return nil
	}
	w.Failed = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.want != nil && f.want.Key == w.Key {
			r.wantSought(f, scope, foreign)
		}
	}
	f.want = &w
}

// settle notes that a file is listed, and when to ask about it again.
func (f *found) settle(v Validators, next time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.want, f.validators, f.next = nil, v, next
}

// sought returns those of the paths that are sought, with how they are fetched. Whoever finds a path neither here nor, after
// that, in the ledger may say that nothing is there.
func (r *Repository) sought(paths []string) map[string]Want {
	wants := map[string]Want{}
	for _, path := range paths {
		r.mu.Lock()
		f := r.found[path]
		r.mu.Unlock()
		if f == nil {
			continue
		}
		f.mu.Lock()
		if f.want != nil {
			wants[path] = *f.want
		}
		f.mu.Unlock()
	}
	return wants
}

// openSought opens the first of the paths at which the upstream has a file that is sought. The error wraps fs.ErrNotExist if
// it has none.
func (r *Repository) openSought(ctx context.Context, paths []string, sought map[string]Want) (*backend.File, error) {
	for _, path := range paths {
		w, ok := sought[path]
		if !ok {
			continue
		}
		f := &backend.File{Path: path, Tag: w.Key, Time: r.options.Now()}
		err := r.fetch(ctx, f, w)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		r.mu.Lock()
		delete(r.found, path)
		r.mu.Unlock()
	}
	return nil, fmt.Errorf("%s: %w", paths[len(paths)-1], fs.ErrNotExist)
}

// lookAgain asks the upstream about a found file, if that is due. Where the upstream fails, what it had is good enough.
func (r *Repository) lookAgain(ctx context.Context, scope, path string) error {
	finder, followed, err := r.open(ctx, scope)
	if finder == nil || err != nil {
		return err
	}
	f := r.foundAt(path)
	f.asking.Lock()
	defer f.asking.Unlock()
	f.mu.Lock()
	next, since := f.next, f.validators
	f.mu.Unlock()
	now := r.options.Now()
	if now.Before(next) {
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
	w := r.wantFound(listed)
	w.Since = since
	w.Arrived = func(ctx context.Context, a Arrival) error {
		since = a.Validators
		if bytes.Equal(a.SHA256[:], listed.SHA256) {
			return errUnchanged
		}
		return r.listFound(ctx, scope, path, w.Key, a)
	}
	ctx = context.WithoutCancel(ctx) // others wait for the answer, too
	c, err := r.downloads.Open(ctx, w)
	if err == nil {
		err = errors.Join(c.Wait(ctx), c.Close())
	}
	switch {
	case err == nil, errors.Is(err, errUnchanged):
		f.settle(since, now.Add(r.options.Refresh))
	case errors.Is(err, fs.ErrNotExist):
		f.settle(Validators{}, now.Add(r.options.Refresh))
		gone := change(scope, followed)
		gone.Remove = []string{path}
		return r.publish.Follow(ctx, gone)
	default:
		r.options.Log.Warn("the upstream does not say whether a file is still what it was; it is served as it was", "repository", r.options.Name, "path", path, "error", err)
		f.settle(since, now.Add(min(r.options.Refresh, soon)))
	}
	return nil
}

// change lists files of a scope beside those that are there.
func change(scope string, followed publish.Followed, listed ...publish.Listed) publish.Following {
	return publish.Following{Scope: scope, Edition: followed.Edition, Note: followed.Note, Add: listed}
}

// wantFound returns how a file that no index lists is fetched, once. Its digest is what it is listed by, and is not known
// before it is there.
func (r *Repository) wantFound(f format.Foreign) Want {
	return Want{Key: sha256.Sum256([]byte(rand.Text())), Source: sourceOf(f), Size: -1, Limit: r.options.Limit}
}

// listFound lists a file that has come, under the key that it is kept by.
func (r *Repository) listFound(ctx context.Context, scope, path string, key Key, a Arrival) error {
	finder, followed, err := r.open(ctx, scope)
	if err == nil && finder == nil {
		err = r.options.Client.fault("has an index of %q by now, which does not list %s", scope, path)
	}
	if err != nil {
		return err
	}
	l := publish.Listed{Content: key, Print: a.SHA256[:len(print{})]}
	if l.Foreign, err = finder.Found(path, a.SHA256[:], a.Size); err == nil {
		err = r.publish.Follow(ctx, change(scope, followed, l))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error()) // of something else than the file, which is there
	}
	return err
}
