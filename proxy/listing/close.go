package listing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"hash"
	"hash/crc32"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"
)

// inlineEnd is the most bytes that the first and last piece of a file may have to stand in its parts.
const inlineEnd = 1024

// A closing is a view on its way to being closed.
type closing struct {
	change *Change
	totals Totals
	hashes []crypto.Hash
	groups []*draft
	prior  *view // nil: it was never closed
	next   *view
	ends   [forms]ends
	skip   int64 // bytes at the beginning of the body
}

// ends are the first and last piece of an encoding.
type ends struct {
	lead, trail Part
	data        [2][]byte
	kept        int // closed segments at the beginning that are as they were
}

// Close brings a view up to date, and returns its files, which become readable with the commit. It may be called
// concurrently for different views. After entries have been set or removed again, views may be closed again.
//
// It renders and compresses the segments that changed and nothing else. It hashes from the first change on, or
// everything if the head is not what it was: for that it reads the bytes of each encoding from the packs. A view that
// was never closed, or not when its groups changed last, is rendered as a whole.
func (c *Change) Close(ctx context.Context, v View) (Closed, error) {
	closed, err := c.close(ctx, v)
	if err != nil {
		return Closed{}, fmt.Errorf("close view %q: %w", v.Name, err)
	}
	return closed, nil
}

func (c *Change) close(ctx context.Context, v View) (Closed, error) {
	if err := v.check(); err != nil {
		return Closed{}, err
	}
	c.mu.Lock()
	p, err := c.plan(ctx, v)
	c.mu.Unlock()
	if err != nil {
		return Closed{}, err
	}

	var files [forms]*File
	tasks, inner := errgroup.WithContext(ctx)
	for form, f := range p.next.forms {
		if f == nil {
			continue
		}
		tasks.Go(func() (err error) {
			files[form], err = p.hash(inner, form)
			return err
		})
	}
	if err := tasks.Wait(); err != nil {
		return Closed{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	closed := Closed{Totals: p.totals, Files: make(map[Encoding]*File)}
	for form, f := range files {
		if f == nil {
			continue
		}
		closed.Files[encodings[form]] = f
		before := c.prior[v.Name]
		if before == nil || before.forms[form] == nil || before.forms[form].digest != f.Digest() {
			closed.Changed = true
		}
	}
	return closed, c.keep(p)
}

// encodings are those that there are, by their number.
var encodings = [forms]Encoding{plainForm: Plain, gzipForm: Gzip}

func (v *View) check() error {
	if err := checkName("view", v.Name); err != nil {
		return err
	}
	if len(v.Encodings) == 0 {
		return fmt.Errorf("no encoding is asked for: %w", fs.ErrInvalid)
	}
	for _, e := range v.Encodings {
		if !slices.Contains(encodings[:], e) {
			return fmt.Errorf("there is no encoding %q: %w", e, fs.ErrInvalid)
		}
	}
	if v.Skip < 0 || v.Skip > 0 && (len(v.Encodings) > 1 || v.Encodings[0] != Plain) {
		return fmt.Errorf("bytes are skipped in a view that is not plain alone: %w", fs.ErrInvalid)
	}
	for i, name := range v.Groups {
		if err := checkName("group", name); err != nil {
			return err
		}
		if slices.Contains(v.Groups[:i], name) {
			return fmt.Errorf("group %q is there twice: %w", name, fs.ErrInvalid)
		}
	}
	return nil
}

// plan does all that needs the change for itself: it finds or renders the bytes of every segment.
func (c *Change) plan(ctx context.Context, v View) (*closing, error) {
	hashes, err := hashesOf(v.Hashes)
	if err != nil {
		return nil, err
	}
	p := &closing{change: c, hashes: hashes, skip: int64(v.Skip)}
	if p.prior, err = c.previous(ctx, v.Name); err != nil {
		return nil, err
	}
	p.next = &view{name: v.Name, hashes: hashes}
	if p.prior != nil {
		p.next.id = p.prior.id
	} else {
		c.counters.view++
		p.next.id = c.counters.view
	}
	groups := make([]*group, len(v.Groups))
	for i, name := range v.Groups {
		g, err := c.group(ctx, name)
		if err != nil {
			return nil, err
		}
		p.groups = append(p.groups, g)
		groups[i] = &g.group
		p.totals.Count += g.totals.Count
		p.totals.Bytes += g.totals.Bytes
	}
	closed, open := inOrder(groups)
	for form, e := range encodings {
		if !slices.Contains(v.Encodings, e) {
			continue
		}
		p.next.forms[form] = p.take(form, closed, open)
	}
	if err := p.render(ctx, closed, open); err != nil {
		return nil, err
	}
	for _, g := range p.groups {
		p.next.groups = append(p.next.groups, groupAt{g.name, g.version})
	}
	// What comes later must not change the segments that the view refers to from now on.
	c.seal()
	return p, p.finish(v)
}

// previous returns what a view was before, or nil.
func (c *Change) previous(ctx context.Context, name string) (*view, error) {
	if v, ok := c.views[name]; ok {
		return v, nil
	}
	if c.forgets {
		return nil, nil
	}
	v := c.state.view(name)
	if v == nil {
		var err error
		if v, err = loadView(ctx, c.store, name, c.base); err != nil || v == nil {
			return nil, err
		}
	}
	groups := make([]*group, len(v.groups))
	for i, at := range v.groups {
		g, err := c.base(ctx, at.name)
		if err != nil {
			return nil, err
		}
		if g == nil {
			g = &group{name: at.name}
		}
		groups[i] = g
	}
	if !v.sameGroups(groups) {
		v = v.packedOnly()
	}
	c.prior[name], c.views[name] = v, v
	return v, nil
}

// packedOnly returns the view without the objects that may be gone: see loadView.
func (v *view) packedOnly() *view {
	stripped := *v
	stripped.stale = true
	for form, f := range v.forms {
		if f == nil {
			continue
		}
		g := &viewForm{lead: f.lead, packs: f.packs, digest: f.digest, size: f.size}
		for _, r := range f.closed {
			if r.pack != nil {
				g.closed = append(g.closed, r)
			}
		}
		stripped.forms[form] = g
	}
	return &stripped
}

// finish makes the first and last pieces, and the checksums.
func (p *closing) finish(v View) error {
	var head, tail []byte
	if v.Head != nil {
		head = v.Head(p.totals)
	}
	if v.Tail != nil {
		tail = v.Tail(p.totals)
	}
	if len(head) > MaxEnds || len(tail) > MaxEnds {
		return fmt.Errorf("a head or tail of more than %d bytes: %w", MaxEnds, fs.ErrInvalid)
	}
	for form, f := range p.next.forms {
		if f == nil {
			continue
		}
		e := &p.ends[form]
		e.data = [2][]byte{head, tail}
		if form == gzipForm {
			crc := joinCRC(crc32.ChecksumIEEE(head), f.sum(e.kept), p.totals.Bytes)
			crc = joinCRC(crc, crc32.ChecksumIEEE(tail), int64(len(tail)))
			var err error
			if e.data[0], err = p.change.state.deflate.lead(head); err != nil {
				return err
			}
			size := int64(len(head)) + p.totals.Bytes + int64(len(tail))
			if e.data[1], err = p.change.state.deflate.trail(tail, crc, size); err != nil {
				return err
			}
		}
		f.lead = sha256.Sum256(e.data[0])
		if p.skip > 0 { // the states of hashes behind it are others
			f.lead = sha256.Sum256(fmt.Appendf(f.lead[:], "%d", p.skip))
		}
		e.lead, e.trail = p.change.end(e.data[0]), p.change.end(e.data[1])
	}
	return nil
}

// sum returns the CRC-32 of the plain body, and sets that of all refs that are not kept.
func (f *viewForm) sum(kept int) uint32 {
	var crc uint32
	if kept > 0 {
		crc = f.closed[kept-1].crc
	}
	for i := kept; i < len(f.closed); i++ {
		crc = joinCRC(crc, f.closed[i].seg.crc, f.closed[i].seg.bytes)
		f.closed[i].crc = crc
	}
	for i := range f.open {
		crc = joinCRC(crc, f.open[i].seg.crc, f.open[i].seg.bytes)
	}
	return crc
}

func (c *Change) end(data []byte) Part {
	if len(data) <= inlineEnd {
		return Inline(data)
	}
	part := Object(data)
	c.objects[part.Digest] = data
	return part
}

// keep remembers a view that is closed.
func (c *Change) keep(p *closing) error {
	var err error
	if p.next.record, err = p.next.encode(); err != nil {
		return err
	}
	for form := range encodings {
		var packs []*pack
		if p.prior != nil && p.prior.forms[form] != nil {
			packs = p.prior.forms[form].packs
		}
		f := p.next.forms[form]
		if f != nil {
			packs = f.packs
			f.packs = f.named(packs)
		}
		for _, pack := range packs {
			if f == nil || !slices.Contains(f.packs, pack) {
				c.writes[p.next.packKey(form, pack.number)] = nil
			}
		}
	}
	if p.prior == nil || !slices.Equal(p.prior.record, p.next.record) {
		c.writes[viewPrefix+p.next.name] = p.next.record
	}
	c.views[p.next.name] = p.next
	return nil
}

// named returns those of the packs that have a segment of the view.
func (f *viewForm) named(packs []*pack) []*pack {
	named := make(map[*pack]bool)
	var last *pack
	for i := range f.closed {
		if p := f.closed[i].pack; p != last {
			named[p], last = true, p
		}
	}
	return slices.DeleteFunc(slices.Clone(packs), func(p *pack) bool { return !named[p] })
}

// stateMap pairs hashes with their states.
func stateMap(hashes []crypto.Hash, s sums) map[crypto.Hash]hash.Hash {
	m := make(map[crypto.Hash]hash.Hash, len(hashes))
	for i, h := range hashes {
		m[h] = s[i]
	}
	return m
}
