package integration

import (
	"encoding/json"
	"net/http"
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
