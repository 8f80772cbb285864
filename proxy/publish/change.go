package publish

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/spool"
)

// A change is one of those that a request asks for. Exactly one of its kinds is set.
type change struct {
	put    *staged  // an upload
	remove []string // the package at the first of these paths that has one
	mark   *marking // a package is marked
	clear  *string  // all packages of this shard are removed
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
	return r.Change(ctx, wanted, u.Limit, u.Caller)
}

// Change makes changes, all of them or none. Each body has at most limit bytes.
func (r *Repository) Change(ctx context.Context, wanted []format.Change, limit int64, by Caller) ([]Result, error) {
	for range maxLost {
		changes, again, err := r.stageAll(ctx, wanted, limit, by)
		if err != nil {
			return nil, err
		}
		results, err := r.commit(ctx, &job{changes: changes})
		if !errors.Is(err, errStale) || !again {
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
			c.put, err = r.stageBody(ctx, w, limit, by)
		case format.Delete:
			if r.Upstream != nil {
				err = r.deleteUpstream(ctx, w.Op.Paths)
			}
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
			err = g.mark(c.mark)
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

// A marking is a package with other marks.
type marking struct {
	path   string
	before []byte // its record
	record record
	pkg    format.Package
}

// errStale says that a package has changed since it was read.
var errStale = errors.New("the package has changed meanwhile: try again")

// stageMark reads a package again, with its marks as they will be.
func (r *Repository) stageMark(ctx context.Context, op format.Op) (*marking, error) {
	there, err := r.State.Find(ctx, op.Paths, nil)
	if err != nil {
		return nil, err
	}
	for _, path := range op.Paths {
		i := slices.IndexFunc(there, func(p backend.Package) bool { return p.Path == path && p.Removed.IsZero() })
		if i >= 0 {
			return r.stageMarkOf(ctx, there[i], op.Marks)
		}
	}
	return nil, format.NotFoundf("there is no package at %s", op.Paths[0])
}

// stageMarkOf returns nil if nothing changes.
func (r *Repository) stageMarkOf(ctx context.Context, p backend.Package, marks map[string]string) (*marking, error) {
	m := &marking{path: p.Path, before: p.Record}
	if err := json.Unmarshal(p.Record, &m.record); err != nil {
		return nil, fmt.Errorf("the record of %s: %w", p.Path, err)
	}
	changes := false
	for name, value := range marks {
		changes = changes || m.record.Op.Marks[name] != value
	}
	if !changes {
		return nil, nil // npm names every version of a package when one is marked
	}
	if m.record.Foreign != nil {
		return nil, errForeign(p.Path)
	}
	m.record.Op.Marks = maps.Clone(m.record.Op.Marks)
	if m.record.Op.Marks == nil {
		m.record.Op.Marks = map[string]string{}
	}
	for name, value := range marks {
		if m.record.Op.Marks[name] = value; value == "" {
			delete(m.record.Op.Marks, name)
		}
	}
	b, err := r.Blobs.Open(ctx, p.Digest)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	body, err := r.Spool.Take(ctx, io.NewSectionReader(b, 0, b.Size()), b.Size(), r.hashes...)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if m.pkg, err = r.Format.Parse(m.record.Op, body, nonNil(m.record.Signatures)); err != nil {
		return nil, err
	}
	if m.pkg.Path != p.Path || m.pkg.Shard != m.record.Shard {
		return nil, fmt.Errorf("marks have moved the package from %q to %q", p.Path, m.pkg.Path)
	}
	return m, checkPackage(m.pkg)
}

// mark puts other entries into the places of those that a package has.
func (g *generation) mark(m *marking) error {
	if g.puts[m.path] != nil {
		return errAlone
	}
	p, _, err := g.there(m.path)
	if err != nil {
		return err
	}
	if p == nil || !bytes.Equal(p.Record, m.before) {
		return errStale
	}
	was := m.record
	m.record.note(&m.pkg)
	g.broken = true // until it is through
	for _, of := range was.memberships() {
		gone := membership{Shard: of.Shard}
		for _, group := range of.Groups {
			if !slices.ContainsFunc(m.pkg.Entries, func(e format.Entry) bool {
				return e.Group == group && shardOf(&m.pkg, e) == of.Shard
			}) {
				gone.Groups = append(gone.Groups, group)
			}
		}
		if err := g.removeEntries(m.path, gone); err != nil {
			return err
		}
	}
	if err := g.setEntries(&m.pkg); err != nil {
		return err
	}
	for _, path := range was.Beside {
		g.dropFile(path)
	}
	for _, b := range m.pkg.Beside {
		g.addBeside(b)
	}
	if err := g.keepPackage(*p, m.record); err != nil {
		return err
	}
	g.broken = false
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
		return fmt.Errorf("there are no packages of %s: %w", shard, fs.ErrNotExist)
	}
	for i, path := range slices.Sorted(maps.Keys(paths)) {
		if err := g.removeFirst([]string{path}); err != nil {
			g.broken = g.broken || i > 0
			return err
		}
	}
	return nil
}
