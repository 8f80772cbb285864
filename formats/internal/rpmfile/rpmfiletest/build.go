// Package rpmfiletest builds .rpm files for tests, sound ones and others.
package rpmfiletest

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"hallmark/formats/internal/rpmfile"
)

// An Entry is an entry of a header as it will stand there, whatever that means.
type Entry struct {
	Tag   rpmfile.Tag
	Type  rpmfile.Type
	Count int
	Data  []byte
}

// Text returns a string.
func Text(tag rpmfile.Tag, text string) Entry {
	return Entry{tag, rpmfile.String, 1, append([]byte(text), 0)}
}

// Texts returns an array of strings.
func Texts(tag rpmfile.Tag, texts ...string) Entry {
	e := Entry{tag, rpmfile.StringArray, len(texts), nil}
	for _, text := range texts {
		e.Data = append(append(e.Data, text...), 0)
	}
	return e
}

// Localized returns a string for each of some locales.
func Localized(tag rpmfile.Tag, texts ...string) Entry {
	e := Texts(tag, texts...)
	e.Type = rpmfile.I18NString
	return e
}

// Bytes returns a block of bytes.
func Bytes(tag rpmfile.Tag, data []byte) Entry {
	return Entry{tag, rpmfile.Binary, len(data), data}
}

// Numbers returns numbers of 32 bits.
func Numbers(tag rpmfile.Tag, numbers ...uint32) Entry {
	e := Entry{tag, rpmfile.Int32, len(numbers), nil}
	for _, n := range numbers {
		e.Data = binary.BigEndian.AppendUint32(e.Data, n)
	}
	return e
}

// Shorts returns numbers of 16 bits.
func Shorts(tag rpmfile.Tag, numbers ...uint16) Entry {
	e := Entry{tag, rpmfile.Int16, len(numbers), nil}
	for _, n := range numbers {
		e.Data = binary.BigEndian.AppendUint16(e.Data, n)
	}
	return e
}

// A Package is what an .rpm is made of. The zero Package has nothing.
type Package struct {
	// Header are entries of the main header, in any order. Where it has none of a tag, the digest of the payload and its
	// algorithm are added.
	Header []Entry
	// Signature are entries of the signature header. The digests and the size are added.
	Signature []Entry
	Payload   []byte

	// Without are tags that are not added. Main is for those of the main header.
	Without, WithoutMain []rpmfile.Tag
	// Source marks the lead of a source package.
	Source bool
	// MD5 adds the MD5 of header and payload.
	MD5 bool
	// Reserve adds room for a signature, in bytes.
	Reserve int
}

// New returns a package with a name, without files.
func New(name, version, release, arch string) Package {
	return Package{
		Header: []Entry{
			Text(rpmfile.Name, name),
			Text(rpmfile.Version, version),
			Text(rpmfile.Release, release),
			Text(rpmfile.Arch, arch),
			Localized(rpmfile.Summary, "A package"),
			Localized(rpmfile.Description, "A package for a test."),
			Numbers(rpmfile.BuildTime, 1_700_000_000),
			Numbers(rpmfile.Size, 42),
			Text(rpmfile.License, "MIT"),
			Text(rpmfile.SourceRPM, name+"-"+version+"-"+release+".src.rpm"),
			Text(rpmfile.PayloadFormat, "cpio"),
			Texts(rpmfile.ProvideName, name),
			Numbers(rpmfile.ProvideFlags, 8),
			Texts(rpmfile.ProvideVersion, version+"-"+release),
		},
		Payload: []byte("the payload of " + name + "-" + version),
	}
}

// With returns the package with entries of the main header added, or in the place of those with the same tag.
func (p Package) With(entries ...Entry) Package {
	p.Header = slices.Clone(p.Header)
	for _, e := range entries {
		p.Header = slices.DeleteFunc(p.Header, func(old Entry) bool { return old.Tag == e.Tag })
	}
	p.Header = append(p.Header, entries...)
	return p
}

// Less returns the package without some entries of the main header.
func (p Package) Less(tags ...rpmfile.Tag) Package {
	p.Header = slices.DeleteFunc(slices.Clone(p.Header), func(e Entry) bool { return slices.Contains(tags, e.Tag) })
	return p
}

// Bytes returns the .rpm.
func (p Package) Bytes() []byte {
	entries := slices.Clone(p.Header)
	add := func(to *[]Entry, without []rpmfile.Tag, e Entry) {
		has := slices.ContainsFunc(*to, func(old Entry) bool { return old.Tag == e.Tag })
		if !has && !slices.Contains(without, e.Tag) {
			*to = append(*to, e)
		}
	}
	payload := sha256.Sum256(p.Payload)
	add(&entries, p.WithoutMain, Texts(rpmfile.PayloadDigest, hex.EncodeToString(payload[:])))
	add(&entries, p.WithoutMain, Numbers(rpmfile.PayloadDigestAlgo, 8))
	header := Header(rpmfile.Region, entries)

	signature := slices.Clone(p.Signature)
	long, short := sha256.Sum256(header), sha1.Sum(header)
	add(&signature, p.Without, Text(rpmfile.SigSHA256, hex.EncodeToString(long[:])))
	add(&signature, p.Without, Text(rpmfile.SigSHA1, hex.EncodeToString(short[:])))
	add(&signature, p.Without, Numbers(rpmfile.SigSize, uint32(len(header)+len(p.Payload))))
	if p.MD5 {
		sum := md5.Sum(slices.Concat(header, p.Payload))
		add(&signature, p.Without, Bytes(rpmfile.SigMD5, sum[:]))
	}
	if p.Reserve > 0 {
		add(&signature, p.Without, Bytes(rpmfile.SigReserved, make([]byte, p.Reserve)))
	}
	out := append(p.lead(), Header(rpmfile.SigRegion, signature)...)
	out = append(out, make([]byte, -len(out)&7)...)
	return append(append(out, header...), p.Payload...)
}

func (p Package) lead() []byte {
	lead := make([]byte, 96)
	copy(lead, "\xed\xab\xee\xdb\x03\x00")
	if p.Source {
		lead[7] = 1
	}
	lead[9] = 1
	for _, e := range p.Header {
		if e.Tag == rpmfile.Name && len(e.Data) > 0 {
			copy(lead[10:75], e.Data[:len(e.Data)-1])
		}
	}
	lead[77], lead[79] = 1, 5
	return lead
}

// Header returns a header with entries in the order of their tags, in a region.
func Header(region rpmfile.Tag, entries []Entry) []byte {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Tag, b.Tag) })
	var index, store []byte
	put := func(b []byte, e Entry, offset int) []byte {
		b = binary.BigEndian.AppendUint32(b, uint32(e.Tag))
		b = binary.BigEndian.AppendUint32(b, uint32(e.Type))
		b = binary.BigEndian.AppendUint32(b, uint32(int32(offset)))
		return binary.BigEndian.AppendUint32(b, uint32(e.Count))
	}
	for _, e := range entries {
		if align, ok := map[rpmfile.Type]int{rpmfile.Int16: 2, rpmfile.Int32: 4, rpmfile.Int64: 8}[e.Type]; ok {
			store = append(store, make([]byte, -len(store)&(align-1))...)
		}
		index = put(index, e, len(store))
		store = append(store, e.Data...)
	}
	size := 16 * (len(entries) + 1)
	trailer := Entry{Tag: region, Type: rpmfile.Binary, Count: 16}
	index = append(put(nil, trailer, len(store)), index...)
	store = put(store, trailer, -size)
	b := []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)+1))
	b = binary.BigEndian.AppendUint32(b, uint32(len(store)))
	return append(append(b, index...), store...)
}
