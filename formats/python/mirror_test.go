package python_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// unverified returns an upstream that is trusted without a key and has the page of foo.
func unverified(page string) *formattest.Tree {
	return &formattest.Tree{Files: map[string][]byte{"simple/foo/": []byte(page)}}
}

func TestLinksAreFollowedAsServersWriteThem(t *testing.T) {
	page := `<!DOCTYPE html><html><head><title>Links for foo</title></head><body><h1>Links for foo</h1>
	<!-- <a href="foo-0.9.tar.gz#sha256=` + sum + `">hidden</a> -->
	<a href="/packages/foo-1.0.tar.gz#sha256=` + sum + `">foo-1.0.tar.gz</a><br>
	<A HREF='../../packages/foo-1.1-py3-none-any.whl#sha256=` + strings.ToUpper(sum) + `' data-requires-python=">=3.8" data-yanked rel=internal>x</A>
	<a
	  href = foo-1.2%2Bcu.zip#egg=foo&amp;sha256=` + sum + ` data-yanked="it &quot;burns&quot;">foo</a>
	<a href="https://files.example.org/ab/foo-1.4%2Bcu.tar.gz#sha256=` + sum + `">foo-1.4+cu.tar.gz</a>
	<a href="foo-1.3.egg#sha256=` + sum + `">left out</a><a href="bar-1.0.tar.gz">left out</a><a name="x">left out</a><abbr>left out</abbr>
	</body></html>`
	u := unverified(page)
	e, files, err := u.Describe(open(t), "foo")
	if err != nil || e != (format.Edition{Shard: "foo"}) {
		t.Fatalf("%+v, %v", e, err)
	}
	got := ""
	for _, f := range files {
		got += fmt.Sprintf("%s %s of %s %d %x\n", f.Path, f.Version, f.Source, f.Size, f.SHA256)
	}
	want := "simple/foo/foo-1.0.tar.gz 1.0 of packages/foo-1.0.tar.gz -1 " + sum + "\n" +
		"simple/foo/foo-1.1-py3-none-any.whl 1.1 of packages/foo-1.1-py3-none-any.whl -1 " + sum + "\n" +
		"simple/foo/foo-1.2+cu.zip 1.2+cu of simple/foo/foo-1.2+cu.zip -1 " + sum + "\n" +
		"simple/foo/foo-1.4+cu.tar.gz 1.4+cu of https://files.example.org/ab/foo-1.4%2Bcu.tar.gz -1 " + sum + "\n"
	if got != want {
		t.Errorf("the files are\n%s", got)
	}
	for i, attributes := range []string{``, ` data-requires-python="&gt;=3.8" data-yanked=""`, ` data-yanked="it &#34;burns&#34;"`, ``} {
		if entry := string(files[i].Entries[0].Data); !strings.Contains(entry, ` data-gpg-sig="true"`+attributes+`>`) {
			t.Errorf("the entry is %s", entry)
		}
	}
	if len(u.Fetched) != 1 {
		t.Errorf("where nobody signs, %q was fetched", u.Fetched)
	}
}

func TestMetadataBesideAFileAreAFileOfTheirOwn(t *testing.T) {
	other := strings.Repeat("ab", 32)
	for attributes, want := range map[string]string{
		`data-core-metadata="sha256=` + sum + `"`:                                                sum,
		`data-dist-info-metadata="sha256=` + sum + `"`:                                           sum,
		`data-core-metadata="sha256=` + sum + `" data-dist-info-metadata="sha256=` + other + `"`: sum,
		`data-core-metadata="` + sum + `"`:                                                       "",
		`data-core-metadata="true"`:                                                              "",
		`data-core-metadata="sha256=` + sum[2:] + `"`:                                            "",
		`data-core-metadata="md5=` + sum[:32] + `"`:                                              "",
		`data-core-metadata="false" data-dist-info-metadata="sha256=` + sum + `"`:                "",
		`data-requires-python=">=3"`:                                                             "",
	} {
		page := `<a href="https://files.example.org/a%2Bb/foo-1.0-py3-none-any.whl#sha256=` + other + `" ` + attributes + `>`
		_, files, err := unverified(page).Describe(open(t), "foo")
		if err != nil || files[0].Of != "" || len(files) != 1 && want == "" || len(files) != 2 && want != "" {
			t.Errorf("%s: %+v, %v", attributes, files, err)
			continue
		}
		if said := strings.Contains(string(files[0].Entries[0].Data), `data-core-metadata="sha256=`+sum+`"`); said != (want != "") {
			t.Errorf("%s: the entry is %s", attributes, files[0].Entries[0].Data)
		}
		if want == "" {
			continue
		}
		if m := files[1]; m.Path != files[0].Path+".metadata" || m.Source != "https://files.example.org/a%2Bb/foo-1.0-py3-none-any.whl.metadata" ||
			m.Of != files[0].Path || fmt.Sprintf("%x", m.SHA256) != want || len(m.Entries) != 0 {
			t.Errorf("%s: the metadata are %+v", attributes, m)
		}
	}
}

func TestPagesThatCannotBeTakenAreRefused(t *testing.T) {
	for name, page := range map[string]string{
		"a server without a scheme":    `<a href="//files.example.org/foo-1.0.tar.gz#sha256=` + sum + `">`,
		"another scheme":               `<a href="ftp://files.example.org/foo-1.0.tar.gz#sha256=` + sum + `">`,
		"a server with a password":     `<a href="https://a:b@files.example.org/foo-1.0.tar.gz#sha256=` + sum + `">`,
		"another server with a query":  `<a href="https://files.example.org/foo-1.0.tar.gz?x#sha256=` + sum + `">`,
		"a long address":               `<a href="https://files.example.org/` + strings.Repeat("x", 2100) + `/foo-1.0.tar.gz#sha256=` + sum + `">`,
		"no digest":                    `<a href="foo-1.0.tar.gz">`,
		"MD5 alone":                    `<a href="foo-1.0.tar.gz#md5=d41d8cd98f00b204e9800998ecf8427e">`,
		"a short digest":               `<a href="foo-1.0.tar.gz#sha256=` + sum[2:] + `">`,
		"an address with a query":      `<a href="foo-1.0.tar.gz?x#sha256=` + sum + `">`,
		"two addresses":                `<a href="foo-1.0.tar.gz#sha256=` + sum + `" href="x">`,
		"a link without an end":        `<a href="foo-1.0.tar.gz#sha256=` + sum,
		"a comment without an end":     `<!-- `,
		"a base":                       `<base href="/elsewhere/">`,
		"a newline in a version":       `<a href="foo-1.0.tar.gz#sha256=` + sum + `" data-requires-python="&#10;">`,
		"a link of endless length":     `<a href="` + strings.Repeat("x", 20_000) + `">`,
		"attributes without number":    `<a ` + strings.Repeat("x", 10) + strings.Repeat(" y", 100) + `>`,
		"a file without a good escape": `<a href="%zz/foo-1.0.tar.gz#sha256=` + sum + `">`,
	} {
		if _, files, err := unverified(page).Describe(open(t), "foo"); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

func TestAPageIsThatOfItsSigner(t *testing.T) {
	page := `<a href="foo-1.0.tar.gz#sha256=` + sum + `">`
	signed := func() *formattest.Tree {
		u := unverified(page)
		u.Key = "they"
		u.Files["simple/foo/index.html.asc"] = u.Sign("they", scheme.OpenPGPArmored, []byte(page))
		return u
	}
	if _, files, err := signed().Describe(open(t), "foo"); err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for name, change := range map[string]func(*formattest.Tree){
		"no signature": func(u *formattest.Tree) { delete(u.Files, "simple/foo/index.html.asc") },
		"another key":  func(u *formattest.Tree) { u.Key = "others" },
		"another page": func(u *formattest.Tree) { u.Files["simple/foo/"] = []byte(page + page) },
		"no armor": func(u *formattest.Tree) {
			u.Files["simple/foo/index.html.asc"] = u.Sign("they", scheme.OpenPGPBinary, []byte(page))
		},
		"another's page's": func(u *formattest.Tree) {
			u.Files["simple/foo/index.html.asc"] = u.Sign("they", scheme.OpenPGPArmored, []byte("x"))
		},
	} {
		u := signed()
		change(u)
		if _, err := open(t).Follow(u, "foo"); !errors.Is(err, format.ErrMalformed) || len(u.Emitted) > 0 {
			t.Errorf("%s: %d links, %v", name, len(u.Emitted), err)
		}
	}
	if _, err := open(t).Follow(signed(), "bar"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a project that there is not: %v", err)
	}
}

func TestScopeIsTheProject(t *testing.T) {
	for p, want := range map[string]string{
		"simple/foo/": "foo", "simple/Foo_Bar/x.whl": "foo-bar", "simple/foo/index.html.asc": "foo", "simple/": "", "simple/index.html": "", "": "", "x/foo/y": "",
	} {
		if got, ok := open(t).Scope(p); ok != (want != "") || ok && got != want {
			t.Errorf("%s is in %q, %t", p, got, ok)
		}
	}
	for _, scope := range []string{"..", "a/b", "Foo", ""} {
		if _, err := open(t).Describe(scope, "", []byte(`<a href="foo-1.0.tar.gz#sha256=`+sum+`">`), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("the project %q: %v", scope, err)
		}
	}
}
