package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
)

// follow adds a change of an upstream's index to the generation, which takes no other job then.
func (g *generation) follow(f *Following) error {
	if g.dirty {
		return errAlone
	}
	g.alone = true
	before, err := g.Followed(g.ctx, f.Scope)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known := err == nil
	if err := g.checkListed(f); err != nil {
		return err
	}
	g.broken = true // until it is through
	for _, path := range f.Remove {
		if err := g.unlist(path, f.Scope); err != nil {
			return err
		}
	}
	uploads := map[string]bool{} // which of those that were listed so far are uploads
	for i := range f.Add {
		l := &f.Add[i]
		shadowed, err := g.shadowed(l.Of, uploads)
		if err == nil && !shadowed {
			uploads[l.Path], err = g.list(l, f.Scope)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.Path, err)
		}
	}
	g.broken = false
	if len(f.Add)+len(f.Remove) > 0 {
		before.Serial++
	}
	data, err := json.Marshal(Followed{Edition: f.Edition, Note: f.Note, Serial: before.Serial})
	if err != nil {
		return err
	}
	g.out.State[followedKeys+f.Scope] = data
	g.dirty = true
	if len(f.Add)+len(f.Remove) > 0 || !known || !before.Until.Equal(f.Until) {
		g.touch(f.Shard)
	}
	return nil
}

// checkListed refuses files that no index of the edition could show.
func (g *generation) checkListed(f *Following) error {
	indexes := map[string]shardIndex{}
	for i := range f.Add {
		l := &f.Add[i]
		if l.Shard != f.Shard && !isAbove(f.Shard, l.Shard) {
			return fmt.Errorf("the format says that %s belongs to the shard %q, and its index to %q", l.Path, l.Shard, f.Shard)
		}
		for _, shard := range []string{f.Shard, l.Shard} {
			index, ok := indexes[shard]
			if !ok {
				var err error
				if index, err = g.shardIndex(shard); err != nil {
					return err
				}
				indexes[shard] = index
			}
			if _, ours := index.Files[l.Path]; ours {
				return format.Malformedf("it lists %.200q, which is a file of the index", l.Path)
			}
		}
	}
	return nil
}

// unlist takes a file out of a scope, and out of the tree if no other scope lists it.
func (g *generation) unlist(path, scope string) error {
	p, rec, err := g.there(path)
	if err != nil || p == nil || rec.Foreign == nil {
		return err
	}
	var others []membership
	for _, m := range rec.Foreign.In {
		if m.Scope != scope {
			others = append(others, m)
			continue
		}
		if err := g.removeEntries(path, m); err != nil {
			return err
		}
	}
	if len(others) == len(rec.Foreign.In) {
		return nil
	}
	rec.Foreign.In = others
	if len(others) == 0 {
		return g.take(path, g.lasting())
	}
	return g.keepPackage(*p, rec)
}

// lasting reports whether what an upstream lists no more stays readable for clients that are in the middle of an update. A
// file that was found by its path alone does not: whoever asks for it now is told that it is gone.
func (g *generation) lasting() bool { return !g.spec.AnyPath }

// list makes a file of a scope what the upstream says. It reports whether it is, or stays, an upload.
func (g *generation) list(l *Listed, scope string) (upload bool, err error) {
	p, rec, err := g.there(l.Path)
	if err != nil {
		return false, err
	}
	ours := false
	switch {
	case p == nil:
		if stays, err := g.makeRoom(l); err != nil || !stays {
			return false, err
		}
		if _, _, ok := sidecarOf(l.Path); ok {
			g.dropFile(l.Path) // an author's signature stands where ours does
		}
		p = &backend.Package{Path: l.Path}
		g.listFile(p, l)
	case rec.Foreign != nil:
		if changed, err := g.relist(p, &rec, l, scope); err != nil || !changed {
			return rec.Foreign.Ours, err
		}
	case l.SHA256 == nil || p.Digest != backend.Digest(l.SHA256):
		return true, nil // an upload shadows it
	default:
		// The upstream has taken an upload over. Its bytes and signatures stay as they are.
		for _, m := range rec.memberships() {
			if err := g.removeEntries(l.Path, m); err != nil {
				return false, err
			}
		}
		rec.Shard, rec.Groups, rec.Root, rec.Op = "", nil, nil, format.Op{}
		ours = true
	}
	if err := g.setEntries(&l.Package); err != nil {
		return false, err
	}
	var own record
	own.note(&l.Package)
	rec.Op.Marks = l.Marks
	was := rec.Foreign
	rec.Foreign = &foreign{Source: l.Source, Size: l.Size, SHA256: l.SHA256, Check: l.Check, Ours: ours}
	if was != nil {
		rec.Foreign.In, rec.Foreign.Ours = was.In, was.Ours
	}
	for _, m := range own.memberships() {
		m.Scope, m.Print = scope, l.Print
		rec.Foreign.In = append(rec.Foreign.In, m)
	}
	g.out.Signatures = append(g.out.Signatures, l.log...)
	p.Name, p.Version, p.Arch, p.Slot, p.Variant, p.Shard = l.Name, l.Version, l.Arch, l.Slot, l.Variant, l.Shard
	return rec.Foreign.Ours, g.keepPackage(*p, rec)
}

// shadowed reports whether an upload stands at a path, also one that the upstream has listed since: what is beside it is the
// upload's. Of paths that were listed by this generation, uploads has the answer.
func (g *generation) shadowed(path string, uploads map[string]bool) (bool, error) {
	if path == "" {
		return false, nil
	}
	if upload, known := uploads[path]; known {
		return upload, nil
	}
	p, rec, err := g.there(path)
	return p != nil && (rec.Foreign == nil || rec.Foreign.Ours), err
}

// relist takes out what a scope has said of a file of the upstream so far. It reports false if that is what it says now.
func (g *generation) relist(p *backend.Package, rec *record, l *Listed, scope string) (changed bool, err error) {
	var others []membership
	for _, m := range rec.Foreign.In {
		switch {
		case m.Scope != scope:
			others = append(others, m)
		case p.Digest == l.Content && bytes.Equal(m.Print, l.Print):
			return false, nil
		default:
			if err := g.removeEntries(l.Path, m); err != nil {
				return false, err
			}
		}
	}
	rec.Foreign.In = others
	if p.Digest == l.Content {
		return true, nil
	}
	for _, path := range slices.Concat([]string{l.Path}, rec.Sidecars, rec.Beside) {
		g.out.Gone = append(g.out.Gone, backend.Gone{Path: path, Lasting: g.lasting()})
	}
	rec.Sidecars, rec.Beside, rec.Signatures, rec.Foreign.Ours = nil, nil, nil, false
	g.listFile(p, l)
	return true, nil
}

// listFile puts a file of an upstream into the tree.
func (g *generation) listFile(p *backend.Package, l *Listed) {
	p.Uploaded = backend.Digest{}
	copy(p.Uploaded[:], l.SHA256)
	p.Digest, p.Size, p.Time = l.Content, max(l.Size, 0), g.time
	g.out.Files = append(g.out.Files, backend.Put{Path: l.Path, Content: backend.Content{
		Parts: listing.Parts{{Digest: p.Digest, Size: p.Size}}, Size: p.Size, Tag: p.Digest,
	}})
}

// makeRoom takes out what cannot be beside a file of an upstream in its slot. It reports false if the file has to give
// way, because what is there is as new.
func (g *generation) makeRoom(l *Listed) (stays bool, err error) {
	rivals, err := g.rivals(&l.Package)
	if err != nil {
		return false, err
	}
	for _, rival := range rivals {
		if g.spec.Compare == nil || g.spec.Compare(l.Version, rival.Version) <= 0 {
			return false, nil
		}
	}
	for _, rival := range rivals {
		if err := g.take(rival.Path, true); err != nil {
			return false, err
		}
	}
	return true, nil
}

// there returns the package at a path, with its record; nil if there is none.
func (g *generation) there(path string) (*backend.Package, record, error) {
	var rec record
	found, err := g.State.Find(g.ctx, []string{path}, nil)
	if err != nil || len(found) == 0 || !found[0].Removed.IsZero() || g.removed[path] {
		return nil, rec, err
	}
	if err := json.Unmarshal(found[0].Record, &rec); err != nil {
		return nil, rec, fmt.Errorf("the record of %s: %w", path, err)
	}
	return &found[0], rec, nil
}

// removeEntries takes the entries of a package out of the groups of a shard.
func (g *generation) removeEntries(path string, m membership) error {
	for _, group := range m.Groups {
		if _, err := g.lists.Remove(g.ctx, m.Shard+groupSeparator+group, path); err != nil {
			return err
		}
	}
	g.touch(m.Shard)
	return nil
}

// keepPackage writes what is kept of a package that is in the tree.
func (g *generation) keepPackage(p backend.Package, rec record) (err error) {
	if p.Record, err = json.Marshal(rec); err != nil {
		return err
	}
	g.out.Packages = append(g.out.Packages, p)
	g.dirty = true
	return nil
}
