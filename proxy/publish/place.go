package publish

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
)

// lookAhead reads at once what the uploads of a batch will ask for one by one: what is at their paths, and where their
// signatures go.
func (g *generation) lookAhead(batch []*job) error {
	var paths []string
	for _, j := range batch {
		for _, c := range j.changes {
			if c.put != nil && c.put.Package.Path != "" {
				paths = append(paths, c.put.Package.Path, c.put.Package.Path+openpgpSuffix)
			}
		}
	}
	if len(paths) == 0 {
		return nil
	}
	found, err := g.State.Find(g.ctx, paths, nil)
	if err != nil {
		return err
	}
	g.found = make(map[string][]backend.Package, len(paths))
	for _, path := range paths {
		g.found[path] = nil
	}
	for _, p := range found {
		g.found[p.Path] = []backend.Package{p}
	}
	return nil
}

// find returns the package that is at a path before this generation, if there is one.
func (g *generation) find(path string) ([]backend.Package, error) {
	if there, known := g.found[path]; known {
		return slices.Clone(there), nil
	}
	return g.State.Find(g.ctx, []string{path}, nil)
}

// put adds an upload to the generation, or to those that wait for their set.
func (g *generation) put(s *staged) (Result, error) {
	if s.Package.Waits {
		return Result{Path: s.Package.Path, Waits: true}, g.wait(s)
	}
	set, err := g.complete(s)
	if err != nil {
		return Result{}, err
	}
	for _, member := range set {
		if err := g.check(member); err != nil {
			return Result{}, err
		}
	}
	result := Result{Path: s.Package.Path, Same: !s.Package.Unlisted}
	for _, member := range set {
		if member.same {
			continue
		}
		result.Same = false
		if err := g.add(member); err != nil {
			g.broken = true
			return Result{}, err
		}
	}
	return result, nil
}

// errAlone says that a job cannot be in one generation with another of its batch. It is in the next one.
var errAlone = errors.New("this needs a generation of its own")

// check says whether an upload can be added to the generation, and notes in it whether it is there already.
func (g *generation) check(s *staged) error {
	p := &s.Package
	there, err := g.find(p.Path)
	if err != nil {
		return err
	}
	if other := g.puts[p.Path]; other != nil {
		if p.Overwrites && other.Uploaded != s.Uploaded {
			return errAlone
		}
		there = []backend.Package{{Path: p.Path, Uploaded: other.Uploaded, Digest: other.Digest}}
	} else if g.removed[p.Path] && len(there) == 1 {
		there[0].Removed = g.time
	}
	s.know(there)
	if s.same, err = s.compare(there); err != nil || s.same {
		return err
	}
	s.replaces = len(there) == 1 && there[0].Removed.IsZero()
	if err := g.checkTree(p.Path); err != nil {
		return err
	}
	if s.rivals, err = g.rivals(p); err != nil {
		return err
	}
	for _, rival := range s.rivals {
		if g.spec.Compare == nil || g.spec.Compare(p.Version, rival.Version) <= 0 {
			return conflictf("%s cannot be beside %s, which is listed and not older: give it a newer version, or delete the other", p.Path, rival.Path)
		}
	}
	return nil
}

// rivals returns the packages that cannot be beside p in its slot.
func (g *generation) rivals(p *format.Package) ([]backend.Package, error) {
	if p.Slot == "" {
		return nil, nil
	}
	exclude := func(path, variant string) bool {
		return path != p.Path && (variant == p.Variant || variant == "" || p.Variant == "")
	}
	for _, other := range g.puts {
		if other.Package.Slot == p.Slot && exclude(other.Package.Path, other.Package.Variant) {
			return nil, errAlone
		}
	}
	sitting, err := g.State.Find(g.ctx, nil, []string{p.Slot})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sitting, func(t backend.Package) bool { return g.removed[t.Path] || !exclude(t.Path, t.Variant) }), nil
}

// checkTree refuses a package where the tree has an index file, or a folder.
func (g *generation) checkTree(path string) error {
	if !g.spec.AnyPath {
		return nil
	}
	index, err := g.indexed(path)
	if err != nil {
		return err
	}
	if index {
		return format.NotAllowedf("%s is a file of the index, which is made here", path)
	}
	below, err := g.Tree.List(g.ctx, path+"/", "", 1)
	if err != nil {
		return err
	}
	for other := range g.puts {
		if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			return errAlone
		}
	}
	if len(below) > 0 {
		return conflictf("%s is a folder here: a file needs another name", path)
	}
	var above []string
	for i := range path {
		if path[i] == '/' {
			above = append(above, path[:i])
		}
	}
	files, err := g.State.Find(g.ctx, above, nil)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Removed.IsZero() && !g.removed[f.Path] {
			return conflictf("%s is a file here, and so no folder: %s needs another path", f.Path, path)
		}
	}
	return nil
}

// add makes an upload that was checked part of the generation.
func (g *generation) add(s *staged) error {
	p := &s.Package
	for _, rival := range s.rivals {
		if err := g.take(rival.Path, true); err != nil {
			return err
		}
	}
	if _, _, ok := sidecarOf(p.Path); ok {
		g.dropFile(p.Path) // an author's signature stands where ours does
	}
	if s.replaces {
		if err := g.take(p.Path, false); err != nil {
			return err
		}
	}
	if err := g.setEntries(p); err != nil {
		return err
	}
	rec, err := s.record()
	if err != nil {
		return err
	}
	g.out.Packages = append(g.out.Packages, backend.Package{
		Path: p.Path, Name: p.Name, Version: p.Version, Arch: p.Arch, Slot: p.Slot, Variant: p.Variant, Shard: p.Shard,
		Uploaded: s.Uploaded, Digest: s.Digest, Size: s.Size, By: s.By, Time: g.time, Record: rec,
	})
	g.out.Files = append(g.out.Files, backend.Put{Path: p.Path, Content: backend.Content{
		Parts: listing.Parts{{Digest: s.Digest, Size: s.Size}}, Size: s.Size, Tag: s.Digest,
	}})
	for _, c := range s.Sidecars {
		if err := g.addSidecar(c); err != nil {
			return err
		}
	}
	for _, b := range p.Beside {
		g.addBeside(b)
	}
	g.out.Signatures = append(g.out.Signatures, s.Log...)
	g.puts[p.Path] = s
	delete(g.removed, p.Path)
	if g.Upstream != nil {
		return g.releaseClaim(p.Path)
	}
	return nil
}

// setEntries puts the entries of a package into its shards, in place of those that it has there.
func (g *generation) setEntries(p *format.Package) error {
	for _, e := range p.Entries {
		shard := shardOf(p, e)
		if err := g.lists.Set(g.ctx, listing.Entry{Group: shard + groupSeparator + e.Group, Key: p.Path, Data: e.Data}); err != nil {
			return err
		}
		g.touch(shard)
	}
	g.touch(p.Shard)
	return nil
}

// shardOf returns the shard that an entry of a package belongs to.
func shardOf(p *format.Package, e format.Entry) string {
	if e.Root {
		return ""
	}
	return p.Shard
}

// addBeside puts a small file beside its package.
func (g *generation) addBeside(b format.Beside) {
	c := content(b.Data)
	g.object(&c, b.Data)
	g.out.Files = append(g.out.Files, backend.Put{Path: b.Path, Content: c})
}

// addSidecar puts a signature beside its package, unless an author's own stands there.
func (g *generation) addSidecar(c sidecar) error {
	if g.puts[c.Path] != nil {
		return nil
	}
	if author, err := g.isPackage(c.Path); err != nil || author {
		return err
	}
	g.out.Files = append(g.out.Files, backend.Put{Path: c.Path, Content: content(c.Data)})
	return nil
}

// dropFile takes a file out of the tree, also one that this generation was to add.
func (g *generation) dropFile(path string) {
	for i, f := range g.out.Files {
		if f.Path == path {
			g.out.Files = append(g.out.Files[:i:i], g.out.Files[i+1:]...)
			return
		}
	}
	g.out.Gone = append(g.out.Gone, backend.Gone{Path: path})
}

// removeFirst removes the package at the first path that has one.
func (g *generation) removeFirst(paths []string) error {
	for _, path := range paths {
		if g.puts[path] != nil {
			return errAlone
		}
		there, err := g.State.Find(g.ctx, []string{path}, nil)
		if err != nil {
			return err
		}
		for _, t := range there {
			if t.Removed.IsZero() && !g.removed[t.Path] {
				if ours, err := uploadedHere(t); err != nil || !ours {
					return cmp.Or(err, errForeign(path))
				}
				if err := g.take(path, false); err != nil {
					g.broken = true
					return err
				}
				return nil
			}
		}
	}
	path := paths[0]
	if index, err := g.indexed(path); err != nil {
		return err
	} else if index {
		return format.NotAllowedf("%s is a file of the index, which goes when its packages go", path)
	}
	if file, _, ok := sidecarOf(path); ok {
		return format.NotFoundf("there is no package at %s; a signature goes with its file, %s", path, file)
	}
	return format.NotFoundf("there is no package at %s", path)
}

// take removes a package that is there. An evicted one stays readable for clients that are in the middle of an update.
func (g *generation) take(path string, evicted bool) error {
	there, err := g.State.Find(g.ctx, []string{path}, nil)
	if err != nil {
		return err
	}
	if len(there) != 1 {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	var rec record
	if err := json.Unmarshal(there[0].Record, &rec); err != nil {
		return fmt.Errorf("the record of %s: %w", path, err)
	}
	for _, m := range rec.memberships() {
		if err := g.removeEntries(path, m); err != nil {
			return err
		}
	}
	g.out.Removed = append(g.out.Removed, path)
	g.out.Gone = append(g.out.Gone, backend.Gone{Path: path, Lasting: evicted})
	for _, sidecar := range rec.Sidecars {
		if author, err := g.isPackage(sidecar); err != nil {
			return err
		} else if !author {
			g.out.Gone = append(g.out.Gone, backend.Gone{Path: sidecar, Lasting: evicted})
		}
	}
	for _, b := range rec.Beside {
		g.out.Gone = append(g.out.Gone, backend.Gone{Path: b, Lasting: evicted})
	}
	g.removed[path] = true
	g.dirty = true
	if g.Upstream != nil && (rec.Foreign == nil || rec.Foreign.Ours) {
		return g.uncover()
	}
	return nil
}

// isPackage reports whether a package is at a path.
func (g *generation) isPackage(path string) (bool, error) {
	if !strings.HasSuffix(path, openpgpSuffix) {
		return false, nil
	}
	there, err := g.find(path)
	return len(there) == 1 && there[0].Removed.IsZero() && !g.removed[path], err
}
