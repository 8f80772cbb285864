package listing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
)

// ErrCorrupt is wrapped by the errors for stored bytes that are not what this package writes.
var ErrCorrupt = errors.New("corrupt listing record")

// MaxInline is the most bytes that a part may hold itself.
const MaxInline = 4096

// Parts are what a file consists of, one after the other. They may be joined by append.
type Parts []Part

// A Part is some bytes of a file: either they stand here, or they are a range of a blob or an object.
type Part struct {
	Data []byte // at most MaxInline; nil: a range

	Digest       Digest
	Object       bool // the range is one of an object
	Offset, Size int64
}

// Inline returns a part that holds data itself, of at most MaxInline bytes. The data must not be changed after that.
func Inline(data []byte) Part {
	if data == nil {
		data = []byte{}
	}
	return Part{Data: data, Size: int64(len(data))}
}

// Object returns a part that is the whole of an object, which the caller adds to the objects of its commit.
func Object(data []byte) Part {
	return Part{Digest: sha256.Sum256(data), Object: true, Size: int64(len(data))}
}

// Size returns the number of bytes.
func (p Parts) Size() int64 {
	var size int64
	for i := range p {
		size += p[i].Size
	}
	return size
}

// from returns the parts without their first n bytes, or without all if they have fewer. Those are ranges.
func (p Parts) from(n int64) Parts {
	for ; len(p) > 0 && n > 0; p = p[1:] {
		if n < p[0].Size {
			p = append(Parts{p[0]}, p[1:]...)
			p[0].Offset += n
			p[0].Size -= n
			break
		}
		n -= p[0].Size
	}
	return p
}

// Digests yields the digests of the blobs and objects that are named, and whether each is that of an object. One that is
// named by several parts in a row is yielded once.
func (p Parts) Digests() iter.Seq2[Digest, bool] {
	return func(yield func(Digest, bool) bool) {
		for i := range p {
			if p[i].Data != nil || i > 0 && p[i-1].Data == nil && p[i-1].Digest == p[i].Digest && p[i-1].Object == p[i].Object {
				continue
			}
			if !yield(p[i].Digest, p[i].Object) {
				return
			}
		}
	}
}

// Kinds of parts in their stored form.
const (
	inlinePart = iota
	objectPart
	blobPart
)

// Encode returns the form in which [DecodeParts] reads the parts: some 40 bytes for each blob and object and 8 for each
// further range of one.
func (p Parts) Encode() []byte {
	w := newRecord(partsRecord)
	var digests []Digest
	index := make(map[Digest]int)
	for i := range p {
		if _, ok := index[p[i].Digest]; !ok && p[i].Data == nil {
			index[p[i].Digest] = len(digests)
			digests = append(digests, p[i].Digest)
		}
	}
	w.uint(uint64(len(digests)))
	for _, d := range digests {
		w.digest(d)
	}
	w.uint(uint64(len(p)))
	for i := range p {
		if p[i].Data != nil {
			w.uint(inlinePart)
			w.bytes(p[i].Data)
			continue
		}
		kind := uint64(blobPart)
		if p[i].Object {
			kind = objectPart
		}
		w.uint(kind)
		w.uint(uint64(index[p[i].Digest]))
		w.uint(uint64(p[i].Offset))
		w.uint(uint64(p[i].Size))
	}
	return w.finish()
}

// DecodeParts reads what Encode wrote. The error wraps [ErrCorrupt] if it is anything else. The memory it needs is
// proportional to the data.
func DecodeParts(data []byte) (Parts, error) {
	r := readRecord(partsRecord, data)
	digests := make([]Digest, r.count(len(Digest{})))
	for i := range digests {
		digests[i] = r.digest()
	}
	parts := make(Parts, r.count(2))
	var total int64
	for i := range parts {
		switch kind := r.uint(); kind {
		case inlinePart:
			b := r.bytes()
			if len(b) > MaxInline {
				r.fail("a part of %d bytes stands in the record", len(b))
			}
			parts[i] = Inline(append([]byte{}, b...))
		case objectPart, blobPart:
			n, offset, size := r.uint(), r.size(), r.size()
			if n >= uint64(len(digests)) {
				r.fail("a part names digest %d of %d", n, len(digests))
				break
			}
			if offset > math.MaxInt64-size {
				r.fail("a part ends beyond all bounds")
			}
			parts[i] = Part{Digest: digests[n], Object: kind == objectPart, Offset: offset, Size: size}
		default:
			r.fail("a part is of kind %d", kind)
		}
		if total > math.MaxInt64-parts[i].Size {
			r.fail("the file ends beyond all bounds")
		}
		total += parts[i].Size
		if r.err != nil {
			break
		}
	}
	if err := r.finish(); err != nil {
		return nil, fmt.Errorf("parts of a file: %w", err)
	}
	return parts, nil
}
