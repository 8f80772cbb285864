package attacks

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// An rpm is a package of RPM to be built, docs/manual/format_v4.md of rpm. The zero rpm is a good one that nobody has
// signed.
type rpm struct {
	name, version, arch string
	tags                []rpmTag // more of the header; one that is there already is replaced
	payload             string
}

// An rpmTag is an entry of a header: of kind 4 (numbers), 6 (a text), 8 (texts) or 9 (a text for people).
type rpmTag struct {
	tag, kind uint32
	count     int
	data      []byte
}

func rpmText(tag uint32, text string) rpmTag { return rpmTag{tag, 6, 1, append([]byte(text), 0)} }

func rpmTexts(tag uint32, texts ...string) rpmTag {
	t := rpmTag{tag, 8, len(texts), nil}
	for _, text := range texts {
		t.data = append(append(t.data, text...), 0)
	}
	return t
}

func rpmNumbers(tag uint32, numbers ...uint32) rpmTag {
	t := rpmTag{tag, 4, len(numbers), nil}
	for _, n := range numbers {
		t.data = binary.BigEndian.AppendUint32(t.data, n)
	}
	return t
}

// The tags that tests change.
const (
	rpmName, rpmArch                  = 1000, 1022
	rpmRequireName, rpmRequireVersion = 1049, 1050
	rpmBaseNames, rpmDirNames         = 1117, 1118
	rpmDirIndexes, rpmPayloadSum      = 1116, 5092
)

func (p rpm) build() []byte {
	p.name, p.version, p.arch = cmp.Or(p.name, "hello"), cmp.Or(p.version, "1.0"), cmp.Or(p.arch, "x86_64")
	payload := gzipOf([]byte(cmp.Or(p.payload, "the files of "+p.name+" "+p.version)))
	sum := sha256.Sum256(payload)
	tags := []rpmTag{
		rpmText(rpmName, p.name), rpmText(1001, p.version), rpmText(1002, "1"), {1004, 9, 1, []byte("A greeting\x00")},
		{1005, 9, 1, []byte("A greeting.\x00")}, rpmNumbers(1006, 1_700_000_000), rpmNumbers(1009, 100), rpmText(1014, "MIT"),
		rpmText(1021, "linux"), rpmText(rpmArch, p.arch), rpmText(1044, p.name+"-"+p.version+"-1.src.rpm"),
		rpmTexts(1047, p.name), rpmNumbers(1112, 8), rpmTexts(1113, p.version+"-1"), rpmText(1124, "cpio"), rpmText(1125, "gzip"),
		rpmText(1126, "9"), rpmTexts(rpmPayloadSum, hex.EncodeToString(sum[:])), rpmNumbers(5093, 8),
	}
	for _, t := range p.tags {
		tags = append(slices.DeleteFunc(tags, func(o rpmTag) bool { return o.tag == t.tag }), t)
	}
	header := rpmHeader(63, tags)
	long, short := sha256.Sum256(header), sha1.Sum(header)
	out := make([]byte, 96)
	copy(out, "\xed\xab\xee\xdb\x03\x00\x00\x00\x00\x01"+p.name)
	out[77], out[79] = 1, 5
	out = append(out, rpmHeader(62, []rpmTag{
		rpmText(269, hex.EncodeToString(short[:])), rpmText(273, hex.EncodeToString(long[:])), rpmNumbers(1000, uint32(len(header)+len(payload))),
	})...)
	out = append(out, make([]byte, -len(out)&7)...)
	return slices.Concat(out, header, payload)
}

// rpmHeader returns a header whose entries are in a region.
func rpmHeader(region uint32, tags []rpmTag) []byte {
	slices.SortFunc(tags, func(a, b rpmTag) int { return cmp.Compare(a.tag, b.tag) })
	var index, store []byte
	put := func(b []byte, t rpmTag, offset int) []byte {
		for _, n := range []uint32{t.tag, t.kind, uint32(int32(offset)), uint32(t.count)} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	for _, t := range tags {
		if t.kind == 4 {
			store = append(store, make([]byte, -len(store)&3)...)
		}
		index = put(index, t, len(store))
		store = append(store, t.data...)
	}
	trailer := rpmTag{region, 7, 16, nil}
	index = append(put(nil, trailer, len(store)), index...)
	store = put(store, trailer, -16*(len(tags)+1))
	b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, uint32(len(tags)+1))
	b = binary.BigEndian.AppendUint32(b, uint32(len(store)))
	return slices.Concat(b, index, store)
}
