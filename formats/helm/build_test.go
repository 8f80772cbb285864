package helm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"mime/multipart"
	"testing"

	"hallmark/formats/formattest"
)

// A chart is one that is packed.
type chart struct {
	name, version string
	yaml          string      // all of Chart.yaml, in place of what the fields say
	folder        string      // empty: the name
	more          [][2]string // more members
	link          string      // the name of a link
}

func (c chart) file() string { return c.name + "-" + c.version + ".tgz" }

func (c chart) chartYAML() string {
	if c.yaml != "" {
		return c.yaml
	}
	return "# A comment.\napiVersion: v2\nname: " + c.name + "\nversion: " + c.version + "\nappVersion: 1.16\ndescription: |\n  It\n  ...\n  files: none\n" +
		"maintainers:\n- name: Jo\n  email: jo@example.org\nkeywords: [a, \"b\"]\nannotations:\n  a.b/c: \"true\"\n"
}

func (c chart) build(tb testing.TB) []byte {
	tb.Helper()
	folder := c.folder
	if folder == "" {
		folder = c.name
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	members := [][2]string{{folder + "/values.yaml", "a: 1\n"}}
	if c.yaml != "-" {
		members = append([][2]string{{folder + "/Chart.yaml", c.chartYAML()}}, members...)
	}
	for _, m := range append(members, c.more...) {
		err := w.WriteHeader(&tar.Header{Name: m[0], Mode: 0o644, Size: int64(len(m[1])), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write([]byte(m[1]))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if c.link != "" {
		if err := w.WriteHeader(&tar.Header{Name: c.link, Linkname: "values.yaml", Typeflag: tar.TypeSymlink}); err != nil {
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

// provenance looks like one that helm package --sign makes. What stands in place of its second document may be another.
func (c chart) provenance(tb testing.TB, sums string) string {
	tb.Helper()
	if sums == "" {
		sums = fmt.Sprintf("files:\n  %s: sha256:%x\n", c.file(), sha256.Sum256(c.build(tb)))
	}
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: " + c.name + "\nversion: " + c.version + "\n\n...\n" + sums +
		"-----BEGIN PGP SIGNATURE-----\n\nwsBcBAEBCgAQ\n=abcd\n-----END PGP SIGNATURE-----\n"
}

// posted returns a form with these files in it, in pairs of field and content.
func posted(tb testing.TB, path string, files ...[2]string) formattest.Upload {
	tb.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("boundary"); err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		f, err := w.CreateFormFile(file[0], "file")
		if err == nil {
			_, err = f.Write([]byte(file[1]))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return formattest.Upload{Method: "POST", Path: path, Type: w.FormDataContentType(), Body: b.Bytes()}
}
