package integration

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hallmark/formats/nuget/nugettest"
	"hallmark/integration/world"
	"hallmark/proxy/timestamp"
	"hallmark/proxy/timestamp/timestamptest"
)

// nugetKeys are those of a repository of NuGet packages, quick to make.
const nugetKeys = "    - {purpose: index, generate: ed25519}\n    - {purpose: package, generate: rsa2048}\n"

var nugetRepository = map[string]repository{"nuget": {keys: nugetKeys}}

// certificates reads what a repository serves of its keys.
func certificates(t *testing.T, d *depot) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for rest := []byte(world.Get(t, d.URL+"/-/keys/nuget/x509.pem")); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all
		}
		c, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		all = append(all, c)
	}
}

// verifies verifies a package by our own verifier and by openssl, as it was served of an original.
func verifies(t *testing.T, d *depot, served, original []byte) {
	t.Helper()
	v, err := nugettest.Verify(served, certificates(t, d)...)
	must(t, err)
	before, signature, err := nugettest.Unsigned(served)
	must(t, err)
	if !bytes.Equal(before, original) {
		t.Error("without the signature it is not what was pushed")
	}
	if age := time.Since(v.Time); age < -time.Minute || age > time.Hour {
		t.Errorf("it was signed at %v", v.Time)
	}
	sum := sha256.Sum256(original)
	want := "Version:1\n\n2.16.840.1.101.3.4.2.1-Hash:" + base64.StdEncoding.EncodeToString(sum[:]) + "\n\n"
	out, err := opensslCMS(t, signature, world.Get(t, d.URL+"/-/keys/nuget/x509.pem"))
	if err != nil || out != want {
		t.Errorf("openssl verifies %q, want %q: %v", out, want, err)
	}
}

// opensslCMS verifies a signature by openssl, and returns what was signed.
func opensslCMS(t *testing.T, signature []byte, trusted string) (string, error) {
	t.Helper()
	text := filepath.Join(t.TempDir(), "text")
	openssl := world.Command{Path: world.Installed(t, "openssl", "openssl")}
	_, err := openssl.Try(t, "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any", "-out", text,
		"-in", write(t, "signature.p7s", string(signature)), "-CAfile", write(t, "x509.pem", trusted))
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(text)
	return string(data), err
}

// nuget.exe, set up by the text that the repository serves, pushes, finds, installs, upgrades and unlists. On mono it verifies
// no signature, so that our own verifier and openssl do that with what it has installed.
func TestNuGet(t *testing.T) {
	t.Parallel()
	d := openDepot(t, nugetRepository)
	c := world.NewNuGet(t)
	must(t, c.Setup(t, d.setupText(t, "nuget", "nuget")))
	push := func(nupkg []byte) []byte {
		t.Helper()
		if out, err := c.Push(t, nupkg, "key", "nuget"); err != nil || !strings.Contains(out, "Your package was pushed.") {
			t.Fatalf("the push says %s, %v", out, err)
		}
		return nupkg
	}
	installs := func(version, want string, original []byte) {
		t.Helper()
		c.Remove(t)
		must(t, c.Install(t, "Hallmark.Hello", version, "nuget"))
		served := c.Installed(t, "Hallmark.Hello", want)
		if served == nil {
			t.Fatalf("%s is not installed", want)
		}
		verifies(t, d, served, original)
	}
	finds := func(words, want string, args ...string) {
		t.Helper()
		if out := c.Command("nuget", "search").Run(t, append(args, words, "-Source", "nuget")...); !strings.Contains(out, want) {
			t.Errorf("search for %q finds\n%s", words, out)
		}
	}
	other := push(c.Pack(t, "Hallmark.Other", "1.5.0"))
	first := push(world.NuGetPackage(t, "Hallmark.Hello", "1.0.0",
		`<dependencies><group><dependency id="Hallmark.Other" version="[1.0,2.0)" /></group></dependencies>`))
	installs("", "1.0.0", first)
	verifies(t, d, c.Installed(t, "Hallmark.Other", "1.5.0"), other)

	push(world.NuGetPackage(t, "Hallmark.Hello", "2.0.0-beta.1", ""))
	second := push(world.NuGetPackage(t, "Hallmark.Hello", "1.10.0", ""))
	installs("", "1.10.0", second)
	finds("says hello", "> Hallmark.Hello | 1.10.0")
	finds("hallmark.hello", "> Hallmark.Hello | 2.0.0-beta.1", "-PreRelease")

	c.Command("nuget", "delete").Run(t, "Hallmark.Hello", "1.10.0", "key", "-Source", "nuget", "-NonInteractive")
	finds("says hello", "> Hallmark.Hello | 1.0.0")
	installs("1.10.0", "1.10.0", second) // a version that is not listed is there all the same
	if status, body := world.Send(t, http.MethodPost, d.URL+"/nuget/v3/package/Hallmark.Hello/1.10.0", nil); status != http.StatusOK {
		t.Fatalf("listing it again gets %d: %s", status, body)
	}
	finds("says hello", "> Hallmark.Hello | 1.10.0")

	world.Delete(t, d.URL+"/nuget/v3/flat/hallmark.hello/1.10.0/hallmark.hello.1.10.0.nupkg", http.StatusNoContent)
	installs("", "1.0.0", first)
	if err := c.Install(t, "Hallmark.Hello", "1.10.0", "nuget"); err == nil || c.Installed(t, "Hallmark.Hello", "1.10.0") != nil {
		t.Errorf("a version that was deleted is installed: %v", err)
	}
}

// What somebody on the way has changed, or signed by a key of his own, does not verify.
func TestNuGetPackagesThatWereTamperedWith(t *testing.T) {
	t.Parallel()
	d, impostor := openDepot(t, nugetRepository), openDepot(t, nugetRepository)
	nupkg := world.NuGetPackage(t, "Hallmark.Hello", "1.0.0", "")
	for _, to := range []*depot{d, impostor} {
		to.putAt(t, to.URL+"/nuget/v3/package/", write(t, "hallmark.hello.1.0.0.nupkg", string(nupkg)))
	}
	trusted := certificates(t, d)
	fetch := func() []byte {
		t.Helper()
		return []byte(world.Get(t, d.URL+"/nuget/v3/flat/hallmark.hello/1.0.0/hallmark.hello.1.0.0.nupkg"))
	}
	if _, err := nugettest.Verify(fetch(), trusted...); err != nil {
		t.Fatal(err)
	}
	for name, i := range map[string]world.Interceptor{
		"with one bit flipped": world.Alter(regexp.MustCompile(`\.nupkg$`), func(_ string, body []byte) []byte {
			body[100] ^= 1
			return body
		}),
		"signed by somebody else": instead(t, impostor.URL, regexp.MustCompile(`\.nupkg$`)),
		"without a signature":     world.Alter(regexp.MustCompile(`\.nupkg$`), func(string, []byte) []byte { return nupkg }),
	} {
		d.Intercept(i)
		if _, err := nugettest.Verify(fetch(), trusted...); err == nil {
			t.Errorf("a package %s verifies", name)
		}
	}
	_, signature, err := nugettest.Unsigned([]byte(world.Get(t, impostor.URL+"/nuget/v3/flat/hallmark.hello/1.0.0/hallmark.hello.1.0.0.nupkg")))
	must(t, err)
	d.Intercept(nil)
	if out, err := opensslCMS(t, signature, world.Get(t, d.URL+"/-/keys/nuget/x509.pem")); err == nil {
		t.Errorf("openssl takes a signature by somebody else: %s", out)
	}

	// The list of versions with their digests is signed for whoever looks.
	list := d.URL + "/nuget/v3/flat/hallmark.hello/packages.jsonl"
	key := d.key(t, "nuget", "openpgp.gpg")
	for _, v := range world.Verifiers(t) {
		must(t, v.Detached(t, key, fetched(t, list), fetched(t, list+".asc")))
		if v.Detached(t, key, altered(t, fetched(t, list)), fetched(t, list+".asc")) == nil {
			t.Errorf("%s takes another list of versions", v.Name())
		}
	}
}

// The sentence that says what is wrong with a package reaches the terminal.
func TestNuGetSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := openDepot(t, nugetRepository)
	c := world.NewNuGet(t)
	source := d.URL + "/nuget/v3/index.json"
	out, err := c.Push(t, world.NuGetPackage(t, "Hallmark.Hello", "1.0.0", ""), "key", source)
	if err != nil || !strings.Contains(out, "public_url") {
		t.Errorf("a push where NuGet cannot know the repository says\n%s, %v", out, err)
	}
	for _, tt := range []struct{ what, metadata, id, want string }{
		{"other bytes", "<title>other</title>", "Hallmark.Hello", "409"},
		{"symbols", `<packageTypes><packageType name="SymbolsPackage" /></packageTypes>`, "Hallmark.Symbols", "symbols are not kept here"},
	} {
		out, err := c.Push(t, world.NuGetPackage(t, tt.id, "1.0.0", tt.metadata), "key", source)
		if err == nil || !strings.Contains(out, tt.want) || !strings.Contains(out, "WARNING") {
			t.Errorf("%s: the client says\n%s, %v", tt.what, out, err)
		}
	}
	if out, err := c.Push(t, []byte("no archive"), "key", source); err == nil || !strings.Contains(out, "no zip archive") {
		t.Errorf("what is no package: the client says\n%s, %v", out, err)
	}
	if got := world.Get(t, d.URL+"/nuget/v3/search"); !strings.Contains(got, `"totalHits":1`) {
		t.Errorf("what was refused is found: %s", got)
	}
}

// An API key of nuget push is a user and a password.
func TestNuGetKeysOfUsers(t *testing.T) {
	t.Parallel()
	d := openDepotOn(t, "auth:\n  htpasswd: "+passwords(t, world.CI)+"\n  rules:\n    - {users: [anonymous], repositories: [\"*\"], allow: [read]}\n    - {users: ["+
		world.CI.Name+"], repositories: [\"*\"], allow: [read, push, delete]}\n", nugetRepository)
	c := world.NewNuGet(t)
	source := d.URL + "/nuget/v3/index.json"
	nupkg := world.NuGetPackage(t, "Hallmark.Hello", "1.0.0", "")
	for _, key := range []string{world.CI.Name + ":wrong", "key"} {
		if out, err := c.Push(t, nupkg, key, source); err == nil {
			t.Errorf("the key %q pushes:\n%s", key, out)
		}
	}
	if out, err := c.Push(t, nupkg, world.CI.Name+":"+world.CI.Password, source); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	must(t, c.Install(t, "Hallmark.Hello", "", source))
}

// Both certificates are served while both keys are there, the older key signs alone until it leaves, and whoever trusts both goes
// on from one to the other.
func TestNuGetMovesFromOneKeyToAnother(t *testing.T) {
	t.Parallel()
	const index = "    - {purpose: index, generate: ed25519}\n"
	d := openDepot(t, map[string]repository{"nuget": {keys: index + "    - {purpose: package, generate: rsa2048}\n"}})
	signer := func(version string) *x509.Certificate {
		t.Helper()
		d.putAt(t, d.URL+"/nuget/v3/package/", write(t, "hallmark.hello."+version+".nupkg", string(world.NuGetPackage(t, "Hallmark.Hello", version, ""))))
		v, err := nugettest.Verify([]byte(world.Get(t, d.URL+"/nuget/v3/flat/hallmark.hello/"+version+"/hallmark.hello."+version+".nupkg")), certificates(t, d)...)
		must(t, err)
		return v.Certificate
	}
	older := certificates(t, d)
	if len(older) != 1 || !signer("1.0.0").Equal(older[0]) {
		t.Fatalf("%d certificates, or another has signed", len(older))
	}
	d.reconfigure(t, map[string]repository{"nuget": {keys: index + "    - {purpose: package, generate: rsa2048}\n    - {purpose: package, generate: rsa3072}\n"}})
	both := certificates(t, d)
	if len(both) != 2 || !both[0].Equal(older[0]) || !signer("2.0.0").Equal(older[0]) {
		t.Errorf("%d certificates, or the newer key has signed", len(both))
	}
	if text := d.setupText(t, "nuget", "dotnet"); strings.Count(text, "<certificate fingerprint=") != 2 {
		t.Errorf("the set-up text trusts\n%s", text)
	}
	d.reconfigure(t, map[string]repository{"nuget": {keys: index + "    - {purpose: package, generate: rsa3072}\n"}})
	if after := certificates(t, d); len(after) != 1 || !after[0].Equal(both[1]) || !signer("3.0.0").Equal(both[1]) {
		t.Errorf("%d certificates, or the older key has signed", len(after))
	}
}

// Where a timestamp server is configured, its timestamps stand in the packages, and nothing is published without.
func TestNuGetTimestamps(t *testing.T) {
	t.Parallel()
	server := timestamptest.New(t)
	asked := world.Record(t, server.URL)
	d := openDepot(t, map[string]repository{"nuget": {keys: nugetKeys, settings: "{timestamp: '" + asked.URL + "'}"}})
	put := func(version string) (int, string) {
		t.Helper()
		status, body, _ := d.upload(t, d.URL+"/nuget/v3/package/", write(t, "hallmark.hello."+version+".nupkg", string(world.NuGetPackage(t, "Hallmark.Hello", version, ""))))
		return status, body
	}
	if status, body := put("1.0.0"); status != http.StatusCreated {
		t.Fatalf("%d: %s", status, body)
	}
	v, err := nugettest.Verify([]byte(world.Get(t, d.URL+"/nuget/v3/flat/hallmark.hello/1.0.0/hallmark.hello.1.0.0.nupkg")), certificates(t, d)...)
	must(t, err)
	must(t, server.Verify(t, v.Timestamp, v.Value))
	if server.Verify(t, v.Timestamp, append(v.Value, 0)) == nil {
		t.Error("it is a timestamp of anything")
	}
	other := timestamptest.New(t)
	for name, i := range map[string]world.Interceptor{
		"an error": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			http.Error(w, "out of order", http.StatusInternalServerError)
		},
		"a timestamp of something else": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			sum := sha256.Sum256([]byte("something else"))
			token, err := timestamp.Client{HTTP: http.DefaultClient}.Stamp(r.Context(), other.URL, sum[:])
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/timestamp-reply")
			w.Write(reply(t, token))
		},
	} {
		asked.Intercept(i)
		if status, body := put("2.0.0"); status != http.StatusBadGateway || !strings.Contains(body, "timestamp") {
			t.Errorf("%s: %d, want 502: %s", name, status, body)
		}
		if list := world.Get(t, d.URL+"/nuget/v3/flat/hallmark.hello/index.json"); strings.Contains(list, "2.0.0") {
			t.Errorf("%s: it is listed all the same: %s", name, list)
		}
	}
	asked.Intercept(nil)
	if status, body := put("2.0.0"); status != http.StatusCreated {
		t.Errorf("afterwards: %d: %s", status, body)
	}
}

// reply is what a server says that grants a token.
func reply(t *testing.T, token []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	must(t, err)
	return der
}
