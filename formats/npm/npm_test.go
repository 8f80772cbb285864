package npm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
)

// house returns a repository with some packages.
func house(t *testing.T) *formattest.House {
	t.Helper()
	h := formattest.NewHouse(t, open(t))
	for _, u := range []formattest.Upload{
		publish(t, "one", "1.0.0", pack(t, "package/package.json", manifest("one", "1.0.0", `, "scripts": {"install": "make"}, "_hidden": 1, "readme": "long"`)), nil),
		publish(t, "one", "2.0.0-rc.1", pack(t, "package/package.json", manifest("one", "2.0.0-rc.1", ""), "package/binding.gyp", "{}"),
			func(doc, _ map[string]any) { doc["dist-tags"] = map[string]any{"next": "2.0.0-rc.1"} }),
		publish(t, "@team/two", "0.1.0", pack(t, "two/package.json", manifest("@team/two", "0.1.0", `, "keywords": ["Blue", "green"]`)), nil),
	} {
		put(t, h, u)
	}
	return h
}

func put(t *testing.T, h *formattest.House, u formattest.Upload) {
	t.Helper()
	if err := h.Send(u); err != nil {
		t.Fatalf("%s: %v", u.Path, err)
	}
}

func fetch(t *testing.T, h *formattest.House, path string) packument {
	t.Helper()
	data, err := h.Fetch(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var p packument
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, data)
	}
	return p
}

func TestAPackumentSaysWhatTheTarballSays(t *testing.T) {
	h := house(t)
	data, err := h.Fetch("one")
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"_hidden", "readme", "elsewhere"} {
		if strings.Contains(string(data), no) {
			t.Errorf("the packument has %q: %s", no, data)
		}
	}
	p := fetch(t, h, "one")
	if p.Name != "one" || p.Tags["latest"] != "1.0.0" || p.Tags["next"] != "2.0.0-rc.1" || len(p.Versions) != 2 {
		t.Errorf("%+v", p)
	}
	if p.Time["1.0.0"] != "2026-02-03T04:05:06.000Z" || p.Time["created"] == "" || p.Time["modified"] == "" {
		t.Errorf("the times are %v", p.Time)
	}
	if got := p.Versions["1.0.0"].Dist.Tarball; !strings.HasSuffix(got, "/one/-/one-1.0.0.tgz") {
		t.Errorf("the tarball is at %q", got)
	}
	short := fetch(t, h, "-/install/one.json")
	if !short.Versions["1.0.0"].HasInstallScript || !short.Versions["2.0.0-rc.1"].HasInstallScript {
		t.Error("the short form does not say that there are scripts")
	}
}

func TestTagsFollowVersions(t *testing.T) {
	h := house(t)
	tags := func() map[string]string { return fetch(t, h, "one").Tags }
	put(t, h, formattest.Upload{Path: "-/package/one/dist-tags/stable", Body: []byte(`"1.0.0"`)})
	put(t, h, formattest.Upload{Path: "-/package/one/dist-tags/latest", Body: []byte(`"2.0.0-rc.1"`)})
	if got := tags(); got["stable"] != "1.0.0" || got["latest"] != "2.0.0-rc.1" {
		t.Errorf("the tags are %v", got)
	}
	put(t, h, formattest.Upload{Method: "DELETE", Path: "-/package/one/dist-tags/stable"})
	put(t, h, formattest.Upload{Method: "DELETE", Path: "one/-/one-2.0.0-rc.1.tgz/-rev/1-0"})
	if got := tags(); len(got) != 1 || got["latest"] != "1.0.0" {
		t.Errorf("after its version has gone the tags are %v", got)
	}
	data, err := h.Fetch("-/package/one/dist-tags")
	if err != nil || string(data) != `{"latest":"1.0.0"}`+"\n" {
		t.Errorf("%s, %v", data, err)
	}
}

func TestDeprecationsComeAndGo(t *testing.T) {
	h := house(t)
	put(t, h, formattest.Upload{Path: "one", Body: []byte(`{"name":"one","versions":{"1.0.0":{"deprecated":"use <2>"},"2.0.0-rc.1":{}}}`)})
	for _, path := range []string{"one", "-/install/one.json"} {
		if p := fetch(t, h, path); p.Versions["1.0.0"].Deprecated != "use <2>" || p.Versions["2.0.0-rc.1"].Deprecated != "" {
			t.Errorf("%s: %+v", path, p.Versions)
		}
	}
	put(t, h, formattest.Upload{Path: "one", Body: []byte(`{"name":"one","versions":{"1.0.0":{"deprecated":""}}}`)})
	if p := fetch(t, h, "one"); p.Versions["1.0.0"].Deprecated != "" || len(p.Versions["1.0.0"].Dist.Signatures) != 2 {
		t.Errorf("%+v", p.Versions)
	}
}

func TestASearchFindsWhatHasAllWords(t *testing.T) {
	h := house(t)
	for query, want := range map[string]string{
		"":                  "one @team/two",
		"?text=TWO":         "@team/two",
		"?text=blue+team":   "@team/two",
		"?text=blue+one":    "",
		"?text=version":     "", // the name of a member, and not what it says
		"?size=1":           "one",
		"?size=1&from=1":    "@team/two",
		"?size=-1&from=x":   "one @team/two",
		"?text=of+one&size": "one",
	} {
		data, err := h.Fetch("-/v1/search" + query)
		if err != nil {
			t.Fatal(err)
		}
		var hits struct {
			Objects []struct {
				Package struct{ Name, Version, Scope string }
			}
		}
		if err := json.Unmarshal(data, &hits); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range hits.Objects {
			names = append(names, o.Package.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
}

func TestOneVersionByItsNumberOrATag(t *testing.T) {
	h := house(t)
	for path, want := range map[string]string{"one/1.0.0": "1.0.0", "one/next": "2.0.0-rc.1", "one/latest": "1.0.0", "@team/two/latest": "0.1.0"} {
		data, err := h.Fetch(path)
		if err != nil || !strings.Contains(string(data), `"version":"`+want+`"`) || strings.Contains(string(data), format.Here) {
			t.Errorf("%s is %s, %v", path, data, err)
		}
	}
	for _, path := range []string{"one/3.0.0", "none/latest", "none", "-/npm/v1/nothing"} {
		if _, err := h.Fetch(path); err == nil {
			t.Errorf("there is a %s", path)
		}
	}
}

// npm puts the path of an address in the packument behind the address of the registry.
func TestProvenanceComesWithItsVersion(t *testing.T) {
	h := house(t)
	tarball := pack(t, "package/package.json", manifest("@team/built", "1.0.0", ""))
	put(t, h, publish(t, "@team/built", "1.0.0", tarball, func(doc, _ map[string]any) { attach(doc, "@team/built-1.0.0.sigstore", bundle(tarball)) }))
	const at = "-/npm/v1/attestations/@team/built@1.0.0"
	data, err := h.Fetch("@team/built")
	if err != nil || !strings.Contains(string(data), "/"+at+`"`) || !strings.Contains(string(data), "https://slsa.dev/provenance/v1") || strings.Contains(string(data), format.Here) {
		t.Errorf("the packument is %s, %v", data, err)
	}
	for _, path := range []string{at, "shelf/" + at} {
		if got, err := h.Fetch(path); err != nil || !strings.Contains(string(got), `"bundle":`+strings.ReplaceAll(bundle(tarball), ": ", ":")) {
			t.Errorf("at %s there is %s, %v", path, got, err)
		}
	}
	put(t, h, formattest.Upload{Method: "DELETE", Path: "@team/built/-/built-1.0.0.tgz/-rev/1-0"})
	for _, path := range []string{at, "-/npm/v1/attestations/one@1.0.0", "shelf" + at, "-/npm/v1/attestations/one"} {
		if got, err := h.Fetch(path); err == nil {
			t.Errorf("at %s there is %s", path, got)
		}
	}
}

func TestAnswersAndLogins(t *testing.T) {
	f := open(t)
	for _, tt := range []struct {
		name string
		a    format.Answer
		want string
	}{
		{"a refusal", format.Answer{Status: 409, Text: `it is "there"`}, `409 {"error":"it is \"there\""}`},
		{"nothing there", format.Answer{Status: 404, Text: "-/full/@a/b.json"}, `404 {"error":"there is no package \"@a/b\" here"}`},
		{"an upload", format.Answer{Status: 201}, `201 {"ok":true,"success":true}`},
		{"a deletion", format.Answer{Status: 204}, `200 {"ok":true,"success":true}`},
		{"a login", format.Answer{Status: 201, Op: format.Op{Kind: format.Login}, Key: "k"}, `201 {"ok":true,"success":true,"token":"k"}`},
	} {
		a := f.Answer(format.Site{}, format.Request{Method: "GET", Path: "@a/b"}, tt.a)
		if got := strings.TrimSpace(strings.Join([]string{jsonOf(t, a.Status), string(a.Data)}, " ")); got != tt.want || a.Type != "application/json" {
			t.Errorf("%s: %s as %s", tt.name, got, a.Type)
		}
	}
	r := format.Request{Method: "PUT", Path: "-/user/org.couchdb.user:alice"}
	if user, password, err := f.Login(r, []byte(`{"name":"alice","password":"p:w"}`)); err != nil || user != "alice" || password != "p:w" {
		t.Errorf("%s %s %v", user, password, err)
	}
	for _, body := range []string{`{"name":"bob","password":"p"}`, `{"password":"p"}`, `{"name":"alice","name":"alice"}`, `[]`, ``} {
		if _, _, err := f.Login(r, []byte(body)); err == nil {
			t.Errorf("%s is a login", body)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
