package integration

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Packages are served under the names that apk asks for, whatever they were called, and those for all architectures are
// in each index.
func TestAPKsAreWhereApkLooks(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"alpine": {settings: "{architectures: [x86_64, aarch64]}"}})
	native := world.Package{Name: "native", Version: "1.0.0", Arch: "amd64"}.Build(t, world.Alpine)
	all := world.Package{Name: "hello", Version: "1.0.0", Arch: "all"}.Build(t, world.Alpine)
	rare := world.Package{Name: "rare", Version: "1.0.0", Arch: "riscv64"}.Build(t, world.Alpine)
	// As nfpm calls it.
	at := d.putAt(t, d.URL+"/alpine/v3/main/native_1.0.0-r1_x86_64.apk", native.Path)
	if got := strings.TrimPrefix(at, d.URL); got != "/alpine/v3/main/x86_64/native-1.0.0-r1.apk" {
		t.Errorf("native_1.0.0-r1_x86_64.apk is at %s", got)
	}
	d.putAt(t, d.URL+"/alpine/v3/main/"+all.File(), all.Path)
	d.putAt(t, d.URL+"/alpine/v3/main/"+rare.File(), rare.Path)
	for arch, lists := range map[string]map[string]int{
		"x86_64":  {"P:native\n": 1, "P:hello\n": 1, "P:rare\n": 0},
		"aarch64": {"P:native\n": 0, "P:hello\n": 1, "P:rare\n": 0},
		"riscv64": {"P:native\n": 0, "P:hello\n": 1, "P:rare\n": 1},
	} {
		index := gunzipped(t, world.Get(t, d.address("/alpine/v3/main/%s/APKINDEX.tar.gz", arch)))
		for what, n := range lists {
			occurs(t, n, what, index)
		}
		if file := world.Get(t, d.address("/alpine/v3/main/%s/%s", arch, all.File())); file == "" {
			t.Errorf("%s has an empty package", arch)
		}
	}
	apk := world.NewAPK(t)
	must(t, apk.Setup(t, d.setupText(t, "alpine", "apk")))
	must(t, apk.Refresh(t))
	installs(t, apk, "", native)
	installs(t, apk, "", all)
	absent(t, "a package for another architecture", apk.Install(t, "rare", ""))

	world.Delete(t, at, http.StatusNoContent)
	must(t, apk.Refresh(t))
	removes(t, apk, "native")
	absent(t, "a package that was deleted", apk.Install(t, "native", ""))
}

// A package that was fetched by itself verifies by its own signature, which is all that "apk add ./hello.apk" has.
func TestAPKsCarryASignature(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, packageRepositories), openDepot(t, packageRepositories)
	b, address := d.build(t, world.Alpine, "1.0.0")
	signed := []byte(world.Get(t, address))
	setUp := func(d *depot) *world.APKReader {
		t.Helper()
		a := world.NewAPKReader(t)
		must(t, a.Setup(t, d.setupText(t, "alpine", "apk")))
		return a
	}
	d.build(t, world.Alpine, "2.0.0")
	other.build(t, world.Alpine, "2.0.0")
	reader := setUp(d)
	must(t, reader.InstallFile(t, signed))
	if has := reader.Installed(t, "hello"); has != b.Version {
		t.Errorf("%q is installed, want %s", has, b.Version)
	}
	uploaded, err := os.ReadFile(b.Path)
	must(t, err)
	distrusts(t, "what was uploaded, which nobody signed", reader.InstallFile(t, uploaded))
	for at := range 8 {
		flipped := bytes.Clone(signed)
		flipped[len(flipped)*(2*at+1)/16] ^= 1
		distrusts(t, "a package with one bit flipped", reader.InstallFile(t, flipped))
	}
	distrusts(t, "a package by another key", setUp(other).InstallFile(t, signed))
	distrusts(t, "a package, by who has no key", world.NewAPKReader(t).InstallFile(t, signed))
}

// The file of the public key has the very name that stands in signatures: apk looks for it by that.
func TestTheKeyHasTheNameInSignatures(t *testing.T) {
	t.Parallel()
	d := openDepot(t, packageRepositories)
	_, address := d.build(t, world.Alpine, "1.0.0")
	w, err := http.Get(d.URL + "/-/keys/alpine/alpine.rsa.pub")
	must(t, err)
	defer w.Body.Close()
	want := ".SIGN.RSA256." + path.Base(w.Request.URL.Path)
	for _, signed := range []string{address, strings.TrimSuffix(address, path.Base(address)) + "APKINDEX.tar.gz"} {
		if signatures := gunzipped(t, world.Get(t, signed)); !strings.HasPrefix(signatures, want+"\x00") {
			t.Errorf("%s begins with %.60q, want %s", path.Base(signed), signatures, want)
		}
	}
}

// gunzipped returns the contents of all members of a gzip file, one behind the other.
func gunzipped(t *testing.T, packed string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(packed))
	must(t, err)
	plain, err := io.ReadAll(z)
	must(t, err)
	return string(plain)
}
