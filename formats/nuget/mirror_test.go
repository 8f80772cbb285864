package nuget_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
)

func TestScopeIsThePackage(t *testing.T) {
	for p, want := range map[string]string{
		"v3/flat/acme.json/index.json":                      "acme.json",
		"v3/flat/Acme.Json/1.0.0/acme.json.1.0.0.nupkg":     "acme.json",
		"v3/flat/acme.json/1.0.0/acme.json.1.0.0.nupkg.asc": "acme.json",
		"v3/registration/acme.json/index.json":              "acme.json",
		"leaf?acme.json/1.0.0":                              "acme.json",
		"v3/index.json":                                     "",
		"v3/flat/":                                          "",
		"v3/flat/acme.json":                                 "",
		"v3/flat/a b/index.json":                            "",
		"search?q=acme.json":                                "",
		"v3/certificates/acme.json/x":                       "",
	} {
		if got, ok := open(t).Scope(p); ok != (want != "") || ok && got != want {
			t.Errorf("%s is of %q, %t", p, got, ok)
		}
	}
}

// feed returns an upstream of version 3 as most servers are: nobody has signed anything. It is at an address with a folder.
func feed() *formattest.Tree {
	const base = "https://feed.example.com/nuget"
	leaf := func(version, more string) string {
		return fmt.Sprintf(`{"@id":"%[1]s/v3/reg/acme.json/%[2]s.json","catalogEntry":{"@id":"x","id":"Acme.Json","version":"%[2]s","authors":"A, B","tags":["x","y z"],
			"description":"Reads JSON","published":"2020-01-02T03:04:05Z","other":{"a":1},%[3]s"dependencyGroups":[{"@id":"x","targetFramework":".NETStandard2.0",
			"dependencies":[{"@id":"x","id":"Acme.Core","range":"[1.0.0, )","registration":"%[1]s/v3/reg/acme.core/index.json"}]}]},
			"packageContent":"%[1]s/v3/content/acme.json/%[2]s/acme.json.%[2]s.nupkg"}`, base, version, more)
	}
	sum := sha512.Sum512([]byte("the package"))
	return &formattest.Tree{Files: map[string][]byte{
		"v3/index.json": []byte(`{"version":"3.0.0","resources":[{"@id":"` + base + `/v3/old/","@type":"RegistrationsBaseUrl"},{"@id":"` + base + `/v3/reg/","@type":"RegistrationsBaseUrl/3.6.0"}]}`),
		"v3/reg/acme.json/index.json": []byte(`{"@id":"` + base + `/v3/reg/acme.json/index.json","count":2,"items":[{"@id":"` + base + `/v3/reg/acme.json/page1.json","count":2,"lower":"1.0.0","upper":"1.1.0"},
			{"@id":"x","count":1,"items":[` + leaf("2.0.0-beta+build", `"listed":false,`) + `]}]}`),
		"v3/reg/acme.json/page1.json": []byte(`{"items":[` + leaf("1.0.0", "") + `,` + leaf("1.1.0", `"packageHashAlgorithm":"SHA512","packageHash":"`+base64.StdEncoding.EncodeToString(sum[:])+`",`) + `]}`),
	}}
}

func TestAFeedThatNobodySignedIsFollowedIfItIsTrusted(t *testing.T) {
	e, files, err := feed().Describe(open(t), "acme.json")
	if err != nil || e != (format.Edition{Shard: "acme.json"}) || len(files) != 3 {
		t.Fatalf("%+v, %d files, %v", e, len(files), err)
	}
	for i, want := range []struct{ version, check string }{{"1.0.0", "package acme.json 1.0.0"}, {"1.1.0", "sha512 "}, {"2.0.0-beta", "package acme.json 2.0.0-beta"}} {
		f := files[i]
		if f.Path != at("acme.json", want.version) || f.Name != "Acme.Json" || f.Version != want.version || f.Shard != "acme.json" || f.Size != -1 || f.SHA256 != nil ||
			!strings.HasPrefix(f.Check, want.check) || !strings.HasPrefix(f.Source, "v3/content/acme.json/"+want.version) {
			t.Errorf("file %d is %+v", i, f)
		}
		var said string
		for _, entry := range f.Entries {
			said += string(entry.Data)
		}
		for _, word := range []string{`"Acme.Core"`, `"range":"[1.0.0, )"`, `"tags":["x","y","z"]`, `"authors":"A, B"`, "\x01/v3/registration/acme.core/index.json", "\x01/" + f.Path, fmt.Sprintf(`"listed":%t`, i < 2)} {
			if !strings.Contains(said, word) {
				t.Errorf("of file %d nobody says %s: %q", i, word, said)
			}
		}
		if strings.Contains(said, "feed.example.com") || strings.Contains(said, `"source"`) {
			t.Errorf("file %d leads to the upstream: %q", i, said)
		}
	}
	compressed := feed()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(compressed.Files["v3/reg/acme.json/index.json"])
	z.Close()
	compressed.Files["v3/reg/acme.json/index.json"] = b.Bytes()
	if _, again, err := compressed.Describe(open(t), "acme.json"); err != nil || fmt.Sprint(again) != fmt.Sprint(files) {
		t.Errorf("compressed it is another: %v", err)
	}
	// nuget.org has its resources in folders beside v3.
	beside := feed()
	for p, data := range beside.Files {
		delete(beside.Files, p)
		p, data = strings.ReplaceAll(p, "v3/reg", "v3-reg"), bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("v3/reg"), []byte("v3-reg")), []byte("com/nuget"), []byte("com"))
		beside.Files[p] = data
	}
	if _, again, err := beside.Describe(open(t), "acme.json"); err != nil || len(again) != 3 {
		t.Errorf("beside v3: %d files, %v", len(again), err)
	}
}

func TestAFeedThatNobodySignedIsNotFollowedByAKey(t *testing.T) {
	u := feed()
	u.Key = "they"
	if _, err := open(t).Follow(u, "acme.json"); !errors.Is(err, fs.ErrNotExist) || len(u.Emitted) > 0 {
		t.Errorf("%d versions: %v", len(u.Emitted), err)
	}
	if _, err := open(t).Follow(feed(), "acme.xml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a package that there is not: %v", err)
	}
}

func TestBadFeedsAreRefused(t *testing.T) {
	for name, change := range map[string][3]string{ // file, what, by what
		"no service index":            {"v3/index.json", `{`, `[`},
		"no registration":             {"v3/index.json", `RegistrationsBaseUrl`, `Other`},
		"a registration elsewhere":    {"v3/reg/acme.json/index.json", `nuget/v3/reg/acme.json/index.json`, `other`},
		"a page elsewhere":            {"v3/reg/acme.json/index.json", `https://feed.example.com/nuget/v3/reg/acme.json/page1.json`, `https://evil.example.com/page1.json`},
		"a page that climbs":          {"v3/reg/acme.json/index.json", `v3/reg/acme.json/page1.json`, `../../page1.json`},
		"a page that climbs, escaped": {"v3/reg/acme.json/index.json", `v3/reg/acme.json/page1.json`, `%2e%2e/page1.json`},
		"a page that is not there":    {"v3/reg/acme.json/index.json", `page1.json`, `page2.json`},
		"a package elsewhere":         {"v3/reg/acme.json/page1.json", `https://feed.example.com/nuget/v3/content`, `https://evil.example.com/v3/content`},
		"a package that climbs":       {"v3/reg/acme.json/page1.json", `nuget/v3/content`, `nuget/../v3/content`},
		"another id":                  {"v3/reg/acme.json/page1.json", `"Acme.Json"`, `"Acme.Xml"`},
		"an id that climbs":           {"v3/reg/acme.json/page1.json", `"Acme.Json"`, `"../x"`},
		"no version":                  {"v3/reg/acme.json/page1.json", `"version":"1.0.0"`, `"version":"one"`},
		"a control character":         {"v3/reg/acme.json/page1.json", `Reads JSON`, `Reads \u0001/evil`},
		"a text without end":          {"v3/reg/acme.json/page1.json", `Reads JSON`, strings.Repeat("x", 20_000)},
		"a dependency on no id":       {"v3/reg/acme.json/page1.json", `"Acme.Core"`, `"../x"`},
		"a range with a newline":      {"v3/reg/acme.json/page1.json", `[1.0.0, )`, `1\n2`},
		"a framework with a tab":      {"v3/reg/acme.json/page1.json", `.NETStandard2.0`, `a\tb`},
	} {
		u := feed()
		before := string(u.Files[change[0]])
		after := strings.ReplaceAll(before, change[1], change[2])
		if before == after {
			t.Fatalf("%s: %s has no %q", name, change[0], change[1])
		}
		u.Files[change[0]] = []byte(after)
		if _, files, err := u.Describe(open(t), "acme.json"); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

func TestBadLinesAreRefused(t *testing.T) {
	const good = `{"sha256":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","size":5,"id":"Acme.Json","version":"1.0.0","listed":true,"published":"x"}` + "\n"
	if _, err := open(t).Describe("acme.json", "", []byte(good), nil); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no JSON":              {`{`, `[`},
		"two documents":        {"}\n", "}{}\n"},
		"a short digest":       {`"0011`, `"`},
		"a digest of letters":  {`0011`, `xx11`},
		"a size below zero":    {`:5`, `:-5`},
		"another package":      {"Acme.Json", "Acme.Xml"},
		"another form":         {"1.0.0", "1.0"},
		"a source that climbs": {`"size"`, `"source":"../x","size"`},
		"an absolute source":   {`"size"`, `"source":"/etc/passwd","size"`},
		"a source with a NUL":  {`"size"`, `"source":"a\u0000b","size"`},
	} {
		line := strings.Replace(good, change[0], change[1], 1)
		if f, err := open(t).Describe("acme.json", "", []byte(line), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if _, err := open(t).Describe("acme.xml", "", []byte(good), nil); !errors.Is(err, format.ErrMalformed) {
		t.Error("a line of another package is taken")
	}
}

// Where nobody says what a package's bytes are, it must say of itself that it is the one.
func TestAPackageSaysThatItIsTheOne(t *testing.T) {
	plain := pkg{id: "Acme.Json", version: "1.0"}.plain(t)
	check := func(check string, data []byte, size int) error {
		w, err := open(t).Check(check)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(data, size) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		return w.Close()
	}
	for _, size := range []int{1, 7, 1000, len(plain)} {
		if err := check("package acme.json 1.0.0", plain, size); err != nil {
			t.Errorf("in parts of %d bytes: %v", size, err)
		}
	}
	sum := sha512.Sum512(plain)
	if err := check(fmt.Sprintf("sha512 %x", sum), plain, 100); err != nil {
		t.Error(err)
	}
	for name, tt := range map[string]struct {
		check string
		data  []byte
	}{
		"another version":        {"package acme.json 1.0.1", plain},
		"another id":             {"package acme.xml 1.0.0", plain},
		"nothing":                {"package acme.json 1.0.0", nil},
		"half of it":             {"package acme.json 1.0.0", plain[:200]},
		"no archive":             {"package acme.json 1.0.0", bytes.Repeat([]byte("x"), 1<<20)},
		"sizes behind the files": {"package acme.json 1.0.0", pkg{id: "Acme.Json", version: "1.0"}.build(t)},
		"another digest":         {fmt.Sprintf("sha512 %x", sum), plain[1:]},
		"no digest":              {"sha512 ", plain},
	} {
		if err := check(tt.check, tt.data, 1000); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A repository in front of another one lists the same, by digests that are signed.
func TestASignedListIsFollowed(t *testing.T) {
	h := filled(t)
	u := &formattest.Tree{Files: h.Indexes()}
	e, files, err := u.Describe(open(t), "acme.json")
	if err != nil || e.Shard != "acme.json" || len(files) != 3 || len(u.Fetched) != 2 {
		t.Fatalf("%+v, %d files, fetched %q: %v", e, len(files), u.Fetched, err)
	}
	for _, f := range files {
		sum := h.Packages()[f.Path]
		if !bytes.Equal(f.SHA256, sum[:]) || f.Source != "" || f.Check != "" {
			t.Errorf("%+v is not %x", f, sum)
		}
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(u.Emitted[0]), &line); err != nil || line["id"] != "Acme.Json" {
		t.Errorf("the line is %s", u.Emitted[0])
	}
}
