package nuget_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"testing"

	"hallmark/formats/nuget"
)

// A file is one in a package.
type file struct {
	name, data string
	header     func(*zip.FileHeader)
}

// zipped returns a zip archive.
func zipped(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.header != nil {
			f.header(h)
		}
		out, err := w.CreateHeader(h)
		if err == nil {
			_, err = out.Write([]byte(f.data))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A pkg is what a package is built of. The zero pkg is a good one.
type pkg struct {
	id, version string
	metadata    string // more elements of <metadata>
	nuspec      string // in place of the whole .nuspec
	files       []file // more of them
}

// plain is build without sizes behind the files, as nuget and dotnet write packages.
func (p pkg) plain(tb testing.TB) []byte {
	tb.Helper()
	data := p.build(tb)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		raw, err := f.OpenRaw()
		if err != nil {
			tb.Fatal(err)
		}
		h := f.FileHeader
		h.Flags &^= 8
		out, err := w.CreateRaw(&h)
		if err == nil {
			_, err = io.Copy(out, raw)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func (p pkg) build(tb testing.TB) []byte {
	tb.Helper()
	p.id, p.version = cmp.Or(p.id, "Hello.World"), cmp.Or(p.version, "1.0.0")
	if p.nuspec == "" {
		p.nuspec = fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>%s</id>
    <version>%s</version>
    <authors>somebody</authors>
    <description>Says hello &amp; more</description>
    %s
  </metadata>
</package>
`, p.id, p.version, p.metadata)
	}
	return zipped(tb, append([]file{
		{name: "_rels/.rels", data: "<Relationships/>"},
		{name: p.id + ".nuspec", data: p.nuspec},
		{name: "lib/net45/" + p.id + ".dll", data: p.id + p.version},
		{name: "[Content_Types].xml", data: "<Types/>"},
	}, p.files...)...)
}

func open(tb testing.TB) *nuget.Format {
	tb.Helper()
	f, err := nuget.New(nuget.Defaults())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
