package listing

import (
	"context"
	"fmt"
	"slices"
)

// take makes the refs of an encoding, with the places that are known from before. Those that are not have no size.
func (p *closing) take(form int, closed, open []*segment) *viewForm {
	var was viewForm
	if p.prior != nil && p.prior.forms[form] != nil {
		was = *p.prior.forms[form]
	}
	kept := 0
	for kept < len(closed) && kept < len(was.closed) && was.closed[kept].seg.same(closed[kept]) {
		kept++
	}
	f := &viewForm{closed: was.closed, open: make([]ref, len(open)), packs: slices.Clone(was.packs)}
	if kept < len(closed) || kept < len(was.closed) { // most often nothing has changed but what is open
		f.closed = make([]ref, len(closed))
		copy(f.closed, was.closed[:kept])
	}
	for i, old := kept, kept; i < len(closed); i++ {
		s := closed[i]
		for old < len(was.closed) && was.closed[old].seg.closed < s.closed {
			old++
		}
		if old < len(was.closed) && was.closed[old].seg.same(s) {
			f.closed[i] = was.closed[old]
		} else {
			f.closed[i], _ = p.held(&was, form, s)
		}
	}
	p.ends[form].kept = kept
	f.literals = make([][]byte, len(open))
	for i, s := range open {
		f.open[i], f.literals[i] = p.held(&was, form, s)
	}
	return f
}

// held returns a segment that is an object which is surely stored: one that was open before, or that this change stores.
func (p *closing) held(was *viewForm, form int, s *segment) (ref, []byte) {
	for i := range was.open {
		if was.open[i].seg.same(s) {
			r := was.open[i]
			r.seg = s
			if i < len(was.literals) {
				return r, was.literals[i]
			}
			return r, nil
		}
	}
	if p.change.rendered[renderedKey{s.id, s.version, form}] {
		return ref{seg: s, size: s.forms[form].size, digest: s.forms[form].digest}, nil
	}
	return ref{seg: s}, nil
}

// render makes the bytes of the segments that have no place yet.
func (p *closing) render(ctx context.Context, closed, open []*segment) error {
	c := p.change
	var bulks [forms]*bulk
	for form, f := range p.next.forms {
		if f == nil {
			continue
		}
		missing := 0
		for i := range f.closed {
			if f.closed[i].size == 0 {
				missing++
			}
		}
		if missing > bulkSegments {
			bulks[form] = &bulk{change: c, view: p.next, form: form}
		}
	}
	for i, s := range closed {
		for form, f := range p.next.forms {
			if f == nil || f.closed[i].size > 0 && s.summed {
				continue
			}
			if err := p.renderOne(ctx, s.id, form, &f.closed[i], bulks[form]); err != nil {
				return err
			}
		}
	}
	for i, s := range open {
		for form, f := range p.next.forms {
			if f == nil || f.open[i].size > 0 && s.summed {
				continue
			}
			if err := p.renderOne(ctx, s.id, form, &f.open[i], nil); err != nil {
				return err
			}
			f.literals[i] = c.objects[f.open[i].digest]
		}
	}
	for _, b := range bulks {
		if b == nil {
			continue
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *closing) renderOne(ctx context.Context, id uint64, form int, r *ref, b *bulk) error {
	c := p.change
	for _, g := range p.groups {
		i, ok := g.find(id)
		if !ok {
			continue
		}
		plain, err := c.bytes(ctx, g, i)
		if err != nil {
			return err
		}
		c.sum(g, i, plain)
		if b != nil {
			return b.add(ctx, g.segments[i], plain, r)
		}
		*r, err = c.literal(g, i, form, plain)
		return err
	}
	return fmt.Errorf("%w: segment %d belongs to no group", ErrCorrupt, id)
}
