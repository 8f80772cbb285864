package rpm_test

import (
	"errors"
	"testing"

	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	get := func(p string) format.Op { return format.Op{Kind: format.Get, Paths: []string{p}} }
	put := func(dir, name string) format.Op { return format.Op{Kind: format.Put, Dir: dir, Name: name} }
	for _, tt := range []struct {
		name, method, path string
		want               format.Op
		err                error
	}{
		{"a package is read", "GET", "el9/a-1-1.noarch.rpm", get("el9/a-1-1.noarch.rpm"), nil},
		{"metadata is read", "GET", "repodata/repomd.xml", get("repodata/repomd.xml"), nil},
		{"any other path is read", "GET", "a b/ä", get("a b/ä"), nil},
		{"the top is listed", "GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"a directory is listed", "GET", "el9/repodata/", format.Op{Kind: format.List, Paths: []string{"el9/repodata/"}}, nil},
		{"the configuration is rendered", "GET", "rpm.repo", format.Op{Kind: format.Render, Document: "rpm.repo"}, nil},
		{"that of a directory is rendered", "GET", "el9/rpm.repo", format.Op{Kind: format.Render, Document: "el9/rpm.repo"}, nil},
		{"a list of mirrors is rendered", "GET", "mirrorlist", format.Op{Kind: format.Render, Document: "mirrorlist"}, nil},
		{"that of a directory, too", "GET", "a/b/mirrorlist", format.Op{Kind: format.Render, Document: "a/b/mirrorlist"}, nil},
		{"metadata has no mirrors", "GET", "repodata/mirrorlist", get("repodata/mirrorlist"), nil},
		{"a package is uploaded to the top", "PUT", "a-1-1.noarch.rpm", put("", "a-1-1.noarch.rpm"), nil},
		{"a package is uploaded to a directory", "PUT", "el9/x86_64/a-1-1.noarch.rpm", put("el9/x86_64", "a-1-1.noarch.rpm"), nil},
		{"a package has all characters that it may", "PUT", "a+b_c-1~rc1^git-1.noarch.rpm", put("", "a+b_c-1~rc1^git-1.noarch.rpm"), nil},
		{"a package is uploaded without a name", "PUT", "el9/", put("el9", ""), nil},
		{"a package is uploaded without a name to the top", "PUT", "", put("", ""), nil},
		{"something else is not uploaded", "PUT", "a-1-1.noarch.deb", format.Op{}, format.ErrMalformed},
		{"a name with a space is not uploaded", "PUT", "a b.rpm", format.Op{}, format.ErrMalformed},
		{"metadata is not uploaded", "PUT", "repodata/repomd.xml", format.Op{}, format.ErrNotAllowed},
		{"a package is not uploaded into metadata", "PUT", "el9/repodata/a-1-1.noarch.rpm", format.Op{}, format.ErrNotAllowed},
		{"a package is not uploaded below metadata", "PUT", "repodata/el9/a-1-1.noarch.rpm", format.Op{}, format.ErrMalformed},
		{"a configuration is not uploaded", "PUT", "rpm.repo", format.Op{}, format.ErrNotAllowed},
		{"a list of mirrors is not uploaded", "PUT", "el9/mirrorlist", format.Op{}, format.ErrNotAllowed},
		{"a signature is not uploaded", "PUT", "a-1-1.noarch.rpm.asc", format.Op{}, format.ErrNotAllowed},
		{"a bundle is not uploaded", "PUT", "a-1-1.noarch.rpm.sigstore.json", format.Op{}, format.ErrNotAllowed},
		{"a directory is not called like a document", "PUT", "mirrorlist/a-1-1.noarch.rpm", format.Op{}, format.ErrMalformed},
		{"a directory is not called like a package", "PUT", "a.rpm/a-1-1.noarch.rpm", format.Op{}, format.ErrMalformed},
		{"a directory has no characters that URLs escape", "PUT", "a^b/a-1-1.noarch.rpm", format.Op{}, format.ErrMalformed},
		{"a directory is not hidden", "PUT", ".a/a-1-1.noarch.rpm", format.Op{}, format.ErrMalformed},
		{"a package is deleted", "DELETE", "el9/a-1-1.noarch.rpm", format.Op{Kind: format.Delete, Paths: []string{"el9/a-1-1.noarch.rpm"}}, nil},
		{"metadata is not deleted", "DELETE", "repodata/repomd.xml.asc", format.Op{}, format.ErrNotAllowed},
		{"a signature is not deleted", "DELETE", "a-1-1.noarch.rpm.asc", format.Op{}, format.ErrNotAllowed},
		{"a directory is not deleted", "DELETE", "el9/", format.Op{}, format.ErrNotAllowed},
		{"nothing is posted", "POST", "a-1-1.noarch.rpm", format.Op{}, format.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t).Route(format.Request{Method: tt.method, Path: tt.path})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRepomdAndItsSignatureBelongTogether(t *testing.T) {
	together := open(t).Spec().Together
	for p, want := range map[string]string{
		"repodata/repomd.xml":          "repodata/repomd.xml",
		"repodata/repomd.xml.asc":      "repodata/repomd.xml",
		"repodata/repomd.xml.key":      "repodata/repomd.xml",
		"a/b/repodata/repomd.xml.asc":  "a/b/repodata/repomd.xml",
		"a/b/repomd.xml.asc":           "",
		"repomd.xml":                   "",
		"xrepodata/repomd.xml":         "",
		"a/xrepodata/repomd.xml":       "",
		"repodata/00-primary.xml.gz":   "",
		"repodata/repomd.xml.asc/else": "",
		"a-1-1.noarch.rpm":             "",
	} {
		if got := together(p); got != want {
			t.Errorf("%s is in the set %q, want %q", p, got, want)
		}
	}
}
