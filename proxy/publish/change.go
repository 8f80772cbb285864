package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/spool"
)

// A change is one of those that a request asks for. Exactly one of its kinds is set.
type change struct {
	put    *staged   // an upload
	remove []string  // the package at the first of these paths that has one
	mark   *revision // a package is marked
	clear  *string   // all packages of this shard are removed
}

// Unwrap takes in a request whose body is an envelope around what it asks for. All of that becomes visible at once, or
// nothing. See [Repository.Upload].
func (r *Repository) Unwrap(ctx context.Context, req format.Request, u Upload) ([]Result, error) {
	unwrapper, ok := r.Format.(format.Unwrapper)
	if !ok {
		return nil, errors.New("the format unwraps nothing")
	}
	body, err := r.take(ctx, u)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	ctx = context.WithoutCancel(ctx)
	wanted, err := unwrapper.Unwrap(req, body)
	if err != nil {
		return nil, err
	}
	for _, w := range wanted {
		if u.Permit == nil {
			break
		}
		if err := u.Permit(w.Op.Kind); err != nil {
			return nil, err
		}
	}
	return r.Change(ctx, wanted, u.Limit, u.Caller)
}

// Change makes changes, all of them or none. Each body has at most limit bytes.
func (r *Repository) Change(ctx context.Context, wanted []format.Change, limit int64, by Caller) ([]Result, error) {
	for range maxLost {
		changes, again, err := r.stageAll(ctx, wanted, limit, by)
		if err == nil {
			err = r.forwardAll(ctx, changes)
		}
		if err != nil {
			return nil, err
		}
		results, err := r.commit(ctx, &job{changes: changes})
		if !errors.Is(err, ErrStale) || !again {
			return results, err
		}
	}
	return nil, fmt.Errorf("%w: %d times in a row", backend.ErrLost, maxLost)
}

// stageAll stages changes. It reports whether that can be done again: bodies are read once.
func (r *Repository) stageAll(ctx context.Context, wanted []format.Change, limit int64, by Caller) (changes []change, again bool, err error) {
	again = true
	for _, w := range wanted {
		var c change
		switch w.Op.Kind {
		case format.Put:
			again = false
			if err := r.checkName(w.Op); err != nil {
				return nil, false, err
			}
			if c.put, err = r.stageBody(ctx, w, limit, by); err == nil && c.put.same && len(w.Op.Marks) > 0 {
				err = r.remark(ctx, &c, w.Op.Marks)
			}
		case format.Delete:
			c.remove = w.Op.Paths
		case format.Mark:
			if c.mark, err = r.stageMark(ctx, w.Op); err == nil && c.mark == nil {
				continue
			}
		case format.Clear:
			c.clear = &w.Op.Paths[0]
		default:
			err = fmt.Errorf("the format asks for an operation %d", w.Op.Kind)
		}
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, c)
	}
	return changes, again, nil
}

// remark turns an upload of what is there already into a change of its marks, unless they are there, too, or the package is the
// upstream's.
func (r *Repository) remark(ctx context.Context, c *change, marks map[string]string) error {
	m, err := r.stageMark(ctx, format.Op{Paths: []string{c.put.Package.Path}, Marks: marks})
	switch {
	case errors.Is(err, format.ErrNotAllowed):
		return nil
	case err != nil || m == nil:
		return err
	}
	*c = change{mark: m}
	return nil
}

func (r *Repository) stageBody(ctx context.Context, w format.Change, limit int64, by Caller) (*staged, error) {
	body, err := r.Spool.Take(ctx, w.Body, limit, r.hashes...)
	if err != nil {
		return nil, cmp.Or(fromFormat(err), err)
	}
	defer body.Close()
	return r.stageUpload(ctx, w.Op, body, by)
}

// fromFormat returns what a format says is wrong with a body, which the spool takes for a client that went away.
func fromFormat(err error) error {
	if errors.Is(err, format.ErrMalformed) && errors.Is(err, spool.ErrBody) {
		return format.Malformedf("%s", strings.TrimPrefix(err.Error(), spool.ErrBody.Error()+": "))
	}
	return nil
}

// change adds what a request asks for to the generation.
func (g *generation) change(j *job) error {
	j.result = make([]Result, len(j.changes))
	for i, c := range j.changes {
		var err error
		switch {
		case c.put != nil && c.put.same:
			j.result[i] = Result{Path: c.put.Package.Path, Same: true}
		case c.put != nil:
			j.result[i], err = g.put(c.put)
		case c.remove != nil:
			err = g.removeFirst(c.remove)
			j.result[i].Path = c.remove[0]
		case c.mark != nil:
			err = g.revise(c.mark)
			j.result[i].Path = c.mark.path
		case c.clear != nil:
			err = g.clearShard(*c.clear)
		}
		if err != nil {
			g.broken = g.broken || i > 0 // what came before is in it
			return err
		}
	}
	return nil
}

// clearShard removes all packages of a shard.
func (g *generation) clearShard(shard string) error {
	groups, err := groupsOf(g.ctx, g.lists, shard)
	if err != nil {
		return err
	}
	paths := map[string]bool{}
	for _, group := range groups {
		entries, err := g.lists.Entries(g.ctx, shard+groupSeparator+group.Name, maxRead)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Key, raisedBy("")) {
				paths[e.Key] = true
			}
		}
	}
	if len(paths) == 0 {
		return format.NotFoundf("there are no packages of %.200q", shard)
	}
	for i, path := range slices.Sorted(maps.Keys(paths)) {
		if err := g.removeFirst([]string{path}); err != nil {
			g.broken = g.broken || i > 0
			return err
		}
	}
	return nil
}
