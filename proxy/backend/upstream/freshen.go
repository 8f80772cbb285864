package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
)

// soon is after what time an upstream that failed is asked again at the earliest.
const soon = 5 * time.Second

// A scope is a part of the upstream, as this process knows it.
type scope struct {
	mu   sync.Mutex // held while the upstream is asked
	next time.Time  // when to ask again
	err  error      // of the last attempt; it stands until the next one
	known
}

// Freshen implements [backend.Upstream].
func (r *Repository) Freshen(ctx context.Context, p string) error {
	name, ok := r.mirror.Scope(p)
	if ok {
		if err := r.refresh(ctx, name); err != nil {
			return err
		}
	}
	f, err := r.Ledger.Open(ctx, backend.Current, p)
	if err == nil {
		if err := f.Close(); err != nil || f.Index || !ok {
			return err
		}
		return r.lookAgain(ctx, name, p)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if made, err := r.attest(ctx, p); made || err != nil || !ok {
		return err
	}
	return r.seek(ctx, name, p)
}

// refresh asks the upstream for the index of a scope, if that is due. What is known of it is good enough when the
// upstream fails, until its validity ends.
func (r *Repository) refresh(ctx context.Context, name string) error {
	r.mu.Lock()
	s := r.scopes[name]
	if s == nil {
		if len(r.scopes) >= maxScopes {
			clear(r.scopes)
		}
		s = &scope{}
		r.scopes[name] = s
	}
	r.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	now := r.options.Now()
	if now.Before(s.next) {
		return r.stillGood(ctx, name, s.err)
	}
	// Whoever leaves meanwhile does not take the others' answer away.
	s.err = r.follow(context.WithoutCancel(ctx), name, s)
	s.next = now.Add(r.options.Refresh)
	if s.err != nil {
		s.next = now.Add(min(r.options.Refresh, soon))
	}
	if s.err != nil && !r.neverWas(ctx, name, s.err) {
		r.options.Log.Warn("the upstream's index is not taken over", "repository", r.options.Name,
			"upstream", r.options.Client.Host(), "scope", name, "error", s.err)
	}
	return r.stillGood(ctx, name, s.err)
}

// neverWas reports whether an attempt to follow a scope ended with err because the upstream has none, and never had one: what
// clients ask for by a wrong name is nobody's fault.
func (r *Repository) neverWas(ctx context.Context, name string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err = r.publish.Followed(ctx, name)
	return errors.Is(err, fs.ErrNotExist)
}

// errNoOther: the upstream was asked, and its index is the one that has run out.
var errNoOther = errors.New("it serves the same one still")

// maxScopes bounds what is remembered of scopes that clients ask for, whether there are any such or not.
const maxScopes = 10_000

// stillGood returns nil if what is known of a scope may be served, after an attempt to learn more that ended with err.
func (r *Repository) stillGood(ctx context.Context, name string, err error) error {
	followed, knownErr := r.publish.Followed(ctx, name)
	switch {
	case errors.Is(knownErr, fs.ErrNotExist) && errors.Is(err, fs.ErrNotExist):
		return nil // the tree has nothing there
	case errors.Is(knownErr, fs.ErrNotExist) && errors.Is(err, format.ErrMalformed):
		return r.options.Client.fault("serves an index of %q that is not good: %v", name, err)
	case errors.Is(knownErr, fs.ErrNotExist):
		return err
	case knownErr != nil:
		return knownErr
	}
	n, noteErr := noteOf(followed)
	if noteErr != nil {
		return noteErr
	}
	if err != nil && n.Trust != r.trust() && !errors.Is(err, backend.ErrUpstream) {
		return r.options.Client.fault("has no index of %q that is good by the upstream.key of now: %v", name, err)
	}
	if !followed.Until.IsZero() && !r.options.Now().Before(followed.Until) {
		return r.options.Client.fault("said of its index of %q that it is valid until %s, and gives no other: %v",
			name, followed.Until.Format(time.RFC3339), cmp.Or(err, errNoOther))
	}
	return nil
}

// attesting is the making of signatures beside one file.
type attesting struct {
	done chan struct{}
	err  error
}

// attest makes the signatures beside a file of the upstream, if p can be the path of one. It reports whether it did.
func (r *Repository) attest(ctx context.Context, p string) (made bool, err error) {
	for _, file := range filesOf(p) {
		found, err := r.Find(ctx, []string{file}, nil)
		if err != nil || len(found) == 0 || !found[0].Removed.IsZero() {
			if err != nil {
				return false, err
			}
			continue
		}
		if _, _, foreign, err := publish.ForeignOf(found[0]); err != nil || !foreign {
			return false, err
		}
		return true, r.attestOnce(ctx, file)
	}
	return false, nil
}

// filesOf returns what a file may be called whose signature is at p: F.asc, F.sigstore.json, F.<8 hex>.sigstore.json, F.sig,
// F.prov.
func filesOf(p string) []string {
	if bundle, ok := strings.CutSuffix(p, ".sigstore.json"); ok {
		return []string{bundle, strings.TrimSuffix(bundle, path.Ext(bundle))}
	}
	switch ext := path.Ext(p); ext {
	case ".asc", ".sig", ".prov":
		return []string{strings.TrimSuffix(p, ext)}
	}
	return nil
}

// attestOnce has the signatures beside a file made, by one of all that ask for them at the same time.
func (r *Repository) attestOnce(ctx context.Context, file string) error {
	r.mu.Lock()
	a, running := r.making[file]
	if !running {
		a = &attesting{done: make(chan struct{})}
		r.making[file] = a
		go func() {
			a.err = r.publish.Attest(context.WithoutCancel(ctx), file)
			r.mu.Lock()
			delete(r.making, file)
			r.mu.Unlock()
			close(a.done)
		}()
	}
	r.mu.Unlock()
	select {
	case <-a.done:
		if a.err != nil {
			return fmt.Errorf("sign %s: %w", file, a.err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
