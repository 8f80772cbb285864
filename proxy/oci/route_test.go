package oci

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseRoute(t *testing.T) {
	for _, c := range []struct {
		path string
		want Route
	}{
		{"/v2/", Route{Kind: Base}},
		{"/v2", Route{Kind: Base}},
		{"/v2/_catalog", Route{Kind: Catalog}},
		{"/v2/app/tags/list", Route{Kind: Tags, Name: "app"}},
		{"/v2/team/app/manifests/1", Route{Kind: Manifest, Name: "team/app", Reference: "1"}},
		{"/v2/team/app/manifests/" + someDigest, Route{Kind: Manifest, Name: "team/app", Reference: someDigest}},
		{"/v2/a/manifests/b/manifests/1", Route{Kind: Manifest, Name: "a/manifests/b", Reference: "1"}},
		{"/v2/team/app/blobs/" + someDigest, Route{Kind: Blob, Name: "team/app", Reference: someDigest}},
		{"/v2/team/app/blobs/uploads/", Route{Kind: Upload, Name: "team/app"}},
		{"/v2/team/app/blobs/uploads/0a1b-2c", Route{Kind: Upload, Name: "team/app"}},
		{"/v2/team/app/blobs/upload/1:xyz", Route{Kind: Upload, Name: "team/app"}},
		{"/v2/team/app/referrers/" + someDigest, Route{Kind: Referrers, Name: "team/app", Reference: someDigest}},
	} {
		if got, err := ParseRoute(c.path); err != nil || got != c.want {
			t.Errorf("ParseRoute(%q) = %+v, %v, want %+v", c.path, got, err, c.want)
		}
	}
}

func TestParseRouteRefusesWhatServersReadDifferently(t *testing.T) {
	for _, path := range []string{
		"", "/", "/v1/", "/v2x/", "//v2/app/manifests/1",
		"/v2/app/../other/manifests/1", "/v2/./app/manifests/1", "/v2/app//manifests/1", "/v2/app/manifests/..",
		"/v2/app%2fmanifests%2f1", "/v2/app/manifests%2F1", "/v2/app/%2e%2e/manifests/1", "/v2/app;x/manifests/1", `/v2/app\manifests/1`,
		"/v2/App/manifests/1", "/v2/-app/manifests/1", "/v2/app-/manifests/1", "/v2/manifests/1", "/v2/_catalog/",
		"/v2/app/manifests/", "/v2/app/manifests/.1", "/v2/app/manifests/" + strings.Repeat("a", 129),
		"/v2/app/manifests/sha256:abc", "/v2/app/manifests/sha256:" + strings.Repeat("A", 64), "/v2/app/blobs/nothing:",
		"/v2/" + strings.Repeat("a", 256) + "/manifests/1", "/v2/app", "/v2/app/", "/v2/app/tags", "/v2/app/tags/list/", "/v2/app/other/1",
	} {
		got, err := ParseRoute(path)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("ParseRoute(%q) = %+v, %v, want an *Error", path, got, err)
			continue
		}
		if e.Status < 400 || e.Status > 499 || e.Code == "" || e.Message == "" {
			t.Errorf("ParseRoute(%q): %d %q %q", path, e.Status, e.Code, e.Message)
		}
	}
}

func TestAccessOfARoute(t *testing.T) {
	for _, c := range []struct {
		method string
		kind   Kind
		want   Access
	}{
		{http.MethodGet, Manifest, Read}, {http.MethodHead, Blob, Read}, {http.MethodGet, Upload, Push},
		{http.MethodPut, Manifest, Push}, {http.MethodPost, Upload, Push}, {http.MethodPatch, Upload, Push},
		{http.MethodDelete, Manifest, Delete}, {http.MethodDelete, Blob, Delete}, {http.MethodDelete, Upload, Push},
		{"PROPFIND", Manifest, Push},
	} {
		if got := (Route{Kind: c.kind}).Access(c.method); got != c.want {
			t.Errorf("%s on kind %d needs %s, want %s", c.method, c.kind, got, c.want)
		}
	}
}

// What is accepted must be a path that no server cleans, splits or decodes into another one.
func FuzzParseRoute(f *testing.F) {
	for _, s := range []string{"/v2/", "/v2/a/b/manifests/1", "/v2/a/blobs/uploads/x", "/v2/a/../b/tags/list", "/v2/a%2fb/manifests/1", "/v2/a/referrers/" + someDigest} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := ParseRoute(path)
		if err != nil {
			return
		}
		if r.Name != "" && !strings.HasPrefix(path, "/v2/"+r.Name+"/") {
			t.Errorf("%q has the name %q", path, r.Name)
		}
		if strings.ContainsAny(path, "%\\;") || strings.Contains(path, "//") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/..") {
			t.Errorf("%q was accepted", path)
		}
		if r.Kind == Manifest && path != "/v2/"+r.Name+"/manifests/"+r.Reference {
			t.Errorf("%q is %+v", path, r)
		}
	})
}
