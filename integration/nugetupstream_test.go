package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hallmark/formats/nuget/nugettest"
	"hallmark/integration/world"
)

// A feed is the files of a server of version 3, as one that we did not write has them: in folders of its own, and unsigned.
type feed struct{ dir, url string }

// add adds a version of a package, the only one.
func (f feed) add(t *testing.T, id, version string, nupkg []byte) {
	t.Helper()
	lower := strings.ToLower(id)
	for name, text := range map[string]string{
		"v3/index.json": `{"version":"3.0.0","resources":[{"@id":"@/v3/registration5/","@type":"RegistrationsBaseUrl/3.6.0"},` +
			`{"@id":"@/v3/content/","@type":"PackageBaseAddress/3.0.0"}]}`,
		"v3/registration5/" + lower + "/index.json": fmt.Sprintf(`{"@id":"@/v3/registration5/%[1]s/index.json","count":1,"items":[`+
			`{"@id":"@/v3/registration5/%[1]s/page.json","count":1,"lower":"%[3]s","upper":"%[3]s","items":[{"catalogEntry":{"id":"%[2]s","version":"%[3]s",`+
			`"authors":"others","description":"Comes from elsewhere","listed":true,"published":"2024-01-01T00:00:00Z"},`+
			`"packageContent":"@/v3/content/%[1]s/%[3]s/%[1]s.%[3]s.nupkg"}]}]}`, lower, id, version),
		"v3/content/" + lower + "/" + version + "/" + lower + "." + version + ".nupkg": string(nupkg),
	} {
		if !strings.HasSuffix(name, ".nupkg") {
			text = strings.ReplaceAll(text, "@/", f.url+"/")
		}
		at := filepath.Join(f.dir, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, []byte(text), 0o644))
	}
}

// nuget.exe installs what an unsigned feed has, and what was pushed to the repository in front of it, from one address.
func TestNuGetInFrontOfAFeed(t *testing.T) {
	t.Parallel()
	f := feed{dir: t.TempDir()}
	behind := world.Record(t, world.StartNginx(t, f.dir, world.NginxOptions{}).URL)
	f.url = behind.URL
	c := world.NewNuGet(t)
	theirs := c.Pack(t, "Hallmark.Theirs", "1.2.3")
	f.add(t, "Hallmark.Theirs", "1.2.3", theirs)
	f.add(t, "Hallmark.Other", "1.0.0", c.Pack(t, "Hallmark.Another", "1.0.0"))
	d := openDepot(t, map[string]repository{"nuget": {keys: nugetKeys, upstream: "{url: '" + f.url + "', trust: unverified, refresh: 1ns}"}})
	must(t, c.Setup(t, d.setupText(t, "nuget", "nuget")))

	ours := world.NuGetPackage(t, "Hallmark.Ours", "1.0.0", `<dependencies><dependency id="Hallmark.Theirs" version="1.0.0" /></dependencies>`)
	if out, err := c.Push(t, ours, "key", "nuget"); err != nil {
		t.Fatal(out, err)
	}
	must(t, c.Install(t, "Hallmark.Ours", "", "nuget"))
	verifies(t, d, c.Installed(t, "Hallmark.Ours", "1.0.0"), ours)
	if string(c.Installed(t, "Hallmark.Theirs", "1.2.3")) != string(theirs) {
		t.Error("what comes from the feed has other bytes")
	}
	for _, r := range behind.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("the feed gets %s %s", r.Method, r.Path)
		}
	}
	text := world.Get(t, d.URL+"/nuget/v3/registration/hallmark.theirs/index.json")
	if strings.Contains(text, f.url) || !strings.Contains(text, d.URL+"/nuget/v3/flat/hallmark.theirs/1.2.3/hallmark.theirs.1.2.3.nupkg") {
		t.Errorf("the registration leads elsewhere: %s", text)
	}
	// A list of ours, signed, has what nobody else says of it.
	list := d.URL + "/nuget/v3/flat/hallmark.theirs/packages.jsonl"
	for _, v := range world.Verifiers(t) {
		must(t, v.Detached(t, d.key(t, "nuget", "openpgp.gpg"), fetched(t, list), fetched(t, list+".asc")))
	}

	if err := c.Install(t, "Hallmark.Other", "", "nuget"); err == nil || c.Installed(t, "Hallmark.Other", "1.0.0") != nil {
		t.Errorf("a package that says it is another is installed: %v", err)
	}
	if err := c.Install(t, "Hallmark.Nothing", "", "nuget"); err == nil {
		t.Error("a package that nobody has is installed")
	}
}

// In front of another repository of ours, the signed list says what its packages are, and their signatures pass as they are.
func TestNuGetInFrontOfAnotherRepository(t *testing.T) {
	t.Parallel()
	origin := openDepot(t, nugetRepository)
	nupkg := world.NuGetPackage(t, "Hallmark.Hello", "1.0.0", "")
	origin.putAt(t, origin.URL+"/nuget/v3/package/", write(t, "hallmark.hello.1.0.0.nupkg", string(nupkg)))
	behind := world.Record(t, origin.URL)
	open := func(key string) *depot {
		return openDepot(t, map[string]repository{"nuget": {keys: nugetKeys, upstream: "{url: '" + behind.URL + "/nuget', key: " + key + ", refresh: 1ns}"}})
	}
	const at = "/nuget/v3/flat/hallmark.hello/1.0.0/hallmark.hello.1.0.0.nupkg"
	status := func(d *depot, p string) int {
		t.Helper()
		status, _ := world.Send(t, http.MethodGet, d.URL+p, nil)
		return status
	}
	d := open(origin.key(t, "nuget", "openpgp.asc"))
	for _, c := range []struct {
		name string
		by   world.Interceptor
	}{
		{"a list with one bit flipped", world.Flip(regexp.MustCompile(`packages\.jsonl$`))},
		{"a signature with one bit flipped", world.Flip(regexp.MustCompile(`packages\.jsonl\.asc$`))},
		{"a list without a signature", missing(regexp.MustCompile(`packages\.jsonl\.asc$`))},
		// The last: with it the list is a good one, and stays when a bad one comes.
		{"a package with one bit flipped", world.Flip(regexp.MustCompile(`\.nupkg$`))},
	} {
		behind.Intercept(c.by)
		if got := status(d, at); got != http.StatusBadGateway {
			t.Errorf("%s: %d, want 502", c.name, got)
		}
	}
	behind.Intercept(nil)
	served := world.Get(t, d.URL+at)
	if served != world.Get(t, origin.URL+at) {
		t.Error("the package has other bytes")
	}
	_, err := nugettest.Verify([]byte(served), certificates(t, origin)...)
	must(t, err)
	if !strings.Contains(world.Get(t, d.URL+"/nuget/v3/flat/hallmark.hello/packages.jsonl"), `"sha256":"`) {
		t.Error("the list has no digest")
	}
	stranger := open(d.key(t, "nuget", "openpgp.asc"))
	if got := status(stranger, at); got != http.StatusBadGateway {
		t.Errorf("with the key of somebody else: %d, want 502", got)
	}
}
