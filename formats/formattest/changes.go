package formattest

import (
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
)

// A change is one of those that an upload asks for.
type change struct {
	op   format.Op
	body []byte
}

// changes returns what an upload asks for.
func (h *House) changes(u Upload) ([]change, error) {
	h.tb.Helper()
	op, err := h.guard.Route(u.request())
	if err != nil {
		return nil, err
	}
	if op.Kind != format.Unwrap {
		return []change{{op, u.Body}}, nil
	}
	return h.guard.unwrap(u.request(), u.Body)
}

// stageUpload stages the one package that an upload asks for.
func (h *House) stageUpload(u Upload) (*stored, error) {
	h.tb.Helper()
	changes, err := h.changes(u)
	if err != nil {
		return nil, err
	}
	if len(changes) != 1 || changes[0].op.Kind != format.Put {
		h.tb.Fatalf("the upload to %s asks for %d changes, and must be of one package", u.Path, len(changes))
	}
	return h.stage(changes[0].op, changes[0].body)
}

// onlyMarks reports whether an upload asks for nothing but marks: something is noted of packages, and no file replaced.
func (h *House) onlyMarks(u Upload) bool {
	h.tb.Helper()
	changes, err := h.changes(u)
	return err == nil && !slices.ContainsFunc(changes, func(c change) bool { return c.op.Kind != format.Mark })
}

// unwrap runs Unwrap and reads the bodies that it returns.
func (g *guard) unwrap(r format.Request, body []byte) (all []change, err error) {
	g.tb.Helper()
	unwrapper, ok := g.format.(format.Unwrapper)
	if !ok {
		g.breach("Route wants the body of %s %s unwrapped, and the format is no Unwrapper", r.Method, r.Path)
	}
	g.calling("Unwrap", func() {
		var changes []format.Change
		changes, err = unwrapper.Unwrap(r, restricted{NewBlob(body), g.spec.Digests, g})
		for _, c := range changes {
			var data []byte
			if err == nil && c.Body != nil {
				data, err = io.ReadAll(c.Body)
			}
			all = append(all, change{c.Op, data})
		}
	})
	if err != nil {
		g.checkError("Unwrap", err)
		return nil, err
	}
	if len(all) == 0 {
		g.breach("Unwrap returns no change and no error for %s %s", r.Method, r.Path)
	}
	for _, c := range all {
		switch c.op.Kind {
		case format.Put, format.Delete, format.Mark, format.Clear:
		default:
			g.breach("Unwrap returns an operation of kind %d", c.op.Kind)
		}
		if fault := pathsFault(c.op); fault != "" {
			g.breach("Unwrap returns %+v: %s", c.op, fault)
		}
	}
	return all, nil
}

// apply does what a change asks for.
func (h *House) apply(c change, touched map[string]bool) error {
	h.tb.Helper()
	switch c.op.Kind {
	case format.Put:
		s, err := h.stage(c.op, c.body)
		if err != nil {
			return err
		}
		return h.admit(s, touched)
	case format.Delete:
		s, err := h.firstOf(c.op.Paths)
		if err == nil {
			h.remove(s, touched)
		}
		return err
	case format.Mark:
		s, err := h.firstOf(c.op.Paths)
		if err != nil {
			return err
		}
		return h.mark(s, c.op.Marks, touched)
	case format.Clear:
		all := slices.DeleteFunc(slices.Clone(h.packages), func(s *stored) bool { return s.pkg.Shard != c.op.Paths[0] })
		if len(all) == 0 {
			return fmt.Errorf("clear %s: %w", c.op.Paths[0], fs.ErrNotExist)
		}
		for _, s := range all {
			h.remove(s, touched)
		}
		return nil
	case format.Check:
		there, ok := h.file(c.op.Paths[0])
		switch {
		case !ok:
			return fmt.Errorf("check %s: %w", c.op.Paths[0], fs.ErrNotExist)
		case firstWord(there) != firstWord(c.body):
			return format.Malformedf("the checksum is not that of the file")
		}
		return nil
	case format.Ignore, format.Login:
		return nil
	}
	return format.NotAllowedf("that is no change")
}

// firstWord returns what is compared of a checksum.
func firstWord(data []byte) string {
	fields := strings.Fields(string(data))
	if len(fields) == 0 {
		return ""
	}
	return strings.ToLower(fields[0])
}

// firstOf returns the package at the first of paths that has one.
func (h *House) firstOf(paths []string) (*stored, error) {
	for _, p := range paths {
		for _, s := range h.packages {
			if s.pkg.Path == p {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: %w", strings.Join(paths, ", "), fs.ErrNotExist)
}

// mark changes the marks of a package, and makes its entries again.
func (h *House) mark(s *stored, marks map[string]string, touched map[string]bool) error {
	h.tb.Helper()
	other := *s
	other.op = s.op.Marked(marks)
	var err error
	if other.pkg, err = h.guard.Parse(other.op, NewBlob(s.data), s.sigs); err != nil {
		return err
	}
	if a, b := identity(s.pkg), identity(other.pkg); a != b {
		h.guard.breach("marks change the identity of a package from %s to %s", a, b)
	}
	other.sidecars = maps.Clone(s.sidecars)
	for _, b := range s.pkg.Beside {
		delete(other.sidecars, b.Path)
	}
	for _, b := range other.pkg.Beside {
		other.sidecars[b.Path] = b.Data
	}
	h.exchange(s, &other, touched)
	h.packages[slices.Index(h.packages, s)] = &other
	return nil
}

// tree is what a Renderer sees of a house.
type tree struct{ h *House }

// Shards implements [format.Tree].
func (t tree) Shards() iter.Seq2[format.Contents, error] {
	var all Contents
	for _, name := range slices.Sorted(maps.Keys(t.h.shards)) {
		all = append(all, format.Contents{Shard: name, Groups: t.h.shards[name].groups()})
	}
	return all.Shards()
}

// Entries implements [format.Tree].
func (t tree) Entries(shard, group string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s := t.h.shards[shard]
		if s == nil {
			return
		}
		for _, e := range s.entries {
			if e.Group == group && !yield(slices.Clone(e.Data), nil) {
				return
			}
		}
	}
}

// Contents are a format.Tree without entries.
type Contents []format.Contents

// Shards implements [format.Tree].
func (c Contents) Shards() iter.Seq2[format.Contents, error] {
	return func(yield func(format.Contents, error) bool) {
		for _, shard := range c {
			if !yield(shard, nil) {
				return
			}
		}
	}
}

// Entries implements [format.Tree].
func (c Contents) Entries(string, string) iter.Seq2[[]byte, error] {
	return func(func([]byte, error) bool) {}
}
