package arch_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"testing"

	"hallmark/formats/arch"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A member is a file of an archive.
type member struct {
	name, data string
	header     func(*tar.Header)
}

func archive(tb testing.TB, files ...member) []byte {
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
		if _, err := io.WriteString(w, f.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// packed compresses data in the way that an extension names.
func packed(tb testing.TB, extension string, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch extension {
	case "zst":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case "xz":
		w, err = xz.NewWriter(&b)
	case "gz":
		w = gzip.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A pkg is what a package is built of. The zero pkg is a good one.
type pkg struct {
	name, version, arch string
	extension           string   // "zst", "xz" or "gz"
	info                string   // more lines of .PKGINFO
	files               []member // in place of one file
}

func (p pkg) build(tb testing.TB) []byte {
	tb.Helper()
	p.name, p.version, p.arch = cmp.Or(p.name, "hello"), cmp.Or(p.version, "1.0-1"), cmp.Or(p.arch, "x86_64")
	files := p.files
	if files == nil {
		files = []member{folder("usr/"), folder("usr/share/"), {name: "usr/share/" + p.name, data: p.name + " " + p.version + " " + p.arch}}
	}
	info := fmt.Sprintf("# Generated\npkgname = %s\npkgver = %s\narch = %s\nbuilddate = 1700000000\nsize = 100\n", p.name, p.version, p.arch)
	all := append([]member{{name: ".BUILDINFO", data: "format = 2\n"}, {name: ".PKGINFO", data: info + p.info}}, files...)
	return packed(tb, cmp.Or(p.extension, "zst"), archive(tb, all...))
}

func folder(name string) member {
	return member{name: name, header: func(h *tar.Header) { h.Typeflag, h.Mode = tar.TypeDir, 0o755 }}
}

func open(tb testing.TB, s arch.Settings) *arch.Format {
	tb.Helper()
	f, err := arch.New(s)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
