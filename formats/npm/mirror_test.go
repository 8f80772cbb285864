package npm_test

import (
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestScopesAreNamesOfPackages(t *testing.T) {
	f := open(t)
	for p, want := range map[string]string{
		"-/full/one.json": "one", "-/install/@team/two.json": "@team/two", "one/-/one-1.0.0.tgz": "one",
		"@team/two/-/two-1.0.0.tgz.asc": "@team/two", "-/package/@team/two/dist-tags": "@team/two", "-/package/one/dist-tags/next": "one",
		"one/latest": "one", "JSONStream/-/JSONStream-1.0.0.tgz": "JSONStream",
		"-/npm/v1/attestations/one@1.0.0": "-/npm/v1/attestations",
	} {
		if got, ok := f.Scope(p); !ok || got != want {
			t.Errorf("the scope of %s is %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{"", "-/ping", "-/whoami", "-/all", "-/v1/search?text=one", "-/npm/v1/keys", ".one", "@team", "-/full/.json", "-/full/one"} {
		if got, ok := f.Scope(p); ok {
			t.Errorf("the scope of %q is %q", p, got)
		}
	}
}

const tarball = "the bytes of a tarball"

func integrity(text string) string {
	sum := sha512.Sum512([]byte(text))
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func shasum(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A theirs is an upstream with one package, "one", of one version, 1.0.0.
type theirs struct {
	*formattest.Tree
	doc, manifest, dist map[string]any
}

func upstream() *theirs {
	u := &theirs{Tree: &formattest.Tree{Key: "they"}}
	u.dist = map[string]any{"integrity": integrity(tarball), "shasum": shasum(tarball), "tarball": "https://registry.example.com/one/-/one-1.0.0.tgz"}
	u.manifest = map[string]any{"name": "one", "version": "1.0.0", "dist": u.dist, "dependencies": map[string]any{"two": "^2"}, "_npmUser": "bob"}
	u.doc = map[string]any{
		"name": "one", "versions": map[string]any{"1.0.0": u.manifest}, "readme": "long", "_rev": "7",
		"dist-tags": map[string]any{"latest": "1.0.0", "next": "1.0.0", "gone": "0.1.0", "^1": "1.0.0"},
		"time":      map[string]any{"1.0.0": "2020-02-03T04:05:06.789Z", "created": "2020-02-03T04:05:06.789Z", "unpublished": map[string]any{}},
	}
	u.sign("one@1.0.0:" + integrity(tarball))
	return u
}

func (u *theirs) sign(text string) {
	sig := u.Sign("they", scheme.ECDSASHA256, []byte(text))
	u.dist["signatures"] = []any{map[string]any{"keyid": "SHA256:x", "sig": base64.StdEncoding.EncodeToString(sig)}}
}

func (u *theirs) describe(t *testing.T) ([]format.Foreign, error) {
	t.Helper()
	data, err := json.Marshal(u.doc)
	if err != nil {
		t.Fatal(err)
	}
	return u.describeText(t, string(data))
}

func (u *theirs) describeText(t *testing.T, text string) ([]format.Foreign, error) {
	t.Helper()
	u.Files = map[string][]byte{"one": []byte(text)}
	_, files, err := u.Describe(open(t), "one")
	return files, err
}

func entry(f format.Foreign, group string) string {
	for _, e := range f.Entries {
		if e.Group == group {
			return string(e.Data)
		}
	}
	return ""
}

func TestAVersionIsTakenOver(t *testing.T) {
	files, err := upstream().describe(t)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	f := files[0]
	if f.Path != "one/-/one-1.0.0.tgz" || f.Source != f.Path || f.Shard != "one" || f.Version != "1.0.0" || f.SHA256 != nil || f.Check != integrity(tarball) {
		t.Errorf("%+v", f)
	}
	if len(f.Seals) != 1 || string(f.Seals[0].Text) != "one@1.0.0:"+integrity(tarball) || f.Seals[0].Purpose != scheme.NPM {
		t.Errorf("the wishes are %+v", f.Seals)
	}
	want := `,"1.0.0":{"dependencies":{"two":"^2"},"name":"one","version":"1.0.0","_id":"one@1.0.0","dist":{"integrity":"` + integrity(tarball) +
		`","shasum":"` + shasum(tarball) + `","tarball":"` + format.Here + `/one/-/one-1.0.0.tgz","signatures":null}}`
	if got := entry(f, "full"); got != want {
		t.Errorf("the version is\n%s, want\n%s", got, want)
	}
	if got := entry(f, "behind"); got != `["latest","1.0.0"]`+"\n"+`["next","1.0.0"]`+"\n" {
		t.Errorf("the tags are %q", got)
	}
	if got := entry(f, "about"); !strings.Contains(got, `"time":"2020-02-03T04:05:06.789Z"`) {
		t.Errorf("what is known of it is %s", got)
	}
}

// What the upstream's signature says is what a tarball is held against, and nothing beside it.
func TestOnlyWhatIsSignedIsTaken(t *testing.T) {
	for what, change := range map[string]func(u *theirs){
		"no signature":                   func(u *theirs) { delete(u.dist, "signatures") },
		"somebody else's":                func(u *theirs) { u.Key = "others" },
		"another integrity":              func(u *theirs) { u.dist["integrity"] = integrity("other") },
		"none, and another shasum":       func(u *theirs) { delete(u.dist, "integrity"); u.dist["shasum"] = shasum("other") },
		"one that is signed and unknown": func(u *theirs) { u.dist["integrity"] = "md5-x"; u.sign("one@1.0.0:md5-x") },
		"the signature of another version": func(u *theirs) {
			u.manifest["version"] = "1.0.1"
			u.doc["versions"] = map[string]any{"1.0.1": u.manifest}
		},
		"the signature of another package": func(u *theirs) { u.sign("two@1.0.0:" + integrity(tarball)) },
		"no dist":                          func(u *theirs) { delete(u.manifest, "dist") },
		"another version in the manifest":  func(u *theirs) { u.manifest["version"] = "1.0.1" },
		"another name in the manifest":     func(u *theirs) { u.manifest["name"] = "two" },
		"another name":                     func(u *theirs) { u.doc["name"] = "two" },
		"no name":                          func(u *theirs) { delete(u.doc, "name") },
		"a tarball that climbs":            func(u *theirs) { u.dist["tarball"] = "https://registry.example.com/one/../two.tgz" },
		"a tarball nowhere":                func(u *theirs) { u.dist["tarball"] = "" },
		"a list of versions":               func(u *theirs) { u.doc["versions"] = []any{} },
	} {
		u := upstream()
		change(u)
		if files, err := u.describe(t); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", what, len(files), err)
		}
	}
	u := upstream()
	data, err := json.Marshal(u.doc)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"a version twice":   strings.Replace(string(data), `"versions":{`, `"versions":{"1.0.0":{},`, 1),
		"versions twice":    `{"versions":{},` + string(data[1:]),
		"a name twice":      strings.Replace(string(data), `"name":"one","version"`, `"name":"two","name":"one","version"`, 1),
		"more behind it":    string(data) + "{}",
		"half a packument":  string(data[:len(data)/2]),
		"no JSON":           "<html>",
		"nothing":           "",
		"a list":            "[]",
		"another packument": `{"name":"two","versions":{}}`,
	} {
		if files, err := u.describeText(t, text); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", what, len(files), err)
		}
	}
	if _, err := upstream().describe(t); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	if _, _, err := u.Describe(open(t), "two"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a package that is not there: %v", err)
	}
}

func TestWithoutAKeyNothingIsVerified(t *testing.T) {
	u := upstream()
	u.Key = ""
	delete(u.dist, "signatures")
	if files, err := u.describe(t); err != nil || len(files) != 1 || files[0].Check != integrity(tarball) {
		t.Errorf("%+v, %v", files, err)
	}
}

// Registries have grown: tarballs are in many places, old packages have a shasum alone, and some names and versions are
// none any more.
func TestWhatRegistriesHaveHad(t *testing.T) {
	u := upstream()
	delete(u.dist, "integrity")
	sum := sha1.Sum([]byte(tarball))
	u.sign("one@1.0.0:sha1-" + base64.StdEncoding.EncodeToString(sum[:]))
	files, err := u.describe(t)
	if err != nil || files[0].Check != "sha1-"+base64.StdEncoding.EncodeToString(sum[:]) || strings.Contains(entry(files[0], "full"), "integrity") {
		t.Errorf("a shasum alone: %+v, %v", files, err)
	}
	for at, want := range map[string]string{
		"http://localhost:4873/one/-/one-1.0.0.tgz":           "one/-/one-1.0.0.tgz",
		"https://a.example/api/npm/r/one/-/one-1.0.0.tgz?x=y": "one/-/one-1.0.0.tgz",
		"https://a.example/download/one/1.0.0/abc":            "download/one/1.0.0/abc",
		"https://a.example/x%20y/one.tgz":                     "x y/one.tgz",
	} {
		u := upstream()
		u.dist["tarball"] = at
		if files, err := u.describe(t); err != nil || files[0].Source != want || files[0].Path != "one/-/one-1.0.0.tgz" {
			t.Errorf("%s: %+v, %v", at, files, err)
		}
	}
	u = upstream()
	u.doc["versions"].(map[string]any)["not a version"] = map[string]any{}
	if files, err := u.describe(t); err != nil || len(files) != 1 {
		t.Errorf("something that is no version: %d files, %v", len(files), err)
	}
	for deprecated, want := range map[any]string{"use two": `"deprecated":"use two"`, false: "", true: `"deprecated":"deprecated"`, "": ""} {
		u := upstream()
		u.manifest["deprecated"] = deprecated
		files, err := u.describe(t)
		if err != nil || !strings.Contains(entry(files[0], "full"), want) || want == "" && strings.Contains(entry(files[0], "full"), "deprecated") {
			t.Errorf("deprecated: %v: %s, %v", deprecated, entry(files[0], "full"), err)
		}
		if marked := files[0].Marks["deprecated"]; (marked == "") != (want == "") {
			t.Errorf("deprecated: %v, and the mark is %q", deprecated, marked)
		}
	}
	for url, passes := range map[string]bool{
		"https://registry.example.com/-/npm/v1/attestations/one@1.0.0":   true,
		"https://registry.example.com/x/-/npm/v1/attestations/one@1.0.0": true,
		"https://registry.example.com/elsewhere/one@1.0.0":               false,
	} {
		u := upstream()
		u.dist["attestations"] = map[string]any{"url": url, "provenance": map[string]any{"predicateType": "https://slsa.dev/provenance/v1"}}
		want := `"attestations":{"provenance":{"predicateType":"https://slsa.dev/provenance/v1"},"url":"` + format.Here + `/-/npm/v1/attestations/one@1.0.0"}`
		if files, err := u.describe(t); err != nil || strings.Contains(entry(files[0], "full"), want) != passes {
			t.Errorf("attestations at %s: %v, %v", url, files, err)
		}
	}
}

func TestProvenanceIsFoundByItsPath(t *testing.T) {
	f := open(t)
	sum := make([]byte, 32)
	for p, want := range map[string]string{"one@1.0.0": "one 1.0.0", "@team/two@1.0.0-rc.1": "@team/two 1.0.0-rc.1"} {
		got, err := f.Found("-/npm/v1/attestations/"+p, sum, 7)
		if err != nil || got.Name+" "+got.Version != want || got.Size != 7 || got.Shard != "-/npm/v1/attestations" {
			t.Errorf("%s: %+v, %v", p, got, err)
		}
	}
	for _, p := range []string{"-/npm/v1/attestations/one", "-/npm/v1/attestations/@team", "-/npm/v1/attestations/one@latest", "one", ""} {
		if got, err := f.Found(p, sum, 7); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", p, got, err)
		}
	}
}

func TestChecks(t *testing.T) {
	f := open(t)
	sum := sha1.Sum([]byte(tarball))
	for _, check := range []string{integrity(tarball), "sha1-" + base64.StdEncoding.EncodeToString(sum[:])} {
		for text, good := range map[string]bool{tarball: true, tarball + " ": false, "": false} {
			w, err := f.Check(check)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, text)
			if err := w.Close(); (err == nil) != good || err != nil && !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%q by %s: %v", text, check, err)
			}
		}
	}
	for _, check := range []string{"", "sha512-", "sha512-AAAA", "md5-AAAA", integrity(tarball) + "=", "sha1-" + strings.TrimPrefix(integrity(tarball), "sha512-")} {
		if _, err := f.Check(check); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%q is a check: %v", check, err)
		}
	}
}
