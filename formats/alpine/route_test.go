package alpine_test

import (
	"errors"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	get := func(paths ...string) format.Op { return format.Op{Kind: format.Get, Paths: paths} }
	for _, tt := range []struct {
		name, method, path string
		want               format.Op
		err                error
	}{
		{"the root is listed", "GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"a folder is listed", "GET", "v3/", format.Op{Kind: format.List, Paths: []string{"v3/"}}, nil},
		{"an index is read", "GET", "v3/x86_64/APKINDEX.tar.gz", get("v3/x86_64/APKINDEX.tar.gz"), nil},
		{"a package may be for all architectures", "GET", "v3/x86_64/a-1.apk", get("v3/x86_64/a-1.apk", "v3/noarch/a-1.apk"), nil},
		{"a package of the root may be, too", "GET", "x86_64/a-1.apk", get("x86_64/a-1.apk", "noarch/a-1.apk"), nil},
		{"a sidecar goes with its package", "GET", "x86_64/a-1.apk.asc", get("x86_64/a-1.apk.asc", "noarch/a-1.apk.asc"), nil},
		{"a bundle goes with its package", "GET", "x86_64/a-1.apk.sigstore.json", get("x86_64/a-1.apk.sigstore.json", "noarch/a-1.apk.sigstore.json"), nil},
		{"a package for all is read", "GET", "noarch/a-1.apk", get("noarch/a-1.apk"), nil},
		{"a package below no architecture", "GET", "a-1.apk", get("a-1.apk"), nil},
		{"another file is read", "GET", "v3/x86_64/README", get("v3/x86_64/README"), nil},
		{"a package is uploaded", "PUT", "v3/main/a-1.apk", format.Op{Kind: format.Put, Dir: "v3/main", Name: "a-1.apk"}, nil},
		{"a package is uploaded to the root", "PUT", "a-1.apk", format.Op{Kind: format.Put, Name: "a-1.apk"}, nil},
		{"a package is uploaded without a name", "PUT", "v3/", format.Op{Kind: format.Put, Dir: "v3"}, nil},
		{"a package is uploaded to the root without a name", "PUT", "", format.Op{Kind: format.Put}, nil},
		{"an index is not uploaded", "PUT", "x86_64/APKINDEX.tar.gz", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like an index", "PUT", "APKINDEX.tar.gz/a-1.apk", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like a package", "PUT", "a-1.apk/a-1.apk", format.Op{}, format.ErrNotAllowed},
		{"a folder has no blank in its name", "PUT", "my packages/a-1.apk", format.Op{}, format.ErrNotAllowed},
		{"a folder has no quote in its name", "PUT", "x'y/", format.Op{}, format.ErrNotAllowed},
		{"a folder has no tag in its name", "PUT", "@edge/", format.Op{}, format.ErrNotAllowed},
		{"a signature is not uploaded", "PUT", "x86_64/a-1.apk.asc", format.Op{}, format.ErrNotAllowed},
		{"another file is not uploaded", "PUT", "README", format.Op{}, format.ErrNotAllowed},
		{"a package is deleted", "DELETE", "x86_64/a-1.apk", format.Op{Kind: format.Delete, Paths: []string{"x86_64/a-1.apk", "noarch/a-1.apk"}}, nil},
		{"an index is not deleted", "DELETE", "x86_64/APKINDEX.tar.gz", format.Op{}, format.ErrNotAllowed},
		{"a sidecar is not deleted", "DELETE", "x86_64/a-1.apk.asc", format.Op{}, format.ErrNotAllowed},
		{"a folder is not deleted", "DELETE", "x86_64/", format.Op{}, format.ErrNotAllowed},
		{"nothing is posted", "POST", "a-1.apk", format.Op{}, format.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t, alpine.Defaults()).Route(format.Request{Method: tt.method, Path: tt.path})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
