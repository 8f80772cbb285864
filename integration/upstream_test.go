package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// An upstream is a program whose repositories we stand in front of, and who reads those.
type upstream struct {
	name     string
	kind     world.Kind
	managers []string
	open     func(t world.T, key *world.OpenPGP) world.Peer
}

var upstreams = []upstream{
	{"reprepro", world.Deb, []string{"apt"}, func(t world.T, k *world.OpenPGP) world.Peer { return world.NewReprepro(t, k) }},
	{"aptly", world.Deb, []string{"apt"}, func(t world.T, k *world.OpenPGP) world.Peer { return world.NewAptly(t, k) }},
	{"Debian's layout", world.Deb, []string{"apt"}, openDebianLayout},
	{"createrepo_c", world.RPM, []string{"dnf", "zypper"}, openCreaterepo},
}

func openDebianLayout(t world.T, key *world.OpenPGP) world.Peer {
	return world.NewDebianArchive(t, key)
}

func openCreaterepo(t world.T, key *world.OpenPGP) world.Peer { return world.NewCreaterepo(t, key) }

// upstreamOf opens a repository of a kind, by the program whose paths are those that we give to uploads.
func upstreamOf(t *testing.T, kind world.Kind, key *world.OpenPGP) world.Peer {
	t.Helper()
	if kind == world.Deb {
		return openDebianLayout(t, key)
	}
	return openCreaterepo(t, key)
}

// A front is a depot with one repository, which stands in front of what another program keeps and nginx serves.
type front struct {
	*depot
	kind   world.Kind
	peer   world.Peer
	key    *world.OpenPGP // the upstream's
	nginx  *world.Nginx
	behind *world.Recorder // between us and nginx
}

// standInFront starts a proxy in front of a repository that has one package, seed. The upstream is asked each time. More
// are further settings of it.
func standInFront(t *testing.T, kind world.Kind, peer world.Peer, key *world.OpenPGP, more ...string) *front {
	t.Helper()
	peer.Add(t, world.Package{Name: "seed", Version: "1.0.0"}.Build(t, kind).Path)
	f := &front{kind: kind, peer: peer, key: key, nginx: world.StartNginx(t, peer.Dir(), world.NginxOptions{DAV: true})}
	f.behind = world.Record(t, f.nginx.URL)
	f.depot = openDepotUnready(t, f.repositories(t, f.behind.URL, key, more...))
	return f
}

// repositories are the one repository, in front of an address whose index is by a key.
func (f *front) repositories(t *testing.T, address string, key *world.OpenPGP, more ...string) map[string]repository {
	t.Helper()
	settings := append([]string{"url: " + address, "key: " + key.Public(t), "refresh: 1ns", "timeout: 1s"}, more...)
	return map[string]repository{repositoryOf(f.kind): {upstream: "{" + strings.Join(settings, ", ") + "}"}}
}

// openDepotUnready is openDepot where nobody waits for what is behind.
func openDepotUnready(t *testing.T, repositories map[string]repository) *depot {
	t.Helper()
	p := world.StartProxy(t, world.ProxyOptions{Config: depotConfig(repositories), Unready: true})
	return &depot{world.Record(t, p.URL), p, ""}
}

// index is the path of the file that says what there is.
func (f *front) index() string {
	if f.kind == world.Deb {
		return "/debian/dists/stable/main/binary-amd64/Packages"
	}
	return "/rpm/repodata/repomd.xml"
}

// manager returns a kind of package manager by its name.
func manager(t *testing.T, name string) world.Manager {
	t.Helper()
	for _, m := range world.Managers() {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("there is no package manager %q", name)
	return world.Manager{}
}

// onEachUpstream plays a scene with each program and each client of what it makes.
func onEachUpstream(t *testing.T, scene func(t *testing.T, f *front, m world.Manager)) {
	for _, u := range upstreams {
		for _, name := range u.managers {
			t.Run(u.name+" read by "+name, func(t *testing.T) {
				t.Parallel()
				key := world.NewOpenPGP(t, "ed25519")
				scene(t, standInFront(t, u.kind, u.open(t, key), key), manager(t, name))
			})
		}
	}
}

// What the upstream publishes is what clients find, with our signature, and what is uploaded through us beside it.
func TestClientsFindWhatTheUpstreamHasAndWhatWasUploaded(t *testing.T) {
	onEachUpstream(t, func(t *testing.T, f *front, m world.Manager) {
		first := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, first.Path)
		c := m.New(t)
		f.setup(t, m, c)
		takesUnsigned(t, m, c)
		must(t, c.Refresh(t))
		installs(t, c, "", first)

		second := world.Package{Name: "hello", Version: "2.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, second.Path)
		must(t, c.Refresh(t))
		installs(t, c, "", second)
		removes(t, c, "hello")
		installs(t, c, "", second)

		third, address := f.build(t, m.Kind, "3.0.0")
		must(t, c.Refresh(t))
		installs(t, c, "", third)
		path := strings.TrimPrefix(address, f.URL+"/"+repositoryOf(m.Kind))
		if theirs := world.Get(t, f.nginx.URL+path); theirs != world.Get(t, address) {
			t.Error("the upstream has other bytes than we serve")
		}
		world.Delete(t, address, http.StatusNoContent)
		if status, _ := world.Send(t, http.MethodGet, f.nginx.URL+path, nil); status != http.StatusNotFound {
			t.Errorf("what was deleted here is there: %d", status)
		}
		must(t, c.Refresh(t))
		removes(t, c, "hello")
		absent(t, "a version that was deleted", c.Install(t, "hello", third.Version))
		installs(t, c, "", second)
		removes(t, c, "hello")
		f.peer.Remove(t, second)
		must(t, c.Refresh(t))
		absent(t, "a version that the upstream has removed", c.Install(t, "hello", second.Version))
	})
}

// The scenes of a hosted repository are those of one in front of another, too.
func TestPackageManagersTakeWhatIsThroughTheProxyAndNothingElse(t *testing.T) {
	for _, name := range []string{"apt", "dnf", "zypper"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, name)
			key := world.NewOpenPGP(t, "ed25519")
			takesWhatIsThere(t, m, standInFront(t, m.Kind, upstreamOf(t, m.Kind, key), key).depot)
		})
	}
}

// takesUnsigned makes a machine's rpm what it is by itself, and not stricter: without upstream.package_key, the index
// alone is signed, and it covers every package.
func takesUnsigned(t *testing.T, m world.Manager, c world.PackageManager) {
	t.Helper()
	if m.Kind == world.RPM {
		must(t, c.Setup(t, "sed -i /_pkgverify_level/d /etc/rpm/macros"))
	}
}

// bothKindsOfPackages plays a scene for Debian and for RPM.
func bothKindsOfPackages(t *testing.T, scene func(t *testing.T, f *front, m world.Manager)) {
	for _, name := range []string{"apt", "dnf"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := manager(t, name)
			key := world.NewOpenPGP(t, "ed25519")
			scene(t, standInFront(t, m.Kind, upstreamOf(t, m.Kind, key), key), m)
		})
	}
}

// An upload stands in our index until the upstream lists its very bytes, and from then on for as long as the upstream
// lists them.
func TestAnUploadBecomesTheUpstreams(t *testing.T) {
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		b, address := f.build(t, m.Kind, "1.0.0")
		served := fetched(t, address)
		f.peer.Add(t) // the index anew, with what was put there
		c := m.New(t)
		f.setup(t, m, c)
		must(t, c.Refresh(t))
		installs(t, c, b.Version, b)

		if status, body, _ := f.upload(t, f.folder(m.Kind)+b.File(), served); status != http.StatusOK {
			t.Errorf("the same bytes at a path that the upstream lists: %d %s", status, body)
		}
		other := world.Package{Name: "hello", Version: "1.0.0", Description: "Another one."}.Build(t, m.Kind)
		if status, body, _ := f.upload(t, f.folder(m.Kind)+b.File(), other.Path); status != http.StatusConflict {
			t.Errorf("other bytes at a path that the upstream lists: %d %s", status, body)
		}
		must(t, os.Remove(filepath.Join(f.peer.Dir(), strings.TrimPrefix(address, f.URL+"/"+repositoryOf(m.Kind)))))
		f.peer.Add(t)
		removes(t, c, "hello")
		must(t, c.Refresh(t))
		absent(t, "what the upstream lists no more", c.Install(t, "hello", ""))
	})
}

// An upstream that takes no uploads is no place for any: the client hears of it, and nothing is listed.
func TestAnUploadThatTheUpstreamRefusesIsNotListed(t *testing.T) {
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		plain := world.StartNginx(t, f.peer.Dir(), world.NginxOptions{})
		f.behind.Intercept(instead(t, plain.URL, regexp.MustCompile("")))
		before := world.Get(t, f.URL+f.index())
		b := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		for what, intercept := range map[string]world.Interceptor{
			"nginx without DAV": instead(t, plain.URL, regexp.MustCompile("")),
			"403":               answering(http.MethodPut, http.StatusForbidden),
			"500":               answering(http.MethodPut, http.StatusInternalServerError),
			"a redirect":        answering(http.MethodPut, http.StatusTemporaryRedirect),
		} {
			f.behind.Intercept(intercept)
			status, body, _ := f.upload(t, f.folder(m.Kind)+b.File(), b.Path)
			if status != http.StatusMethodNotAllowed && status != http.StatusBadGateway {
				t.Errorf("%s: the upload gets %d %s", what, status, body)
			}
		}
		f.behind.Intercept(nil)
		if after := world.Get(t, f.URL+f.index()); after != before {
			t.Errorf("an upload that was refused is listed:\n%s", after)
		}
		if status, body, _ := f.upload(t, f.folder(m.Kind)+b.File(), b.Path); status != http.StatusCreated {
			t.Errorf("once the upstream takes it, the upload gets %d %s", status, body)
		}
	})
}

// answering answers requests of a method with a status.
func answering(method string, status int) world.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.Method != method {
			forward.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Location", "http://"+r.Host+"/elsewhere"+r.URL.Path)
		w.WriteHeader(status)
	}
}

// down is an upstream that closes every connection.
func down(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// logs fails the test unless the proxy's log has a line with all these words.
func (d *depot) logs(t *testing.T, words ...string) {
	t.Helper()
	until(t, func() error {
		data, err := os.ReadFile(d.proxy.Log)
		must(t, err)
		for line := range strings.Lines(string(data)) {
			missing := false
			for _, w := range words {
				missing = missing || !strings.Contains(line, w)
			}
			if !missing {
				return nil
			}
		}
		return fmt.Errorf("no line of the log has all of %q", words)
	})
}
