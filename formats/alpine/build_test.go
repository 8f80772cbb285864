package alpine_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"testing"

	"hallmark/formats/alpine"
)

// A member is a file of an archive.
type member struct {
	name, data string
	header     func(*tar.Header)
}

// archive returns a tar archive, with its end or without.
func archive(tb testing.TB, end bool, files ...member) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if f.header != nil {
			f.header(h)
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(f.data)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	finish := w.Flush
	if end {
		finish = w.Close
	}
	if err := finish(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// packed returns one gzip member.
func packed(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// An apk is what a package is built of. The zero apk is a good one.
type apk struct {
	name, version, arch string
	info                string   // more lines of .PKGINFO
	control             []member // more files of the control member
	data                []member
	rawData             []byte // in place of data: the data member as it is
	noHash              bool
}

func (a apk) build(tb testing.TB) []byte {
	tb.Helper()
	return a.buildWith(tb, func(info string) []byte {
		return packed(tb, archive(tb, false, append([]member{{name: ".PKGINFO", data: info}}, a.control...)...))
	})
}

// buildWith builds a package whose control member is made of the text of its .PKGINFO.
func (a apk) buildWith(tb testing.TB, control func(info string) []byte) []byte {
	tb.Helper()
	a.name, a.version, a.arch = cmp.Or(a.name, "hello"), cmp.Or(a.version, "1.0-r0"), cmp.Or(a.arch, "x86_64")
	data := a.rawData
	if data == nil {
		files := a.data
		if files == nil {
			files = []member{{name: "usr/share/file", data: a.name + " " + a.version + " " + a.arch}}
		}
		data = packed(tb, archive(tb, true, files...))
	}
	info := fmt.Sprintf("# Generated\npkgname = %s\npkgver = %s\narch = %s\n", a.name, a.version, a.arch)
	info += a.info
	if !a.noHash {
		info += fmt.Sprintf("datahash = %x\n", sha256.Sum256(data))
	}
	return append(control(info), data...)
}

func open(tb testing.TB, s alpine.Settings) *alpine.Format {
	tb.Helper()
	f, err := alpine.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
