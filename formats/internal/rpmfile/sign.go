package rpmfile

import (
	"encoding/binary"
	"slices"

	"hallmark/formats/format"
)

// signatures are the tags that hold signatures of the package. SigReserved goes with them: it is room for one.
var signatures = [...]Tag{SigDSA, SigRSA, SigOpenPGP, SigPGP, SigGPG, SigPGP5}

// Signed reports whether the package carries a signature, whoever made it. The error wraps [format.ErrMalformed] if what
// stands in the place of one is none (RFC 9580 section 5.2).
func (f *File) Signed() (bool, error) {
	found := false
	for _, tag := range signatures {
		if !f.Signature.Has(tag) {
			continue
		}
		found = true
		if tag == SigOpenPGP {
			continue // strings in base64, for programs that are newer than any we could ask
		}
		value, err := f.Signature.Bytes(tag)
		if err != nil {
			return false, err
		}
		// A packet of type 2, in the old form or the new one.
		if len(value) < 16 || value[0]&0xfc != 0x88 && value[0] != 0xc2 {
			return false, format.Malformedf("the signature in the .rpm (tag %d) is no OpenPGP signature: sign it anew, or remove it "+
				"with rpmsign --delsign", tag)
		}
	}
	return found, nil
}

// Span returns where the signature header stands, with its padding: what the result of Resign replaces.
func (f *File) Span() format.Section {
	return format.Section{Offset: leadSize, Size: f.HeaderOffset - leadSize}
}

// Resign returns a signature header with its padding that has the given signatures in place of all that were there. All
// else stays as it is. It has the size of the old one if there was enough reserved room, so that the file keeps its size.
func (f *File) Resign(values map[Tag][]byte) []byte {
	var kept []entry
	var data [][]byte
	add := func(e entry, b []byte) {
		kept = append(kept, e)
		data = append(data, b)
	}
	order := make([]Tag, 0, len(values))
	for tag := range values {
		order = append(order, tag)
	}
	slices.Sort(order)
	for _, e := range f.Signature.entries {
		if e.tag == SigRegion || e.tag == SigReserved || slices.Contains(signatures[:], e.tag) {
			continue
		}
		for len(order) > 0 && order[0] < e.tag {
			add(entry{tag: order[0], kind: Binary, count: len(values[order[0]])}, values[order[0]])
			order = order[1:]
		}
		add(e, f.Signature.store[e.offset:e.offset+e.size])
	}
	for _, tag := range order {
		add(entry{tag: tag, kind: Binary, count: len(values[tag])}, values[tag])
	}
	whole := layout(kept, data)
	if room := int(f.Span().Size) - len(whole) - entrySize; f.Signature.Has(SigReserved) && room > 0 {
		// It has the highest tag of all that rpm knows.
		reserved := entry{tag: SigReserved, kind: Binary, count: room}
		at, _ := slices.BinarySearchFunc(kept, SigReserved, func(e entry, tag Tag) int { return int(e.tag) - int(tag) })
		if at == len(kept) {
			whole = layout(append(kept, reserved), append(data, make([]byte, room)))
		}
	}
	return append(whole, make([]byte, -len(whole)&7)...)
}

// layout returns the bytes of a signature header with its region.
func layout(entries []entry, data [][]byte) []byte {
	n := len(entries) + 1
	index := make([]byte, 0, n*entrySize)
	var store []byte
	put := func(tag Tag, kind Type, offset, count int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(tag))
		b = binary.BigEndian.AppendUint32(b, uint32(kind))
		b = binary.BigEndian.AppendUint32(b, uint32(int32(offset)))
		return binary.BigEndian.AppendUint32(b, uint32(count))
	}
	for i, e := range entries {
		if width := e.kind.width(); width > 1 {
			store = append(store, make([]byte, -len(store)&(width-1))...)
		}
		index = append(index, put(e.tag, e.kind, len(store), e.count)...)
		store = append(store, data[i]...)
	}
	index = append(put(SigRegion, Binary, len(store), entrySize), index...)
	store = append(store, put(SigRegion, Binary, -n*entrySize, entrySize)...)
	b := append([]byte(nil), magic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint32(b, uint32(len(store)))
	return append(append(b, index...), store...)
}
