package main

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
)

var rpmGoods = goods{format: "rpm", title: "RPM", make: makeRPM, large: largeRPM}

// filesPerRPM is how many files a package lists, which is what most of the metadata is about.
const filesPerRPM = 40

// makeRPM returns a package, docs/manual/format_v4.md of rpm, with the metadata of a real one.
func makeRPM(number, release int) pkg {
	p := pkg{name: nameOf(number), version: "1." + strconv.Itoa(number%97)}
	p.file = fmt.Sprintf("%s-%s-%d.x86_64.rpm", p.name, p.version, release)
	payload := gzipped([]byte("the files of " + p.file))
	p.data = append(rpmBefore(p, number, release, sha256.Sum256(payload), int64(len(payload))), payload...)
	return p
}

// largeRPM returns a package with a large payload.
func largeRPM(size int64) (file string, content io.Reader, length int64) {
	p := pkg{name: "bench-large", version: "1.0"}
	h := sha256.New()
	io.Copy(h, noise(size)) // neither end can fail
	before := rpmBefore(p, 0, 1, [32]byte(h.Sum(nil)), size)
	return p.name + "-1.0-1.x86_64.rpm", io.MultiReader(bytes.NewReader(before), noise(size)), int64(len(before)) + size
}

// rpmBefore returns what stands before the payload.
func rpmBefore(p pkg, number, release int, payload [32]byte, size int64) []byte {
	r := chance(number, release)
	rel := strconv.Itoa(release)
	var dirs, bases, digests, links, users []string
	var indexes, sizes, times, flags []uint32
	var modes []uint16
	for d := range 5 {
		dirs = append(dirs, "/usr/share/"+p.name+"/"+text(r, 1, "")+strconv.Itoa(d)+"/")
	}
	for f := range filesPerRPM {
		bases = append(bases, text(r, 2, "-")+strconv.Itoa(f)+".dat")
		digests = append(digests, fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()))
		indexes = append(indexes, uint32(f%len(dirs)))
		sizes, times, flags = append(sizes, r.Uint32N(100_000)), append(times, 1_700_000_000), append(flags, 0)
		modes, links, users = append(modes, 0o100644), append(links, ""), append(users, "root")
	}
	var needs, needed []string
	var needFlags []uint32
	for range 8 {
		needs = append(needs, "lib"+text(r, 1, "")+".so."+strconv.Itoa(r.IntN(9))+"()(64bit)")
		needed, needFlags = append(needed, ""), append(needFlags, 0)
	}
	const equal = 8 // RPMSENSE_EQUAL
	header := rpmHeader(63, []rpmEntry{
		rpmText(1000, p.name), rpmText(1001, p.version), rpmText(1002, rel), rpmLocal(1004, text(r, 6, " ")),
		rpmLocal(1005, text(r, 40, " ")), rpmNumbers(1006, 1_700_000_000), rpmText(1007, "builder.example.org"),
		rpmNumbers(1009, 424242), rpmText(1011, "Example"), rpmText(1014, "MIT"), rpmText(1015, "The Bench Team"),
		rpmLocal(1016, "Unspecified"), rpmText(1020, "https://www.example.org/"+p.name), rpmText(1021, "linux"),
		rpmText(1022, "x86_64"), rpmNumbers(1028, sizes...), rpmShorts(1030, modes...), rpmNumbers(1034, times...),
		rpmTexts(1035, digests...), rpmTexts(1036, links...), rpmNumbers(1037, flags...), rpmTexts(1039, users...),
		rpmTexts(1040, users...), rpmText(1044, p.name+"-"+p.version+"-"+rel+".src.rpm"),
		rpmTexts(1047, p.name, p.name+"(x86-64)"), rpmNumbers(1048, needFlags...), rpmTexts(1049, needs...), rpmTexts(1050, needed...),
		rpmNumbers(1080, 1_700_000_000, 1_690_000_000), rpmTexts(1081, "A B <ab@example.org> - 1.1-1", "A B <ab@example.org> - 1.0-1"),
		rpmTexts(1082, "- "+text(r, 12, " "), "- "+text(r, 12, " ")), rpmNumbers(1112, equal, equal),
		rpmTexts(1113, p.version+"-"+rel, p.version+"-"+rel), rpmNumbers(1116, indexes...), rpmTexts(1117, bases...),
		rpmTexts(1118, dirs...), rpmText(1124, "cpio"), rpmText(1125, "gzip"), rpmText(1126, "9"), rpmNumbers(5011, 8),
		rpmTexts(5092, hex.EncodeToString(payload[:])), rpmNumbers(5093, 8),
	})
	long, short := sha256.Sum256(header), sha1.Sum(header)
	length := rpmNumbers(1000, uint32(int64(len(header))+size))
	if int64(len(header))+size > 1<<32-1 {
		length = rpmEntry{270, 5, 1, binary.BigEndian.AppendUint64(nil, uint64(int64(len(header))+size))}
	}
	out := make([]byte, 96)
	copy(out, "\xed\xab\xee\xdb\x03\x00\x00\x00\x00\x01"+p.name)
	out[77], out[79] = 1, 5
	out = append(out, rpmHeader(62, []rpmEntry{
		rpmText(269, hex.EncodeToString(short[:])), length, rpmText(273, hex.EncodeToString(long[:])),
	})...)
	out = append(out, make([]byte, -len(out)&7)...)
	return append(out, header...)
}

// An rpmEntry is an entry of a header.
type rpmEntry struct {
	tag, kind uint32
	count     int
	data      []byte
}

func rpmText(tag uint32, text string) rpmEntry { return rpmEntry{tag, 6, 1, append([]byte(text), 0)} }

func rpmLocal(tag uint32, text string) rpmEntry { return rpmEntry{tag, 9, 1, append([]byte(text), 0)} }

func rpmTexts(tag uint32, texts ...string) rpmEntry {
	e := rpmEntry{tag, 8, len(texts), nil}
	for _, text := range texts {
		e.data = append(append(e.data, text...), 0)
	}
	return e
}

func rpmNumbers(tag uint32, numbers ...uint32) rpmEntry {
	e := rpmEntry{tag, 4, len(numbers), nil}
	for _, n := range numbers {
		e.data = binary.BigEndian.AppendUint32(e.data, n)
	}
	return e
}

func rpmShorts(tag uint32, numbers ...uint16) rpmEntry {
	e := rpmEntry{tag, 3, len(numbers), nil}
	for _, n := range numbers {
		e.data = binary.BigEndian.AppendUint16(e.data, n)
	}
	return e
}

// rpmHeader returns a header in a region.
func rpmHeader(region uint32, entries []rpmEntry) []byte {
	slices.SortFunc(entries, func(a, b rpmEntry) int { return cmp.Compare(a.tag, b.tag) })
	var index, store []byte
	put := func(b []byte, e rpmEntry, offset int) []byte {
		for _, n := range []uint32{e.tag, e.kind, uint32(int32(offset)), uint32(e.count)} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	for _, e := range entries {
		if align, ok := map[uint32]int{3: 2, 4: 4, 5: 8}[e.kind]; ok {
			store = append(store, make([]byte, -len(store)&(align-1))...)
		}
		index = put(index, e, len(store))
		store = append(store, e.data...)
	}
	trailer := rpmEntry{region, 7, 16, nil}
	index = append(put(nil, trailer, len(store)), index...)
	store = put(store, trailer, -16*(len(entries)+1))
	b := append([]byte("\x8e\xad\xe8\x01\x00\x00\x00\x00"), make([]byte, 8)...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(entries)+1))
	binary.BigEndian.PutUint32(b[12:], uint32(len(store)))
	return append(append(b, index...), store...)
}
