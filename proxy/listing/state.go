package listing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
)

// Limits of what a State keeps in memory, for each of its two shelves.
const (
	shelfWeight = 8 << 20 // bytes, roughly
	shelfCount  = 512     // groups and views
)

// A State is what is known of one generation of a repository's listings. It is immutable and may be used concurrently.
//
// It keeps what was used lately, at most some 16 MiB, so that a change reads little from the Store; the rest is read
// when it is needed. That is why it goes with the generation that the Store is at: when another program has committed,
// the caller calls Load again.
type State struct {
	counters counters
	recent   shelf
	older    shelf
	deflate  *deflater
}

// counters are the numbers that were given out last.
type counters struct{ group, segment, closed, view, pack, version uint64 }

func (n counters) encode() []byte {
	w := newRecord(countersRecord)
	for _, c := range []uint64{n.group, n.segment, n.closed, n.view, n.pack, n.version} {
		w.uint(c)
	}
	return w.finish()
}

func decodeCounters(data []byte) (n counters, err error) {
	r := readRecord(countersRecord, data)
	for _, c := range []*uint64{&n.group, &n.segment, &n.closed, &n.view, &n.pack, &n.version} {
		*c = r.uint()
	}
	return n, r.finish()
}

// Load returns the state of a repository, which is empty if the Store is. It reads one record.
func Load(ctx context.Context, store Store) (*State, error) {
	s := &State{deflate: &deflater{}}
	data, err := store.Get(ctx, countersKey)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		s.counters, err = decodeCounters(data)
	}
	if err != nil {
		return nil, fmt.Errorf("load listings: %w", err)
	}
	return s, nil
}

// A shelf holds groups and views by their names.
type shelf struct {
	groups map[string]*group
	views  map[string]*view
	weight int
}

// group returns a group that is in memory, or nil.
func (s *State) group(name string) *group {
	if g, ok := s.recent.groups[name]; ok {
		return g
	}
	return s.older.groups[name]
}

// view returns a view that is in memory, or nil.
func (s *State) view(name string) *view {
	if v, ok := s.recent.views[name]; ok {
		return v
	}
	return s.older.views[name]
}

// with returns the state that follows, with what was used on the way to it.
func (s *State) with(n counters, groups map[string]*group, views map[string]*view) *State {
	next := &State{counters: n, recent: s.recent, older: s.older, deflate: s.deflate}
	if s.recent.weight > shelfWeight || len(s.recent.groups)+len(s.recent.views) > shelfCount {
		next.older, next.recent = s.recent, shelf{}
	}
	r := &next.recent
	r.groups, r.views = maps.Clone(r.groups), maps.Clone(r.views)
	if r.groups == nil {
		r.groups, r.views = make(map[string]*group), make(map[string]*view)
	}
	for name, g := range groups {
		if old, ok := r.groups[name]; ok {
			r.weight -= old.weight()
		}
		r.groups[name] = g
		r.weight += g.weight()
	}
	for name, v := range views {
		if old, ok := r.views[name]; ok {
			r.weight -= old.weight()
		}
		r.views[name] = v
		r.weight += v.weight()
	}
	return next
}
