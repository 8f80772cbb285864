package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// npmRepositories are those for clients that speak npm's protocol.
var npmRepositories = map[string]repository{"npm": {}, "unity": {}}

// npm sets a client up by the text that the repository serves for it.
func (d *depot) npm(t *testing.T) *world.NPM {
	t.Helper()
	c := world.NewNPM(t)
	must(t, c.Setup(t, d.setupText(t, "npm", "npm")))
	return c
}

// installsNPM installs packages, and wants a version of the first.
func installsNPM(t *testing.T, c *world.NPM, name, want string, specs ...string) {
	t.Helper()
	must(t, c.Install(t, specs...))
	if has := c.Installed(t, name); has != want {
		t.Fatalf("%q of %s is installed, want %s", has, name, want)
	}
}

// says runs npm, which must succeed and say something.
func says(t *testing.T, c *world.NPM, want string, args ...string) {
	t.Helper()
	if out := c.Run(t, args...); !strings.Contains(out, want) {
		t.Errorf("npm %s says\n%s\nand not %q", strings.Join(args, " "), out, want)
	}
}

// What npm publishes it finds, installs, brings up to date, tags, deprecates and takes back.
func TestNPMPublishesAndInstalls(t *testing.T) {
	t.Parallel()
	d := openDepot(t, npmRepositories)
	c := d.npm(t)
	first := world.NPMPackage{Name: "@acme/hello", Version: "1.0.0", Description: "Says hello."}
	must(t, c.Publish(t, first))
	must(t, c.Publish(t, world.NPMPackage{Name: "plain", Version: "0.1.0", Dependencies: map[string]string{"@acme/hello": "^1.0.0"}}))
	installsNPM(t, c, "plain", "0.1.0", "plain")
	if has := c.Installed(t, "@acme/hello"); has != "1.0.0" {
		t.Errorf("%q of what plain depends on is installed", has)
	}
	says(t, c, "1.0.0", "view", "@acme/hello", "version")
	says(t, c, "Says hello.", "view", "@acme/hello")
	says(t, c, "@acme/hello", "search", "says")
	says(t, c, "PONG", "ping")
	says(t, c, "anonymous", "whoami")

	must(t, c.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.1.0"}))
	must(t, c.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "2.0.0-rc.1"}, "--tag", "next"))
	c.Run(t, "update")
	if has := c.Installed(t, "@acme/hello"); has != "1.1.0" {
		t.Errorf("after npm update %q is installed", has)
	}
	installsNPM(t, c, "@acme/hello", "2.0.0-rc.1", "@acme/hello@next")

	c.Run(t, "dist-tag", "add", "@acme/hello@1.0.0", "stable")
	says(t, c, "stable: 1.0.0", "dist-tag", "ls", "@acme/hello")
	installsNPM(t, c, "@acme/hello", "1.0.0", "@acme/hello@stable")
	c.Run(t, "dist-tag", "rm", "@acme/hello", "stable")
	if out := c.Run(t, "dist-tag", "ls", "@acme/hello"); strings.Contains(out, "stable") || !strings.Contains(out, "latest: 1.1.0") {
		t.Errorf("the tags are\n%s", out)
	}

	c.Run(t, "deprecate", "@acme/hello@1.0.0", "it says \"hello\" too <loudly>")
	c.Forget(t)
	says(t, c, `it says "hello" too <loudly>`, "install", "@acme/hello@1.0.0")
	c.Run(t, "deprecate", "@acme/hello@1.0.0", "")
	c.Forget(t)
	if out := c.Run(t, "install", "@acme/hello@1.0.0"); strings.Contains(out, "deprecated") {
		t.Errorf("what is deprecated no more still warns:\n%s", out)
	}

	c.Run(t, "unpublish", "@acme/hello@1.1.0")
	says(t, c, "latest: 2.0.0-rc.1", "dist-tag", "ls", "@acme/hello") // npm itself moves it to the highest that is left
	c.Refuses(t, []string{"ETARGET"}, "install", "@acme/hello@1.1.0")
	c.Run(t, "unpublish", "plain", "--force")
	c.Refuses(t, []string{"404"}, "view", "plain")
	c.Run(t, "unpublish", "@acme/hello", "--force")
	c.Refuses(t, []string{"404"}, "view", "@acme/hello")
}

// A tarball that is sent as a file is a version like any other, with signatures beside it.
func TestATarballIsPublishedByPUT(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, npmRepositories), openDepot(t, npmRepositories)
	c := d.npm(t)
	hello := world.NPMPackage{Name: "@acme/hello", Version: "1.0.0"}
	file := write(t, "hello.tgz", string(c.Pack(t, hello)))
	at := d.putAt(t, d.URL+"/npm/@acme/hello/-/hello-1.0.0.tgz", file)
	if status, body, _ := d.upload(t, at, file); status != http.StatusOK {
		t.Errorf("the same again: %d %s", status, body)
	}
	hello.Description = "Another."
	if status, body, _ := d.upload(t, at, write(t, "hello.tgz", string(c.Pack(t, hello)))); status != http.StatusConflict {
		t.Errorf("other bytes: %d %s", status, body)
	}
	installsNPM(t, c, "@acme/hello", "1.0.0", "@acme/hello")
	hasSignaturesBesideIt(t, d, other, "npm", at)
	if out, err := c.AuditSignatures(t); err != nil || !strings.Contains(out, "1 package has a verified registry signature") {
		t.Errorf("npm audit signatures: %v\n%s", err, out)
	}
}

// npm verifies the registry's signatures when it is asked to, and finds out what is not as it was signed.
func TestNPMAuditsSignatures(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, npmRepositories), openDepot(t, npmRepositories)
	c := d.npm(t)
	must(t, c.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.0.0"}))
	must(t, c.Publish(t, world.NPMPackage{Name: "plain", Version: "1.0.0"}))
	must(t, c.Install(t, "@acme/hello", "plain"))
	if out, err := c.AuditSignatures(t); err != nil || !strings.Contains(out, "2 packages have verified registry signatures") {
		t.Fatalf("npm audit signatures: %v\n%s", err, out)
	}
	packuments, keys := regexp.MustCompile(`^/npm/@acme/hello$`), regexp.MustCompile(`/-/npm/v1/keys$`)
	versions := func(change func(dist map[string]any)) world.Interceptor {
		return world.Alter(packuments, func(_ string, body []byte) []byte {
			return changed(t, body, func(doc map[string]any) {
				for _, v := range doc["versions"].(map[string]any) {
					change(v.(map[string]any)["dist"].(map[string]any))
				}
			})
		})
	}
	for what, tt := range map[string]struct {
		intercept world.Interceptor
		says      string
	}{
		"another integrity": {versions(func(dist map[string]any) {
			dist["integrity"] = "sha512-" + strings.Repeat("A", 86) + "=="
		}), "invalid registry signature"},
		"another signature": {versions(func(dist map[string]any) {
			s := dist["signatures"].([]any)[0].(map[string]any)
			s["sig"] = strings.Repeat("A", 96)
		}), "invalid registry signature"},
		"no signature":        {versions(func(dist map[string]any) { delete(dist, "signatures") }), "missing registry signature"},
		"somebody else's key": {instead(t, other.proxy.URL, keys), "no corresponding public key"},
		"somebody else's key by the name of ours": {world.Alter(keys, func(_ string, body []byte) []byte {
			return changed(t, body, func(doc map[string]any) {
				var theirs struct{ Keys []struct{ Key string } }
				must(t, json.Unmarshal([]byte(world.Get(t, other.URL+"/npm/-/npm/v1/keys")), &theirs))
				doc["keys"].([]any)[0].(map[string]any)["key"] = theirs.Keys[0].Key
			})
		}), "invalid registry signature"},
	} {
		d.Intercept(tt.intercept)
		if out, err := c.AuditSignatures(t); err == nil || !strings.Contains(out, tt.says) {
			t.Errorf("%s: %v\n%s\nwant %q", what, err, out, tt.says)
		}
	}
	d.Intercept(nil)
	if out, err := c.AuditSignatures(t); err != nil {
		t.Errorf("npm audit signatures: %v\n%s", err, out)
	}

	c.Forget(t)
	d.Intercept(world.Flip(regexp.MustCompile(`\.tgz$`)))
	c.Refuses(t, []string{"EINTEGRITY"}, "install", "plain")
	if has := c.Installed(t, "plain"); has != "" {
		t.Errorf("a tarball with one bit flipped is installed: %s", has)
	}
}

// changed returns JSON after a change.
func changed(t *testing.T, body []byte, change func(map[string]any)) []byte {
	t.Helper()
	doc := map[string]any{}
	must(t, json.Unmarshal(body, &doc))
	change(doc)
	return encode(t, doc)
}

// What is wrong with a package is said where the person who publishes it looks: in the terminal.
func TestNPMShowsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := openDepot(t, npmRepositories)
	c := d.npm(t)
	must(t, c.Publish(t, world.NPMPackage{Name: "plain", Version: "1.0.0"}))
	// npm looks first whether a version is there. Another may have been quicker.
	d.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.Method == http.MethodGet && r.URL.Path == "/npm/plain" {
			http.NotFound(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	})
	other := world.NPMPackage{Name: "plain", Version: "1.0.0", Description: "Another."}
	c.Refuses(t, []string{"is there already with other bytes", "give the new one a new version"}, "publish", other.Dir(t))
	d.Intercept(nil)

	twice := write(t, "twice.tgz", tarballOf(t, "package/package.json", `{"name": "twice", "version": "1.0.0"}`, "other/package.json", `{"name": "twice", "version": "1.0.0"}`))
	c.Refuses(t, []string{"the tarball has a second package.json"}, "publish", twice)
	climbs := tarballOf(t, "package/package.json", `{"name": "climbs", "version": "1.0.0"}`, "package/../../x", "")
	c.Refuses(t, []string{"must not lead upwards"}, "publish", write(t, "climbs.tgz", climbs))
	c.Refuses(t, []string{"there is no package \"nobody\""}, "view", "nobody")
	c.Refuses(t, []string{"there is no package \"plain\""}, "deprecate", "plain@1.0.0", "why", "--registry", d.URL+"/unity/")
	if status, _ := world.Send(t, http.MethodGet, d.URL+"/npm/twice", nil); status != http.StatusNotFound {
		t.Errorf("what was refused is listed: %d", status)
	}
}

// tarballOf packs files: a name and what is in it, in turn.
func tarballOf(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i+1 < len(files); i += 2 {
		must(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}))
		_, err := w.Write([]byte(files[i+1]))
		must(t, err)
	}
	must(t, errors.Join(w.Close(), z.Close()))
	return b.String()
}

// npm gets its keys from the registry. Whatever was published before or after a change of them, it verifies.
func TestANPMRegistryMovesFromOneKeyToAnother(t *testing.T) {
	t.Parallel()
	older, newer := npmKey(t), npmKey(t)
	signedBy := func(keys ...string) map[string]repository {
		var r repository
		for _, key := range keys {
			r.keys += "    - {purpose: npm, key: \"file:" + key + "\"}\n"
		}
		return map[string]repository{"npm": r}
	}
	d := openDepot(t, signedBy(older))
	c := d.npm(t)
	for i, keys := range [][]string{{older}, {older, newer}, {newer}} {
		if i > 0 {
			d.reconfigure(t, signedBy(keys...))
		}
		name := []string{"first", "second", "third"}[i]
		must(t, c.Publish(t, world.NPMPackage{Name: name, Version: "1.0.0"}))
		must(t, c.Install(t, name))
		if out, err := c.AuditSignatures(t); err != nil {
			t.Errorf("with %d keys: %v", len(keys), err)
		} else if want := []string{"1 package has a verified", "2 packages have verified", "3 packages have verified"}[i]; !strings.Contains(out, want) {
			t.Errorf("with %d keys npm says\n%s", len(keys), out)
		}
		if n := strings.Count(world.Get(t, d.URL+"/npm/first"), `"keyid"`); n != len(keys) {
			t.Errorf("with %d keys, what was there before has %d signatures", len(keys), n)
		}
	}
}

// npmKey makes a key and returns its file.
func npmKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return write(t, "npm.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// The Unity package manager finds packages by a search, and older editors by a list of all; it installs as npm does.
func TestUnityFindsPackages(t *testing.T) {
	t.Parallel()
	d := openDepot(t, npmRepositories)
	c := d.npm(t)
	c.Run(t, "config", "set", "registry", d.URL+"/unity/")
	c.Run(t, "config", "set", "//"+d.Addr+"/unity/:_authToken", "anonymous")
	must(t, c.Publish(t, world.NPMPackage{Name: "com.acme.hello", Version: "1.0.0"}))
	installsNPM(t, c, "com.acme.hello", "1.0.0", "com.acme.hello")
	var list map[string]json.RawMessage
	must(t, json.Unmarshal([]byte(world.Get(t, d.URL+"/unity/-/all")), &list))
	if _, ok := list["com.acme.hello"]; !ok {
		t.Errorf("the list of all is %s", list)
	}
	for text, n := range map[string]int{"": 1, "com.acme": 1, "com.other": 0} {
		found := decode[struct {
			Objects []struct {
				Package struct{ Name, Version string }
			}
		}](t, []byte(world.Get(t, d.URL+"/unity/-/v1/search?size=250&from=0&text="+text)))
		if len(found.Objects) != n || n > 0 && found.Objects[0].Package.Name != "com.acme.hello" {
			t.Errorf("a search for %q finds %+v", text, found)
		}
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", d.setupText(t, "unity", "unity")).Output()
	must(t, err)
	registries := decode[struct {
		ScopedRegistries []struct {
			URL    string
			Scopes []string
		}
	}](t, out).ScopedRegistries
	if len(registries) != 1 || registries[0].URL != d.URL+"/unity/" || len(registries[0].Scopes) == 0 {
		t.Errorf("the manifest of a project has %s", out)
	}
}

// Where users are known, npm logs in with a password, and publishes with the token that it gets for it.
func TestNPMLogsIn(t *testing.T) {
	t.Parallel()
	auth := "auth:\n  htpasswd: " + passwords(t, world.CI) + "\n"
	d := openDepotOn(t, auth, npmRepositories)
	c := d.npm(t)
	hello := world.NPMPackage{Name: "hello", Version: "1.0.0"}
	c.Refuses(t, []string{"401"}, "publish", hello.Dir(t))
	if out, err := c.Login(t, world.User{Name: world.CI.Name, Password: "wrong"}); err == nil || !strings.Contains(out, "401") {
		t.Errorf("a wrong password: %v\n%s", err, out)
	}
	if out, err := c.Login(t, world.CI); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	says(t, c, world.CI.Name, "whoami")
	must(t, c.Publish(t, hello))
	c.Run(t, "logout")
	c.Refuses(t, []string{"ENEEDAUTH"}, "publish", world.NPMPackage{Name: "hello", Version: "1.1.0"}.Dir(t))
}
