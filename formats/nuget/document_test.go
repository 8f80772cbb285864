package nuget_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

// filled returns a house with some packages.
func filled(t *testing.T) *formattest.House {
	t.Helper()
	h := formattest.NewHouse(t, open(t))
	for _, p := range []pkg{
		{id: "Acme.Json", version: "1.0.0"},
		{id: "Acme.Json", version: "1.2.0"},
		{id: "Acme.Json", version: "2.0.0-beta"},
		{id: "Acme.Xml", version: "0.1.0-alpha", metadata: "<tags>json, parser</tags><title>XML tools</title>"},
		{id: "Tool", version: "3.0.0", metadata: `<packageTypes><packageType name="DotnetTool" /></packageTypes><summary>Runs Acme</summary>`},
	} {
		if err := h.Put("v3/package", p.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func fetchJSON(t *testing.T, h *formattest.House, p string, to any) {
	t.Helper()
	data, err := h.Fetch(p)
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatalf("%s is %s: %v", p, data, err)
	}
}

func TestSearch(t *testing.T) {
	h := filled(t)
	for query, want := range map[string]string{
		"":                                  "Acme.Json 1.2.0, Tool 3.0.0",
		"q=":                                "Acme.Json 1.2.0, Tool 3.0.0",
		"q=&prerelease=true":                "Acme.Json 2.0.0-beta, Acme.Xml 0.1.0-alpha, Tool 3.0.0",
		"q=JSON&prerelease=true":            "Acme.Json 2.0.0-beta, Acme.Xml 0.1.0-alpha",
		"q=acme+json&prerelease=true":       "Acme.Json 2.0.0-beta, Acme.Xml 0.1.0-alpha",
		"q=acme":                            "Acme.Json 1.2.0, Tool 3.0.0",
		"q=tool&prerelease=true":            "Tool 3.0.0, Acme.Xml 0.1.0-alpha",
		"q=packageid:acme.json":             "Acme.Json 1.2.0",
		"q=packageid:acme":                  "",
		"q=nothing":                         "",
		"q=%22":                             "",
		"q=%26+hello":                       "Acme.Json 1.2.0, Tool 3.0.0",
		"packageType=DotnetTool":            "Tool 3.0.0",
		"packageType=dependency":            "Acme.Json 1.2.0",
		"prerelease=true&take=1":            "Acme.Json 2.0.0-beta",
		"prerelease=true&skip=1&take=1":     "Acme.Xml 0.1.0-alpha",
		"prerelease=true&skip=9":            "",
		"take=0":                            "",
		"take=-5&skip=-5":                   "",
		"take=x&skip=99999999999999999999":  "Acme.Json 1.2.0, Tool 3.0.0",
		"semVerLevel=2.0.0&prerelease=True": "Acme.Json 1.2.0, Tool 3.0.0",
	} {
		var found struct {
			TotalHits int
			Data      []struct{ ID, Version string }
		}
		fetchJSON(t, h, "v3/search?"+query, &found)
		var all []string
		for _, d := range found.Data {
			all = append(all, d.ID+" "+d.Version)
		}
		if got := strings.Join(all, ", "); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
		if !strings.ContainsAny(query, "=") && found.TotalHits != 2 {
			t.Errorf("%q has %d hits", query, found.TotalHits)
		}
	}
	var found struct {
		Data []struct{ Versions []struct{ Version string } }
	}
	fetchJSON(t, h, "v3/search?q=packageid:acme.json&prerelease=true", &found)
	if got := fmt.Sprint(found.Data[0].Versions); got != "[{1.0.0} {1.2.0} {2.0.0-beta}]" {
		t.Errorf("the versions are %s", got)
	}
}

func TestAutocomplete(t *testing.T) {
	h := filled(t)
	for query, want := range map[string][]string{
		"q=acme&prerelease=true":       {"Acme.Json", "Acme.Xml", "Tool"},
		"q=acme.":                      {"Acme.Json"},
		"id=Acme.Json":                 {"1.0.0", "1.2.0"},
		"id=acme.json&prerelease=true": {"1.0.0", "1.2.0", "2.0.0-beta"},
		"id=nothing":                   {},
	} {
		var found struct{ Data []string }
		fetchJSON(t, h, "v3/autocomplete?"+query, &found)
		if !slices.Equal(found.Data, want) || found.Data == nil {
			t.Errorf("%q finds %q, want %q", query, found.Data, want)
		}
	}
}

func TestWhatIsNotListedIsRegisteredAndNotFound(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	for _, version := range []string{"1.0.0", "2.0.0"} {
		if err := h.Put("v3/package", pkg{id: "Acme.Json", version: version, metadata: `<dependencies><dependency id="B" version="1.0" /></dependencies>`}.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string {
		var found struct {
			Data []struct{ Version string }
		}
		fetchJSON(t, h, "v3/search", &found)
		var leaf struct {
			CatalogEntry struct {
				Listed    bool
				Published string
			}
		}
		fetchJSON(t, h, "v3/registration/acme.json/2.0.0.json", &leaf)
		var flat struct{ Versions []string }
		fetchJSON(t, h, "v3/flat/acme.json/index.json", &flat)
		return fmt.Sprint(found.Data, leaf.CatalogEntry, flat.Versions)
	}
	const listed, unlisted = "[{2.0.0}] {true 2026-02-03T04:05:06+00:00} [1.0.0 2.0.0]", "[{1.0.0}] {false 1900-01-01T00:00:00+00:00} [1.0.0 2.0.0]"
	if got := state(); got != listed {
		t.Errorf("it is %s", got)
	}
	for range 2 {
		if err := h.Send(formattest.Upload{Method: "DELETE", Path: "v3/package/Acme.Json/2.0"}); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != unlisted {
			t.Errorf("not listed it is %s", got)
		}
	}
	if err := h.Send(formattest.Upload{Method: "POST", Path: "v3/package/Acme.Json/2.0"}); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != listed {
		t.Errorf("listed again it is %s", got)
	}
}

func TestTheServiceIndexNamesWhoSignsByHTTPSAlone(t *testing.T) {
	f := open(t)
	h := formattest.NewHouse(t, f)
	index := func(url string) string {
		d, err := f.Render(format.Site{Repository: "nuget", URL: url, Keys: h.Trusted().Keys()}, format.Op{Document: "index?"})
		if err != nil {
			t.Fatal(err)
		}
		return string(d.Data)
	}
	if got := index("http://127.0.0.1:8080/nuget"); strings.Contains(got, "RepositorySignatures") || !strings.Contains(got, `"http://127.0.0.1:8080/nuget/v3/package","@type":"PackagePublish/2.0.0"`) {
		t.Errorf("by http it is %s", got)
	}
	got := index("https://packages.example.com/nuget")
	for _, kind := range []string{"4.7.0", "4.9.0", "5.0.0"} {
		if !strings.Contains(got, `{"@id":"https://packages.example.com/nuget/v3/repository-signatures/index.json","@type":"RepositorySignatures/`+kind+`"}`) {
			t.Errorf("by https it is %s", got)
		}
	}
}

func TestRepositorySignaturesNameEveryCertificate(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	var signers struct {
		AllRepositorySigned bool
		SigningCertificates []struct {
			Fingerprints        map[string]string
			Subject, Issuer     string
			NotBefore, NotAfter string
			ContentURL          string
		}
	}
	fetchJSON(t, h, "v3/repository-signatures/index.json", &signers)
	certificates := h.Trusted().Certificates()
	if !signers.AllRepositorySigned || len(signers.SigningCertificates) != len(certificates) || len(certificates) != 2 {
		t.Fatalf("they are %+v", signers)
	}
	for i, c := range certificates {
		s, sum := signers.SigningCertificates[i], sha256.Sum256(c.Raw)
		if s.Fingerprints["2.16.840.1.101.3.4.2.1"] != hex.EncodeToString(sum[:]) || s.Subject != c.Subject.String() || s.NotAfter != c.NotAfter.UTC().Format("2006-01-02T15:04:05Z") {
			t.Errorf("certificate %d is %+v", i, s)
		}
		p, err := below(s.ContentURL)
		if err != nil {
			t.Fatal(err)
		}
		if der, err := h.Fetch(p); err != nil || !bytes.Equal(der, c.Raw) {
			t.Errorf("%s is no certificate: %v", p, err)
		}
	}
	if _, err := h.Fetch("v3/certificates/00.crt"); err == nil {
		t.Error("there is a certificate that nobody has")
	}
	site := format.Site{Repository: "nuget", URL: "https://packages.example.com/nuget", Keys: h.Trusted().Keys(), Behind: &format.Behind{}}
	d, err := open(t).Render(site, format.Op{Document: "signing?"})
	if err != nil || !bytes.Contains(d.Data, []byte(`"allRepositorySigned":false`)) {
		t.Errorf("in front of an upstream they are %s, %v", d.Data, err)
	}
}

func TestASignatureNamesTheRepositoryByHTTPS(t *testing.T) {
	f := open(t)
	keys := formattest.NewHouse(t, f).Trusted().Keys()
	for url, want := range map[string]string{
		"":                                   "https://localhost/nuget/v3/index.json",
		"http://127.0.0.1:8080/nuget":        "https://127.0.0.1:8080/nuget/v3/index.json",
		"https://packages.example.com/nuget": "https://packages.example.com/nuget/v3/index.json",
	} {
		s, err := f.Seal(format.Site{Repository: "nuget", URL: url, Keys: keys}, format.Op{}, formattest.NewBlob(pkg{}.build(t)))
		if err != nil || len(s.Seals) != 1 {
			t.Fatalf("%d wishes: %v", len(s.Seals), err)
		}
		if seal := s.Seals[0]; seal.Scheme != scheme.RSASHA256 || seal.Purpose != scheme.Package || !seal.Single || !bytes.Contains(seal.Text, []byte(want)) {
			t.Errorf("%q: the wish is %+v", url, seal)
		}
	}
}

func TestTheClientIsToldWhatIsWrong(t *testing.T) {
	f := open(t)
	put := format.Op{Kind: format.Put}
	for name, tt := range map[string]struct {
		url    string
		answer format.Answer
		want   string
	}{
		"a refusal":                    {"https://x", format.Answer{Status: 400, Text: "the package is “broken”\nfor good"}, "the package is ?broken??for good"},
		"a conflict":                   {"https://x", format.Answer{Status: 409, Text: "there are other bytes", Op: put}, "there are other bytes"},
		"a push":                       {"https://x", format.Answer{Status: 201, Text: "fine", Op: put}, ""},
		"a push to http":               {"http://x", format.Answer{Status: 201, Text: "fine", Op: put}, "public_url"},
		"a push to an unknown address": {"", format.Answer{Status: 201, Text: "fine", Op: format.Op{Kind: format.Unwrap}}, "public_url"},
		"the same again, to http":      {"http://x", format.Answer{Status: 200, Text: "fine", Op: put}, ""},
		"what is no push, to http":     {"http://x", format.Answer{Status: 200, Text: "fine", Op: format.Op{Kind: format.Mark}}, ""},
	} {
		a := f.Answer(format.Site{Repository: "nuget", URL: tt.url}, format.Request{}, tt.answer)
		got := a.Header["X-NuGet-Warning"]
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) || a.Status != tt.answer.Status {
			t.Errorf("%s: the warning is %q, want %q", name, got, tt.want)
		}
	}
}
