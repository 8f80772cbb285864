package integration

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
)

// An upstream with a password and a certificate of its own is read, and written, with what the configuration says.
func TestAnUpstreamBehindTLSWithAPassword(t *testing.T) {
	t.Parallel()
	key := world.NewOpenPGP(t, "ed25519")
	peer := openDebianLayout(t, key)
	hello := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, world.Deb)
	peer.Add(t, hello.Path)
	dir := t.TempDir()
	cert, certKey := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certificate(t, cert, certKey)
	nginx := world.StartNginx(t, peer.Dir(), world.NginxOptions{DAV: true, Users: []world.User{world.CI}, Cert: cert, Key: certKey})
	open := func(password string, env ...string) *depot {
		t.Helper()
		p := world.StartProxy(t, world.ProxyOptions{Unready: true, Env: env, Config: depotConfig(map[string]repository{"debian": {
			upstream: fmt.Sprintf("{url: %s, key: %s, user: %s, password_file: %s}",
				nginx.URL, key.Public(t), world.CI.Name, write(t, "password", password+"\n")),
		}})})
		return &depot{world.Record(t, p.URL), p, ""}
	}
	d := open(world.CI.Password, "SSL_CERT_FILE="+cert)
	apt := d.apt(t)
	must(t, apt.Refresh(t))
	installs(t, apt, "", hello)
	uploaded, _ := d.build(t, world.Deb, "2.0.0")
	must(t, apt.Refresh(t))
	installs(t, apt, "", uploaded)
	for what, c := range map[string]struct {
		d     *depot
		says  string
		ready int // what /readyz is: the upstream answers, or does not
	}{
		"another password":             {open("wrong", "SSL_CERT_FILE="+cert), "answers 401", http.StatusOK},
		"a certificate nobody vouches": {open(world.CI.Password), "certificate", http.StatusServiceUnavailable},
	} {
		status, text := world.Send(t, http.MethodGet, c.d.URL+"/debian/dists/stable/InRelease", nil)
		if status != http.StatusBadGateway || !strings.Contains(text, c.says) || !strings.Contains(text, nginx.Addr) {
			t.Errorf("%s: %d %s", what, status, text)
		}
		if status, text := world.Send(t, http.MethodGet, c.d.URL+"/readyz", nil); status != c.ready {
			t.Errorf("%s: /readyz says %d %s", what, status, text)
		}
	}
}

// A repository without a key does not start. One that is told to trust what comes does, and signs what nobody has.
func TestAnUpstreamWithoutAKey(t *testing.T) {
	for _, name := range []string{"apt", "dnf"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, name)
			peer := upstreamOf(t, m.Kind, world.NewOpenPGP(t, "ed25519"))
			hello := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
			peer.Add(t, hello.Path)
			for _, signature := range []string{"repodata/repomd.xml.asc", "dists/stable/InRelease"} {
				os.Remove(filepath.Join(peer.Dir(), signature))
			}
			url := world.StartNginx(t, peer.Dir(), world.NginxOptions{}).URL
			kept := repositoryOf(m.Kind)
			config := func(more string) string {
				return depotConfig(map[string]repository{kept: {upstream: "{url: " + url + more + "}"}})
			}
			world.Command{Path: world.ProxyBinary(t)}.Refuses(t, []string{kept, "trust: unverified"},
				"serve", "--listen", world.FreeAddr(t), "--data", t.TempDir(), "--config", write(t, "config.yml", config("")))

			// Somebody's key, where there is no signature, is no help either.
			checked := openDepotUnready(t, map[string]repository{kept: {
				upstream: "{url: " + url + ", key: " + world.NewOpenPGP(t, "ed25519").Public(t) + "}",
			}})
			path := map[world.Kind]string{world.Deb: "/debian/dists/stable/InRelease", world.RPM: "/rpm/repodata/repomd.xml"}[m.Kind]
			if status, text := world.Send(t, http.MethodGet, checked.URL+path, nil); status != http.StatusBadGateway || !strings.Contains(text, "no signature") {
				t.Errorf("an index without a signature, where there is a key: %d %s", status, text)
			}

			d := openDepotUnready(t, map[string]repository{kept: {upstream: "{url: " + url + ", trust: unverified}"}})
			c := m.New(t)
			d.setup(t, m, c)
			takesUnsigned(t, m, c)
			must(t, c.Refresh(t))
			installs(t, c, "", hello)
		})
	}
}

// The upstream's packages are checked by the keys of their makers where those are configured, and by the signed index
// alone where they are not.
func TestMakersKeysBesideOurs(t *testing.T) {
	t.Parallel()
	key, maker := world.NewOpenPGP(t, "ed25519"), world.NewOpenPGP(t, "rsa3072")
	peer := openCreaterepo(t, key)
	signed := world.Package{Name: "signed", Version: "1.0.0"}.Build(t, world.RPM)
	maker.SignRPM(t, signed.Path)
	unsigned := world.Package{Name: "unsigned", Version: "1.0.0"}.Build(t, world.RPM)
	peer.Add(t, signed.Path, unsigned.Path)
	nginx := world.StartNginx(t, peer.Dir(), world.NginxOptions{DAV: true})
	settings := fmt.Sprintf("url: %s, key: %s, refresh: 1ns", nginx.URL, key.Public(t))
	with := openDepotUnready(t, map[string]repository{"rpm": {upstream: "{" + settings + ", package_key: " + maker.Public(t) + "}"}})
	without := openDepotUnready(t, map[string]repository{"rpm": {upstream: "{" + settings + "}"}})
	occurs(t, 1, "\ngpgcheck=1\n", world.Get(t, with.URL+"/rpm/rpm.repo"))
	occurs(t, 1, "\ngpgcheck=0\n", world.Get(t, without.URL+"/rpm/rpm.repo"))
	for _, name := range []string{"dnf", "zypper"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, name)
			strict := m.New(t)
			with.setup(t, m, strict)
			must(t, strict.Refresh(t))
			installs(t, strict, "", signed)
			if err := strict.Install(t, "unsigned", ""); err == nil {
				t.Error("a package that nobody has signed is taken")
			}
			lax := m.New(t)
			without.setup(t, m, lax)
			takesUnsigned(t, m, lax)
			must(t, lax.Refresh(t))
			installs(t, lax, "", signed)
			installs(t, lax, "", unsigned)
		})
	}
}

// Our index is valid for no longer than the upstream's, and an upstream's that has run out is not served.
func TestTheUpstreamsEndOfValidityIsOurs(t *testing.T) {
	t.Parallel()
	key := world.NewOpenPGP(t, "ed25519")
	f := standInFront(t, world.Deb, openDebianLayout(t, key), key)
	release := filepath.Join(f.peer.Dir(), "dists/stable/Release")
	text, err := os.ReadFile(release)
	must(t, err)
	end := time.Now().Add(4 * time.Second).UTC().Truncate(time.Second)
	field := "Valid-Until: " + end.Format(time.RFC1123) + "\n"
	must(t, os.WriteFile(release, append([]byte(strings.Replace(field, "UTC", "+0000", 1)), text...), 0o644))
	key.Clearsign(t, release, filepath.Join(filepath.Dir(release), "InRelease"))

	address := f.URL + "/debian/dists/stable/InRelease"
	if ours := validUntil(t, world.Get(t, address)); ours.After(end) {
		t.Errorf("ours is valid until %v, and the upstream's until %v", ours, end)
	}
	apt := f.apt(t)
	must(t, apt.Refresh(t))
	until(t, func() error {
		if status, text := world.Send(t, http.MethodGet, address, nil); status != http.StatusBadGateway || !strings.Contains(text, "valid until") {
			return fmt.Errorf("after %v: %d %s", end, status, text)
		}
		if time.Now().Before(end) {
			return errors.New("it is not served before its end")
		}
		return nil
	})
	if err := apt.Refresh(t); err == nil {
		t.Error("apt takes an index whose upstream has run out")
	}
	f.peer.Add(t) // anew, without an end
	must(t, apt.Refresh(t))
}

// Beside a file of the upstream there are our signatures, as beside any other.
func TestAnUpstreamsFilesHaveSignaturesBesideThem(t *testing.T) {
	other := openDepot(t, map[string]repository{"debian": {}, "rpm": {}})
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		b := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, b.Path)
		path := map[world.Kind]string{world.Deb: "/debian/pool/", world.RPM: "/rpm/"}[m.Kind] + b.File()
		world.Get(t, f.URL+f.index())
		hasSignaturesBesideIt(t, f.depot, other, repositoryOf(m.Kind), f.URL+path)
	})
}

// What dput uploads goes to the upstream, and is listed all at once.
func TestDputUploadsToTheUpstream(t *testing.T) {
	t.Parallel()
	key := world.NewOpenPGP(t, "ed25519")
	f := standInFront(t, world.Deb, world.NewReprepro(t, key), key)
	hello := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, world.Deb)
	bye := world.Package{Name: "bye", Version: "1.0.0", Arch: "all"}.Build(t, world.Deb)
	must(t, world.NewDPut(t, f.URL+"/debian/stable/main/incoming").Upload(t, world.Changes(t, "stable", hello.Path, bye.Path)))
	for _, b := range []world.Built{hello, bye} {
		path := fmt.Sprintf("/pool/stable/main/%c/%s/%s", b.Name[0], b.Name, b.File())
		if world.Get(t, f.nginx.URL+path) != string(b.Bytes(t)) {
			t.Errorf("the upstream has other bytes at %s", path)
		}
	}
	apt := f.apt(t)
	must(t, apt.Refresh(t))
	installs(t, apt, "", hello)
	installs(t, apt, "", bye)
}

// An upload that could not be forwarded leaves its place to another.
func TestAnUploadWhileTheUpstreamIsDown(t *testing.T) {
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		f.behind.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
			if r.Method == http.MethodPut {
				panic(http.ErrAbortHandler)
			}
			forward.ServeHTTP(w, r)
		})
		first := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		if status, text, _ := f.upload(t, f.folder(m.Kind)+first.File(), first.Path); status != http.StatusBadGateway {
			t.Errorf("an upload while the upstream is down: %d %s", status, text)
		}
		f.behind.Intercept(nil)
		other := world.Package{Name: "hello", Version: "1.0.0", Description: "Another one."}.Build(t, m.Kind)
		f.putAt(t, f.folder(m.Kind)+other.File(), other.Path)
		if n := len(f.tree(t, repositoryOf(m.Kind), regexp.MustCompile("hello.*(deb|rpm)$"))); n != 1 {
			t.Errorf("there are %d packages of it", n)
		}
	})
}
