package attacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
	"hallmark/signing"
)

// Rule: no signing oracle. Whatever bytes somebody uploads, the signatures that we give for them are worth nothing as
// signatures of an index, of an image, or of another repository's files.

// impostors are files that look like what we sign elsewhere.
func impostors(t *testing.T, d *depot) map[string][]byte {
	digest := digestOf([]byte("an image"))
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + digest[7:] +
		`"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
	return map[string][]byte{
		"Release":      d.api.get(t, "/debian/dists/stable/Release").expect(t, http.StatusOK).body,
		"clear-signed": d.api.get(t, "/debian/dists/stable/InRelease").expect(t, http.StatusOK).body,
		"repomd.xml":   d.api.get(t, "/rpm/repodata/repomd.xml").expect(t, http.StatusOK).body,
		"database":     d.api.get(t, "/arch/x86_64/arch.db").expect(t, http.StatusOK).body,
		"apkindex":     d.api.get(t, "/alpine/x86_64/APKINDEX.tar.gz").expect(t, http.StatusOK).body,
		"sums":         d.api.get(t, "/raw/a/SHA256SUMS").expect(t, http.StatusOK).body,
		"payload":      signing.Image{Reference: d.proxy.Addr + "/team/victim", Name: "team/victim", Digest: digest}.Payload(),
		"statement":    statement,
		"envelope":     append([]byte("DSSEv1 28 application/vnd.in-toto+json "), statement...),
		"a key":        d.api.get(t, "/-/keys/debian/openpgp.asc").expect(t, http.StatusOK).body,
		"nothing":      nil,
	}
}

func TestSignaturesOfUploadsVerifyNothingElse(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats, images: true})
	for _, format := range allFormats {
		d.put(t, goodInput[format].path, goodInput[format].body)
	}
	image, err := signing.ParsePublicKey(d.api.get(t, "/-/keys/images/cosign.pub").expect(t, http.StatusOK).body)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range impostors(t, d) {
		at := d.put(t, "/raw/impostors/"+strings.ReplaceAll(name, " ", "-"), content)
		armored := d.api.get(t, at+".asc").expect(t, http.StatusOK).body
		bundle := d.api.get(t, at+".sigstore.json").expect(t, http.StatusOK).body
		message := signing.Bytes(content)
		for repository, keys := range d.keys {
			if repository != "alpine" && signing.VerifyOpenPGP(keys.index, message, armored) == nil {
				t.Errorf("the index's key of %s verifies the uploaded %s", repository, name)
			}
			if repository != "alpine" {
				if _, err := signing.VerifyClearsigned(keys.index, armored); err == nil {
					t.Errorf("the index's key of %s takes the signature of %s for a document", repository, name)
				}
			}
			if repository == "raw" {
				continue
			}
			if signing.VerifyOpenPGP(keys.file, message, armored) == nil || signing.VerifyBlobBundle(keys.bundle, bundle, message) == nil {
				t.Errorf("a key of files of %s verifies a file of raw, %s", repository, name)
			}
		}
		if err := d.beside(d.fetch, "raw", at, content); err != nil {
			t.Error(err) // its twin: as what it is, it verifies
		}
		sig := signatureIn(t, bundle)
		victim := signing.Image{Reference: d.proxy.Addr + "/team/victim", Name: "team/victim", Digest: digestOf([]byte("an image"))}
		if signing.VerifyImage(image, content, sig, victim) == nil || image.Verify(content, sig) == nil {
			t.Errorf("the image's key verifies %s", name)
		}
		if signing.VerifyBundle(image, bundle, victim) == nil {
			t.Errorf("the bundle of %s is one of an image", name)
		}
	}
}

// signatureIn returns the bare signature in a bundle.
func signatureIn(t *testing.T, bundle []byte) []byte {
	t.Helper()
	var doc struct{ MessageSignature struct{ Signature []byte } }
	if err := json.Unmarshal(bundle, &doc); err != nil || len(doc.MessageSignature.Signature) == 0 {
		t.Fatalf("%v: %s", err, bundle)
	}
	return doc.MessageSignature.Signature
}

// The index of a repository is no package of any, under whatever name it is uploaded.
func TestAnIndexIsNoPackage(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	for _, format := range allFormats {
		d.put(t, goodInput[format].path, goodInput[format].body)
	}
	for name, content := range impostors(t, d) {
		for _, path := range []string{
			"/debian/stable/main/", "/debian/stable/main/x_1.0.dsc", "/debian/stable/main/x_1.0_amd64.deb",
			"/debian/stable/main/incoming/x_1.0_amd64.changes", "/debian/stable/main/incoming/x_1.0_amd64.buildinfo",
			"/rpm/", "/rpm/x-1.0-1.x86_64.rpm", "/alpine/", "/alpine/x-1.0-r0.apk", "/arch/", "/arch/x-1.0-1-x86_64.pkg.tar.gz",
		} {
			before := d.traces(t, repositoryOf(path))
			d.api.do(t, http.MethodPut, path, content).plainly(t, 400)
			if t.Failed() {
				t.Fatalf("%s is taken at %s, or refused in another way", name, path)
			}
			d.leftNothing(t, repositoryOf(path), before)
		}
	}
}

// What waits for a .dsc or a .changes is signed by the key of files and served only as part of it.
func TestWhatWaitsIsNotServed(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian"}})
	release := []byte("Origin: Hallmark\nSuite: stable\nCodename: stable\nDate: Tue, 03 Feb 2026 04:05:06 UTC\nArchitectures: amd64\n" +
		"Components: main\nSHA256:\n " + hexOf(nil) + " 0 main/binary-amd64/Packages\n")
	for _, path := range []string{"/debian/stable/main/x_1.0.tar.gz", "/debian/stable/main/x_1.0.orig.tar.gz.asc"} {
		if w := d.api.do(t, http.MethodPut, path, release); w.status != http.StatusAccepted {
			w.plainly(t, 400)
		}
		for _, suffix := range []string{"", ".asc", ".sigstore.json"} {
			at := "/debian/pool/stable/main/x/x/" + filepath.Base(path) + suffix
			d.api.get(t, at).plainly(t, http.StatusNotFound)
		}
	}
	if files := d.tree(t, "debian"); len(files) > 0 {
		t.Errorf("the repository serves %v", files)
	}
}

func TestKeysOfTwoRepositoriesAreDistinct(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats, images: true})
	seen := make(map[string]string)
	for _, name := range append([]string{"images"}, allFormats...) {
		var doc struct {
			Keys []struct{ Purpose, Kind, Fingerprint string }
		}
		if err := d.api.get(t, "/-/keys/"+name+"/").expect(t, http.StatusOK).decode(&doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.Keys) < 3 && name != "images" {
			t.Errorf("%s has the keys %v", name, doc.Keys)
		}
		for _, k := range doc.Keys {
			if other, ok := seen[k.Fingerprint]; ok {
				t.Errorf("%s and %s have the same key for %s", name, other, k.Purpose)
			}
			seen[k.Fingerprint] = name
		}
	}
}

// One key for two purposes or two repositories would make an oracle of one for the other: the proxy does not start.
func TestAKeyWithTwoPurposesIsRefusedAtStart(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw", "debian"}})
	folder := filepath.Join(d.proxy.Data, "keys")
	copied := t.TempDir()
	key := func(repository, purpose, scheme string) string {
		files, err := filepath.Glob(filepath.Join(folder, repository, "*"))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(files, func(f string) bool {
			data, err := os.ReadFile(f)
			return err == nil && bytes.Contains(data, []byte("PRIVATE KEY")) && strings.Contains(f, purpose) && strings.Contains(familyOf(data), scheme)
		})
		if i < 0 {
			t.Fatalf("%s has no private key for %s by %s in %v", repository, purpose, scheme, files)
		}
		data, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(copied, repository+purpose+scheme)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	index, file, bundle := key("raw", "index", "openpgp"), key("raw", "file", "openpgp"), key("raw", "file", "ecdsa")
	ring := func(index, file, bundle string) string {
		return "[{purpose: index, key: 'file:" + index + "'}, {purpose: file, scheme: openpgp, key: 'file:" + file + "'}, " +
			"{purpose: file, scheme: ecdsa, key: 'file:" + bundle + "'}]"
	}
	quick := "[{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]"
	repositories := "repositories:\n  raw: {format: raw}\n  debian: {format: debian}\n  images: {format: oci, images: ['*']}\n"
	for what, keys := range map[string]string{
		"for the index and the files of one repository": "  raw: " + ring(index, index, bundle) + "\n  debian: " + quick,
		"for the indexes of two repositories":           "  raw: " + ring(index, file, bundle) + "\n  debian: [{purpose: index, key: 'file:" + index + "'}, {purpose: file, scheme: openpgp, generate: ed25519}]",
		"for files here and the index there":            "  raw: " + ring(index, file, bundle) + "\n  debian: [{purpose: index, key: 'file:" + file + "'}, {purpose: file, scheme: openpgp, generate: ed25519}]",
		"for images and for files":                      "  raw: " + ring(index, file, bundle) + "\n  debian: " + quick + "\n  images: [{purpose: image, key: 'file:" + bundle + "'}]",
	} {
		t.Run(what, func(t *testing.T) {
			out, err := start(t, "keys:\n"+keys+"\n"+repositories)
			if err == nil {
				t.Fatal("the proxy starts")
			}
			if !strings.Contains(out, "key") || strings.Contains(out, "panic") || !(strings.Contains(out, "belongs to") || strings.Contains(out, "purpose") || strings.Contains(out, "share")) {
				t.Errorf("it says\n%s", out)
			}
		})
	}
	// Its twin.
	p := world.StartProxy(t, world.ProxyOptions{Config: "keys:\n  raw: " + ring(index, file, bundle) + "\n  debian: " + quick + "\n" + repositories, Scenario: "twin"})
	if _, err := signing.ParsePublicKey(newAPI(p.URL, world.User{}).get(t, "/-/keys/raw/files.pub").body); err != nil {
		t.Error(err)
	}
}

// familyOf tells a private key of OpenPGP from a plain one.
func familyOf(data []byte) string {
	if bytes.Contains(data, []byte("PGP")) {
		return "openpgp"
	}
	return "ecdsa"
}

// start runs the proxy with a config file until it ends, and returns what it says. It must end by itself.
func start(t *testing.T, config string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := world.Command{Path: world.ProxyBinary(t)}
	out, err := c.Try(t, "serve", "--listen", world.FreeAddr(t), "--data", filepath.Join(dir, "data"), "--config", path)
	var failed *world.CommandError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out, err
}
