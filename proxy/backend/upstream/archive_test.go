package upstream_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/formats/helm"
	"hallmark/proxy/backend"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// newArchive returns a stand in front of a Debian archive that is trusted without a key.
func newArchive(t *testing.T) *stand {
	f, err := debian.New(debian.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return newUnverified(t, f)
}

// publishArchive has the server publish a distribution with packages, which are all in one pool.
func (s *stand) publishArchive(distribution string, date time.Time, validity time.Duration, packages ...string) {
	var list strings.Builder
	tree := map[string]string{}
	for _, name := range packages {
		path := "pool/main/" + name + "_1_amd64.deb"
		tree[path] = "the bytes of " + name
		fmt.Fprintf(&list, "Package: %s\nVersion: 1\nArchitecture: amd64\nFilename: %s\nSize: %d\nSHA256: %x\n\n", name, path, len(tree[path]), sha256.Sum256([]byte(tree[path])))
	}
	const format = "Mon, 02 Jan 2006 15:04:05 UTC"
	release := "Codename: " + distribution + "\nDate: " + date.Format(format) + "\n"
	if validity > 0 {
		release += "Valid-Until: " + date.Add(validity).Format(format) + "\n"
	}
	tree["dists/"+distribution+"/Release"] = release + fmt.Sprintf("Architectures: amd64\nComponents: main\nSHA256:\n %x %d main/binary-amd64/Packages\n",
		sha256.Sum256([]byte(list.String())), list.Len())
	tree["dists/"+distribution+"/main/binary-amd64/Packages"] = list.String()
	s.server.set(tree)
}

const packagesOf = "dists/%s/main/binary-amd64/Packages"

func TestAnOlderIndexIsRefusedAndTheLogSaysSo(t *testing.T) {
	s := newArchive(t)
	first := s.now
	s.publishArchive("stable", first, 0, "a", "b")
	before := s.mustGet(fmt.Sprintf(packagesOf, "stable"))
	s.publishArchive("stable", first.Add(-time.Hour), 0, "a")
	for _, restart := range []bool{false, true} {
		s.later()
		if restart {
			s.restart()
		}
		if now := s.mustGet(fmt.Sprintf(packagesOf, "stable")); now != before {
			t.Errorf("it lists\n%s", now)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "older") || !strings.Contains(log, "repository=front") {
		t.Errorf("the log says\n%s", log)
	}
	s.publishArchive("stable", first.Add(time.Second), 0, "a")
	s.later()
	if now := s.mustGet(fmt.Sprintf(packagesOf, "stable")); strings.Contains(now, "Package: b") {
		t.Errorf("a newer index is not taken over:\n%s", now)
	}
}

// What there is not is nobody's fault, what there is no more is.
func TestTheLogNamesWhatHasGoneAndNotWhatNeverWas(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a")
	if _, err := s.get("dists/stabel/Release"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a distribution that there is not: %v", err)
	}
	s.mustGet("dists/stable/Release")
	if log := s.log.String(); strings.Contains(log, "level=WARN") {
		t.Errorf("the log says\n%s", log)
	}
	s.server.remove("dists/stable/Release")
	s.later()
	s.mustGet("dists/stable/Release")
	if log := s.log.String(); strings.Count(log, "is not taken over") != 1 || !strings.Contains(log, "was there before") {
		t.Errorf("of one that has gone the log says\n%s", log)
	}
}

// An index that has not changed is read again where the settings by which it is read have.
func TestAnIndexIsReadAgainByOtherSettings(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a", "b")
	lists := func(what string, want bool) {
		t.Helper()
		release, err := s.get("dists/stable/main/binary-amd64/Packages")
		if err != nil || strings.Contains(release, "Package: b") != want {
			t.Errorf("%s: %v\n%s", what, err, release)
		}
	}
	lists("with all architectures", true)
	for _, tt := range []struct {
		what   string
		wanted []string
		lists  bool
	}{
		{"with another one alone", []string{"arm64"}, false},
		{"with this one again", []string{"amd64"}, true},
	} {
		settings := debian.Defaults()
		settings.UpstreamArchitectures = tt.wanted
		f, err := debian.New(settings)
		if err != nil {
			t.Fatal(err)
		}
		s.format, s.settings = f, fmt.Sprint(settings)
		s.restart()
		lists(tt.what, tt.lists)
	}
}

// And where files may come from another origin: a chart that was beside the index, and is not there, comes from there then.
func TestAnIndexIsReadAgainWhenFilesMayComeFromElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "a chart") }))
	defer elsewhere.Close()
	f, err := helm.New(helm.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	s := newUnverified(t, f, signingtest.Key(t, scheme.Package, scheme.OpenPGP, "ed25519"))
	s.server.set(map[string]string{"index.yaml": fmt.Sprintf("apiVersion: v1\nentries:\n  foo:\n  - {apiVersion: v2, name: foo, version: 1.0.0, digest: %x, urls: ['%s/foo-1.0.0.tgz']}\n"+
		"generated: '2026-01-01T00:00:00Z'\n", sha256.Sum256([]byte("a chart")), elsewhere.URL)})
	if _, err := s.get("foo-1.0.0.tgz"); !errors.Is(err, backend.ErrUpstream) {
		t.Errorf("where the origin is not listed: %v", err)
	}
	s.origins = []string{elsewhere.URL}
	s.restart()
	if got := s.mustGet("foo-1.0.0.tgz"); got != "a chart" {
		t.Errorf("where it is: %q", got)
	}
}

// What was taken over stays good where only settings have changed and the upstream has a bad index by now.
func TestOtherSettingsTakeNothingAway(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a")
	before := s.mustGet(fmt.Sprintf(packagesOf, "stable"))
	s.server.set(map[string]string{"dists/stable/Release": "nonsense"})
	s.settings = "others"
	s.restart()
	if now := s.mustGet(fmt.Sprintf(packagesOf, "stable")); now != before {
		t.Errorf("it lists\n%s", now)
	}
}

func TestTheEndOfAnIndexsValidityIsNeverExtended(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 2*time.Hour, "a")
	until := s.now.Add(2 * time.Hour)
	want := "Valid-Until: " + until.Format("Mon, 02 Jan 2006 15:04:05 UTC")
	if release := s.mustGet("dists/stable/Release"); !strings.Contains(release, want) {
		t.Errorf("Release lacks %s:\n%s", want, release)
	}
	s.now = until.Add(-time.Minute)
	s.server.fail(503)
	if release := s.mustGet("dists/stable/Release"); !strings.Contains(release, want) {
		t.Errorf("while the upstream is down, Release lacks %s:\n%s", want, release)
	}
	s.now = until.Add(time.Second)
	if _, err := s.get("dists/stable/Release"); !errors.Is(err, backend.ErrUpstream) {
		t.Errorf("after its end it is served: %v", err)
	}
	s.server.fail(0)
	s.publishArchive("stable", s.now, time.Hour, "a")
	s.later()
	if release := s.mustGet("dists/stable/Release"); strings.Contains(release, want) {
		t.Errorf("a new index has the old end:\n%s", release)
	}
}

func TestAFileThatTwoDistributionsListGoesWithTheLast(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a", "b")
	s.publishArchive("testing", s.now, 0, "a", "c")
	lists := func(distribution, name string) bool {
		t.Helper()
		return strings.Contains(s.mustGet(fmt.Sprintf(packagesOf, distribution)), "Package: "+name+"\n")
	}
	if !lists("stable", "a") || !lists("testing", "a") || lists("stable", "c") {
		t.Fatal("the two are mixed")
	}
	s.publishArchive("stable", s.now.Add(time.Second), 0, "b")
	s.later()
	if lists("stable", "a") || !lists("testing", "a") {
		t.Error("a is gone from stable alone")
	}
	if got := s.mustGet("pool/main/a_1_amd64.deb"); got != "the bytes of a" {
		t.Errorf("its bytes are %q", got)
	}
	s.publishArchive("testing", s.now.Add(time.Second), 0, "c")
	s.later()
	if lists("testing", "a") {
		t.Error("a is in testing")
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
	if _, err := s.get("dists/nowhere/Release"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a distribution that there is not: %v", err)
	}
}

func TestAnEndlessIndexIsRefusedAtTheFormatsLimit(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a")
	before := s.mustGet("dists/stable/Release")
	s.server.set(map[string]string{"dists/stable/Release": strings.Repeat("Codename: stable\n", 2<<20)})
	s.later()
	if now := s.mustGet("dists/stable/Release"); now != before {
		t.Errorf("Release is %.100q", now)
	}
	if log := s.log.String(); !strings.Contains(log, "too large") {
		t.Errorf("the log says\n%s", log)
	}
}

// A package of two components is one file with two stanzas. It is listed in both, and when one drops it, in the other.
func TestAFileOfTwoComponentsIsListedInBoth(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newArchive(t)
		edition := 0
		publish := func(main, contrib bool) {
			edition++
			s.later()
			const stanza = "Package: a\nVersion: 1\nArchitecture: amd64\n%sFilename: pool/a.deb\nSize: 1\nSHA256: %x\n\n"
			release := "Codename: stable\nDate: " + s.now.Format("Mon, 02 Jan 2006 15:04:05 UTC") + "\nArchitectures: amd64\nComponents: contrib main\nSHA256:\n"
			for component, there := range map[string]bool{"main": main, "contrib": contrib} {
				list := ""
				if there {
					list = fmt.Sprintf(stanza, "Section: "+component+"\n", sha256.Sum256([]byte("a")))
				}
				path := component + "/binary-amd64/Packages"
				release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256([]byte(list)), len(list), path)
				s.server.set(map[string]string{"dists/stable/" + path: list})
			}
			s.server.set(map[string]string{"dists/stable/Release": release, "pool/a.deb": "a"})
			if restart {
				s.restart()
			}
		}
		for i, there := range []struct{ main, contrib bool }{
			{true, true}, {true, false}, {true, true}, {false, true}, {true, true}, {false, false}, {false, true}, {true, true},
		} {
			publish(there.main, there.contrib)
			for component, want := range map[string]bool{"main": there.main, "contrib": there.contrib} {
				list, err := s.get("dists/stable/" + component + "/binary-amd64/Packages")
				if got := strings.Count(list, "Section: "+component+"\n"); err != nil || got != map[bool]int{true: 1}[want] || strings.Count(list, "Package: a") != got {
					t.Errorf("restart %t, edition %d: %s lists it %d times, want %t, %v", restart, i, component, got, want, err)
				}
			}
			if err := s.verify(); err != nil {
				t.Errorf("restart %t, edition %d: %v", restart, i, err)
			}
		}
	}
}

func TestAnIndexThatIsDamagedInTheCacheIsFetchedAgain(t *testing.T) {
	s := newArchive(t)
	s.publishArchive("stable", s.now, 0, "a", "b")
	before := s.mustGet(fmt.Sprintf(packagesOf, "stable"))
	s.later()
	s.publishArchive("stable", s.now, 0, "a", "b") // its Packages are the same, and need not come again
	s.restart()
	damaged := 0
	err := filepath.WalkDir(filepath.Join(s.dir, "cache"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		damaged++
		return os.WriteFile(p, bytes.Replace(data, []byte("Package: a"), []byte("Package: z"), 1), 0o600)
	})
	if err != nil || damaged != 1 {
		t.Fatalf("%d files are cached, %v", damaged, err)
	}
	for range 2 {
		if now := s.mustGet(fmt.Sprintf(packagesOf, "stable")); now != before {
			t.Errorf("it lists\n%s", now)
		}
		s.later()
	}
	if log := s.log.String(); strings.Count(log, "damaged in the cache") != 1 {
		t.Errorf("the log says\n%s", log)
	}
}
