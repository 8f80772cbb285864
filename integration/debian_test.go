package integration

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
)

// apt returns an apt that is set up for the repository debian.
func (d *depot) apt(t *testing.T) *world.APT {
	t.Helper()
	apt := world.NewAPT(t)
	must(t, apt.Setup(t, d.setupText(t, "debian", "apt")))
	return apt
}

func onlyDebian(settings string) map[string]repository {
	return map[string]repository{"debian": {settings: settings}}
}

// What dput uploads is listed all at once, when the .changes is there.
func TestDputUploadsOneGeneration(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian(""))
	hello := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, world.Deb)
	bye := world.Package{Name: "bye", Version: "1.0.0", Arch: "all"}.Build(t, world.Deb)
	changes := world.Changes(t, "stable", hello.Path, bye.Path)

	// After each of its uploads, what does a reader see?
	release := d.proxy.URL + "/debian/dists/stable/InRelease"
	var answers []int
	var listed []string
	d.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(w, r)
		status, text := world.Send(t, http.MethodGet, release, nil)
		answers, listed = append(answers, status), append(listed, text)
	})
	must(t, world.NewDPut(t, d.URL+"/debian/stable/main/incoming").Upload(t, changes))
	d.Intercept(nil)
	var statuses []string
	for _, r := range d.Requests() {
		statuses = append(statuses, strings.TrimPrefix(r.Line(), "PUT /debian/stable/main/incoming/"))
	}
	want := hello.File() + " 202, " + bye.File() + " 202, " + filepath.Base(changes) + " 201"
	if got := strings.Join(statuses, ", "); got != want {
		t.Errorf("dput got %s, want %s", got, want)
	}
	if len(listed) != 3 || listed[0] != listed[1] || listed[1] == listed[2] {
		t.Errorf("the index changed before the end, or never: %v %q", answers, listed)
	}
	packages := world.Get(t, d.URL+"/debian/dists/stable/main/binary-amd64/Packages")
	occurs(t, 1, "Package: hello\n", packages)
	occurs(t, 1, "Package: bye\n", packages)

	apt := d.apt(t)
	installs(t, apt, "", hello)
	installs(t, apt, "", bye)

	// The same upload again is no change; the same version with other bytes is refused.
	before := world.Get(t, release)
	dput := world.NewDPut(t, d.URL+"/debian/stable/main/incoming/")
	must(t, dput.Upload(t, changes))
	if after := world.Get(t, release); after != before {
		t.Errorf("the same upload again has changed the index:\n%s", after)
	}
	other := world.Package{Name: "hello", Version: "1.0.0", Description: "Another."}.Build(t, world.Deb)
	if err := dput.Upload(t, world.Changes(t, "stable", other.Path)); err == nil {
		t.Error("the same version with other bytes is taken")
	}
	if after := world.Get(t, release); after != before {
		t.Errorf("an upload that was refused has changed the index:\n%s", after)
	}
}

// apt-get source finds what dput or plain PUT has uploaded, and believes nothing that was changed on the way.
func TestAptGetsSources(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian(""))
	first := world.Source(t, "greeting", "1.0.0")
	must(t, world.NewDPut(t, d.URL+"/debian/stable/main/incoming").Upload(t, world.Changes(t, "stable", first...)))
	second := world.Source(t, "greeting", "2.0.0")
	for i, want := range []int{http.StatusAccepted, http.StatusCreated} {
		file := second[1-i] // the .dsc last
		if status, body, _ := d.upload(t, d.address("/debian/stable/main/%s", filepath.Base(file)), file); status != want {
			t.Errorf("PUT %s: %d, want %d: %s", filepath.Base(file), status, want, body)
		}
	}

	apt := d.apt(t)
	source := func(version string) error {
		_, err := apt.Command("sh").Try(t, "-c", "rm -rf /src && mkdir /src && cd /src && apt-get source greeting="+version)
		return err
	}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		must(t, source(version))
		out := apt.Command("head").Run(t, "-n1", "/src/greeting-"+version+"/debian/changelog")
		if !strings.HasPrefix(out, "greeting ("+version+")") {
			t.Errorf("the source of %s begins with %q", version, out)
		}
	}
	for _, part := range []string{`\.dsc$`, `\.tar\.xz$`} {
		d.Intercept(world.Flip(regexp.MustCompile(part)))
		distrusts(t, part+" with one bit flipped", source("2.0.0"))
		d.Intercept(nil)
	}
	world.Delete(t, d.address("/debian/pool/stable/main/g/greeting/%s", filepath.Base(second[0])), http.StatusNoContent)
	must(t, apt.Refresh(t))
	absent(t, "a source that was deleted", source("2.0.0"))
	must(t, source("1.0.0"))
}

// An index that is valid for some seconds is signed again in time though nobody uploads anything. Who is kept from
// seeing that finds out.
func TestAnIndexIsSignedAgainBeforeItRunsOut(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian("{valid_for: 4s}"))
	b, _ := d.build(t, world.Deb, "1.0.0")
	apt := d.apt(t)
	address := d.URL + "/debian/dists/stable/InRelease"
	frozen := world.Get(t, address)
	end := validUntil(t, frozen)
	until(t, func() error {
		text := world.Get(t, d.proxy.URL+"/debian/dists/stable/InRelease")
		if next := validUntil(t, text); time.Now().After(next) {
			t.Fatalf("at %v the index is one that ran out at %v", time.Now(), next)
		}
		if !time.Now().After(end.Add(time.Second)) {
			return errors.New("the first index has not run out")
		}
		return nil
	})
	must(t, apt.Refresh(t))
	installs(t, apt, "", b)
	d.Intercept(world.Alter(regexp.MustCompile(`/InRelease$`), func(string, []byte) []byte { return []byte(frozen) }))
	stranger := world.NewAPT(t)
	stranger.Setup(t, d.setupText(t, "debian", "apt")) // which ends with an update that fails
	distrusts(t, "an index that has run out", stranger.Refresh(t))
}

// validUntil returns when a Release runs out.
func validUntil(t *testing.T, release string) time.Time {
	t.Helper()
	field := regexp.MustCompile(`(?m)^Valid-Until: (.*)$`).FindStringSubmatch(release)
	if field == nil {
		t.Fatalf("there is no Valid-Until in\n%s", release)
	}
	end, err := time.Parse(time.RFC1123, field[1])
	must(t, err)
	return end
}

// until waits for something that does not happen at once.
func until(t *testing.T, f func() error) {
	t.Helper()
	if err := world.Poll(t.Context(), func(context.Context) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// A client that read InRelease before a publish, and what that names after it, gets what belongs to its InRelease.
func TestAnUpdateInTheMiddleOfAPublishSucceeds(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian(""))
	first, _ := d.build(t, world.Deb, "1.0.0")
	older := world.Get(t, d.URL+"/debian/dists/stable/InRelease")
	d.build(t, world.Deb, "2.0.0")
	stale := world.Alter(regexp.MustCompile(`/InRelease$`), func(string, []byte) []byte { return []byte(older) })

	d.Intercept(stale)
	apt := d.apt(t)
	must(t, apt.Refresh(t))
	installs(t, apt, "", first)

	// The same without by-hash is what breaks other repositories.
	byHash := missing(regexp.MustCompile(`/by-hash/`))
	d.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		byHash(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stale(w, r, forward) }))
	})
	other := world.NewAPT(t)
	other.Setup(t, d.setupText(t, "debian", "apt")) // which ends with an update that fails
	distrusts(t, "an older InRelease with newer Packages", other.Refresh(t))
}

// A package for all architectures is there on each of them.
func TestAPackageForAllIsInEveryArchitecture(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian("{architectures: [amd64, arm64]}"))
	all := world.Package{Name: "hello", Version: "1.0.0", Arch: "all"}.Build(t, world.Deb)
	d.put(t, world.Deb, all)
	native := world.Package{Name: "native", Version: "1.0.0", Arch: "riscv64"}.Build(t, world.Deb)
	d.put(t, world.Deb, native)
	apt := d.apt(t)
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		as := []string{"-o", "APT::Architecture=" + arch, "-o", "APT::Architectures=" + arch, "-o", "APT::Architectures::=" + arch}
		get := apt.Command("apt-get", as...)
		get.Run(t, "update", "--error-on=any")
		if out := get.Run(t, "download", "--print-uris", "hello"); !strings.Contains(out, all.File()) {
			t.Errorf("%s finds no package for all: %s", arch, out)
		}
		out, err := apt.Command("apt-cache", as...).Try(t, "show", "--no-all-versions", "native")
		if has := err == nil && strings.Contains(out, "Package: native"); has != (arch == "riscv64") {
			t.Errorf("%s: the package for riscv64 is there: %v\n%s", arch, has, out)
		}
	}
	must(t, apt.Refresh(t))
	installs(t, apt, "", all)
}

// With sign_packages, a package carries its signature wherever it is copied, and dpkg installs it as before.
func TestPackagesCarryASignatureOfTheirOrigin(t *testing.T) {
	t.Parallel()
	key, other := world.NewOpenPGP(t, "ed25519"), world.NewOpenPGP(t, "ed25519")
	keys := indexKey("generate: ed25519") + "    - {purpose: package, key: \"file:" + key.Secret(t) + "\"}\n"
	d := openDepot(t, map[string]repository{
		"debian": {settings: "{sign_packages: always}", keys: keys},
		"plain":  {format: "debian"},
	})
	b, address := d.build(t, world.Deb, "1.0.0")
	signed := fetched(t, address)
	debsig := world.NewDebsig(t, key.Public(t))
	must(t, debsig.Check(t, signed))
	if err := debsig.Check(t, altered(t, signed)); err == nil {
		t.Error("a package with one bit flipped has a good signature")
	}
	if err := world.NewDebsig(t, other.Public(t)).Check(t, signed); err == nil {
		t.Error("a package has a good signature by another key")
	}
	unsigned := fetched(t, d.putAt(t, d.URL+"/plain/stable/main/", b.Path))
	if err := debsig.Check(t, unsigned); err == nil {
		t.Error("a package that was not to be signed has a good signature")
	}
	// A signature that is there already gives way to ours.
	again := fetched(t, d.putAt(t, d.URL+"/debian/testing/main/", signed))
	must(t, debsig.Check(t, again))

	apt := d.apt(t)
	must(t, apt.Refresh(t))
	installs(t, apt, "", b)
}

// Packages of Debian's own archive, and the same in another compression, are installed as they are.
func TestDebiansOwnPackages(t *testing.T) {
	t.Parallel()
	d := openDepot(t, onlyDebian(""))
	names := []string{"hello", "ed", "bsdextrautils", "netbase"}
	for _, name := range names {
		d.putAt(t, d.URL+"/debian/stable/main/", world.FromDebian(t, name))
	}
	d.putAt(t, d.URL+"/debian/zstd/main/", recompressed(t, world.FromDebian(t, "ed"), "zstd"))
	d.putAt(t, d.URL+"/debian/gzip/main/", recompressed(t, world.FromDebian(t, "ed"), "gzip"))
	d.putAt(t, d.URL+"/debian/plain/main/", recompressed(t, world.FromDebian(t, "ed"), "none"))

	apt := d.apt(t)
	must(t, apt.Refresh(t))
	apt.Command("apt-get", "-qq", "install", "-y", "--reinstall", "--allow-downgrades").Run(t, names...)
	for _, name := range names {
		if apt.Installed(t, name) == "" {
			t.Errorf("%s is not installed", name)
		}
	}
	for _, compression := range []string{"zstd", "gzip", "plain"} {
		must(t, apt.Remove(t, "ed"))
		d.Reset()
		apt.Command("apt-get").Run(t, "-qq", "install", "-y", "ed/"+compression)
		if r := d.Requests(); len(r) != 1 || !strings.HasPrefix(r[0].Path, "/debian/pool/"+compression+"/") {
			t.Errorf("to install ed from %s apt asked for %+v", compression, r)
		}
		if out := apt.Command("sh").Run(t, "-c", "printf '1p\\nq\\n' | ed -s /etc/debian_version"); out == "" {
			t.Errorf("ed, compressed by %s, says nothing", compression)
		}
	}
}

// recompressed makes the package anew in another compression.
func recompressed(t *testing.T, deb, compression string) string {
	t.Helper()
	dir := t.TempDir()
	c := world.Command{Path: world.Installed(t, "dpkg", "dpkg-deb"), Dir: dir}
	c.Run(t, "--raw-extract", deb, "tree")
	made := filepath.Join(dir, filepath.Base(deb))
	c.Run(t, "--root-owner-group", "-Z"+compression, "--build", "tree", made)
	data, err := os.ReadFile(made)
	must(t, err)
	ending := map[string]string{"zstd": "data.tar.zst", "gzip": "data.tar.gz", "none": "data.tar  "}[compression]
	if !strings.Contains(string(data), ending) {
		t.Fatalf("%s holds no %s", made, ending)
	}
	return made
}
