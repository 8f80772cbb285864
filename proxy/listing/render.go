package listing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
)

// A closing that renders more than bulkSegments closed segments puts them into packs at once, of bulkBytes each: this
// bounds its memory, and the objects that a commit holds.
const (
	bulkSegments = 32
	bulkBytes    = 4 << 20
)

// bytes returns the plain bytes of a segment.
func (c *Change) bytes(ctx context.Context, g *draft, i int) ([]byte, error) {
	s, last := g.segments[i], i == len(g.segments)-1
	if last && g.plain != nil {
		return g.plain[:len(g.plain):len(g.plain)], nil
	}
	if plain, ok := c.plain[s.id]; ok {
		return plain[:len(plain):len(plain)], nil
	}
	plain := make([]byte, 0, min(s.bytes, segmentBytes+MaxEntry))
	count := 0
	err := c.entries(ctx, s, func(_ place, _ string, data []byte) error {
		if int64(len(plain)+len(data)) > s.bytes {
			return fmt.Errorf("%w: it has more than %d bytes", ErrCorrupt, s.bytes)
		}
		plain = append(plain, data...)
		count++
		return nil
	})
	if err == nil && (count != s.count || int64(len(plain)) != s.bytes) {
		err = fmt.Errorf("%w: it has %d entries of %d bytes, not %d of %d", ErrCorrupt, count, len(plain), s.count, s.bytes)
	}
	if err == nil && s.summed && crc32.ChecksumIEEE(plain) != s.crc {
		err = fmt.Errorf("%w: its entries have changed", ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("segment %d of group %q: %w", s.id, g.name, err)
	}
	if last {
		g.plain = plain
	}
	return plain, nil
}

// entries calls yield for the entries of a segment, in their order.
func (c *Change) entries(ctx context.Context, s *segment, yield func(p place, key string, data []byte) error) error {
	prefix := entryPrefix + number(s.id)
	one := func(p place, record []byte) error {
		key, data, err := decodeEntry(record)
		if err != nil {
			return err
		}
		return yield(p, key, data)
	}
	from, appended := c.appended[s.id]
	for kv, err := range c.store.Scan(ctx, prefix) {
		if err != nil {
			return err
		}
		position, err := parseNumber(strings.TrimPrefix(kv.Key, prefix))
		if err != nil {
			return err
		}
		if appended && position >= from {
			break // of a commit that this change does not follow
		}
		record := kv.Value
		if changed, ok := c.writes[kv.Key]; ok {
			record = changed
		}
		if record == nil {
			continue
		}
		if err := one(place{s.id, position}, record); err != nil {
			return err
		}
	}
	for position := from; appended && position < s.next; position++ {
		p := place{s.id, position}
		if record := c.writes[p.key()]; record != nil {
			if err := one(p, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode returns the plain bytes of a segment in an encoding.
func (c *Change) encode(form int, s *segment, plain []byte) ([]byte, error) {
	if form == plainForm {
		return plain, nil
	}
	if s.closed > 0 {
		return c.state.deflate.piece(plain, closedLevel)
	}
	return c.state.deflate.piece(plain, openLevel)
}

// sum makes the checksum of a segment known.
func (c *Change) sum(g *draft, i int, plain []byte) {
	if g.segments[i].summed {
		return
	}
	s := c.own(g, i)
	s.summed, s.crc = true, crc32.ChecksumIEEE(plain)
}

// literal renders a segment as an object of this change.
func (c *Change) literal(g *draft, i, form int, plain []byte) (ref, error) {
	data, err := c.encode(form, g.segments[i], plain)
	if err != nil {
		return ref{}, err
	}
	made := asForm(data)
	if old := g.segments[i].forms[form]; old.size > 0 && old != made {
		// Another compressor than then: the segment's old version keeps the old bytes, wherever they are.
		c.edit(g, i)
		c.sum(g, i, plain)
	}
	s := c.own(g, i)
	s.forms[form] = made
	c.objects[made.digest] = data
	c.rendered[renderedKey{s.id, s.version, form}] = true
	return ref{seg: s, size: made.size, digest: made.digest}, nil
}

func asForm(data []byte) form {
	return form{int64(len(data)), sha256.Sum256(data)}
}

// A bulk puts segments of one encoding of a view into packs as they are rendered.
type bulk struct {
	change *Change
	view   *view
	form   int
	data   []byte
	all    []packed
	refs   []*ref // their pack is set when it is full
}

// add renders a segment. The ref is complete after flush.
func (b *bulk) add(ctx context.Context, s *segment, plain []byte, r *ref) error {
	data, err := b.change.encode(b.form, s, plain)
	if err != nil {
		return err
	}
	*r = ref{seg: s, offset: int64(len(b.data)), size: int64(len(data))}
	b.data = append(b.data, data...)
	b.all = append(b.all, packed{s.id, s.version, r.size})
	b.refs = append(b.refs, r)
	if len(b.data) < bulkBytes {
		return nil
	}
	return b.flush(ctx)
}

// flush stores what was added since the last flush.
func (b *bulk) flush(ctx context.Context) error {
	if len(b.refs) == 0 {
		return nil
	}
	c := b.change
	c.counters.pack++
	p := &pack{number: c.counters.pack, digest: sha256.Sum256(b.data), size: int64(len(b.data))}
	if err := c.blobs.Put(ctx, p.digest, p.size, bytes.NewReader(b.data)); err != nil {
		return fmt.Errorf("store a pack: %w", err)
	}
	for _, r := range b.refs {
		r.pack = p
	}
	f := b.view.forms[b.form]
	f.packs = append(f.packs, p)
	c.writes[b.view.packKey(b.form, p.number)] = encodePack(p, b.all)
	b.data, b.all, b.refs = b.data[:0], nil, nil
	return nil
}
