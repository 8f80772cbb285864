package listing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Packs of a view grow like the digits of a binary counter: a new one takes up all packs before it that are less than
// twice its size. So there are about log₂ n of them, and each byte is copied some log₂ n times.
const (
	packSegments  = 8  // so many closed segments that lie in no pack make a new one
	packFragments = 64 // so many pieces more than packs make one pack of all
)

// A Packing is a pack that was stored and that nobody refers to yet.
type Packing struct {
	view  string
	id    uint64
	forms [forms]*repack
}

// A repack replaces packs by one.
type repack struct {
	pack    pack
	all     []packed
	removed []uint64 // numbers
}

// Pack copies closed segments of a view into larger blobs, without compressing anything again. It returns nil if there
// is nothing to do. It may take long and changes nothing: the result takes effect in a change that adopts it and is
// committed, also in one that follows other changes. The state must have been committed.
//
// Until then the blobs are named by nobody. After that they are named by the Store alone until the view is closed again:
// see [References].
func (s *State) Pack(ctx context.Context, store Store, blobs Blobs, view string) (*Packing, error) {
	p, err := s.pack(ctx, store, blobs, view)
	if err != nil {
		return nil, fmt.Errorf("pack view %q: %w", view, err)
	}
	return p, nil
}

func (s *State) pack(ctx context.Context, store Store, blobs Blobs, name string) (*Packing, error) {
	v := s.view(name)
	if v == nil {
		var err error
		base := s.Begin(store, blobs).base
		if v, err = loadView(ctx, store, name, base); err != nil || v == nil {
			return nil, err
		}
	}
	p := &Packing{view: name, id: v.id}
	work := false
	for form, f := range v.forms {
		if f == nil {
			continue
		}
		from, ok := f.repackFrom()
		if !ok {
			continue
		}
		var err error
		if p.forms[form], err = f.repack(ctx, blobs, from); err != nil {
			return nil, err
		}
		work = true
	}
	if !work {
		return nil, nil
	}
	return p, nil
}

// repackFrom returns the first closed segment that the next pack takes, and whether one is due.
func (f *viewForm) repackFrom() (int, bool) {
	first := make(map[*pack]int) // the first segment of each pack
	before := make([]int64, len(f.closed)+1)
	tail := 0 // where the segments begin that come after all packs
	for i := range f.closed {
		before[i+1] = before[i] + f.closed[i].size
		p := f.closed[i].pack
		if p == nil {
			continue
		}
		tail = i + 1
		if _, ok := first[p]; !ok {
			first[p] = i
		}
	}
	if len(appendRefs(nil, f.closed[:tail]))-len(first) > packFragments {
		return 0, true
	}
	end := len(f.closed)
	if end-tail < packSegments {
		return 0, false
	}
	from := tail
	for from > 0 {
		start := 0 // of what lies in the pack before, with the objects behind it
		for i := from - 1; i >= 0; i-- {
			if p := f.closed[i].pack; p != nil {
				start = first[p]
				break
			}
		}
		if before[from]-before[start] >= 2*(before[end]-before[from]) {
			break
		}
		from = start
	}
	return from, true
}

// repack stores a pack of all closed segments from one on.
func (f *viewForm) repack(ctx context.Context, blobs Blobs, from int) (*repack, error) {
	refs := f.closed[from:]
	r := &repack{all: make([]packed, len(refs))}
	for i := range refs {
		r.all[i] = packed{refs[i].seg.id, refs[i].seg.version, refs[i].size}
		r.pack.size += refs[i].size
	}
	kept := viewForm{closed: f.closed[:from]}
	stays := kept.named(f.packs)
	for _, p := range f.packs {
		if !slices.Contains(stays, p) {
			r.removed = append(r.removed, p.number)
		}
	}
	parts := appendRefs(nil, refs)
	h := sha256.New()
	if _, err := copyParts(ctx, h, blobs, parts); err != nil {
		return nil, err
	}
	r.pack.digest = Digest(h.Sum(nil))
	reader := NewReader(ctx, blobs, parts)
	defer reader.Close()
	if err := blobs.Put(ctx, r.pack.digest, r.pack.size, reader); err != nil {
		return nil, fmt.Errorf("store a pack: %w", err)
	}
	return r, nil
}

// Adopt makes a view refer to a pack. The bytes of its files do not change, and it need not be closed. It reports
// whether it did: false if the packs that would be replaced are not the view's any more, or if the view was not closed
// when its groups changed last.
func (c *Change) Adopt(ctx context.Context, p *Packing) (bool, error) {
	v, err := c.previous(ctx, p.view)
	if err != nil {
		return false, fmt.Errorf("adopt packs of view %q: %w", p.view, err)
	}
	if v == nil || v.id != p.id || v.stale {
		return false, nil
	}
	next := *v
	for form, r := range p.forms {
		if r == nil {
			continue
		}
		if next.forms[form] == nil {
			return false, nil
		}
		c.counters.pack++
		f, ok := next.forms[form].adopt(r, c.counters.pack)
		if !ok {
			return false, nil
		}
		next.forms[form] = f
	}
	for form, r := range p.forms {
		if r == nil {
			continue
		}
		for _, n := range r.removed {
			c.writes[v.packKey(form, n)] = nil
		}
		packs := next.forms[form].packs
		added := packs[len(packs)-1]
		c.writes[v.packKey(form, added.number)] = encodePack(added, r.all)
	}
	c.views[p.view] = &next
	return true, nil
}

// adopt returns the form with a pack of the given number in place of those that it replaces.
func (f *viewForm) adopt(r *repack, n uint64) (*viewForm, bool) {
	added := r.pack
	added.number = n
	next := *f
	next.packs = slices.DeleteFunc(slices.Clone(f.packs), func(p *pack) bool { return slices.Contains(r.removed, p.number) })
	if len(next.packs) != len(f.packs)-len(r.removed) {
		return nil, false
	}
	type location struct {
		packed
		offset int64
	}
	at := make(map[uint64]location, len(r.all))
	offset := int64(0)
	for _, s := range r.all {
		at[s.id] = location{s, offset}
		offset += s.size
	}
	next.closed = slices.Clone(f.closed)
	for i := range next.closed {
		ref := &next.closed[i]
		if l, ok := at[ref.seg.id]; ok && l.version == ref.seg.version && l.size == ref.size {
			ref.pack, ref.offset, ref.digest = &added, l.offset, Digest{}
		} else if ref.pack != nil && slices.Contains(r.removed, ref.pack.number) {
			return nil, false
		}
	}
	next.packs = append(next.packs, &added)
	return &next, true
}
