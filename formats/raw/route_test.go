package raw_test

import (
	"errors"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"

	"github.com/google/go-cmp/cmp"
)

func TestRoute(t *testing.T) {
	for _, tt := range []struct {
		name, method, path string
		want               format.Op
		err                error
	}{
		{"a file is read", "GET", "a/b.txt", format.Op{Kind: format.Get, Paths: []string{"a/b.txt"}}, nil},
		{"checksums are read", "GET", "a/SHA256SUMS", format.Op{Kind: format.Get, Paths: []string{"a/SHA256SUMS"}}, nil},
		{"the root is listed", "GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"a folder is listed", "GET", "a/b/", format.Op{Kind: format.List, Paths: []string{"a/b/"}}, nil},
		{"a file is uploaded to a folder", "PUT", "a/b/c.txt", format.Op{Kind: format.Put, Dir: "a/b", Name: "c.txt"}, nil},
		{"a file is uploaded to the root", "PUT", "c.txt", format.Op{Kind: format.Put, Name: "c.txt"}, nil},
		{"a name is like that of checksums in small letters", "PUT", "sha256sums", format.Op{Kind: format.Put, Name: "sha256sums"}, nil},
		{"an upload to the root lacks a name", "PUT", "", format.Op{}, format.ErrMalformed},
		{"an upload to a folder lacks a name", "PUT", "a/", format.Op{}, format.ErrMalformed},
		{"checksums are not uploaded", "PUT", "SHA256SUMS", format.Op{}, format.ErrNotAllowed},
		{"checksums of a folder are not uploaded", "PUT", "a/SHA256SUMS", format.Op{}, format.ErrNotAllowed},
		{"a signature of checksums is not uploaded", "PUT", "a/SHA256SUMS.asc", format.Op{}, format.ErrNotAllowed},
		{"a folder is not named like checksums", "PUT", "a/SHA256SUMS/b", format.Op{}, format.ErrNotAllowed},
		{"a file is deleted", "DELETE", "a/b", format.Op{Kind: format.Delete, Paths: []string{"a/b"}}, nil},
		{"a folder is not deleted", "DELETE", "a/", format.Op{}, format.ErrNotAllowed},
		{"checksums are not deleted", "DELETE", "a/SHA256SUMS", format.Op{}, format.ErrNotAllowed},
		{"a signature of checksums is not deleted", "DELETE", "SHA256SUMS.asc", format.Op{}, format.ErrNotAllowed},
		{"nothing is posted", "POST", "a", format.Op{}, format.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, raw.Defaults())
			got, err := f.Route(format.Request{Method: tt.method, Path: tt.path})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChecksumsAndTheirSignatureBelongTogether(t *testing.T) {
	together := open(t, raw.Defaults()).Spec().Together
	for p, want := range map[string]string{
		"SHA256SUMS":           "SHA256SUMS",
		"SHA256SUMS.asc":       "SHA256SUMS",
		"a/b/SHA256SUMS":       "a/b/SHA256SUMS",
		"a/b/SHA256SUMS.asc":   "a/b/SHA256SUMS",
		"a/b/file":             "",
		"a/b/file.asc":         "",
		"a/SHA256SUMS/b":       "",
		"a/NOT-SHA256SUMS":     "",
		"a/SHA256SUMS.asc.asc": "",
	} {
		if got := together(p); got != want {
			t.Errorf("together(%q) = %q, want %q", p, got, want)
		}
	}
}

func open(t testing.TB, s raw.Settings) *raw.Format {
	t.Helper()
	f, err := raw.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
