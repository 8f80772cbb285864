package rpmfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
)

// open reads a file as an upload is read.
func open(data []byte) (*rpmfile.File, error) {
	f, err := rpmfile.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if err := f.CheckHeader(); err != nil {
		return nil, err
	}
	return f, f.CheckPayload(bytes.NewReader(data))
}

func hello() rpmfiletest.Package { return rpmfiletest.New("hello", "1.0", "1", "x86_64") }

func TestReadFindsThePartsOfAPackage(t *testing.T) {
	data := hello().Bytes()
	f, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data[f.HeaderOffset:], []byte("\x8e\xad\xe8\x01")) || !bytes.HasPrefix(data[f.PayloadOffset:], []byte("the payload")) {
		t.Errorf("header at %d, payload at %d", f.HeaderOffset, f.PayloadOffset)
	}
	if name, err := f.Header.String(rpmfile.Name); name != "hello" || err != nil {
		t.Errorf("name %q, %v", name, err)
	}
	if f.Source() {
		t.Error("a binary package is taken for a source package")
	}
}

func TestValuesOfAHeader(t *testing.T) {
	f, err := open(hello().With(
		rpmfiletest.Localized(rpmfile.Summary, "in C", "auf Deutsch"),
		rpmfiletest.Texts(rpmfile.BaseNames, "a", "", "c"),
		rpmfiletest.Shorts(rpmfile.FileModes, 1, 0xffff),
		rpmfiletest.Numbers(rpmfile.Epoch, 0xffffffff),
		rpmfiletest.Entry{Tag: rpmfile.LongSize, Type: rpmfile.Int64, Count: 1, Data: binary.BigEndian.AppendUint64(nil, 1<<40)},
		rpmfiletest.Entry{Tag: rpmfile.ArchiveSize, Type: rpmfile.Int8, Count: 1, Data: []byte{200}},
	).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Header.String(rpmfile.Summary); got != "in C" || err != nil {
		t.Errorf("a translated string is %q, %v", got, err)
	}
	if got, err := f.Header.Strings(rpmfile.BaseNames); !slices.Equal(got, []string{"a", "", "c"}) || err != nil {
		t.Errorf("strings are %q, %v", got, err)
	}
	modes, err := f.Header.Numbers(rpmfile.FileModes)
	if err != nil || modes.Len() != 2 || modes.At(0) != 1 || modes.At(1) != 0xffff {
		t.Errorf("numbers of 16 bits are %v, %v", modes, err)
	}
	for tag, want := range map[rpmfile.Tag]uint64{
		rpmfile.Epoch: 0xffffffff, rpmfile.LongSize: 1 << 40, rpmfile.ArchiveSize: 200, rpmfile.Packager: 0,
	} {
		if got, err := f.Header.Number(tag); got != want || err != nil {
			t.Errorf("number %d is %d, %v, want %d", tag, got, err, want)
		}
	}
	for name, err := range map[string]error{
		"a string as a number":            second(f.Header.Number(rpmfile.Name)),
		"a number as a string":            second(f.Header.String(rpmfile.Epoch)),
		"a number as strings":             second(f.Header.Strings(rpmfile.Epoch)),
		"a string as bytes":               second(f.Header.Bytes(rpmfile.Name)),
		"several strings as one":          second(f.Header.String(rpmfile.BaseNames)),
		"several numbers as one":          second(f.Header.Number(rpmfile.FileModes)),
		"several strings as many numbers": second(f.Header.Numbers(rpmfile.BaseNames)),
	} {
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestReadRefuses(t *testing.T) {
	sound := hello().Bytes()
	f, err := open(sound)
	if err != nil {
		t.Fatal(err)
	}
	// at returns the package with other bytes at an offset. In the main header, the digests agree no more, so that it is
	// the reader that must refuse.
	at := func(offset int, with ...byte) []byte {
		data := bytes.Clone(sound)
		copy(data[offset:], with)
		return data
	}
	main := int(f.HeaderOffset)
	text := func(tag rpmfile.Tag, kind rpmfile.Type, count int, data string) rpmfiletest.Entry {
		return rpmfiletest.Entry{Tag: tag, Type: kind, Count: count, Data: []byte(data)}
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "cut off"},
		{"half a lead", sound[:50], "cut off"},
		{"something else", bytes.Repeat([]byte("junk"), 100), "this is no .rpm"},
		{"a lead of another version", at(4, 9), "format version 9"},
		{"a lead without a signature header", at(79, 0), "no signature header"},
		{"a lead with something in its unused bytes", at(95, 1), "damaged"},
		{"a lead with something behind the name", at(74, 1), "damaged"},
		{"a lead with another name", at(10, 'j'), "the lead names"},
		{"a lead of no kind", at(7, 2), "kind 2"},
		{"a source package by its lead alone", at(7, 1), "source package by its lead"},
		{"a binary package by its lead alone", hello().Less(rpmfile.SourceRPM).Bytes(), "SOURCERPM"},
		{"a source package that says where it comes from", hello().With(rpmfiletest.Numbers(rpmfile.SourcePackage, 1)).Bytes(), "source package"},
		{"a signature header that does not begin as one", at(96, 0), "does not begin"},
		{"a header that does not begin as one", at(main, 0), "does not begin"},
		{"an empty header", at(main+8, 0, 0, 0, 0), "empty"},
		{"too many entries", at(main+8, 0, 2, 0, 0), "more than"},
		{"too much data", at(main+12, 0x70), "more than"},
		{"more data than there is", at(main+12, 0, 0x10), "cut off"},
		{"a header without a region", at(main+19, 255), "stands where"},
		{"a region of another type", at(main+23, 4), "region"},
		{"a region at another place", at(main+27, 0), "region"},
		{"a region of another size", at(main+31, 15), "region"},
		{"a region trailer of another tag", at(int(f.PayloadOffset)-13, 62), "region"},
		{"a region that covers less", at(int(f.PayloadOffset)-5, 0), "region"},
		{"a tag below all others", hello().With(rpmfiletest.Text(64, "x")).Bytes(), "tag 64"},
		{"a tag twice", repeated(), "twice"},
		{"a string without an end", hello().With(text(60_000, rpmfile.String, 1, strings.Repeat("x", 40))).Bytes(), "stands where"},
		{"strings without an end", hello().With(text(60_000, rpmfile.StringArray, 9, "a\x00b\x00")).Bytes(), "tag 60000"},
		{"two strings in a string", hello().With(text(60_000, rpmfile.String, 2, "a\x00b\x00")).Bytes(), "wrong type or size"},
		{"an entry of an unknown type", hello().With(text(60_000, 10, 1, "a")).Bytes(), "wrong type or size"},
		{"an entry of no type", hello().With(text(60_000, 0, 1, "a")).Bytes(), "wrong type or size"},
		{"an entry without a value", hello().With(text(60_000, rpmfile.Int32, 0, "aaaa")).Bytes(), "outside"},
		{"more numbers than there are", hello().With(text(60_000, rpmfile.Int32, 9, "aaaa")).Bytes(), "wrong type or size"},
		{"a count beyond all", hello().With(text(60_000, rpmfile.Int64, 1<<31, "aaaaaaaa")).Bytes(), "outside"},
		{"an entry that reaches into the region's trailer", hello().With(text(60_000, rpmfile.Binary, 9, "aaaaaaaa")).Bytes(), "stands where"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(tt.data)
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %q, want one with %q", err, tt.want)
			}
		})
	}
}

// repeated returns a package with a tag that is there twice.
func repeated() []byte {
	p := hello()
	p.Header = append(p.Header, rpmfiletest.Text(rpmfile.Name, "other"))
	return p.Bytes()
}

func TestEntriesThatAreNotSignedAreRefused(t *testing.T) {
	// A header whose region is one entry shorter than its index: what is behind it would be in no digest of rpm's.
	data := hello().With(rpmfiletest.Text(60_000, "x")).Bytes()
	f, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	trailer := data[f.PayloadOffset-16:]
	covered := int32(binary.BigEndian.Uint32(trailer[8:]))
	binary.BigEndian.PutUint32(trailer[8:], uint32(covered+16))
	if _, err := open(data); !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), "outside of the region") {
		t.Errorf("got %v", err)
	}
}

func TestEveryDigestIsCompared(t *testing.T) {
	old := hello()
	old.MD5, old.Without, old.WithoutMain = true, []rpmfile.Tag{rpmfile.SigSHA256, rpmfile.SigSHA1},
		[]rpmfile.Tag{rpmfile.PayloadDigest, rpmfile.PayloadDigestAlgo}
	sha1Only := hello()
	sha1Only.Without = []rpmfile.Tag{rpmfile.SigSHA256}
	both := hello()
	both.MD5 = true
	for name, p := range map[string]rpmfiletest.Package{
		"a package of today": hello(), "a package with MD5": both, "a package with nothing but MD5": old, "a package with SHA-1": sha1Only,
	} {
		t.Run(name, func(t *testing.T) {
			data := p.Bytes()
			f, err := open(data)
			if err != nil {
				t.Fatal(err)
			}
			for i := f.HeaderOffset; i < int64(len(data)); i++ {
				damaged := bytes.Clone(data)
				damaged[i] ^= 1 << (i % 8)
				if _, err := open(damaged); !errors.Is(err, format.ErrMalformed) {
					t.Fatalf("with a bit of byte %d flipped: %v", i, err)
				}
			}
			for _, damaged := range [][]byte{data[:len(data)-1], append(bytes.Clone(data), 0)} {
				if _, err := open(damaged); !errors.Is(err, format.ErrMalformed) {
					t.Errorf("with %d bytes of %d: %v", len(damaged), len(data), err)
				}
			}
		})
	}
}

func TestAPackageWithoutDigestsIsRefused(t *testing.T) {
	noHeader, noPayload, noSize := hello(), hello(), hello()
	noHeader.Without = []rpmfile.Tag{rpmfile.SigSHA256, rpmfile.SigSHA1}
	noPayload.WithoutMain = []rpmfile.Tag{rpmfile.PayloadDigest}
	noSize.Without = []rpmfile.Tag{rpmfile.SigSize}
	for name, p := range map[string]rpmfiletest.Package{
		"of the header":  noHeader,
		"of the payload": noPayload,
		"of a known kind": hello().With(
			rpmfiletest.Numbers(rpmfile.PayloadDigestAlgo, 1)),
		"of the right payload": hello().With(rpmfiletest.Texts(rpmfile.PayloadDigest, strings.Repeat("0", 64))),
		"once":                 hello().With(rpmfiletest.Texts(rpmfile.PayloadDigest, "a", "b")),
	} {
		if _, err := open(p.Bytes()); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("a package without a digest %s: %v", name, err)
		}
	}
	if _, err := open(noSize.Bytes()); err != nil {
		t.Errorf("a package that does not say its size is refused: %v", err)
	}
}

// A failing reader fails behind some bytes.
type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("disk")

func (f failing) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, offset)
}

func TestAnErrorOfTheReaderIsNoFaultOfThePackage(t *testing.T) {
	data := hello().Bytes()
	whole, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{0, 96, whole.HeaderOffset, whole.PayloadOffset - 1} {
		_, err := rpmfile.Read(failing{bytes.NewReader(data), from}, int64(len(data)))
		if !errors.Is(err, errDisk) || errors.Is(err, format.ErrMalformed) {
			t.Errorf("a reader that fails behind %d bytes: %v", from, err)
		}
	}
	if err := whole.CheckPayload(failing{bytes.NewReader(data), whole.PayloadOffset}); !errors.Is(err, errDisk) {
		t.Errorf("a reader that fails in the payload: %v", err)
	}
}
