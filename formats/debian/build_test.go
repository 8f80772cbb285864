package debian_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"hallmark/formats/debian"
	"hallmark/formats/internal/ar"
)

// A deb is a binary package to be built.
type deb struct {
	control string // the control file
	suffix  string // of both archives: "", ".gz", ".xz", ".zst"
	signed  []byte // _gpgorigin
	extra   int    // how many bytes the package's data holds that cannot be packed
}

// build returns the package. It looks like those of dpkg-deb.
func (d deb) build(tb testing.TB) []byte {
	tb.Helper()
	control := pack(tb, d.suffix, tarOf(tb, file{"./", ""}, file{"./control", d.control}, file{"./md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/bin/hello\n"}))
	data := pack(tb, d.suffix, tarOf(tb, file{"./", ""}, file{"./usr/bin/hello", "#!/bin/sh\necho hello\n"}, file{"./usr/share/noise", noise(d.extra)}))
	members := []file{{"debian-binary", "2.0\n"}, {"control.tar" + d.suffix, string(control)}, {"data.tar" + d.suffix, string(data)}}
	if d.signed != nil {
		members = append(members, file{"_gpgorigin", string(d.signed)})
	}
	return arOf(members...)
}

// noise returns bytes that look like chance, and are the same each time.
func noise(n int) string {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{}).Read(b); err != nil {
		panic(err)
	}
	return string(b)
}

type file struct{ name, data string }

// arOf returns an ar archive.
func arOf(members ...file) []byte {
	b := []byte(ar.Magic)
	for _, m := range members {
		b = append(ar.AppendHeader(b, m.name, int64(len(m.data))), m.data...)
		if len(m.data)%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

// tarOf returns a tar archive, padded to 10 KiB as by GNU tar. Names that end in a slash are folders.
func tarOf(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o644}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
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
	return append(b.Bytes(), make([]byte, (10240-b.Len()%10240)%10240)...)
}

// pack compresses data as the end of a name says.
func pack(tb testing.TB, suffix string, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch suffix {
	case "":
		return data
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	default:
		tb.Fatalf("nothing packs %q", suffix)
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

// controlOf returns a control file with the fields that every package has, and more lines.
func controlOf(name, version, arch, more string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Ann <ann@example.org>\n%sDescription: a greeting\n that is long\n .\n and friendly\n", name, version, arch, more)
}

// open returns the format with changed settings.
func open(tb testing.TB, change func(*debian.Settings)) *debian.Format {
	tb.Helper()
	settings := debian.Defaults()
	if change != nil {
		change(&settings)
	}
	f, err := debian.New(settings)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
