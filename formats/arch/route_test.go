package arch_test

import (
	"errors"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	get := func(paths ...string) format.Op { return format.Op{Kind: format.Get, Paths: paths} }
	put := func(dir, name string) format.Op { return format.Op{Kind: format.Put, Dir: dir, Name: name} }
	for _, tt := range []struct {
		name, method, path string
		want               format.Op
		err                error
	}{
		{"the root is listed", "GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"a folder is listed", "GET", "extra/", format.Op{Kind: format.List, Paths: []string{"extra/"}}, nil},
		{"a database is read", "GET", "extra/x86_64/extra.db", get("extra/x86_64/extra.db"), nil},
		{"a package of one architecture is read", "GET", "x86_64/a-1-1-x86_64.pkg.tar.zst", get("x86_64/a-1-1-x86_64.pkg.tar.zst"), nil},
		{"a package for all is found under each", "GET", "extra/x86_64/a-1-1-any.pkg.tar.zst",
			get("extra/x86_64/a-1-1-any.pkg.tar.zst", "extra/any/a-1-1-any.pkg.tar.zst"), nil},
		{"its signature, too", "GET", "x86_64/a-1-1-any.pkg.tar.zst.sig", get("x86_64/a-1-1-any.pkg.tar.zst.sig", "any/a-1-1-any.pkg.tar.zst.sig"), nil},
		{"its sidecar, too", "GET", "x86_64/a-1-1-any.pkg.tar.xz.asc", get("x86_64/a-1-1-any.pkg.tar.xz.asc", "any/a-1-1-any.pkg.tar.xz.asc"), nil},
		{"its bundle, too", "GET", "x86_64/a-1-1-any.pkg.tar.gz.sigstore.json",
			get("x86_64/a-1-1-any.pkg.tar.gz.sigstore.json", "any/a-1-1-any.pkg.tar.gz.sigstore.json"), nil},
		{"a package for all is read in its place", "GET", "any/a-1-1-any.pkg.tar.zst", get("any/a-1-1-any.pkg.tar.zst"), nil},
		{"a package is uploaded", "PUT", "a/extra/x.pkg.tar.zst", put("a/extra", "x.pkg.tar.zst"), nil},
		{"a package is uploaded to the root", "PUT", "x.pkg.tar.xz", put("", "x.pkg.tar.xz"), nil},
		{"a package is uploaded without a name", "PUT", "extra/", put("extra", ""), nil},
		{"a package of an older compression is not taken", "PUT", "x.pkg.tar.bz2", format.Op{}, format.ErrNotAllowed},
		{"a signature is not uploaded", "PUT", "extra/x.pkg.tar.zst.sig", format.Op{}, format.ErrNotAllowed},
		{"a database is not uploaded", "PUT", "extra/x86_64/extra.db", format.Op{}, format.ErrNotAllowed},
		{"a database is not uploaded by its long name", "PUT", "extra/x86_64/extra.db.tar.gz", format.Op{}, format.ErrNotAllowed},
		{"a list of files is not uploaded", "PUT", "extra/x86_64/extra.files", format.Op{}, format.ErrNotAllowed},
		{"a database's signature is not uploaded", "PUT", "extra/x86_64/extra.db.sig", format.Op{}, format.ErrNotAllowed},
		{"another file is not uploaded", "PUT", "README", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like a database", "PUT", "extra.db/x.pkg.tar.zst", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like a package", "PUT", "x.pkg.tar.zst/x.pkg.tar.zst", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like a signature", "PUT", "x.sig/x.pkg.tar.zst", format.Op{}, format.ErrNotAllowed},
		{"a folder has no bracket in its name", "PUT", "x]/x.pkg.tar.zst", format.Op{}, format.ErrNotAllowed},
		{"a folder has no dollar in its name", "PUT", "$repo/", format.Op{}, format.ErrNotAllowed},
		{"a package is deleted", "DELETE", "x86_64/a-1-1-any.pkg.tar.zst",
			format.Op{Kind: format.Delete, Paths: []string{"x86_64/a-1-1-any.pkg.tar.zst", "any/a-1-1-any.pkg.tar.zst"}}, nil},
		{"a database is not deleted", "DELETE", "x86_64/extra.db", format.Op{}, format.ErrNotAllowed},
		{"a signature is not deleted", "DELETE", "x86_64/a-1-1-any.pkg.tar.zst.sig", format.Op{}, format.ErrNotAllowed},
		{"a folder is not deleted", "DELETE", "x86_64/", format.Op{}, format.ErrNotAllowed},
		{"nothing is posted", "POST", "x.pkg.tar.zst", format.Op{}, format.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t, arch.Defaults()).Route(format.Request{Method: tt.method, Path: tt.path})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADatabaseAndItsSignatureBelongTogether(t *testing.T) {
	together := open(t, arch.Defaults()).Spec().Together
	for p, want := range map[string]string{
		"extra/x86_64/extra.db":                "extra/x86_64/extra.db",
		"extra/x86_64/extra.db.sig":            "extra/x86_64/extra.db",
		"extra/x86_64/extra.db.tar.gz":         "extra/x86_64/extra.db",
		"extra/x86_64/extra.db.tar.gz.sig":     "extra/x86_64/extra.db",
		"x86_64/extra.files.sig":               "x86_64/extra.files",
		"x86_64/extra.files.tar.gz":            "x86_64/extra.files",
		"x86_64/a-1-1-x86_64.pkg.tar.zst":      "",
		"x86_64/a-1-1-x86_64.pkg.tar.gz.sig":   "",
		"x86_64/a.db-1-1-x86_64.pkg.tar.zst":   "",
		"x86_64/extra.db/a-1-1-any.pkg.tar.gz": "",
	} {
		if got := together(p); got != want {
			t.Errorf("together(%q) = %q, want %q", p, got, want)
		}
	}
}
