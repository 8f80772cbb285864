package rpmfile

import (
	"bytes"
	"encoding/binary"
	"slices"

	"hallmark/formats/format"
)

const (
	introSize = 16 // magic, reserved, number of entries, size of the store
	entrySize = 16 // tag, type, offset, count
)

// magic begins each header: the magic number with its version, and four reserved bytes.
var magic = [8]byte{0x8e, 0xad, 0xe8, 0x01}

// A Header is an index of typed entries and the store that holds their data (rpm's docs/manual/format_header.md).
type Header struct {
	what    string // how errors call it
	entries []entry
	store   []byte
}

type entry struct {
	tag    Tag
	kind   Type
	offset int
	size   int // of the data in bytes
	count  int // of the values
}

// A limit is the most that a header may have.
type limit struct{ entries, store int }

// intro reads the first bytes of a header and returns the number of its entries and the size of its store.
func intro(what string, b []byte, l limit) (entries, store int, err error) {
	if !bytes.Equal(b[:8], magic[:]) {
		return 0, 0, format.Malformedf("the %s does not begin as a header of an rpm does", what)
	}
	n, size := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	switch {
	case n == 0 || size == 0:
		return 0, 0, format.Malformedf("the %s is empty", what)
	case n > uint32(l.entries):
		return 0, 0, format.Malformedf("the %s has %d entries, which is more than %d", what, n, l.entries)
	case size > uint32(l.store):
		return 0, 0, format.Malformedf("the %s has %d bytes of data, which is more than %d", what, size, l.store)
	}
	return int(n), int(size), nil
}

// parse reads a header behind its intro. It checks what rpm checks (lib/header.c, hdrblobVerifyInfo and
// hdrblobVerifyRegion) and refuses a tag that is there twice, too, since two readers could take either.
func parse(what string, region Tag, n int, b []byte) (*Header, error) {
	h := &Header{what: what, entries: make([]entry, 0, n), store: b[n*entrySize:]}
	end := 0
	var trailer entry // of the region, which is data that no other entry may claim
	for i := range n {
		raw := b[i*entrySize:]
		tag := Tag(binary.BigEndian.Uint32(raw))
		kind := Type(binary.BigEndian.Uint32(raw[4:]))
		offset, count := binary.BigEndian.Uint32(raw[8:]), binary.BigEndian.Uint32(raw[12:])
		if offset >= uint32(len(h.store)) || count == 0 || count > uint32(len(h.store)) {
			return nil, format.Malformedf("tag %d of the %s lies outside of its data", tag, what)
		}
		e := entry{tag: tag, kind: kind, offset: int(offset), count: int(count)}
		if tag == SigRegion || tag == Region {
			if i != 0 || tag != region {
				return nil, format.Malformedf("the %s has a region tag (%d) where none belongs", what, tag)
			}
			if err := h.checkRegion(e, n); err != nil {
				return nil, err
			}
			e.size = entrySize
			trailer = e
			h.entries = append(h.entries, e)
			continue
		}
		size, ok := h.dataSize(e)
		if !ok {
			return nil, format.Malformedf("tag %d of the %s has data of a wrong type or size", tag, what)
		}
		overlaps := trailer.size > 0 && e.offset < trailer.offset+trailer.size && e.offset+size > trailer.offset
		if e.offset < end || overlaps || tag < 100 {
			return nil, format.Malformedf("tag %d of the %s stands where it must not", tag, what)
		}
		e.size, end = size, e.offset+size
		h.entries = append(h.entries, e)
	}
	slices.SortFunc(h.entries, func(a, b entry) int { return int(a.tag) - int(b.tag) })
	for i := range h.entries[1:] {
		if h.entries[i].tag == h.entries[i+1].tag {
			return nil, format.Malformedf("the %s has tag %d twice", what, h.entries[i].tag)
		}
	}
	return h, nil
}

// checkRegion looks at the region tag, which says how much of a header its maker wrote and signed. The main header must be
// all of that: entries behind it would be covered by no digest and no signature.
func (h *Header) checkRegion(e entry, n int) error {
	if e.kind != Binary || e.count != entrySize || e.offset+entrySize > len(h.store) {
		return format.Malformedf("the region of the %s is damaged", h.what)
	}
	trailer := h.store[e.offset:]
	covered := -int64(int32(binary.BigEndian.Uint32(trailer[8:])))
	switch {
	case Tag(binary.BigEndian.Uint32(trailer)) != e.tag,
		Type(binary.BigEndian.Uint32(trailer[4:])) != Binary,
		binary.BigEndian.Uint32(trailer[12:]) != entrySize,
		covered <= 0, covered%entrySize != 0, covered > int64(n)*entrySize:
		return format.Malformedf("the region of the %s is damaged", h.what)
	case e.tag == Region && (covered != int64(n)*entrySize || e.offset+entrySize != len(h.store)):
		return format.Malformedf("the %s has entries outside of the region that signatures cover: build the package anew", h.what)
	}
	return nil
}

// dataSize returns the size of an entry's data in bytes, if all of it is in the store and in its place.
func (h *Header) dataSize(e entry) (int, bool) {
	rest := h.store[e.offset:]
	if width := e.kind.width(); width > 0 {
		return e.count * width, e.count <= len(rest)/width && e.offset%width == 0
	}
	switch {
	case e.kind == String && e.count == 1, e.kind == StringArray, e.kind == I18NString:
	default:
		return 0, false
	}
	size := 0
	for range e.count {
		n := bytes.IndexByte(rest[size:], 0)
		if n < 0 {
			return 0, false
		}
		size += n + 1
	}
	return size, true
}

func (h *Header) find(tag Tag) (entry, bool) {
	i, ok := slices.BinarySearchFunc(h.entries, tag, func(e entry, tag Tag) int { return int(e.tag) - int(tag) })
	if !ok {
		return entry{}, false
	}
	return h.entries[i], true
}

// Has reports whether there is an entry.
func (h *Header) Has(tag Tag) bool {
	_, ok := h.find(tag)
	return ok
}

// Bytes returns the data of an entry of type Binary, or nil if there is none.
func (h *Header) Bytes(tag Tag) ([]byte, error) {
	e, ok := h.find(tag)
	if !ok {
		return nil, nil
	}
	if e.kind != Binary {
		return nil, h.wrongType(e, "bytes")
	}
	return h.store[e.offset : e.offset+e.size], nil
}

// String returns the only string of an entry, that of the locale "C" if it is translated, or "" if there is none. The
// bytes are as they stand there, in whatever encoding.
func (h *Header) String(tag Tag) (string, error) {
	e, ok := h.find(tag)
	if !ok {
		return "", nil
	}
	if e.kind != String && e.kind != I18NString && (e.kind != StringArray || e.count != 1) {
		return "", h.wrongType(e, "a string")
	}
	text, _, _ := bytes.Cut(h.store[e.offset:], []byte{0})
	return string(text), nil
}

// Strings returns all strings of an entry, or nil if there is none.
func (h *Header) Strings(tag Tag) ([]string, error) {
	e, ok := h.find(tag)
	if !ok {
		return nil, nil
	}
	if e.kind != String && e.kind != StringArray && e.kind != I18NString {
		return nil, h.wrongType(e, "strings")
	}
	// One allocation holds the bytes of all.
	data, all := string(h.store[e.offset:e.offset+e.size]), make([]string, e.count)
	for i := range all {
		n := 0
		for data[n] != 0 {
			n++
		}
		all[i], data = data[:n], data[n+1:]
	}
	return all, nil
}

// Number returns the only number of an entry, which has no sign, or 0 if there is none.
func (h *Header) Number(tag Tag) (uint64, error) {
	e, ok := h.find(tag)
	if !ok {
		return 0, nil
	}
	if e.count != 1 {
		return 0, h.wrongType(e, "one number")
	}
	all, err := h.Numbers(tag)
	if err != nil {
		return 0, err
	}
	return all.At(0), nil
}

// Numbers returns all numbers of an entry.
func (h *Header) Numbers(tag Tag) (Numbers, error) {
	e, ok := h.find(tag)
	if !ok {
		return Numbers{}, nil
	}
	switch e.kind {
	case Char, Int8, Int16, Int32, Int64:
		return Numbers{width: e.kind.width(), data: h.store[e.offset : e.offset+e.size]}, nil
	}
	return Numbers{}, h.wrongType(e, "numbers")
}

func (h *Header) wrongType(e entry, want string) error {
	return format.Malformedf("tag %d of the %s has type %d and %d values, where %s must be", e.tag, h.what, e.kind, e.count, want)
}

// Numbers are a list of numbers without a sign, read where they stand.
type Numbers struct {
	width int
	data  []byte
}

// Len returns how many there are.
func (n Numbers) Len() int {
	if n.width == 0 {
		return 0
	}
	return len(n.data) / n.width
}

// At returns the number at an index below Len.
func (n Numbers) At(i int) uint64 {
	at := n.data[i*n.width:]
	switch n.width {
	case 1:
		return uint64(at[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(at))
	case 4:
		return uint64(binary.BigEndian.Uint32(at))
	}
	return binary.BigEndian.Uint64(at)
}
