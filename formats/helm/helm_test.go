package helm_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"

	"github.com/google/go-cmp/cmp"
)

func TestAnAuthorsProvenanceGoesBeforeOurs(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	c := chart{name: "foo", version: "1.0.0"}
	must(t, h.Put(c.file(), c.build(t)))
	ours, err := h.Fetch(c.file() + ".prov")
	must(t, err)
	if !strings.Contains(string(ours), "BEGIN PGP SIGNED MESSAGE") {
		t.Fatalf("ours is %s", ours)
	}
	theirs := c.provenance(t, "")
	must(t, h.Put(c.file()+".prov", []byte(theirs)))
	for path, want := range map[string]string{".prov": theirs, ".author.prov": theirs, ".repository.prov": string(ours)} {
		if got, err := h.Fetch(c.file() + path); err != nil || string(got) != want {
			t.Errorf("%s is %s, %v", path, got, err)
		}
	}
	must(t, h.Delete(c.file()+".prov"))
	if got, err := h.Fetch(c.file() + ".prov"); err != nil || string(got) != string(ours) {
		t.Errorf("when the author's is gone, it is %s, %v", got, err)
	}
	if err := h.Put("bar-1.0.0.tgz.prov", []byte(chart{name: "bar", version: "1.0.0"}.provenance(t, ""))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a provenance of a chart that there is not: %v", err)
	}
	must(t, h.Put(c.file()+".prov", []byte(theirs)))
	must(t, h.Delete("api/charts/foo/1.0.0"))
	if _, err := h.Fetch(c.file() + ".prov"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a provenance outlives its chart: %v", err)
	}
}

func TestVersionsAreListedFromTheNewestOn(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	sorted := []string{"v10", "2.0.0", "2.0.0-rc.10", "2.0.0-rc.2", "2.0.0-rc", "2.0.0-1.a", "2.0.0-1", "1.10.0", "1.9.0+b", "1.9.0+a", "1.9", "0.1.0-alpha"}
	for i := range sorted {
		c := chart{name: "foo", version: sorted[(i*5)%len(sorted)]} // 5 and 12 have no divisor
		must(t, h.Put(c.file(), c.build(t)))
	}
	other := chart{name: "bar", version: "1.0.0"}
	must(t, h.Put(other.file(), other.build(t)))
	got, err := charts(h, "api/charts/foo")
	must(t, err)
	var versions []struct{ Version string }
	must(t, json.Unmarshal([]byte(got), &versions))
	var names []string
	for _, v := range versions {
		names = append(names, v.Version)
	}
	if diff := cmp.Diff(sorted, names); diff != "" {
		t.Error(diff)
	}
	all, err := charts(h, "api/charts")
	must(t, err)
	var index map[string]any
	if must(t, json.Unmarshal([]byte(all), &index)); len(index) != 2 {
		t.Errorf("all charts are %s", all)
	}
	one, err := charts(h, "api/charts/foo/1.10.0")
	if err != nil || !strings.Contains(one, `"version":"1.10.0"`) || strings.Contains(one, `"2.0.0"`) {
		t.Errorf("one is %s, %v", one, err)
	}
	for _, none := range []string{"api/charts/none", "api/charts/foo/3.0.0", "api/charts/foo/", "api/charts/foo/1.10.0/x"} {
		if got, err := charts(h, none); err != nil || got != "" {
			t.Errorf("%s: %s, %v", none, got, err)
		}
	}
}

func TestWhatIsSignedIsNoneOfTheUploadersText(t *testing.T) {
	c := chart{name: "foo", version: "1.0.0"}
	b := formattest.NewBlob(c.build(t))
	sealing, err := open(t).Seal(format.Site{}, format.Op{Kind: format.Put}, b)
	must(t, err)
	want := `{"apiVersion":"v2","name":"foo","version":"1.0.0","description":"It\n...\nfiles: none\n","keywords":["a","b"],` +
		`"maintainers":[{"name":"Jo","email":"jo@example.org"}],"appVersion":"1.16","annotations":{"a.b/c":"true"}}` +
		fmt.Sprintf("\n...\nfiles:\n  foo-1.0.0.tgz: sha256:%x\n", b.Digest(crypto.SHA256))
	if len(sealing.Seals) != 1 || sealing.Seals[0].Scheme != scheme.OpenPGPClearsigned || sealing.Seals[0].Purpose != scheme.Package {
		t.Fatalf("%+v", sealing)
	}
	if diff := cmp.Diff(want, string(sealing.Seals[0].Text)); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersAreThoseOfChartMuseum(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status, want int
		body         string
	}{
		{"POST", "api/charts", 201, 201, `{"saved":true}`},
		{"POST", "api/charts", 200, 201, `{"saved":true}`},
		{"POST", "api/prov", 201, 201, `{"saved":true}`},
		{"DELETE", "api/charts/foo/1.0.0", 204, 200, `{"deleted":true}`},
		{"POST", "api/charts", 400, 400, `{"error":"it is \"bad\""}`},
		{"GET", "api/charts/foo", 404, 404, `{"error":"it is \"bad\""}`},
		{"PUT", "foo-1.0.0.tgz", 409, 409, ""},
		{"PUT", "foo-1.0.0.tgz", 201, 201, ""},
	} {
		r := format.Request{Method: tt.method, Path: tt.path}
		a := open(t).Answer(format.Site{}, r, format.Answer{Status: tt.status, Text: `it is "bad"`})
		if a.Status != tt.want || strings.TrimSpace(string(a.Data)) != tt.body {
			t.Errorf("%s %s, %d: %d %s", tt.method, tt.path, tt.status, a.Status, a.Data)
		}
	}
}

func TestRoute(t *testing.T) {
	const file = "foo-1.0.0.tgz"
	get := func(paths ...string) format.Op { return format.Op{Kind: format.Get, Paths: paths} }
	for _, tt := range []struct {
		method, path string
		want         format.Op
		err          error
	}{
		{"GET", "", format.Op{Kind: format.List, Paths: []string{""}}, nil},
		{"GET", "index.yaml", format.Op{Kind: format.Get, Paths: []string{"index.yaml"}, Type: "application/yaml"}, nil},
		{"GET", file, get(file), nil},
		{"GET", file + ".prov", get(file+".author.prov", file+".prov"), nil},
		{"GET", file + ".repository.prov", get(file + ".prov"), nil},
		{"GET", "api/charts/foo", format.Op{Kind: format.Render, Document: "api/charts/foo"}, nil},
		{"PUT", file, format.Op{Kind: format.Put, Name: file}, nil},
		{"PUT", file + ".prov", format.Op{Kind: format.Unwrap}, nil},
		{"PUT", file + ".author.prov", format.Op{}, format.ErrNotAllowed},
		{"PUT", "folder/" + file, format.Op{}, format.ErrNotAllowed},
		{"PUT", "index.yaml", format.Op{}, format.ErrNotAllowed},
		{"POST", "api/charts/", format.Op{Kind: format.Unwrap}, nil},
		{"POST", "api/prov", format.Op{Kind: format.Unwrap}, nil},
		{"POST", "", format.Op{}, format.ErrNotAllowed},
		{"DELETE", "api/charts/foo/1.0.0", format.Op{Kind: format.Delete, Paths: []string{file}}, nil},
		{"DELETE", "api/charts/foo", format.Op{}, format.ErrNotAllowed},
		{"DELETE", file, format.Op{Kind: format.Delete, Paths: []string{file}}, nil},
		{"DELETE", file + ".prov", format.Op{Kind: format.Mark, Paths: []string{file}, Marks: map[string]string{"prov": ""}}, nil},
		{"DELETE", "index.yaml", format.Op{}, format.ErrNotAllowed},
	} {
		got, err := open(t).Route(format.Request{Method: tt.method, Path: tt.path})
		if diff := cmp.Diff(tt.want, got); !errors.Is(err, tt.err) || diff != "" {
			t.Errorf("%s %s: %v\n%s", tt.method, tt.path, err, diff)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
