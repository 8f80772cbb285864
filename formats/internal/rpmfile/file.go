// Package rpmfile reads .rpm files that somebody hostile may have made, and writes their signature headers.
//
// An .rpm is a lead, a signature header that is padded to eight bytes, a main header and a compressed payload, up to the
// end of the file (rpm's docs/manual/format_v4.md). Payloads are never decompressed here: a digest tells whether they are
// whole.
package rpmfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"hallmark/formats/format"
)

const (
	leadSize = 96

	// nameOffset and nameSize are where the lead has the package's name, and leadReserved where 16 unused bytes begin.
	nameOffset, nameSize = 10, 66
	leadReserved         = 80
)

// leadMagic begins each .rpm.
var leadMagic = [4]byte{0xed, 0xab, 0xee, 0xdb}

// What rpm itself takes, or less. A signature header may hold a signature for each file of the package.
var (
	signatureLimit = limit{entries: 1024, store: 16 << 20}
	headerLimit    = limit{entries: 1 << 16, store: 32 << 20}
)

// A File is what stands before the payload of an .rpm.
type File struct {
	Signature, Header *Header

	// Where the main header, which begins with its magic number, and the payload begin, in bytes.
	HeaderOffset, PayloadOffset int64

	// Size is that of the whole file in bytes.
	Size int64

	header []byte // all bytes of the main header
}

// Read reads an .rpm of a size up to its payload. Memory is bounded by what is there of the headers, at most 48 MiB. The
// error wraps [format.ErrMalformed], or is that of the reader.
func Read(r io.ReaderAt, size int64) (*File, error) {
	lead, err := section(r, size, 0, leadSize, "lead")
	if err != nil {
		return nil, err
	}
	if err := checkLead(lead); err != nil {
		return nil, err
	}
	signature, raw, err := readHeader(r, size, leadSize, "signature header", SigRegion, signatureLimit)
	if err != nil {
		return nil, err
	}
	end := leadSize + int64(len(raw))
	padding, err := section(r, size, end, int(-end&7), "signature header")
	if err != nil {
		return nil, err
	}
	if !zeros(padding) {
		return nil, format.Malformedf("the bytes behind the signature header are not zero: this .rpm is damaged")
	}
	f := &File{Signature: signature, HeaderOffset: end + int64(len(padding)), Size: size}
	f.Header, f.header, err = readHeader(r, size, f.HeaderOffset, "header", Region, headerLimit)
	if err != nil {
		return nil, err
	}
	if !f.Header.Has(Region) {
		return nil, format.Malformedf("the header has no region that a signature could cover: build the package with rpm 4 or newer")
	}
	f.PayloadOffset = f.HeaderOffset + int64(len(f.header))
	return f, f.checkKind(lead)
}

// checkLead looks at all of the lead that has one meaning. Nothing but the magic number, the version and the kind of
// signature is of use to anybody since rpm 4.
func checkLead(lead []byte) error {
	name, rest, _ := bytes.Cut(lead[nameOffset:nameOffset+nameSize], []byte{0})
	switch {
	case !bytes.HasPrefix(lead, leadMagic[:]):
		return format.Malformedf("this is no .rpm: it does not begin as one")
	case lead[4] != 3 && lead[4] != 4:
		return format.Malformedf("this .rpm has format version %d; 3 and 4 are known", lead[4])
	case binary.BigEndian.Uint16(lead[78:]) != 5:
		return format.Malformedf("this .rpm has no signature header: build the package with rpm 4 or newer")
	case !zeros(lead[leadReserved:]), !zeros(rest), bytes.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return format.Malformedf("the first %d bytes of this .rpm are damaged", leadSize)
	}
	return nil
}

// checkKind refuses a file of which the lead and the header disagree on whether it is a source package. The programs of
// today go by the header, in which a source package names no source package.
func (f *File) checkKind(lead []byte) error {
	kind := binary.BigEndian.Uint16(lead[6:])
	source, err := f.Header.Number(SourcePackage)
	if err != nil {
		return err
	}
	switch {
	case kind > 1:
		return format.Malformedf("the lead of this .rpm says that it is of kind %d; 0 (binary) and 1 (source) are known", kind)
	case kind == 0 && !f.Header.Has(SourceRPM):
		return format.Malformedf("the header names no source package, so that rpm takes this binary package for one: " +
			"build it with the name of a source package (tag SOURCERPM)")
	case kind == 1 && f.Header.Has(SourceRPM), source != 0 && f.Header.Has(SourceRPM):
		return format.Malformedf("this is a source package by its lead and a binary package by its header")
	}
	name, _, _ := strings.Cut(string(lead[nameOffset:nameOffset+nameSize]), "\x00")
	want, err := f.Header.String(Name)
	if err != nil {
		return err
	}
	if name != "" && !strings.HasPrefix(name, want[:min(len(want), nameSize-1)]) {
		return format.Malformedf("the lead names the package %.70q, and the header %.70q", name, want)
	}
	return nil
}

// Source reports whether it is a source package.
func (f *File) Source() bool { return !f.Header.Has(SourceRPM) }

func readHeader(r io.ReaderAt, size, offset int64, what string, region Tag, l limit) (*Header, []byte, error) {
	first, err := section(r, size, offset, introSize, what)
	if err != nil {
		return nil, nil, err
	}
	n, store, err := intro(what, first, l)
	if err != nil {
		return nil, nil, err
	}
	raw, err := section(r, size, offset, introSize+n*entrySize+store, what)
	if err != nil {
		return nil, nil, err
	}
	h, err := parse(what, region, n, raw[introSize:])
	return h, raw, err
}

// section reads n bytes at an offset. It allocates nothing that the file does not have.
func section(r io.ReaderAt, size, offset int64, n int, what string) ([]byte, error) {
	if offset+int64(n) > size {
		return nil, format.Malformedf("this .rpm is cut off: it ends in its %s", what)
	}
	b := make([]byte, n)
	if got, err := r.ReadAt(b, offset); got < n {
		if errors.Is(err, io.EOF) {
			return nil, format.Malformedf("this .rpm is cut off: it ends in its %s", what)
		}
		return nil, err
	}
	return b, nil
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
