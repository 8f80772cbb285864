package listing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// A segment has room for another entry as long as it has fewer entries and fewer bytes than these.
const (
	segmentEntries = 64
	segmentBytes   = 128 << 10
)

// Keys of the records. Numbers in them have seven digits to the base of 32, so that their order is that of the keys.
const (
	countersKey   = "lc"
	groupPrefix   = "lg" // + the group's name: a group
	segmentPrefix = "ls" // + the group's number + the segment's: a segment
	entryPrefix   = "le" // + the segment's number + the position in it: an entry's key and data
	placePrefix   = "lk" // + the group's number + the entry's key: the segment's number and the position in it
	viewPrefix    = "lv" // + the view's name: a view
	packPrefix    = "lp" // + the view's number + 0 or 1 for the encoding + the pack's number: a pack
)

func number(n uint64) string {
	const digits = 7
	s := strconv.FormatUint(n, 32)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}

func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 32, 64)
	if err != nil || number(n) != s {
		return 0, fmt.Errorf("%w: the key ends in %q", ErrCorrupt, s)
	}
	return n, nil
}

// Encodings by number, as in records and in arrays.
const (
	plainForm = iota
	gzipForm
	forms
)

// A segment is a run of entries of a group. The pair of its number and its version identifies its bytes for ever.
// It is immutable, except for the change that owns it.
type segment struct {
	id      uint64
	closed  uint64 // the place in the order of closing; 0: it is the last of its group
	version uint64
	next    uint64 // the position of the next entry
	count   int
	bytes   int64
	summed  bool // crc is known
	crc     uint32
	forms   [forms]form

	owner *owner
}

// A form is what a segment becomes in one encoding. The zero form: nobody has rendered it yet as an object.
type form struct {
	size   int64
	digest Digest
}

// An owner is who may change a segment.
type owner struct{ _ byte }

func (s *segment) full() bool { return s.count >= segmentEntries || s.bytes >= segmentBytes }

// same reports whether two segments have the same bytes.
func (s *segment) same(t *segment) bool { return s.id == t.id && s.version == t.version }

func (s *segment) encode() []byte {
	w := newRecord(segmentRecord)
	w.uint(s.closed)
	w.uint(s.version)
	w.uint(s.next)
	w.uint(uint64(s.count))
	w.uint(uint64(s.bytes))
	if s.summed {
		w.uint(1 + uint64(s.crc))
	} else {
		w.uint(0)
	}
	for _, f := range s.forms {
		w.uint(uint64(f.size))
		if f.size > 0 {
			w.digest(f.digest)
		}
	}
	return w.finish()
}

func decodeSegment(id uint64, data []byte) (*segment, error) {
	r := readRecord(segmentRecord, data)
	s := &segment{id: id, closed: r.uint(), version: r.uint(), next: r.uint(), count: r.int(), bytes: r.size()}
	if crc := r.uint(); crc > 1<<32 {
		r.fail("a CRC-32 is %d", crc-1)
	} else if crc > 0 {
		s.summed, s.crc = true, uint32(crc-1)
	}
	for i := range s.forms {
		if s.forms[i].size = r.size(); s.forms[i].size > 0 {
			s.forms[i].digest = r.digest()
		}
	}
	if s.count == 0 || s.bytes < int64(s.count) || s.next < uint64(s.count) {
		r.fail("%d entries of %d bytes before position %d", s.count, s.bytes, s.next)
	}
	return s, r.finish()
}

// A group is the segments of a group in their order. It is immutable.
type group struct {
	name     string
	id       uint64
	version  uint64 // changes with the entries
	totals   Totals
	segments []*segment // the last one is open, the others are closed
	plain    []byte     // the bytes of the last one, or nil if they are not at hand
}

func (g *group) last() *segment { return g.segments[len(g.segments)-1] }

// find returns the index of a segment.
func (g *group) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(g.segments, id, func(s *segment, id uint64) int {
		switch {
		case s.id < id:
			return -1
		case s.id > id:
			return 1
		}
		return 0
	})
}

// absent reports whether there is no such group: a state remembers that, too, since views may show groups that come later.
func (g *group) absent() bool { return g.id == 0 }

func (g *group) weight() int { return 512 + len(g.name) + 192*len(g.segments) + cap(g.plain) }

func (g *group) encode() []byte {
	w := newRecord(groupRecord)
	w.uint(g.id)
	w.uint(g.version)
	w.uint(uint64(g.totals.Count))
	w.uint(uint64(g.totals.Bytes))
	return w.finish()
}

func decodeGroup(name string, data []byte) (*group, error) {
	r := readRecord(groupRecord, data)
	g := &group{name: name, id: r.uint(), version: r.uint()}
	g.totals = Totals{Count: r.int(), Bytes: r.size()}
	if err := r.finish(); err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	return g, nil
}

// loadGroup reads a group, or returns nil if it is not known.
func loadGroup(ctx context.Context, store Store, name string) (*group, error) {
	data, err := store.Get(ctx, groupPrefix+name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	g, err := decodeGroup(name, data)
	if err != nil {
		return nil, err
	}
	if g.segments, err = loadSegments(ctx, store, g.id); err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	var t Totals
	for i, s := range g.segments {
		t.Count += s.count
		t.Bytes += s.bytes
		if open := i == len(g.segments)-1; open != (s.closed == 0) || !open && i > 0 && s.closed <= g.segments[i-1].closed {
			return nil, fmt.Errorf("group %q: %w: segment %d is out of order", name, ErrCorrupt, s.id)
		}
	}
	if t != g.totals {
		return nil, fmt.Errorf("group %q: %w: its segments hold %+v, not %+v", name, ErrCorrupt, t, g.totals)
	}
	return g, nil
}

// loadSegments reads the segments of a group in the order of their numbers, which is that of their closing, too.
func loadSegments(ctx context.Context, store Store, group uint64) ([]*segment, error) {
	prefix := segmentPrefix + number(group)
	var all []*segment
	for kv, err := range store.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		id, err := parseNumber(strings.TrimPrefix(kv.Key, prefix))
		if err != nil {
			return nil, err
		}
		s, err := decodeSegment(id, kv.Value)
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", id, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// A place is where an entry stands.
type place struct{ segment, position uint64 }

func (p place) key() string { return entryPrefix + number(p.segment) + number(p.position) }

func (p place) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, p.segment), p.position)
}

func decodePlace(data []byte) (p place, err error) {
	r := recordReader{data: data}
	p.segment, p.position = r.uint(), r.uint()
	return p, r.finish()
}

func encodeEntry(key string, data []byte) []byte {
	b := make([]byte, 0, binary.MaxVarintLen32+len(key)+len(data))
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	return append(b, data...)
}

// decodeEntry returns the key of an entry and its data, which is a part of record.
func decodeEntry(record []byte) (key string, data []byte, err error) {
	r := recordReader{data: record}
	key = string(r.bytes())
	if r.err == nil && len(r.data) == 0 {
		r.fail("an entry has no bytes")
	}
	return key, r.data, r.err
}
