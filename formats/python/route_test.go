package python_test

import (
	"errors"
	"testing"

	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	const (
		file  = "foo_bar-1.0.tar.gz"
		place = "simple/foo-bar/" + file
	)
	page := func(path, media string) format.Op {
		return format.Op{Kind: format.Get, Paths: []string{path}, Type: media}
	}
	get := func(path string) format.Op { return format.Op{Kind: format.Get, Paths: []string{path}} }
	mark := func(name string) format.Op {
		return format.Op{Kind: format.Mark, Paths: []string{place}, Marks: map[string]string{name: ""}}
	}
	const text, v1, html = "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
	for _, tt := range []struct {
		name, method, path, accept string
		want                       format.Op
		err                        error
	}{
		{"all projects", "GET", "simple/", "", page("simple/index.html", text), nil},
		{"all projects, for pip", "GET", "simple/", v1 + ", " + html + "; q=0.1, text/html; q=0.01", page("simple/index.json", v1), nil},
		{"a project", "GET", "simple/foo-bar/", "", page("simple/foo-bar/index.html", text), nil},
		{"a project, for a browser", "GET", "simple/foo-bar/", "text/html,application/xml;q=0.9,*/*;q=0.8", page("simple/foo-bar/index.html", text), nil},
		{"a project, by a version of HTML", "GET", "simple/foo-bar/", html, page("simple/foo-bar/index.html", html), nil},
		{"a project, by the newest JSON", "GET", "simple/foo-bar/", "application/vnd.pypi.simple.latest+json;q=1", page("simple/foo-bar/index.json", v1), nil},
		{"a project, rather in HTML", "GET", "simple/foo-bar/", v1 + ";q=0.5, text/html;q=0.7", page("simple/foo-bar/index.html", text), nil},
		{"a project, but for JSON", "GET", "simple/foo-bar/", v1 + ";q=0", page("simple/foo-bar/index.html", text), nil},
		{"another spelling", "GET", "simple/Foo_.bar/", "", page("simple/foo-bar/index.html", text), nil},
		{"a file under another spelling", "GET", "simple/Foo.Bar/" + file, "", get(place), nil},
		{"a page by its own name", "GET", "simple/foo-bar/index.json", "", page("simple/foo-bar/index.json", v1), nil},
		{"the root is listed", "GET", "", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"a form", "POST", "", "", format.Op{Kind: format.Unwrap}, nil},
		{"a form where PyPI takes it", "POST", "legacy/", "", format.Op{Kind: format.Unwrap}, nil},
		{"a form elsewhere", "POST", "simple/foo/", "", format.Op{}, format.ErrNotAllowed},
		{"an upload", "PUT", "simple/Foo.Bar/" + file, "", format.Op{Kind: format.Put, Dir: "simple/foo-bar", Name: file}, nil},
		{"an upload to the root", "PUT", file, "", format.Op{}, format.ErrNotAllowed},
		{"an upload of another kind", "PUT", "simple/foo-bar/foo.exe", "", format.Op{}, format.ErrNotAllowed},
		{"an upload with a name that needs escapes", "PUT", "simple/foo-bar/foo bar-1.0.tar.gz", "", format.Op{}, format.ErrNotAllowed},
		{"a page is not uploaded", "PUT", "simple/foo-bar/index.html", "", format.Op{}, format.ErrNotAllowed},
		{"metadata are not uploaded", "PUT", place + ".metadata", "", format.Op{}, format.ErrNotAllowed},
		{"the author's signature", "PUT", place + ".asc", "", format.Op{Kind: format.Unwrap}, nil},
		{"a yank", "PUT", place + "/yanked", "", format.Op{Kind: format.Unwrap}, nil},
		{"a yank is taken back", "DELETE", place + "/yanked", "", mark("yanked"), nil},
		{"the author's signature is taken back", "DELETE", place + ".asc", "", mark("author.asc"), nil},
		{"a file is deleted", "DELETE", "simple/foo_bar/" + file, "", format.Op{Kind: format.Delete, Paths: []string{place}}, nil},
		{"a project is not deleted", "DELETE", "simple/foo-bar/", "", format.Op{}, format.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t).Route(format.Request{Method: tt.method, Path: tt.path, Accept: tt.accept})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
