package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// An upload to a repository in front of an upstream goes to the upstream, too, before it is listed:
//
//	stage → claim the path → PUT to the upstream → commit
//
// The claim is committed like everything else, so that of two uploads with other bytes, also through two replicas, one is
// refused before it could overwrite the other's file.
//
// Where the format's uploads are Overlaid they stay here, and nothing goes to the upstream.

// claims is the beginning of the keys of paths that are claimed.
const claims = "c" + groupSeparator

// A claimed path is one that an upload is on its way to.
type claimed struct {
	Digest  backend.Digest
	Since   int64 // seconds since 1970
	Uploads int   // of these bytes that are on their way
}

// maxClaim is how long a claim counts whose upload was never heard of again.
const maxClaim = time.Hour

// forwards reports whether an upload is sent to the upstream: there is one that takes uploads, and it is a new file.
func (r *Repository) forwards(s *staged) bool {
	return r.Upstream != nil && !r.spec.Overlaid && !s.same && s.Package.Path != ""
}

// forward sends an upload to the upstream, if that is to have it.
func (r *Repository) forward(ctx context.Context, s *staged) error {
	if !r.forwards(s) {
		return nil
	}
	if _, err := r.commit(ctx, &job{claim: s}); err != nil {
		return err
	}
	err := r.put(ctx, s)
	if err != nil {
		_, releaseErr := r.commit(ctx, &job{release: s.Package.Path})
		return errors.Join(err, releaseErr)
	}
	return nil
}

// forwardAll does at the upstream what was staged, once all of it was. It ends with the first failure.
func (r *Repository) forwardAll(ctx context.Context, changes []change) error {
	if r.Upstream == nil {
		return nil
	}
	for i, c := range changes {
		var err error
		switch {
		case c.put != nil:
			err = r.forward(ctx, c.put)
		case c.remove != nil:
			err = r.deleteUpstream(ctx, c.remove)
		}
		if err != nil {
			return errors.Join(err, r.releaseAll(ctx, changes[:i]))
		}
	}
	return nil
}

// releaseAll gives up the claims of uploads that were forwarded and will not be listed.
func (r *Repository) releaseAll(ctx context.Context, changes []change) error {
	var errs []error
	for _, c := range changes {
		if c.put != nil && r.forwards(c.put) {
			_, err := r.commit(ctx, &job{release: c.put.Package.Path})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Repository) put(ctx context.Context, s *staged) error {
	b, err := r.Blobs.Open(ctx, s.Digest)
	if err != nil {
		return err
	}
	defer b.Close()
	return r.Upstream.Put(ctx, s.Package.Path, s.Size, io.NewSectionReader(b, 0, s.Size))
}

// claim notes that an upload is on its way to the upstream, unless it cannot be listed afterwards.
func (g *generation) claim(s *staged) error {
	if err := g.check(s); err != nil || s.same {
		return err
	}
	key := claims + s.Package.Path
	data, err := g.state(key)
	if err != nil {
		return err
	}
	mine := claimed{Digest: s.Digest, Since: g.time.Unix(), Uploads: 1}
	if data != nil {
		var other claimed
		if err := json.Unmarshal(data, &other); err != nil {
			return err
		}
		counts := g.time.Sub(time.Unix(other.Since, 0)) < maxClaim
		if counts && other.Digest == s.Digest {
			mine.Uploads += other.Uploads
		} else if counts {
			return conflictf("%s is being uploaded with other bytes at this moment: give one of the two a new version", s.Package.Path)
		}
	}
	if data, err = json.Marshal(mine); err != nil {
		return err
	}
	g.out.State[key] = data
	g.dirty = true
	return nil
}

// unclaim notes that an upload has not reached the upstream. Others of the same bytes may be on their way yet.
func (g *generation) unclaim(path string) error {
	data, err := g.state(claims + path)
	if err != nil || data == nil {
		return err
	}
	var c claimed
	if err := json.Unmarshal(data, &c); err != nil {
		return err
	}
	if c.Uploads--; c.Uploads <= 0 {
		return g.releaseClaim(path)
	}
	if data, err = json.Marshal(c); err != nil {
		return err
	}
	g.out.State[claims+path] = data
	g.dirty = true
	return nil
}

func (g *generation) releaseClaim(path string) error {
	data, err := g.state(claims + path)
	if err != nil || data == nil {
		return err
	}
	g.out.State[claims+path] = nil
	g.dirty = true
	return nil
}

// expireClaims forgets the claims of uploads that were never heard of again.
func (g *generation) expireClaims() error {
	for kv, err := range g.State.Scan(g.ctx, claims) {
		var c claimed
		if err == nil {
			err = json.Unmarshal(kv.Value, &c)
		}
		if err != nil {
			return err
		}
		if g.time.Sub(time.Unix(c.Since, 0)) >= maxClaim {
			g.out.State[kv.Key] = nil
			g.dirty = true
		}
	}
	return nil
}

// askUpstream finds out what the upstream has where an upload is to go, if nothing here says that: the index names no
// digest of what is there, or uploads choose their paths and may meet a file that no index lists.
func (r *Repository) askUpstream(ctx context.Context, s *staged, there []backend.Package) (err error) {
	listed := len(there) == 1 && there[0].Removed.IsZero()
	if r.Upstream == nil || listed && !nameless(there) || !listed && !r.spec.AnyPath {
		return nil
	}
	source := s.Package.Path
	if listed {
		f, _, _, err := ForeignOf(there[0])
		if err != nil {
			return err
		}
		source = cmp.Or(f.Source, source)
	}
	s.upstream, err = r.Upstream.Digest(ctx, source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !listed && s.upstream != s.Uploaded && !s.Package.Overwrites:
		return conflictf("the upstream has %s already, with other bytes (SHA-256 %x): give the new one a new name, or delete the other there", s.Package.Path, s.upstream)
	}
	s.know(there)
	return nil
}

// nameless reports whether the upstream lists a file of which its index says no SHA-256.
func nameless(there []backend.Package) bool {
	return len(there) == 1 && there[0].Removed.IsZero() && there[0].Uploaded == backend.Digest{}
}

// know puts what the upstream was found to have in place of what its index does not say.
func (s *staged) know(there []backend.Package) {
	if nameless(there) {
		there[0].Uploaded = s.upstream
	}
}

// deleteUpstream removes the first of the packages at the paths from the upstream, if it was uploaded here and went there.
func (r *Repository) deleteUpstream(ctx context.Context, paths []string) error {
	for _, path := range paths {
		there, err := r.State.Find(ctx, []string{path}, nil)
		if err != nil {
			return err
		}
		if len(there) == 0 || !there[0].Removed.IsZero() {
			continue
		}
		if here, err := uploadedHere(there[0]); err != nil || !here {
			return cmp.Or(err, errForeign(path))
		}
		if r.spec.Overlaid {
			return nil
		}
		return r.Upstream.Delete(ctx, path)
	}
	return nil // the commit says what is missing
}

func errForeign(path string) error {
	return format.NotAllowedf("%s belongs to the upstream, whose index lists it: remove it there", path)
}

// uncover notes that an upload goes, which may have shadowed a file that the upstream lists.
func (g *generation) uncover() error {
	n, err := g.Uncovered(g.ctx)
	if err != nil {
		return fmt.Errorf("count removals: %w", err)
	}
	g.out.State[uncoveredKey] = strconv.AppendInt(nil, n+1, 10)
	return nil
}
