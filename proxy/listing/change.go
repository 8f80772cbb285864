package listing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Change is a copy of a state that is being worked on: entries are set and removed, then views are closed, then all of
// it is committed or dropped. It writes nothing to the Store. Close may run concurrently for different views; all other
// methods are for one caller at a time.
//
// After an error of any method the change is of no use any more.
type Change struct {
	state *State
	store Store
	blobs Blobs

	mu       sync.Mutex // guards what follows while views are closed
	counters counters
	owner    *owner
	edited   bool // counters.version is in use
	groups   map[string]*draft
	views    map[string]*view
	prior    map[string]*view // what the views were after the last commit
	forgets  bool             // there are no views from before
	writes   map[string][]byte
	objects  map[Digest][]byte
	rendered map[renderedKey]bool
	plain    map[uint64][]byte // of segments that were closed here, by their number
	appended map[uint64]uint64 // the first position that was filled here, by the segment's number
}

// A draft is a group that is being worked on.
type draft struct {
	group
	known   bool            // it has a record or gets one
	dirty   bool            // its record changes
	touched map[uint64]bool // segments whose records change; false: it goes
}

// A renderedKey is a segment's bytes in one encoding.
type renderedKey struct {
	id, version uint64
	form        int
}

// Begin returns a change of the state. Store and blobs are those that it will be committed to.
func (s *State) Begin(store Store, blobs Blobs) *Change {
	c := &Change{
		state: s, store: store, blobs: blobs, counters: s.counters,
		groups: make(map[string]*draft), views: make(map[string]*view), prior: make(map[string]*view),
		writes: make(map[string][]byte), objects: make(map[Digest][]byte), rendered: make(map[renderedKey]bool),
		plain: make(map[uint64][]byte), appended: make(map[uint64]uint64),
	}
	c.counters.version++
	c.owner = new(owner)
	return c
}

// seal makes the segments as they are immutable: what is changed from now on gets another version.
func (c *Change) seal() {
	c.owner = new(owner)
	if c.edited {
		c.counters.version++
		c.edited = false
	}
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
		return fmt.Errorf("%s %.80q is empty, longer than %d bytes, not UTF-8, or holds NUL: %w",
			what, name, MaxName, fs.ErrInvalid)
	}
	return nil
}

// Set adds an entry at the end of its group, or puts it into the place of the entry with the same key. The data must not
// be changed until the change has been committed or dropped.
func (c *Change) Set(ctx context.Context, e Entry) error {
	if err := c.set(ctx, e); err != nil {
		return fmt.Errorf("set %q of group %q: %w", e.Key, e.Group, err)
	}
	return nil
}

func (c *Change) set(ctx context.Context, e Entry) error {
	if err := errors.Join(checkName("group", e.Group), checkName("key", e.Key)); err != nil {
		return err
	}
	if len(e.Data) == 0 || len(e.Data) > MaxEntry {
		return fmt.Errorf("an entry has 1 to %d bytes, and not %d: %w", MaxEntry, len(e.Data), fs.ErrInvalid)
	}
	g, err := c.group(ctx, e.Group)
	if err != nil {
		return err
	}
	if !g.known {
		c.counters.group++
		g.id, g.known = c.counters.group, true
	}
	p, ok, err := c.find(ctx, g, e.Key)
	if err != nil {
		return err
	}
	if !ok {
		c.append(g, e)
		return nil
	}
	_, old, err := c.entry(ctx, p)
	if err != nil || bytes.Equal(old, e.Data) {
		return err
	}
	i, ok := g.find(p.segment)
	if !ok {
		return fmt.Errorf("%w: its segment is gone", ErrCorrupt)
	}
	s := c.edit(g, i)
	s.bytes += int64(len(e.Data) - len(old))
	g.totals.Bytes += int64(len(e.Data) - len(old))
	c.writes[p.key()] = encodeEntry(e.Key, e.Data)
	return nil
}

// append adds an entry to the last segment, or to a new one.
func (c *Change) append(g *draft, e Entry) {
	if len(g.segments) == 0 || g.last().full() {
		c.open(g)
	}
	plain := g.plain
	s := c.edit(g, len(g.segments)-1)
	if s.count == 0 {
		plain = make([]byte, 0, len(e.Data))
	}
	if plain != nil {
		g.plain = append(plain, e.Data...)
	}
	p := place{s.id, s.next}
	if _, ok := c.appended[s.id]; !ok {
		c.appended[s.id] = s.next
	}
	s.next++
	s.count++
	s.bytes += int64(len(e.Data))
	g.totals.Count++
	g.totals.Bytes += int64(len(e.Data))
	c.writes[p.key()] = encodeEntry(e.Key, e.Data)
	c.writes[placePrefix+number(g.id)+e.Key] = p.encode()
}

// open closes the last segment and begins another.
func (c *Change) open(g *draft) {
	if n := len(g.segments); n > 0 {
		plain := g.plain
		s := c.edit(g, n-1) // it is compressed once more, and better
		c.counters.closed++
		s.closed = c.counters.closed
		if plain != nil {
			c.plain[s.id] = plain
		}
	}
	c.counters.segment++
	s := &segment{id: c.counters.segment, owner: c.owner}
	g.segments = append(g.segments, s)
	g.plain = nil
}

// Remove takes an entry out of its group. It reports whether it was there.
func (c *Change) Remove(ctx context.Context, group, key string) (bool, error) {
	ok, err := c.remove(ctx, group, key)
	if err != nil {
		return false, fmt.Errorf("remove %q of group %q: %w", key, group, err)
	}
	return ok, nil
}

func (c *Change) remove(ctx context.Context, group, key string) (bool, error) {
	if err := errors.Join(checkName("group", group), checkName("key", key)); err != nil {
		return false, err
	}
	g, err := c.group(ctx, group)
	if err != nil {
		return false, err
	}
	p, ok, err := c.find(ctx, g, key)
	if err != nil || !ok {
		return false, err
	}
	_, old, err := c.entry(ctx, p)
	if err != nil {
		return false, err
	}
	i, ok := g.find(p.segment)
	if !ok {
		return false, fmt.Errorf("%w: its segment is gone", ErrCorrupt)
	}
	s := c.edit(g, i)
	s.count--
	s.bytes -= int64(len(old))
	g.totals.Count--
	g.totals.Bytes -= int64(len(old))
	c.writes[p.key()] = nil
	c.writes[placePrefix+number(g.id)+key] = nil
	if s.count == 0 {
		c.discard(g, i)
	}
	return true, nil
}

// discard drops a segment that has become empty. If it was the last, the one before it becomes the last again: so an
// entry that is added and removed again leaves no trace in the order.
func (c *Change) discard(g *draft, i int) {
	g.touch(g.segments[i], false)
	g.segments = slices.Delete(g.segments, i, i+1)
	if i < len(g.segments) || i == 0 {
		return
	}
	// A new version, since views may have its bytes in packs, and the last segment is never taken from a pack.
	s := c.edit(g, i-1)
	s.closed = 0
}

func (g *draft) touch(s *segment, stays bool) {
	if g.touched == nil {
		g.touched = make(map[uint64]bool)
	}
	g.touched[s.id] = stays
}

// own returns the segment at an index as one that this change may write to. Its bytes stay as they are.
func (c *Change) own(g *draft, i int) *segment {
	s := g.segments[i]
	if s.owner != c.owner {
		owned := *s
		owned.owner = c.owner
		s = &owned
		g.segments[i] = s
	}
	g.touch(s, true)
	return s
}

// edit returns the segment at an index for its bytes to be changed.
func (c *Change) edit(g *draft, i int) *segment {
	s := c.own(g, i)
	s.version = c.counters.version
	s.summed, s.crc, s.forms = false, 0, [forms]form{}
	if i == len(g.segments)-1 {
		g.plain = nil
	}
	delete(c.plain, s.id)
	g.version = c.counters.version
	g.dirty, c.edited = true, true
	return s
}

// group returns a group to work on. One that is not known is empty.
func (c *Change) group(ctx context.Context, name string) (*draft, error) {
	if g, ok := c.groups[name]; ok {
		return g, nil
	}
	base, err := c.base(ctx, name)
	if err != nil {
		return nil, err
	}
	g := &draft{group: group{name: name}}
	if base != nil {
		g.group, g.known = *base, true
		g.segments = slices.Clone(base.segments)
	}
	c.groups[name] = g
	return g, nil
}

// base returns a group as it was before the change, or nil.
func (c *Change) base(ctx context.Context, name string) (*group, error) {
	if g := c.state.group(name); g != nil {
		if g.absent() {
			return nil, nil
		}
		return g, nil
	}
	return loadGroup(ctx, c.store, name)
}

// get reads a record as it will be after the commit.
func (c *Change) get(ctx context.Context, key string) ([]byte, error) {
	if value, ok := c.writes[key]; ok {
		if value == nil {
			return nil, fs.ErrNotExist
		}
		return value, nil
	}
	return c.store.Get(ctx, key)
}

// find returns where the entry with a key stands.
func (c *Change) find(ctx context.Context, g *draft, key string) (place, bool, error) {
	if !g.known {
		return place{}, false, nil
	}
	data, err := c.get(ctx, placePrefix+number(g.id)+key)
	if errors.Is(err, fs.ErrNotExist) {
		return place{}, false, nil
	}
	if err != nil {
		return place{}, false, err
	}
	p, err := decodePlace(data)
	return p, true, err
}

func (c *Change) entry(ctx context.Context, p place) (key string, data []byte, err error) {
	record, err := c.get(ctx, p.key())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%w: its bytes are gone", ErrCorrupt)
	}
	if err != nil {
		return "", nil, err
	}
	return decodeEntry(record)
}

// Entry returns the data of an entry, as it is in the change. The error wraps fs.ErrNotExist if there is none.
func (c *Change) Entry(ctx context.Context, group, key string) ([]byte, error) {
	g, err := c.group(ctx, group)
	if err != nil {
		return nil, err
	}
	p, ok, err := c.find(ctx, g, key)
	if err == nil && !ok {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("entry %q of group %q: %w", key, group, err)
	}
	_, data, err := c.entry(ctx, p)
	return data, err
}

// Groups returns the groups whose names begin with prefix, in the order of their names, also those that have become
// empty.
func (c *Change) Groups(ctx context.Context, prefix string) ([]Group, error) {
	var all []Group
	for kv, err := range c.store.Scan(ctx, groupPrefix+prefix) {
		if err != nil {
			return nil, fmt.Errorf("list groups: %w", err)
		}
		name := strings.TrimPrefix(kv.Key, groupPrefix)
		if _, ok := c.groups[name]; ok {
			continue
		}
		g, err := decodeGroup(name, kv.Value)
		if err != nil {
			return nil, fmt.Errorf("list groups: %w", err)
		}
		all = append(all, Group{name, g.totals})
	}
	for name, g := range c.groups {
		if g.known && strings.HasPrefix(name, prefix) {
			all = append(all, Group{name, g.totals})
		}
	}
	slices.SortFunc(all, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Commit returns the state after the change, and what the caller must commit for it. If the commit fails, the caller
// drops that state and the one before stays valid. The change is of no use after that.
func (c *Change) Commit() (*State, Writes) {
	groups := make(map[string]*group)
	for name, d := range c.groups {
		if !d.known {
			groups[name] = &group{name: name}
			continue
		}
		g := d.group
		g.plain = slices.Clip(g.plain)
		g.segments = slices.Clip(g.segments)
		groups[name] = &g
		for id, stays := range d.touched {
			key := segmentPrefix + number(g.id) + number(id)
			c.writes[key] = nil
			if i, ok := g.find(id); ok && stays {
				c.writes[key] = g.segments[i].encode()
			}
		}
		if d.dirty {
			c.writes[groupPrefix+name] = g.encode()
		}
	}
	if !c.edited {
		c.counters.version--
	}
	if c.counters != c.state.counters {
		c.writes[countersKey] = c.counters.encode()
	}
	next := c.state
	if c.forgets {
		next = &State{deflate: c.state.deflate}
	}
	return next.with(c.counters, groups, c.views), Writes{State: c.writes, Objects: c.objects}
}
