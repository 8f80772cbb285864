package integration

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// pythonBefore opens a depot in front of an address, with more settings of the upstream. It is asked each time.
func pythonBefore(t *testing.T, address, settings string) *depot {
	t.Helper()
	return openDepotUnready(t, map[string]repository{"python": {upstream: "{url: " + address + ", refresh: 1ns, timeout: 1s, " + settings + "}"}})
}

// What pypiserver has is what installers find, under our signature. A file that is not the one of its page passes for nobody.
func TestPythonInFrontOfPypiserver(t *testing.T) {
	t.Parallel()
	server := world.StartPypiserver(t)
	add := func(version, metadata string) {
		t.Helper()
		wheel := world.PythonPackage{Name: "hello", Version: version, Metadata: metadata}.Wheel(t)
		data, err := os.ReadFile(wheel)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(server.Dir, filepath.Base(wheel)), data, 0o644))
	}
	add("1.0", "")
	behind := world.Record(t, server.URL)
	d := pythonBefore(t, behind.URL, "trust: unverified")
	p := d.pythonOf(t)
	has(t, p, "hello", "1.0")
	must(t, p.verified(t, "hello", "hello-1.0-py3-none-any.whl"))
	refuses(t, p, "absent", "no matching distribution", "not found in the package registry")

	add("2.0", "")
	other, err := os.ReadFile(world.PythonPackage{Name: "hello", Version: "2.0", Metadata: "Summary: another\n"}.Wheel(t))
	must(t, err)
	behind.Intercept(world.Alter(regexp.MustCompile(`hello-2\.0.*\.whl$`), func(string, []byte) []byte { return other }))
	refuses(t, p, "hello==2.0", "error")
	behind.Intercept(nil)
	has(t, p, "hello", "2.0")
	d.Intercept(world.Alter(regexp.MustCompile(`\.whl$`), func(string, []byte) []byte { return other }))
	refuses(t, p, "hello==2.0", "hash")
	d.Intercept(nil)

	if _, err := d.uploads(t, p, "uv", world.PythonPackage{Name: "hello", Version: "3.0"}.Wheel(t)); err == nil {
		t.Error("pypiserver, which takes no PUT, has taken an upload")
	}
	has(t, p, "hello", "2.0")
	must(t, os.Remove(filepath.Join(server.Dir, "hello-2.0-py3-none-any.whl")))
	refuses(t, p, "hello==2.0", "no matching distribution", "no version of hello==2.0")
}

// An index may keep its files on another server, as pypi.org does, if the configuration lists that. Our password stays with the index.
func TestPythonInFrontOfAnIndexWhoseFilesAreElsewhere(t *testing.T) {
	t.Parallel()
	server := world.StartPypiserver(t)
	data, err := os.ReadFile(world.PythonPackage{Name: "hello", Version: "1.0"}.Wheel(t))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(server.Dir, "hello-1.0-py3-none-any.whl"), data, 0o644))
	index, files := world.Record(t, server.URL), world.Record(t, server.URL)
	index.Intercept(world.Alter(regexp.MustCompile(`/simple/hello/$`), func(_ string, page []byte) []byte {
		return bytes.ReplaceAll(page, []byte(`href="/packages/`), []byte(`href="`+files.URL+`/packages/`))
	}))
	password := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(password, []byte("hunter2"), 0o600))
	settings := "trust: unverified, user: us, password_file: " + password

	d := pythonBefore(t, index.URL, settings)
	status, body := world.Send(t, http.MethodGet, d.URL+"/python/simple/hello/", nil)
	if status != http.StatusBadGateway || !strings.Contains(body, files.URL) || !strings.Contains(body, "redirect_origins") {
		t.Errorf("where the other server is not listed: %d %s", status, body)
	}
	if asked := files.Requests(); len(asked) > 0 {
		t.Errorf("a server that is not listed was asked: %v", asked)
	}

	d = pythonBefore(t, index.URL, settings+", redirect_origins: ["+files.URL+"]")
	p := d.pythonOf(t)
	files.Intercept(world.Flip(regexp.MustCompile(`\.whl$`)))
	refuses(t, p, "hello==1.0", "error")
	files.Intercept(nil)
	has(t, p, "hello", "1.0")
	must(t, p.verified(t, "hello", "hello-1.0-py3-none-any.whl"))
	for _, r := range index.Requests() {
		if strings.HasSuffix(r.Path, ".whl") || r.Header.Get("Authorization") == "" {
			t.Errorf("the index was asked for %s with %v", r.Path, r.Header)
		}
	}
	for _, r := range files.Requests() {
		if !strings.HasSuffix(r.Path, ".whl") || r.Header.Get("Authorization") != "" {
			t.Errorf("the other server was asked for %s with %v", r.Path, r.Header)
		}
	}
}

// Of an upstream with a key, only pages that it has signed are shown. What is uploaded goes there, too.
func TestPythonInFrontOfASignedIndex(t *testing.T) {
	t.Parallel()
	theirs := openDepot(t, map[string]repository{"python": {}})
	key := theirs.key(t, "python", "openpgp.asc")
	d := pythonBefore(t, theirs.URL+"/python", "key: "+key)
	p := d.pythonOf(t)
	wheel := func(version string) string { return world.PythonPackage{Name: "hello", Version: version}.Wheel(t) }
	_, err := theirs.uploads(t, p, "twine 7", wheel("1.0"))
	must(t, err)
	has(t, p, "hello", "1.0")
	const metadata = "/python/simple/hello/hello-1.0-py3-none-any.whl.metadata"
	if !slices.ContainsFunc(theirs.Requests(), func(r world.Request) bool { return r.Path == metadata }) {
		t.Error("no installer has asked for the metadata beside the file, which the page names")
	}
	if world.Get(t, theirs.URL+metadata) != world.Get(t, d.URL+metadata) {
		t.Error("the upstream has other metadata than we serve")
	}
	_, err = d.uploads(t, p, "twine 7", wheel("2.0"))
	must(t, err)
	has(t, p, "hello", "2.0")
	must(t, p.verified(t, "hello", "hello-2.0-py3-none-any.whl"))
	const file = "/python/simple/hello/hello-2.0-py3-none-any.whl"
	if world.Get(t, theirs.URL+file) != world.Get(t, d.URL+file) {
		t.Error("the upstream has other bytes than we serve")
	}
	page := d.URL + "/python/simple/hello/"
	before := world.Get(t, page)
	_, err = theirs.uploads(t, p, "twine 7", wheel("3.0"))
	must(t, err)
	for what, intercept := range map[string]world.Interceptor{
		"a page that was changed":  world.Flip(regexp.MustCompile(`/simple/hello/$`)),
		"a page without signature": missing(regexp.MustCompile(`\.asc$`)),
	} {
		theirs.Intercept(intercept)
		if now := world.Get(t, page); now != before {
			t.Errorf("%s is followed:\n%s", what, now)
		}
	}
	theirs.Intercept(nil)
	has(t, p, "hello", "3.0")
	stranger := world.NewOpenPGP(t, "ed25519")
	d = pythonBefore(t, theirs.URL+"/python", "key: "+stranger.Public(t))
	if status, body := world.Send(t, http.MethodGet, d.URL+"/python/simple/hello/", nil); status != http.StatusBadGateway {
		t.Errorf("a page by another key: %d %s", status, body)
	}
}

// A repository moves from one key to another: both sign for a while, and gpgv takes what either has signed.
func TestPythonKeysChange(t *testing.T) {
	t.Parallel()
	older, newer := world.NewOpenPGP(t, "ed25519").Secret(t), world.NewOpenPGP(t, "ed25519").Secret(t)
	signedBy := func(keys ...string) map[string]repository {
		var r repository
		for _, key := range keys {
			r.keys += indexKey("key: \"file:" + key + "\"")
		}
		return map[string]repository{"python": r}
	}
	const file = "hello-1.0-py3-none-any.whl"
	d := openDepot(t, signedBy(older))
	before := d.pythonOf(t)
	publish := func(version string) {
		t.Helper()
		_, err := d.uploads(t, before, "uv", world.PythonPackage{Name: "hello", Version: version}.Wheel(t))
		must(t, err)
	}
	publish("1.0")
	must(t, before.verified(t, "hello", file))
	d.reconfigure(t, signedBy(older, newer))
	publish("2.0")
	during := d.pythonOf(t)
	must(t, before.verified(t, "hello", file))
	must(t, during.verified(t, "hello", file))
	d.reconfigure(t, signedBy(newer))
	publish("3.0")
	must(t, during.verified(t, "hello", file))
	must(t, d.pythonOf(t).verified(t, "hello", file))
	if err := before.verified(t, "hello", file); err == nil {
		t.Error("a page by the newer key alone is taken by who has the older")
	}
	has(t, before, "hello", "3.0")
}
