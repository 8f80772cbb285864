package listing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A view is what is kept of a View from one closing to the next. It is immutable.
type view struct {
	name   string
	id     uint64
	groups []groupAt
	hashes []crypto.Hash
	forms  [forms]*viewForm // nil: that encoding is not kept
	record []byte           // as it is stored
	stale  bool             // its groups changed and it was not closed: it has only what lies in packs
}

// A groupAt is a group as it was when a view was closed.
type groupAt struct {
	name    string
	version uint64
}

// A viewForm is one encoding of a view.
type viewForm struct {
	closed   []ref    // in the order in which the segments were closed
	open     []ref    // literals
	literals [][]byte // the bytes of open
	lead     Digest   // of what stands before the body
	marks    []mark   // in their order
	packs    []*pack  // in the order of their numbers
	digest   Digest   // of the file
	size     int64    // of the file
}

// A ref is a segment in one encoding of one view: a range of a pack, or an object.
type ref struct {
	seg    *segment
	pack   *pack // nil: an object
	offset int64
	size   int64
	digest Digest // of the object
	crc    uint32 // gzip: of the plain bytes from the beginning of the body to the end of the segment
}

// A mark is a place behind a number of closed segments, and the state of the hashes there.
type mark struct {
	count int
	size  int64 // of what stands before the mark
	sums  sums
}

// A pack is a blob with the bytes of many segments.
type pack struct {
	number uint64
	digest Digest
	size   int64
}

func (v *view) weight() int {
	w := 512 + len(v.name) + len(v.record)
	for _, f := range v.forms {
		if f == nil {
			continue
		}
		w += 80*(len(f.closed)+len(f.open)) + 256*len(f.marks)*len(v.hashes)
		for _, l := range f.literals {
			w += len(l)
		}
	}
	return w
}

// sameGroups reports whether the groups are those, and as they were, when the view was closed.
func (v *view) sameGroups(groups []*group) bool {
	return slices.EqualFunc(v.groups, groups, func(a groupAt, g *group) bool {
		return a.name == g.name && a.version == g.version
	})
}

func (v *view) packKey(form int, n uint64) string {
	return v.packPrefix(form) + number(n)
}

func (v *view) packPrefix(form int) string { return packPrefix + number(v.id) + string(rune('0'+form)) }

// encode makes the record of a view. Of its marks only the last is stored: the one before the open segments.
func (v *view) encode() ([]byte, error) {
	w := newRecord(viewRecord)
	w.uint(v.id)
	w.uint(uint64(len(v.groups)))
	for _, g := range v.groups {
		w.bytes([]byte(g.name))
		w.uint(g.version)
	}
	w.uint(uint64(len(v.hashes)))
	for _, h := range v.hashes {
		w.uint(uint64(h))
	}
	for _, f := range v.forms {
		if f == nil {
			w.uint(0)
			continue
		}
		w.uint(1)
		w.digest(f.lead)
		w.digest(f.digest)
		w.uint(uint64(f.size))
		if len(f.marks) == 0 {
			w.uint(0)
			continue
		}
		m := f.marks[len(f.marks)-1]
		w.uint(uint64(m.count))
		w.uint(uint64(m.size))
		if err := m.sums.encode(w); err != nil {
			return nil, fmt.Errorf("view %q: %w", v.name, err)
		}
	}
	return w.finish(), nil
}

func decodeView(name string, data []byte) (*view, error) {
	r := readRecord(viewRecord, data)
	v := &view{name: name, id: r.uint(), record: data}
	v.groups = make([]groupAt, r.count(2))
	for i := range v.groups {
		v.groups[i] = groupAt{string(r.bytes()), r.uint()}
	}
	others := make([]crypto.Hash, r.count(1))
	for i := range others {
		others[i] = crypto.Hash(r.int())
	}
	var err error
	if v.hashes, err = hashesOf(others); err != nil {
		r.fail("%v", err)
	} else if !slices.Equal(v.hashes, others) {
		r.fail("its hashes are %v", others)
	}
	for i := range v.forms {
		if r.uint() == 0 || r.err != nil {
			continue
		}
		f := &viewForm{lead: r.digest(), digest: r.digest(), size: r.size()}
		if n := r.int(); n > 0 {
			m := mark{count: n, size: r.size(), sums: decodeSums(r, v.hashes)}
			if m.sums != nil {
				f.marks = []mark{m}
			}
		}
		v.forms[i] = f
	}
	if err := r.finish(); err != nil {
		return nil, fmt.Errorf("view %q: %w", name, err)
	}
	return v, nil
}

// A packed is a segment within a pack. They lie in it in their order.
type packed struct {
	id, version uint64
	size        int64
}

func encodePack(p *pack, all []packed) []byte {
	w := newRecord(packRecord)
	w.digest(p.digest)
	w.uint(uint64(len(all)))
	for _, s := range all {
		w.uint(s.id)
		w.uint(s.version)
		w.uint(uint64(s.size))
	}
	return w.finish()
}

func decodePack(number uint64, data []byte) (*pack, []packed, error) {
	r := readRecord(packRecord, data)
	p := &pack{number: number, digest: r.digest()}
	all := make([]packed, r.count(3))
	for i := range all {
		all[i] = packed{r.uint(), r.uint(), r.size()}
		if p.size += all[i].size; p.size < 0 {
			r.fail("the pack ends beyond all bounds")
			break
		}
	}
	if err := r.finish(); err != nil {
		return nil, nil, fmt.Errorf("pack %d: %w", number, err)
	}
	return p, all, nil
}

// loadView reads a view, or returns nil if it was never closed. Base returns groups as they are in the store.
//
// A view that was not closed when its groups changed may name objects that nobody has stored for it, so only what lies
// in packs is taken over from it.
func loadView(
	ctx context.Context, store Store, name string, base func(context.Context, string) (*group, error),
) (*view, error) {
	data, err := store.Get(ctx, viewPrefix+name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("view %q: %w", name, err)
	}
	v, err := decodeView(name, data)
	if err != nil {
		return nil, err
	}
	groups := make([]*group, len(v.groups))
	for i, at := range v.groups {
		if groups[i], err = base(ctx, at.name); err != nil {
			return nil, fmt.Errorf("view %q: %w", name, err)
		}
		if groups[i] == nil {
			groups[i] = &group{name: at.name}
		}
	}
	current := v.sameGroups(groups)
	v.stale = !current
	closed, open := inOrder(groups)
	for form, f := range v.forms {
		if f == nil {
			continue
		}
		if err := f.load(ctx, store, v.packPrefix(form), form, closed, open, current); err != nil {
			return nil, fmt.Errorf("view %q: %w", name, err)
		}
	}
	return v, nil
}

// load finds out where the segments' bytes are.
func (f *viewForm) load(
	ctx context.Context, store Store, prefix string, form int, closed, open []*segment, current bool,
) error {
	type location struct {
		version      uint64
		offset, size int64
		pack         *pack
	}
	at := make(map[uint64]location)
	for kv, err := range store.Scan(ctx, prefix) {
		if err != nil {
			return err
		}
		n, err := parseNumber(strings.TrimPrefix(kv.Key, prefix))
		if err != nil {
			return err
		}
		p, all, err := decodePack(n, kv.Value)
		if err != nil {
			return err
		}
		f.packs = append(f.packs, p)
		offset := int64(0)
		for _, s := range all {
			at[s.id] = location{s.version, offset, s.size, p}
			offset += s.size
		}
	}
	for _, s := range closed {
		r := ref{seg: s}
		if !s.summed {
			continue
		}
		if l, ok := at[s.id]; ok && l.version == s.version {
			r.pack, r.offset, r.size = l.pack, l.offset, l.size
		} else if current && s.forms[form].size > 0 {
			r.size, r.digest = s.forms[form].size, s.forms[form].digest
		} else {
			continue
		}
		f.closed = append(f.closed, r)
	}
	if !current || len(f.closed) < len(closed) || len(f.marks) > 0 && f.marks[0].count != len(closed) {
		f.marks = nil
	}
	for _, s := range open {
		if current && s.summed && s.forms[form].size > 0 {
			f.open = append(f.open, ref{seg: s, size: s.forms[form].size, digest: s.forms[form].digest})
		}
	}
	f.sum(0)
	return nil
}

// inOrder returns the segments of groups in the order of a view.
func inOrder(groups []*group) (closed, open []*segment) {
	n := 0
	rest := make([][]*segment, 0, len(groups))
	for _, g := range groups {
		if last := len(g.segments) - 1; last >= 0 {
			open = append(open, g.segments[last])
			rest = append(rest, g.segments[:last])
			n += last
		}
	}
	closed = make([]*segment, 0, n)
	for len(closed) < n {
		var next *[]*segment
		for i := range rest {
			if len(rest[i]) > 0 && (next == nil || rest[i][0].closed < (*next)[0].closed) {
				next = &rest[i]
			}
		}
		closed = append(closed, (*next)[0])
		*next = (*next)[1:]
	}
	return closed, open
}

// appendRefs appends the parts of refs; ranges that follow each other in a pack become one.
func appendRefs(parts Parts, refs []ref) Parts {
	for i := range refs {
		r := &refs[i]
		if r.pack == nil {
			parts = append(parts, Part{Digest: r.digest, Object: true, Size: r.size})
			continue
		}
		if n := len(parts) - 1; n >= 0 && parts[n].Data == nil && !parts[n].Object && parts[n].Digest == r.pack.digest &&
			parts[n].Offset+parts[n].Size == r.offset {
			parts[n].Size += r.size
			continue
		}
		parts = append(parts, Part{Digest: r.pack.digest, Offset: r.offset, Size: r.size})
	}
	return parts
}
