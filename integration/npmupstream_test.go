package integration

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// An npmFront is a depot in front of a registry of npm.
type npmFront struct {
	*depot
	behind *world.Recorder // between us and the registry
}

// standInFrontOf starts a proxy in front of a registry, which is asked each time.
func standInFrontOf(t *testing.T, registry, path, trust string) *npmFront {
	t.Helper()
	f := &npmFront{behind: world.Record(t, registry)}
	f.depot = openDepotUnready(t, map[string]repository{"npm": {
		upstream: "{url: " + f.behind.URL + path + ", " + trust + ", refresh: 1ns, timeout: 5s}",
	}})
	return f
}

// verified fails the test unless npm verifies our signatures of n packages, and those alone.
func (f *npmFront) verified(t *testing.T, c *world.NPM, n string) {
	t.Helper()
	if out, err := c.AuditSignatures(t); err != nil || !strings.Contains(out, n+" verified registry signature") {
		t.Errorf("npm audit signatures: %v\n%s\nwant %s", err, out, n)
	}
}

// What a registry without signatures has is found here with ours, and what is published here stands beside it.
func TestNPMInFrontOfVerdaccio(t *testing.T) {
	t.Parallel()
	verdaccio := world.StartVerdaccio(t)
	theirs := verdaccio.NPM(t)
	must(t, theirs.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.0.0"}))
	must(t, theirs.Publish(t, world.NPMPackage{Name: "plain", Version: "0.1.0", Dependencies: map[string]string{"@acme/hello": "^1.0.0"}}))
	f := standInFrontOf(t, verdaccio.URL, "", "trust: unverified")
	c := f.npm(t)
	installsNPM(t, c, "plain", "0.1.0", "plain")
	if has := c.Installed(t, "@acme/hello"); has != "1.0.0" {
		t.Errorf("%q of what plain depends on is installed", has)
	}
	f.verified(t, c, "2 packages have")
	for _, r := range f.behind.Requests() {
		if r.Method != http.MethodGet {
			t.Errorf("verdaccio is asked for %s", r.Line())
		}
	}
	if text := world.Get(t, f.URL+"/npm/@acme/hello"); strings.Contains(text, verdaccio.URL) || strings.Contains(text, f.behind.Addr) {
		t.Errorf("an address leads past us: %s", text)
	}
	other := openDepot(t, npmRepositories)
	hasSignaturesBesideIt(t, f.depot, other, "npm", f.URL+"/npm/@acme/hello/-/hello-1.0.0.tgz")

	must(t, theirs.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.1.0"}))
	must(t, theirs.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "2.0.0-rc.1"}, "--tag", "next"))
	c.Run(t, "update")
	if has := c.Installed(t, "@acme/hello"); has != "1.1.0" {
		t.Errorf("after npm update %q is installed", has)
	}
	says(t, c, "next: 2.0.0-rc.1", "dist-tag", "ls", "@acme/hello")
	theirs.Run(t, "deprecate", "@acme/hello@1.0.0", "use 1.1.0")
	says(t, c, "use 1.1.0", "view", "@acme/hello@1.0.0", "deprecated")

	mine := world.NPMPackage{Name: "@acme/hello", Version: "3.0.0"}
	must(t, c.Publish(t, mine))
	installsNPM(t, c, "@acme/hello", "3.0.0", "@acme/hello@latest")
	f.verified(t, c, "3 packages have") // plain brings another one
	theirs.Refuses(t, []string{"E404"}, "view", "@acme/hello@3.0.0", "version")
	if versions := theirs.View(t, "@acme/hello", "versions"); strings.Contains(versions, "3.0.0") {
		t.Errorf("what is published here is there: %s", versions)
	}
	taken := write(t, "taken.tgz", string(c.Pack(t, world.NPMPackage{Name: "@acme/hello", Version: "1.1.0", Description: "Another."})))
	if status, text, _ := f.upload(t, f.URL+"/npm/@acme/hello/-/hello-1.1.0.tgz", taken); status != http.StatusConflict {
		t.Errorf("another 1.1.0: %d %s", status, text)
	}
	c.Refuses(t, []string{"belongs to the upstream"}, "unpublish", "@acme/hello@1.1.0")
	c.Run(t, "unpublish", "@acme/hello@3.0.0")
	says(t, c, "latest: 2.0.0-rc.1", "dist-tag", "ls", "@acme/hello") // as npm itself sets it

	c.Forget(t)
	must(t, theirs.Publish(t, world.NPMPackage{Name: "plain", Version: "0.2.0"}))
	f.behind.Intercept(world.Flip(regexp.MustCompile(`plain-0\.2\.0\.tgz$`)))
	c.Refuses(t, []string{"502"}, "install", "plain@0.2.0")
	if has := c.Installed(t, "plain"); has != "" {
		t.Errorf("a tarball with one bit flipped is installed: %s", has)
	}
	f.behind.Intercept(nil)
	installsNPM(t, c, "plain", "0.2.0", "plain@0.2.0")

	verdaccio.Kill()
	c.Forget(t)
	installsNPM(t, c, "plain", "0.2.0", "plain@0.2.0")
	c.Refuses(t, []string{"502"}, "view", "never-asked-for")
}

// Of a registry with a key, only what that has signed is taken over, and its signatures give way to ours.
func TestNPMInFrontOfARegistryThatSigns(t *testing.T) {
	t.Parallel()
	registry, other := openDepot(t, npmRepositories), openDepot(t, npmRepositories)
	theirs := registry.npm(t)
	must(t, theirs.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.0.0"}))
	f := standInFrontOf(t, registry.proxy.URL, "/npm", "key: "+npmPublicKey(t, registry))
	c := f.npm(t)
	installsNPM(t, c, "@acme/hello", "1.0.0", "@acme/hello")
	f.verified(t, c, "1 package has a")
	if ours, their := keyIDs(t, f.URL+"/npm/@acme/hello"), keyIDs(t, registry.URL+"/npm/@acme/hello"); len(ours) != 1 || len(their) != 1 || ours[0] == their[0] {
		t.Errorf("our signatures are by %q, theirs by %q", ours, their)
	}

	packument := regexp.MustCompile(`^/npm/@acme/hello$`)
	dists := func(change func(dist map[string]any)) world.Interceptor {
		return world.Alter(packument, func(_ string, body []byte) []byte {
			return changed(t, body, func(doc map[string]any) {
				for _, v := range doc["versions"].(map[string]any) {
					change(v.(map[string]any)["dist"].(map[string]any))
				}
			})
		})
	}
	for what, intercept := range map[string]world.Interceptor{
		"another integrity": dists(func(dist map[string]any) { dist["integrity"] = "sha512-" + strings.Repeat("A", 86) + "==" }),
		"no signature":      dists(func(dist map[string]any) { delete(dist, "signatures") }),
		"another signature": dists(func(dist map[string]any) {
			dist["signatures"].([]any)[0].(map[string]any)["sig"] = strings.Repeat("A", 96)
		}),
	} {
		f.behind.Intercept(intercept)
		fresh := standInFrontOf(t, f.behind.URL, "/npm", "key: "+npmPublicKey(t, registry))
		fresh.npm(t).Refuses(t, []string{"502", "has no good signature of the registry"}, "view", "@acme/hello")
		// What was good is served as it was.
		if out := c.View(t, "@acme/hello", "version"); out != "1.0.0" {
			t.Errorf("%s: npm sees %q", what, out)
		}
	}
	f.behind.Intercept(nil)
	wrong := standInFrontOf(t, registry.proxy.URL, "/npm", "key: "+npmPublicKey(t, other))
	wrong.npm(t).Refuses(t, []string{"502", "has no good signature of the registry"}, "view", "@acme/hello")

	must(t, theirs.Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.1.0"}))
	installsNPM(t, c, "@acme/hello", "1.1.0", "@acme/hello@latest")
	f.verified(t, c, "1 package has a")
}

// Our key changes in front of an upstream, too.
func TestNPMInFrontOfVerdaccioMovesToAnotherKey(t *testing.T) {
	t.Parallel()
	verdaccio := world.StartVerdaccio(t)
	must(t, verdaccio.NPM(t).Publish(t, world.NPMPackage{Name: "plain", Version: "1.0.0"}))
	signedBy := func(keys ...string) map[string]repository {
		r := repository{upstream: "{url: " + verdaccio.URL + ", trust: unverified, refresh: 1ns}"}
		for _, key := range keys {
			r.keys += "    - {purpose: npm, key: \"file:" + key + "\"}\n"
		}
		return map[string]repository{"npm": r}
	}
	older, newer := npmKey(t), npmKey(t)
	d := openDepotUnready(t, signedBy(older))
	c := d.npm(t)
	installsNPM(t, c, "plain", "1.0.0", "plain")
	for _, keys := range [][]string{{older}, {older, newer}, {newer}} {
		d.reconfigure(t, signedBy(keys...))
		if out, err := c.AuditSignatures(t); err != nil || !strings.Contains(out, "1 package has a verified") {
			t.Errorf("with %d keys: %v\n%s", len(keys), err, out)
		}
		if ids := keyIDs(t, d.URL+"/npm/plain"); len(ids) != len(keys) {
			t.Errorf("with %d keys, the signatures are by %q", len(keys), ids)
		}
	}
}

// Provenance passes as it comes.
func TestProvenancePassesThrough(t *testing.T) {
	t.Parallel()
	verdaccio := world.StartVerdaccio(t)
	must(t, verdaccio.NPM(t).Publish(t, world.NPMPackage{Name: "@acme/hello", Version: "1.0.0"}))
	f := standInFrontOf(t, verdaccio.URL, "", "trust: unverified")
	const at, bundles = "/-/npm/v1/attestations/@acme/hello@1.0.0", `{"attestations":[{"predicateType":"https://slsa.dev/provenance/v1"}]}`
	f.behind.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.URL.Path == at {
			w.Write([]byte(bundles))
			return
		}
		forward.ServeHTTP(w, r)
	})
	if got := world.Get(t, f.URL+"/npm/-/npm/v1/attestations/@acme%2fhello@1.0.0"); got != bundles {
		t.Errorf("the provenance is %q", got)
	}
	// npm puts the path of dist.attestations.url behind the address that it knows.
	if got := world.Get(t, f.URL+"/npm/npm/-/npm/v1/attestations/@acme%2fhello@1.0.0"); got != bundles {
		t.Errorf("where npm asks for it, the provenance is %q", got)
	}
	if status, text := world.Send(t, http.MethodGet, f.URL+"/npm/-/npm/v1/attestations/plain@1.0.0", nil); status != http.StatusNotFound {
		t.Errorf("where there is no provenance: %d %s", status, text)
	}
}

// The provenance that an author sends along is served, and goes with its version.
func TestAnAuthorsProvenanceIsKept(t *testing.T) {
	t.Parallel()
	d := openDepot(t, npmRepositories)
	tarball := tarballOf(t, "package/package.json", `{"name": "hello", "version": "1.0.0"}`)
	sum := sha512.Sum512([]byte(tarball))
	statement := fmt.Sprintf(`{"predicateType": "https://slsa.dev/provenance/v1", "subject": [{"digest": {"sha512": "%x"}}]}`, sum)
	bundle := encode(t, map[string]any{
		"dsseEnvelope":         map[string]any{"payload": base64.StdEncoding.EncodeToString([]byte(statement))},
		"verificationMaterial": strings.Repeat("certificates and entries of a log, ", 500),
	})
	envelope := encode(t, map[string]any{
		"name": "hello", "dist-tags": map[string]any{"latest": "1.0.0"},
		"versions": map[string]any{"1.0.0": map[string]any{"name": "hello", "version": "1.0.0", "dist": map[string]any{
			"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
		}}},
		"_attachments": map[string]any{
			"hello-1.0.0.tgz":      map[string]any{"data": base64.StdEncoding.EncodeToString([]byte(tarball))},
			"hello-1.0.0.sigstore": map[string]any{"data": string(bundle)},
		},
	})
	if status, text := world.Send(t, http.MethodPut, d.URL+"/npm/hello", envelope, "Content-Type: application/json"); status != http.StatusCreated {
		t.Fatalf("the upload gets %d %s", status, text)
	}
	const at = "/-/npm/v1/attestations/hello@1.0.0"
	if text := world.Get(t, d.URL+"/npm/hello"); !strings.Contains(text, d.URL+"/npm"+at) {
		t.Errorf("the packument does not say where it is: %s", text)
	}
	for _, prefix := range []string{"/npm", "/npm/npm"} { // npm puts one path behind the other
		if got := world.Get(t, d.URL+prefix+at); !strings.Contains(got, string(bundle)) {
			t.Errorf("at %s the provenance is %.200s", prefix+at, got)
		}
	}
	d.proxy.Command(t).Run(t, "repo", "verify", "npm")
	world.Delete(t, d.URL+"/npm/hello/-/hello-1.0.0.tgz", http.StatusOK)
	if status, _ := world.Send(t, http.MethodGet, d.URL+"/npm"+at, nil); status != http.StatusNotFound {
		t.Errorf("without its version it is there: %d", status)
	}
}

// npmPublicKey returns a file with the key that a registry signs with, made of what it publishes for npm.
func npmPublicKey(t *testing.T, d *depot) string {
	t.Helper()
	var list struct{ Keys []struct{ Key string } }
	must(t, json.Unmarshal([]byte(world.Get(t, d.URL+"/npm/-/npm/v1/keys")), &list))
	der, err := base64.StdEncoding.DecodeString(list.Keys[0].Key)
	must(t, err)
	return write(t, "npm.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
}

// keyIDs returns the names of the keys whose signatures a packument has.
func keyIDs(t *testing.T, address string) []string {
	t.Helper()
	var ids []string
	for _, m := range regexp.MustCompile(`"keyid":"([^"]*)"`).FindAllStringSubmatch(world.Get(t, address), -1) {
		ids = append(ids, m[1])
	}
	return ids
}
