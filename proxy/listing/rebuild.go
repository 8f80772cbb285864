package listing

import (
	"context"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"
	"strings"
)

// Rebuild returns a change that trusts nothing in the Store but the entries and their order: it counts the groups anew
// and knows of no views, so that every one that is closed is rendered as a whole. The plain bytes are those of before.
func (s *State) Rebuild(ctx context.Context, store Store, blobs Blobs) (*Change, error) {
	c := s.Begin(store, blobs)
	c.forgets, c.edited = true, true
	if err := c.rebuild(ctx); err != nil {
		return nil, fmt.Errorf("rebuild listings: %w", err)
	}
	return c, nil
}

func (c *Change) rebuild(ctx context.Context) error {
	// What is read is collected before anything else is asked of the store, which may have few connections.
	var groups []*group
	for kv, err := range c.store.Scan(ctx, groupPrefix) {
		if err != nil {
			return err
		}
		g, err := decodeGroup(strings.TrimPrefix(kv.Key, groupPrefix), kv.Value)
		if err != nil {
			return err
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		var err error
		if g.segments, err = loadSegments(ctx, c.store, g.id); err != nil {
			return fmt.Errorf("group %q: %w", g.name, err)
		}
		d := &draft{group: *g, known: true, dirty: true}
		d.version = c.counters.version
		if err := c.recount(ctx, d); err != nil {
			return fmt.Errorf("group %q: %w", g.name, err)
		}
		c.groups[g.name] = d
	}
	for _, prefix := range []string{viewPrefix, packPrefix} {
		for kv, err := range c.store.Scan(ctx, prefix) {
			if err != nil {
				return err
			}
			c.writes[kv.Key] = nil
		}
	}
	return nil
}

// recount makes the segments of a group what their entries say.
func (c *Change) recount(ctx context.Context, g *draft) error {
	g.totals = Totals{}
	for i := range g.segments {
		s := c.own(g, i)
		*s = segment{id: s.id, closed: s.closed, version: c.counters.version, owner: c.owner, summed: true}
		places := make(map[string]place)
		err := c.entries(ctx, s, func(p place, key string, data []byte) error {
			s.count++
			s.bytes += int64(len(data))
			s.crc = crc32.Update(s.crc, crc32.IEEETable, data)
			s.next = p.position + 1
			if _, ok := places[key]; ok {
				return fmt.Errorf("%w: the key %q is there twice", ErrCorrupt, key)
			}
			places[key] = p
			return nil
		})
		for key, p := range places {
			if at, ok, findErr := c.find(ctx, g, key); findErr != nil || !ok || at != p {
				c.writes[placePrefix+number(g.id)+key] = p.encode()
			}
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", s.id, err)
		}
		g.totals.Count += s.count
		g.totals.Bytes += s.bytes
	}
	g.segments = slices.DeleteFunc(g.segments, func(s *segment) bool {
		if s.count == 0 {
			g.touch(s, false)
		}
		return s.count == 0
	})
	if len(g.segments) > 0 {
		g.last().closed = 0
	}
	return nil
}

// A Reference is a blob or an object that the Store's records name.
type Reference struct {
	Digest Digest
	Object bool
}

// References yields what must not be collected, besides what the parts of files name: the next closing of a view may
// refer to it. One may be yielded more than once. It ends after the first error.
func References(ctx context.Context, store Store) iter.Seq2[Reference, error] {
	return func(yield func(Reference, error) bool) {
		base := func(ctx context.Context, name string) (*group, error) { return loadGroup(ctx, store, name) }
		var names []string
		var err error
		for kv, scanErr := range store.Scan(ctx, viewPrefix) {
			names, err = append(names, strings.TrimPrefix(kv.Key, viewPrefix)), scanErr
		}
		for _, name := range names {
			var v *view
			if err == nil {
				v, err = loadView(ctx, store, name, base)
			}
			if err != nil {
				break
			}
			if v != nil && !v.references(yield) {
				return
			}
		}
		if err != nil {
			yield(Reference{}, fmt.Errorf("what listings refer to: %w", err))
		}
	}
}

func (v *view) references(yield func(Reference, error) bool) bool {
	for _, f := range v.forms {
		if f == nil {
			continue
		}
		for _, p := range f.packs {
			if !yield(Reference{p.digest, false}, nil) {
				return false
			}
		}
		for _, r := range slices.Concat(f.closed, f.open) {
			if r.pack == nil && !yield(Reference{r.digest, true}, nil) {
				return false
			}
		}
	}
	return true
}
