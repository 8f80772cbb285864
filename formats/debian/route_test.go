package debian_test

import (
	"errors"
	"testing"

	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	f := open(t, nil)
	put := func(dir, name string, waits bool) format.Op {
		return format.Op{Kind: format.Put, Dir: dir, Name: name, Waits: waits}
	}
	one := func(k format.Kind, path string) format.Op { return format.Op{Kind: k, Paths: []string{path}} }
	for _, tt := range []struct {
		method, path string
		want         format.Op
	}{
		{"GET", "dists/stable/InRelease", one(format.Get, "dists/stable/InRelease")},
		{"GET", "pool/stable/main/h/hello/hello_1.0_amd64.deb", one(format.Get, "pool/stable/main/h/hello/hello_1.0_amd64.deb")},
		{"GET", "", one(format.List, "")},
		{"GET", "pool/stable/", one(format.List, "pool/stable/")},
		{"PUT", "stable/main/hello_1.0_amd64.deb", put("stable/main", "hello_1.0_amd64.deb", false)},
		{"PUT", "stable/main/any name.deb", put("stable/main", "any name.deb", false)},
		{"PUT", "stable/main/", put("stable/main", "", false)},
		{"PUT", "stable/main", put("stable/main", "", false)},
		{"PUT", "bookworm-backports/non-free.x/a.deb", put("bookworm-backports/non-free.x", "a.deb", false)},
		{"PUT", "stable/main/hello_1.0-1.dsc", put("stable/main", "hello_1.0-1.dsc", false)},
		{"PUT", "stable/main/hello_1.0.orig.tar.gz", put("stable/main", "hello_1.0.orig.tar.gz", true)},
		{"PUT", "stable/main/hello_1.0.orig.tar.gz.asc", put("stable/main", "hello_1.0.orig.tar.gz.asc", true)},
		{"PUT", "stable/main/hello_1.0.orig-docs.tar.bz2", put("stable/main", "hello_1.0.orig-docs.tar.bz2", true)},
		{"PUT", "stable/main/hello_1.0-1.debian.tar.xz", put("stable/main", "hello_1.0-1.debian.tar.xz", true)},
		{"PUT", "stable/main/hello_1.0-1.diff.gz", put("stable/main", "hello_1.0-1.diff.gz", true)},
		{"PUT", "stable/main/hello_1.0.tar.lzma", put("stable/main", "hello_1.0.tar.lzma", true)},
		{"PUT", "stable/main/incoming/hello_1.0_amd64.deb", put("stable/main/incoming", "hello_1.0_amd64.deb", true)},
		{"PUT", "stable/main/incoming/hello_1.0-1.dsc", put("stable/main/incoming", "hello_1.0-1.dsc", true)},
		{"PUT", "stable/main/incoming/hello_1.0-1_amd64.buildinfo", put("stable/main/incoming", "hello_1.0-1_amd64.buildinfo", true)},
		{"PUT", "stable/main/incoming/hello_1.0-1_amd64.changes", put("stable/main/incoming", "hello_1.0-1_amd64.changes", false)},
		{"DELETE", "pool/stable/main/h/hello/hello_1.0_amd64.deb", one(format.Delete, "pool/stable/main/h/hello/hello_1.0_amd64.deb")},
		{"DELETE", "pool/stable/main/h/hello/hello_1.0-1.dsc", one(format.Delete, "pool/stable/main/h/hello/hello_1.0-1.dsc")},
		{"DELETE", "pool/stable/main/h/hello/hello_1.0.tar.xz", one(format.Delete, "pool/stable/main/h/hello/hello_1.0.tar.xz")},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got, err := f.Route(format.Request{Method: tt.method, Path: tt.path})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An upstream may have its packages anywhere, so that the tree alone says what there is.
func TestEveryPathCanBeAskedFor(t *testing.T) {
	f := open(t, nil)
	for p, want := range map[string]format.Kind{
		"InRelease": format.Get, "hello.deb": format.Get, "amd64/hello_1.0_amd64.deb": format.Get, "debian/": format.List,
	} {
		op, err := f.Route(format.Request{Method: "GET", Path: p})
		if err != nil || op.Kind != want || len(op.Paths) != 1 || op.Paths[0] != p {
			t.Errorf("%s: %+v, %v", p, op, err)
		}
	}
}

func TestRequestsThatMeanNothingAreRefused(t *testing.T) {
	f := open(t, nil)
	for _, tt := range []struct {
		method, path string
		want         error
	}{
		{"POST", "stable/main/", format.ErrNotAllowed},
		{"PUT", "", format.ErrNotAllowed},
		{"PUT", "hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "stable/", format.ErrNotAllowed},
		{"PUT", "stable/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "stable/main/more/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "stable/updates/main/incoming/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "dists/stable/InRelease", format.ErrNotAllowed},
		{"PUT", "dists/main/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "pool/stable/main/h/hello/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"PUT", "-stable/main/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/a main/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/mäin/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/incoming/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/Release/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/InRelease/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/Release.gpg.asc/a.deb", format.ErrNotAllowed},
		{"PUT", "stable/main/incoming/", format.ErrNotAllowed},
		{"PUT", "stable/main/hello_1.0_amd64.changes", format.ErrNotAllowed},
		{"PUT", "stable/main/hello_1.0_amd64.buildinfo", format.ErrNotAllowed},
		{"PUT", "stable/main/Release", format.ErrMalformed},
		{"PUT", "stable/main/hello_1.0_amd64.deb.asc", format.ErrMalformed},
		{"PUT", "stable/main/hello_1.0-1.dsc.asc", format.ErrMalformed},
		{"PUT", "stable/main/hello_1.0-1.debian.tar.xz.asc", format.ErrMalformed},
		{"PUT", "stable/main/hello_1.0_amd64.udeb", format.ErrMalformed},
		{"PUT", "stable/main/hello.tar.gz", format.ErrMalformed},
		{"PUT", "stable/main/hello_v1.tar.gz", format.ErrMalformed},
		{"PUT", "stable/main/hello_1.0.tar.zst", format.ErrMalformed},
		{"PUT", "stable/main/Hello_1.0.tar.gz", format.ErrMalformed},
		{"DELETE", "dists/stable/InRelease", format.ErrNotAllowed},
		{"DELETE", "pool/stable/main/h/hello/hello_1.0_amd64.deb.asc", format.ErrNotAllowed},
		{"DELETE", "stable/main/hello_1.0_amd64.deb", format.ErrNotAllowed},
		{"DELETE", "pool/stable/", format.ErrNotAllowed},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			op, err := f.Route(format.Request{Method: tt.method, Path: tt.path})
			if !errors.Is(err, tt.want) {
				t.Errorf("%+v, %v", op, err)
			}
		})
	}
}
