package listing

import (
	"bytes"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestCRCsOfPiecesGiveThatOfTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		data := make([]byte, r.IntN(1<<r.IntN(16)))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		cut := r.IntN(len(data) + 1)
		got := joinCRC(crc32.ChecksumIEEE(data[:cut]), crc32.ChecksumIEEE(data[cut:]), int64(len(data)-cut))
		if want := crc32.ChecksumIEEE(data); got != want {
			t.Fatalf("%d + %d bytes: %08x, want %08x", cut, len(data)-cut, got, want)
		}
	}
}

// 4 GiB of zeros and more are longer than a CRC-32 has bits, and than gzip counts.
func TestCRCsOfHugePiecesAreJoined(t *testing.T) {
	zeros := crc32.ChecksumIEEE(make([]byte, 1<<20))
	all := uint32(0)
	for range 1 << 13 {
		all = joinCRC(all, zeros, 1<<20)
	}
	half := uint32(0)
	for range 1 << 12 {
		half = joinCRC(half, zeros, 1<<20)
	}
	if got := joinCRC(half, half, 1<<32); got != all {
		t.Errorf("%08x, want %08x", got, all)
	}
}

func TestPiecesDoNotDependOnWhatWasCompressedBefore(t *testing.T) {
	d := &deflater{}
	a, b := bytes.Repeat([]byte("some words and more of them "), 300), bytes.Repeat([]byte("other words, and more of them "), 900)
	for _, level := range []int{openLevel, closedLevel} {
		first, err := d.piece(a, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.piece(b, level); err != nil {
			t.Fatal(err)
		}
		again, err := d.piece(a, level)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Errorf("level %d gives %d bytes and then %d others", level, len(first), len(again))
		}
	}
}

func sampleParts() Parts {
	blob := Part{Digest: Digest{1, 2, 3}, Offset: 1 << 40, Size: 77}
	next := blob
	next.Offset, next.Size = 5, 1<<33
	return Parts{Inline([]byte("head")), Object([]byte("an object")), blob, next, Object([]byte("another")), Inline(nil)}
}

func TestPartsAreStoredCompactly(t *testing.T) {
	parts := sampleParts()
	data := parts.Encode()
	if len(data) > 3*32+60 {
		t.Errorf("%d bytes", len(data))
	}
	got, err := DecodeParts(data)
	if err != nil || !slices.EqualFunc(got, parts, equalParts) {
		t.Errorf("%v, %v", got, err)
	}
	var named []Digest
	for d := range parts.Digests() {
		named = append(named, d)
	}
	if want := []Digest{parts[1].Digest, parts[2].Digest, parts[4].Digest}; !slices.Equal(named, want) {
		t.Errorf("%x are named", named)
	}
}

func equalParts(a, b Part) bool {
	return bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil) && a.Digest == b.Digest &&
		a.Object == b.Object && a.Offset == b.Offset && a.Size == b.Size
}

func TestDamagedPartsAreErrors(t *testing.T) {
	data := sampleParts().Encode()
	for i := range data {
		for bit := range 8 {
			damaged := bytes.Clone(data)
			damaged[i] ^= 1 << bit
			if _, err := DecodeParts(damaged); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
		if _, err := DecodeParts(data[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
}

// sealed puts the checksum behind bytes, so that a fuzzer gets beyond it.
func sealed(kind byte, data []byte) []byte {
	w := newRecord(kind)
	w.data = append(w.data, data...)
	return w.finish()
}

func unsealed(record []byte) []byte { return record[1 : len(record)-crc32.Size] }

func FuzzDecodeParts(f *testing.F) {
	f.Add(unsealed(sampleParts().Encode()))
	f.Add(unsealed(Parts{}.Encode()))
	f.Add([]byte{0, 1, 2, 255, 255, 255, 255, 255, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, data []byte) {
		DecodeParts(data)
		parts, err := DecodeParts(sealed(partsRecord, data))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("error does not wrap ErrCorrupt: %v", err)
			}
			return
		}
		if parts.Size() < 0 {
			t.Errorf("size = %d", parts.Size())
		}
		again, err := DecodeParts(parts.Encode())
		if err != nil || !slices.EqualFunc(again, parts, equalParts) {
			t.Errorf("%v becomes %v, %v", parts, again, err)
		}
	})
}

// FuzzDecodeState checks that records never panic, and come back as they are.
func FuzzDecodeState(f *testing.F) {
	v := &view{name: "v", id: 3, groups: []groupAt{{"g", 7}}}
	v.hashes, _ = hashesOf(nil)
	v.forms[plainForm] = &viewForm{size: 9, marks: []mark{{count: 4, size: 5, sums: newSums(v.hashes)}}}
	viewBytes, err := v.encode()
	if err != nil {
		f.Fatal(err)
	}
	s := &segment{id: 1, closed: 2, version: 3, next: 4, count: 4, bytes: 100, summed: true, crc: 9}
	s.forms[gzipForm] = asForm([]byte("x"))
	f.Add(byte(countersRecord), unsealed(counters{1, 2, 3, 4, 5, 6}.encode()))
	f.Add(byte(groupRecord), unsealed((&group{id: 1, version: 2, totals: Totals{3, 4}}).encode()))
	f.Add(byte(segmentRecord), unsealed(s.encode()))
	f.Add(byte(viewRecord), unsealed(viewBytes))
	f.Add(byte(packRecord), unsealed(encodePack(&pack{number: 1}, []packed{{1, 2, 3}, {4, 5, 6}})))
	f.Add(byte(0), encodeEntry("key", []byte("data")))
	f.Add(byte(0), place{1, 2}.encode())
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		record := sealed(kind, data)
		var again []byte
		var err error
		switch kind {
		case countersRecord:
			var n counters
			n, err = decodeCounters(record)
			again = n.encode()
		case groupRecord:
			var g *group
			if g, err = decodeGroup("g", record); err == nil {
				again = g.encode()
			}
		case segmentRecord:
			var s *segment
			s, err = decodeSegment(1, record)
			again = s.encode()
		case viewRecord:
			var v *view
			if v, err = decodeView("v", record); err == nil {
				again, err = v.encode()
			}
		case packRecord:
			var p *pack
			var all []packed
			if p, all, err = decodePack(1, record); err == nil {
				again = encodePack(p, all)
			}
		default:
			decodePlace(data)
			if key, rest, err := decodeEntry(data); err == nil {
				again, record = encodeEntry(key, rest), data
			} else {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("error does not wrap ErrCorrupt: %v", err)
			}
			return
		}
		// Numbers have longer forms, too, and states of hashes may be of another program: what is written again is
		// not always what was read, but never longer.
		if len(again) > len(record) {
			t.Errorf("%d bytes become %d", len(record), len(again))
		}
	})
}
