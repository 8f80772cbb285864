package zipfile_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/zipfile"
)

// A member is a file of an archive.
type member struct {
	name, text string
	method     uint16
	plain      bool // sizes stand in front of it
}

func pack(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: m.method}
		if !m.plain {
			f, err := w.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte(m.text)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc32.ChecksumIEEE([]byte(m.text)), uint64(len(m.text)), uint64(len(m.text))
		f, err := w.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var two = []member{{name: "a/", plain: true}, {name: "a/b", text: strings.Repeat("text", 100), method: zip.Deflate}, {name: "c", text: "stored", plain: true}}

func TestFilesAreFoundInTheirOrder(t *testing.T) {
	files, err := zipfile.Open(formattest.NewBlob(pack(t, two...)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(two) {
		t.Fatalf("%d files", len(files))
	}
	for i, f := range files {
		data, err := zipfile.Read(f, 400)
		if f.Name != two[i].name || string(data) != two[i].text || err != nil {
			t.Errorf("%s holds %q, %v", f.Name, data, err)
		}
	}
	if _, err := zipfile.Read(files[1], 399); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a file of more than is allowed: %v", err)
	}
	if files, err := zipfile.Open(formattest.NewBlob(pack(t))); err != nil || len(files) > 0 {
		t.Errorf("an empty archive has %d files, %v", len(files), err)
	}
}

func TestWhatTwoReadersCouldReadDifferentlyIsRefused(t *testing.T) {
	good := pack(t, two...)
	change := func(at int, data ...byte) []byte {
		other := bytes.Clone(good)
		copy(other[at:], data)
		return other
	}
	directory := int(binary.LittleEndian.Uint32(good[len(good)-6:]))
	last := bytes.LastIndex(good, []byte("PK\x01\x02"))
	comment := append(bytes.Clone(good), "more"...)
	comment[len(good)-2] = 4
	hidden := pack(t, member{name: "c", text: "hidden", plain: true})
	for name, data := range map[string][]byte{
		"nothing":                            nil,
		"no archive":                         []byte(strings.Repeat("x", 100)),
		"a cut off archive":                  good[:len(good)-1],
		"something behind it":                append(bytes.Clone(good), 0),
		"a comment":                          comment,
		"something in front of it":           append([]byte{0}, good...),
		"another archive in front of it":     append(bytes.Clone(hidden), good...),
		"another archive behind it":          append(bytes.Clone(good), hidden...),
		"two files of one name":              pack(t, two[1], member{name: "a/b"}),
		"a file and a folder of one name":    pack(t, two[1], member{name: "a/b/"}),
		"a name that leads upwards":          pack(t, member{name: "../a"}),
		"an absolute name":                   pack(t, member{name: "/a"}),
		"a name with a backslash":            pack(t, member{name: `a\b`}),
		"a name with a newline":              pack(t, member{name: "a\nb"}),
		"a folder that is a file":            bytes.ReplaceAll(pack(t, member{name: "a_", text: "x", plain: true}), []byte("a_"), []byte("a/")),
		"another way of compression":         pack(t, member{name: "a", method: 14, plain: true}),
		"another name in front of a file":    change(30, 'b'),
		"another size in front of a file":    change(22, 1),
		"a file that the directory has not":  change(len(good)-14, 2, 0, 2, 0),
		"a directory that is elsewhere":      change(len(good)-6, byte(directory-1)),
		"a directory that runs into its end": change(last+32, 4), // as a comment of the last file
		"an archive of several parts":        change(len(good)-18, 1),
		"ZIP64":                              change(len(good)-14, 0xff, 0xff, 0xff, 0xff),
	} {
		files, err := zipfile.Open(formattest.NewBlob(data))
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

func TestDamageIsFoundWhenAFileIsRead(t *testing.T) {
	data := pack(t, member{name: "a", text: "some text that is stored", plain: true})
	data[40] ^= 1
	files, err := zipfile.Open(formattest.NewBlob(data))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := zipfile.Read(files[0], 100); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("%q, %v", text, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(pack(f, two...))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := zipfile.Open(formattest.NewBlob(data))
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		for _, file := range files {
			if _, err := zipfile.Read(file, 1<<20); err != nil && !errors.Is(err, format.ErrMalformed) {
				t.Fatal(err)
			}
		}
	})
}
