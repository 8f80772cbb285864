package nuget

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

// The records of a zip archive (APPNOTE.TXT of PKWARE, version 6.3.10, section 4.3), with their lengths without what
// varies.
const (
	localSignature     = 0x04034b50
	directorySignature = 0x02014b50
	endSignature       = 0x06054b50
	descriptorMark     = 0x08074b50

	localSize     = 30
	directorySize = 46
	endSize       = 22
)

const (
	maxDirectory  = 16 << 20         // bytes
	maxArchive    = 1<<32 - 2<<20    // bytes, so that a signature makes no zip64 of it
	maxEntries    = 1<<16 - 2        // likewise
	maxEntryName  = 1 << 10          // bytes
	flagsKnown    = 0b1000_0000_1110 // compression level, descriptor, UTF-8
	hasDescriptor = 1 << 3
	isUTF8        = 1 << 11

	stored   = 0
	deflated = 8
)

// An archive is the frame of a package: a zip file that every reader reads alike. Entries are one behind the other from the
// first byte on, the central directory follows, and nothing else is in the file. Zip64 is none of it, since NuGet signs none.
type archive struct {
	size      int64
	entries   []entry // in the order of the central directory
	directory int64   // where that begins
	end       [endSize]byte
	signature *entry // the last of entries, or nil
}

// An entry is a file in an archive.
type entry struct {
	name           string
	method, flags  uint16
	crc            uint32
	packed, size   int64
	header, data   int64 // offsets
	record, length int64 // of its part of the central directory
}

// signatureName is the name of the entry that holds the signature.
const signatureName = ".signature.p7s"

// openArchive reads the frame of an archive. It allocates some multiple of the central directory.
func openArchive(b format.Blob) (*archive, error) {
	a := &archive{size: b.Size()}
	if a.size < endSize {
		return nil, format.Malformedf("the file is no zip archive, and a NuGet package is one")
	}
	if a.size > maxArchive {
		return nil, format.Malformedf("the package has %d bytes, and NuGet can sign none of more than %d", a.size, int64(maxArchive))
	}
	if err := readAt(b, a.end[:], a.size-endSize); err != nil {
		return nil, err
	}
	count, err := a.readEnd()
	if err != nil {
		return nil, err
	}
	directory := make([]byte, a.endAt()-a.directory)
	if err := readAt(b, directory, a.directory); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for at := int64(0); at < int64(len(directory)); {
		e, err := readRecord(directory[at:])
		if err != nil {
			return nil, err
		}
		e.record = a.directory + at
		at += e.length
		key := strings.ToLower(strings.TrimSuffix(unescaped(e.name), "/"))
		if names[key] {
			return nil, format.Malformedf("the package has two files %.100q, as far as a file system that ignores case is concerned", e.name)
		}
		names[key] = true
		a.entries = append(a.entries, e)
	}
	if len(a.entries) != count {
		return nil, format.Malformedf("the zip archive says that it has %d files, and lists %d", count, len(a.entries))
	}
	if err := a.locate(b); err != nil {
		return nil, err
	}
	return a, a.findSignature()
}

func (a *archive) endAt() int64 { return a.size - endSize }

// readEnd reads the end of the central directory, and returns the number of entries.
func (a *archive) readEnd() (count int, err error) {
	e := a.end[:]
	if le32(e) != endSignature {
		return 0, format.Malformedf("the file is no zip archive that ends without a comment, and a NuGet package is one")
	}
	count = int(le16(e[10:]))
	size, at := int64(le32(e[12:])), int64(le32(e[16:]))
	switch {
	case count == 1<<16-1 || size == 1<<32-1 || at == 1<<32-1:
		return 0, format.Malformedf("the package is a zip64 archive, which NuGet cannot sign: pack it without")
	case le16(e[4:]) != 0 || le16(e[6:]) != 0 || int(le16(e[8:])) != count:
		return 0, format.Malformedf("the zip archive is a part of several")
	case at+size != a.endAt():
		return 0, format.Malformedf("the zip archive is cut off, or there is something between its files and its end")
	case count == 0 || count > maxEntries || size > maxDirectory:
		return 0, format.Malformedf("the package has %d files, listed in %d bytes: it has at least one, at most %d, and a list of at most %d bytes",
			count, size, maxEntries, maxDirectory)
	}
	a.directory = at
	return count, nil
}

// readRecord reads the record of the central directory at the beginning of some bytes.
func readRecord(b []byte) (e entry, err error) {
	if len(b) < directorySize || le32(b) != directorySignature {
		return e, format.Malformedf("the list of files of the zip archive is damaged")
	}
	e = entry{
		flags: le16(b[8:]), method: le16(b[10:]), crc: le32(b[16:]),
		packed: int64(le32(b[20:])), size: int64(le32(b[24:])), header: int64(le32(b[42:])),
	}
	name, extra, comment := int(le16(b[28:])), int(le16(b[30:])), int(le16(b[32:]))
	if e.length = int64(directorySize + name + extra + comment); e.length > int64(len(b)) {
		return e, format.Malformedf("the list of files of the zip archive is damaged")
	}
	e.name = string(b[directorySize : directorySize+name])
	if err := e.checkName(); err != nil {
		return e, err
	}
	const unixLink, unixType = 0o120000, 0o170000
	switch {
	case e.flags&^flagsKnown != 0:
		return e, format.Malformedf("the file %.100q of the package is encrypted, or stored in a way that not every reader knows", e.name)
	case e.method != stored && e.method != deflated, e.method == stored && e.packed != e.size:
		return e, format.Malformedf("the file %.100q of the package is neither stored nor deflated", e.name)
	case le16(b[34:]) != 0:
		return e, format.Malformedf("the file %.100q of the package is in another archive", e.name)
	case b[5] == 3 && le32(b[38:])>>16&unixType == unixLink:
		return e, format.Malformedf("%.100q in the package is a link", e.name)
	case strings.HasSuffix(e.name, "/") && e.size != 0:
		return e, format.Malformedf("%.100q in the package is a folder with content", e.name)
	}
	return e, checkExtra(e.name, b[directorySize+name:directorySize+name+extra])
}

// checkExtra refuses the extra fields that change what was read: zip64 and another name.
func checkExtra(name string, b []byte) error {
	const zip64, unicodePath = 0x0001, 0x7075
	for len(b) >= 4 {
		id, size := le16(b), int(le16(b[2:]))
		if id == zip64 || id == unicodePath || size > len(b)-4 {
			return format.Malformedf("the file %.100q of the package has an extra field %#04x, which not every reader knows", name, id)
		}
		b = b[4+size:]
	}
	if len(b) > 0 {
		return format.Malformedf("the file %.100q of the package has half of an extra field", name)
	}
	return nil
}

// checkName refuses the name of an entry that is no clean path below a folder on every system. NuGet takes escapes out of
// names when it unpacks them, so that both forms are looked at.
func (e entry) checkName() error {
	if len(e.name) > maxEntryName || !utf8.ValidString(e.name) || e.flags&isUTF8 == 0 && strings.ContainsFunc(e.name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return format.Malformedf("the package has a file %.100q, whose name is too long or not marked as UTF-8", e.name)
	}
	for _, name := range []string{e.name, unescaped(e.name)} {
		if strings.EqualFold(name, signatureName) && e.name != signatureName {
			return format.Malformedf("the package has a file %.100q: the name of a signature is %s", e.name, signatureName)
		}
		for segment := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(r rune) bool {
				return r == '\\' || r == ':' || unicode.IsControl(r) || r == utf8.RuneError
			}) {
				return format.Malformedf("the package has a file %.100q, which leads out of it or cannot be unpacked everywhere", e.name)
			}
		}
	}
	return nil
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// locate finds the data of all entries, and refuses entries that overlap, or that say something else of themselves than the
// central directory does.
func (a *archive) locate(b format.Blob) error {
	order := make([]*entry, len(a.entries))
	for i := range a.entries {
		order[i] = &a.entries[i]
	}
	slices.SortStableFunc(order, func(x, y *entry) int { return cmp.Compare(x.header, y.header) })
	at := int64(0)
	for i, e := range order {
		if e.header != at {
			return format.Malformedf("the zip archive has something before its file %.100q, or files that overlap", e.name)
		}
		next := a.directory
		if i+1 < len(order) {
			next = order[i+1].header
		}
		end, err := e.locate(b, next)
		if err != nil {
			return err
		}
		at = end
	}
	if at != a.directory {
		return format.Malformedf("the zip archive has something between its files and their list")
	}
	return nil
}

// locate finds the data of an entry that ends at next, where something else must follow, and returns where it does end.
func (e *entry) locate(b format.Blob, next int64) (end int64, err error) {
	damaged := format.Malformedf("the file %.100q of the package is listed otherwise than it is", e.name)
	header := make([]byte, localSize+len(e.name))
	if next-e.header < int64(len(header)) {
		return 0, damaged
	}
	if err := readAt(b, header, e.header); err != nil {
		return 0, err
	}
	described := e.flags&hasDescriptor != 0
	same := le32(header[14:]) == e.crc && int64(le32(header[18:])) == e.packed && int64(le32(header[22:])) == e.size
	empty := le32(header[14:]) == 0 && le32(header[18:]) == 0 && le32(header[22:]) == 0
	if le32(header) != localSignature || le16(header[6:]) != e.flags || le16(header[8:]) != e.method ||
		int(le16(header[26:])) != len(e.name) || string(header[localSize:]) != e.name || !same && !(described && empty) {
		return 0, damaged
	}
	extra := make([]byte, le16(header[28:]))
	e.data = e.header + int64(len(header)+len(extra))
	end = e.data + e.packed
	if end > next {
		return 0, damaged
	}
	if err := readAt(b, extra, e.header+int64(len(header))); err != nil {
		return 0, err
	}
	if err := checkExtra(e.name, extra); err != nil {
		return 0, err
	}
	if !described {
		return end, nil
	}
	descriptor := make([]byte, min(16, next-end))
	if err := readAt(b, descriptor, end); err != nil {
		return 0, err
	}
	if len(descriptor) == 16 && le32(descriptor) == descriptorMark {
		descriptor, end = descriptor[4:], end+4
	}
	if len(descriptor) < 12 || le32(descriptor) != e.crc || int64(le32(descriptor[4:])) != e.packed || int64(le32(descriptor[8:])) != e.size {
		return 0, damaged
	}
	return end + 12, nil
}

// findSignature finds the entry with the signature: the last one, stored and plain, as NuGet writes it.
func (a *archive) findSignature() error {
	i := slices.IndexFunc(a.entries, func(e entry) bool { return e.name == signatureName })
	if i < 0 {
		return nil
	}
	e := &a.entries[i]
	last := !slices.ContainsFunc(a.entries, func(o entry) bool { return o.header > e.header }) && i == len(a.entries)-1
	if !last || e.method != stored || e.flags != 0 || e.size > maxSignature || e.data+e.packed != a.directory {
		return format.Malformedf("the package has %s in another form than NuGet writes it: the last of its files, stored, of at most %d bytes",
			signatureName, maxSignature)
	}
	a.signature = e
	return nil
}

// read returns the content of an entry, of at most some bytes.
func (a *archive) read(b format.Blob, e *entry, limit int64) ([]byte, error) {
	if e.size > limit {
		return nil, format.Malformedf("%.100q in the package has %d bytes, more than %d", e.name, e.size, limit)
	}
	var r io.Reader = io.NewSectionReader(b, e.data, e.packed)
	if e.method == deflated {
		r = flate.NewReader(r)
	}
	var content bytes.Buffer
	n, err := io.Copy(&content, io.LimitReader(r, e.size+1))
	if n != e.size || err != nil || crc32.ChecksumIEEE(content.Bytes()) != e.crc {
		return nil, format.Malformedf("%.100q in the package is damaged", e.name)
	}
	return content.Bytes(), nil
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	if n, err := r.ReadAt(p, at); n < len(p) {
		return err
	}
	return nil
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
