package python_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"hallmark/formats/formattest"
)

// A dist is a distribution that is built.
type dist struct {
	name, version string // as its metadata have them
	file          string // empty: what a builder would call it
	fields        string // more lines of metadata
	metadata      string // all of it, in place of what the other fields say
	folder        string // of the metadata, or of the source; empty: what a builder would call it
	without       string // a member that is left out
	more          map[string]string
	source        bool
	zipped        bool
}

func (d dist) base() string { return strings.ReplaceAll(d.name, "-", "_") + "-" + d.version }

func (d dist) fileName() string {
	switch {
	case d.file != "":
		return d.file
	case d.zipped:
		return d.base() + ".zip"
	case d.source:
		return d.base() + ".tar.gz"
	}
	return d.base() + "-py3-none-any.whl"
}

// path is where it is served, for a name in its normal form.
func (d dist) path() string { return "simple/" + d.name + "/" + d.fileName() }

func (d dist) text() string {
	if d.metadata != "" {
		return d.metadata
	}
	return "Metadata-Version: 2.1\nName: " + d.name + "\nVersion: " + d.version + "\n" + d.fields + "\nIts description.\n"
}

// members returns the files of the archive, in pairs of name and content.
func (d dist) members() [][2]string {
	module := strings.ReplaceAll(d.name, "-", "_")
	if d.source {
		folder := d.folder
		if folder == "" {
			folder = d.base()
		}
		return d.with([][2]string{
			{folder + "/PKG-INFO", d.text()}, {folder + "/" + module + ".py", "VERSION = " + d.version + "\n"}, {folder + "/pyproject.toml", ""},
		})
	}
	folder := d.folder
	if folder == "" {
		folder = d.base() + ".dist-info"
	}
	return d.with([][2]string{
		{module + ".py", "VERSION = '" + d.version + "'\n"}, {folder + "/METADATA", d.text()},
		{folder + "/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}, {folder + "/RECORD", ""},
	})
}

func (d dist) with(all [][2]string) [][2]string {
	all = slices.DeleteFunc(all, func(m [2]string) bool { return d.without != "" && strings.HasSuffix(m[0], d.without) })
	for name, text := range d.more {
		all = append(all, [2]string{name, text})
	}
	return all
}

func (d dist) build(tb testing.TB) []byte {
	tb.Helper()
	if d.source && !d.zipped {
		return tarball(tb, d.members())
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range d.members() {
		f, err := w.Create(m[0])
		if err == nil {
			_, err = f.Write([]byte(m[1]))
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

func tarball(tb testing.TB, members [][2]string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		err := w.WriteHeader(&tar.Header{Name: m[0], Mode: 0o644, Size: int64(len(m[1])), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write([]byte(m[1]))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// signature looks like one of an author.
const signature = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0WIQ==\n=abcd\n-----END PGP SIGNATURE-----\n"

// form returns the upload that twine makes of a distribution, with some fields changed; those that are empty are left out.
func (d dist) form(tb testing.TB, changes map[string]string) formattest.Upload {
	tb.Helper()
	body := d.build(tb)
	kind := "bdist_wheel"
	if d.source {
		kind = "sdist"
	}
	fields := map[string]string{
		":action": "file_upload", "protocol_version": "1", "name": d.name, "version": d.version, "filetype": kind, "pyversion": "py3",
		"metadata_version": "2.1", "md5_digest": fmt.Sprintf("%x", md5.Sum(body)), "sha256_digest": fmt.Sprintf("%x", sha256.Sum256(body)),
		"blake2_256_digest": fmt.Sprintf("%x", blake2b.Sum256(body)),
	}
	for name, value := range changes {
		fields[name] = value
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("boundary"); err != nil {
		tb.Fatal(err)
	}
	contents := 1
	if fields["content"] == "twice" {
		contents = 2
	}
	for range contents {
		f, err := w.CreateFormFile("content", d.fileName())
		if err == nil {
			_, err = f.Write(body)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range []string{
		":action", "protocol_version", "name", "version", "filetype", "pyversion", "metadata_version", "md5_digest", "sha256_digest",
		"blake2_256_digest", "gpg_signature", "attestations",
	} {
		if fields[name] == "" {
			continue
		}
		if err := w.WriteField(name, fields[name]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return formattest.Upload{Method: "POST", Type: w.FormDataContentType(), Body: b.Bytes()}
}

func gunzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return plain
}
