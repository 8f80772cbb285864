package rpm_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"

	"github.com/google/go-cmp/cmp"
)

// checkXML ends the test if data is not a sequence of whole elements.
func checkXML(t *testing.T, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
	}
}

// entry returns the entry of a package in a group.
func entry(t *testing.T, p rpmfiletest.Package, group string) string {
	t.Helper()
	got, err := open(t).Parse(format.Op{}, formattest.NewBlob(p.Bytes()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got.Entries {
		if e.Group == group {
			checkXML(t, e.Data)
			return string(e.Data)
		}
	}
	t.Fatalf("no entry in %s", group)
	return ""
}

var fileTime = regexp.MustCompile(`<time file="[0-9]*"`)

// The packages were built by rpmbuild 4.18 from the specs beside them, and the metadata by createrepo_c 0.17.3. Only the
// time of the file on a disk is another here.
func TestMetadataIsThatOfCreaterepo(t *testing.T) {
	for _, group := range []string{"primary", "filelists", "other"} {
		want, err := os.ReadFile(filepath.Join("testdata", group+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, name := range []string{"hello-1.0~rc1-2.x86_64.rpm", "odd+pkg-3.0^git1~x-1.nosrc.rpm", "odd+pkg-3.0^git1~x-1.x86_64.rpm"} {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			p, err := open(t).Parse(format.Op{Name: name}, formattest.NewBlob(data), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Entries {
				if e.Group == group {
					got = append(got, e.Data...)
				}
			}
		}
		// What stands around the packages is the listing's.
		_, want, _ = bytes.Cut(want, []byte(" packages=\"3\">\n"))
		want = want[:bytes.LastIndex(want, []byte("</"))]
		blind := func(b []byte) string { return fileTime.ReplaceAllString(string(b), `<time file=""`) }
		if diff := cmp.Diff(blind(want), blind(got)); diff != "" {
			t.Errorf("%s: (-createrepo_c +ours)\n%s", group, diff)
		}
	}
}

func TestTextOfOtherTimes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"markup", `<a href="x">&amp;</a>`, `<summary>&lt;a href="x"&gt;&amp;amp;&lt;/a&gt;</summary>`},
		{"characters that XML cannot hold", "a\x01b\x1bc\x7fd\ufffee\uffff", "<summary>abc\x7fde</summary>"},
		{"a carriage return", "a\r\nb", "<summary>a&#13;\nb</summary>"},
		{"Latin-1", "na\xefve \xa4", "<summary>naïve ¤</summary>"},
		{"UTF-8", "naïve 日本", "<summary>naïve 日本</summary>"},
		{"the end of a section", "]]>", "<summary>]]&gt;</summary>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := entry(t, pkg("a", "1", "noarch").With(rpmfiletest.Localized(rpmfile.Summary, tt.text)), "primary")
			if !bytes.Contains([]byte(got), []byte(tt.want)) {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
	got := entry(t, pkg("a", "1", "noarch").With(rpmfiletest.Texts(rpmfile.ChangelogName, "\"a\" <b>\n\tc  ")), "other")
	if want := `author="&quot;a&quot; &lt;b&gt;&#10;&#9;c"`; !bytes.Contains([]byte(got), []byte(want)) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestFilesOfOldPackages(t *testing.T) {
	p := rpmfiletest.New("old", "1", "1", "noarch").With(
		rpmfiletest.Texts(rpmfile.OldFileNames, "/etc/old", "/usr/share/old"),
		rpmfiletest.Shorts(rpmfile.FileModes, 0o100644, 0o040755),
		rpmfiletest.Numbers(rpmfile.FileFlags, 0, 0))
	got := entry(t, p, "filelists")
	for _, want := range []string{"<file>/etc/old</file>", `<file type="dir">/usr/share/old</file>`} {
		if !bytes.Contains([]byte(got), []byte(want)) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestSymbolsOfLibc(t *testing.T) {
	names := []string{
		"libc.so.6()(64bit)", "libc.so.6(GLIBC_2.9)(64bit)", "libc.so.6(GLIBC_2.34)(64bit)", "libc.so.6(GLIBC_2.4)(64bit)",
		"libc.so.6(GLIBC_2.2.5)", "libc.so.6(GLIBC_2.2)", "libc.so.6(GLIBC_PRIVATE)(64bit)", "libc.so.6(GLIBC_ABI_DT_RELR)(64bit)", "zlib",
	}
	p := pkg("a", "1", "noarch").With(
		rpmfiletest.Texts(rpmfile.RequireName, names...),
		rpmfiletest.Numbers(rpmfile.RequireFlags, make([]uint32, len(names))...),
		rpmfiletest.Texts(rpmfile.RequireVersion, make([]string, len(names))...))
	const want = `    <rpm:requires>
      <rpm:entry name="libc.so.6(GLIBC_PRIVATE)(64bit)"/>
      <rpm:entry name="libc.so.6(GLIBC_ABI_DT_RELR)(64bit)"/>
      <rpm:entry name="zlib"/>
      <rpm:entry name="libc.so.6(GLIBC_2.34)(64bit)"/>
      <rpm:entry name="libc.so.6(GLIBC_2.2.5)"/>
    </rpm:requires>
`
	if got := entry(t, p, "primary"); !bytes.Contains([]byte(got), []byte(want)) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
