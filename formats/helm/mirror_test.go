package helm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// index is what helm repo index writes; more are further lines of the first entry.
func index(more string) string {
	return `apiVersion: v1
entries:
  foo:
  - apiVersion: v2
    created: "2026-11-28T07:00:00.123456789+01:00"
    description: A chart
    digest: ` + sum + `
    name: foo
` + more + `    urls:
    - foo-1.0.0.tgz
    version: 1.0.0
  - apiVersion: v2
    digest: sha256:` + sum + `
    name: foo
    urls:
    - https://charts.example.org/stable/foo-0.9.0.tgz
    version: 0.9.0
  - apiVersion: v2
    digest: ` + sum + `
    name: foo
    urls:
    - charts/foo.tgz
    version: 0.8.0
  - apiVersion: v2
    name: foo
    version: one
generated: "2026-11-28T07:00:00Z"
`
}

func unverified(text string) *formattest.Tree {
	return &formattest.Tree{Files: map[string][]byte{"index.yaml": []byte(text)}}
}

// Where a server may be asked, a chart that the index names there is fetched from there.
func TestChartsMayBeElsewhere(t *testing.T) {
	const address = "https://charts.example.org/stable/foo-0.9.0.tgz"
	u := unverified(index(""))
	u.Elsewhere = []string{address}
	_, files, err := u.Describe(open(t), "")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i, want := range []string{"foo-1.0.0.tgz", address, "charts/foo.tgz"} {
		if files[i].Source != want {
			t.Errorf("%s is at %s, want %s", files[i].Path, files[i].Source, want)
		}
	}
	if entry := string(files[1].Entries[0].Data); strings.Contains(entry, "example.org") {
		t.Errorf("our index says %s", entry)
	}
}

func TestAnIndexIsFollowedAsHelmWritesIt(t *testing.T) {
	u := unverified(index(""))
	e, files, err := u.Describe(open(t), "")
	if err != nil || e != (format.Edition{Order: 1795849200}) {
		t.Fatalf("%+v, %v", e, err)
	}
	got := ""
	for _, f := range files {
		got += fmt.Sprintf("%s in %s of %s %d %x\n", f.Path, f.Shard, f.Source, f.Size, f.SHA256)
	}
	want := "foo-1.0.0.tgz in foo of foo-1.0.0.tgz -1 " + sum + "\nfoo-0.9.0.tgz in foo of foo-0.9.0.tgz -1 " + sum +
		"\nfoo-0.8.0.tgz in foo of charts/foo.tgz -1 " + sum + "\n"
	if got != want {
		t.Errorf("the files are\n%s", got)
	}
	entry := "1.0.0\n" + `{"apiVersion":"v2","name":"foo","version":"1.0.0","description":"A chart","urls":["foo-1.0.0.tgz"],` +
		`"created":"2026-11-28T07:00:00.123456789+01:00","digest":"` + sum + `"}`
	if got := string(files[0].Entries[0].Data); got != entry {
		t.Errorf("the entry is %s", got)
	}
	if len(u.Fetched) != 1 {
		t.Errorf("where nobody signs, %q was fetched", u.Fetched)
	}
}

func TestIndexesThatCannotBeTakenAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"no YAML":                 "\x00",
		"a list":                  "[]",
		"another apiVersion":      strings.Replace(index(""), "apiVersion: v1", "apiVersion: v2", 1),
		"no apiVersion":           "entries: {}\n",
		"a key twice":             index("    name: foo\n"),
		"an alias":                index("    icon: &a x\n    home: *a\n"),
		"no digest":               strings.Replace(index(""), "digest: "+sum, "icon: x", 1),
		"a short digest":          strings.Replace(index(""), "digest: "+sum, "digest: "+sum[2:], 1),
		"no address":              strings.Replace(index(""), "    - foo-1.0.0.tgz\n", "    []\n", 1),
		"an address that climbs":  strings.Replace(index(""), "    - foo-1.0.0.tgz", "    - ../foo-1.0.0.tgz", 1),
		"an address with a query": strings.Replace(index(""), "    - foo-1.0.0.tgz", "    - foo-1.0.0.tgz?a=b", 1),
		"a date that is none":     strings.Replace(index(""), `generated: "2026-11-28T07:00:00Z"`, "generated: now", 1),
	} {
		if _, files, err := unverified(text).Describe(open(t), ""); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

func TestAnIndexIsThatOfItsSigner(t *testing.T) {
	signed := func() *formattest.Tree {
		u := unverified(index(""))
		u.Key = "they"
		u.Files["index.yaml.asc"] = u.Sign("they", scheme.OpenPGPArmored, []byte(index("")))
		return u
	}
	if _, files, err := signed().Describe(open(t), ""); err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for name, change := range map[string]func(*formattest.Tree){
		"no signature":  func(u *formattest.Tree) { delete(u.Files, "index.yaml.asc") },
		"another key":   func(u *formattest.Tree) { u.Key = "others" },
		"another index": func(u *formattest.Tree) { u.Files["index.yaml"] = []byte(index("    icon: x\n")) },
		"no armor": func(u *formattest.Tree) {
			u.Files["index.yaml.asc"] = u.Sign("they", scheme.OpenPGPBinary, []byte(index("")))
		},
	} {
		u := signed()
		change(u)
		if _, err := open(t).Follow(u, ""); !errors.Is(err, format.ErrMalformed) || len(u.Emitted) > 0 {
			t.Errorf("%s: %d entries, %v", name, len(u.Emitted), err)
		}
	}
	if _, err := open(t).Follow(&formattest.Tree{}, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a repository that there is not: %v", err)
	}
}
