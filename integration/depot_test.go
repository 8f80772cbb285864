package integration

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// A repository of a depot, beyond its name. The zero value has keys that are quick to make.
type repository struct {
	format   string // empty: the repository's name
	settings string // of the format, a YAML mapping in one line
	keys     string // those that sign the index and perhaps packages; lines of YAML
	upstream string // what it stands in front of, a YAML mapping in one line; empty: nothing
}

// A depot is a proxy with package repositories. Clients reach it through a Recorder, which may tamper with
// what they get.
type depot struct {
	*world.Recorder
	proxy   *world.Proxy
	storage string // where bytes are kept, a line of the configuration; empty: the default
}

// packageRepositories are those that there are without a config file.
var packageRepositories = map[string]repository{"raw": {}, "debian": {}, "rpm": {}, "alpine": {}, "arch": {}}

// repositoryOf is the repository among them that holds a kind of package.
func repositoryOf(kind world.Kind) string {
	return map[world.Kind]string{world.Deb: "debian", world.RPM: "rpm", world.Alpine: "alpine", world.Arch: "arch"}[kind]
}

// openDepot starts a proxy with these repositories.
func openDepot(t *testing.T, repositories map[string]repository) *depot {
	t.Helper()
	return openDepotOn(t, "", repositories)
}

// openDepotOn is openDepot with the setting of where bytes are kept.
func openDepotOn(t *testing.T, storage string, repositories map[string]repository) *depot {
	t.Helper()
	p := world.StartProxy(t, world.ProxyOptions{Config: storage + depotConfig(repositories)})
	return &depot{world.Record(t, p.URL), p, storage}
}

// reconfigure restarts the proxy with other settings.
func (d *depot) reconfigure(t *testing.T, repositories map[string]repository) {
	t.Helper()
	if status := d.proxy.Terminate(); status != 0 {
		t.Fatalf("the proxy ended with status %d", status)
	}
	if err := os.WriteFile(d.proxy.Config, []byte(d.storage+depotConfig(repositories)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.proxy.Start(t)
}

func depotConfig(repositories map[string]repository) string {
	keys, repos := "keys:\n", "repositories:\n"
	for _, name := range slices.Sorted(maps.Keys(repositories)) {
		r := repositories[name]
		if r.format == "" {
			r.format = name
		}
		if r.keys == "" {
			r.keys = quickKeys(r.format)
		}
		keys += "  " + name + ":\n" + r.keys + "    - {purpose: file, scheme: openpgp, generate: ed25519}\n"
		repos += "  " + name + ":\n    format: " + r.format + "\n"
		if r.upstream != "" {
			repos += "    upstream: " + r.upstream + "\n"
		}
		if r.settings != "" {
			repos += "    " + r.format + ": " + r.settings + "\n"
		}
	}
	return keys + repos
}

// quickKeys are keys of a format that are quick to make.
func quickKeys(format string) string {
	switch format {
	case "alpine":
		return indexKey("generate: rsa2048")
	case "npm", "unity":
		return "" // those that are made without a word are as quick
	}
	return indexKey("generate: ed25519")
}

// indexKey is an entry of a repository's keys.
func indexKey(source string) string { return "    - {purpose: index, " + source + "}\n" }

// put uploads a package as a person would, to a folder of its repository, and returns the address that it
// has there.
func (d *depot) put(t *testing.T, kind world.Kind, b world.Built) string {
	t.Helper()
	return d.putAt(t, d.folder(kind)+b.File(), b.Path)
}

// folder is where a person uploads packages of a kind to.
func (d *depot) folder(kind world.Kind) string {
	folder := d.URL + "/" + repositoryOf(kind) + "/"
	if kind == world.Deb {
		folder += "stable/main/"
	}
	return folder
}

// putAt uploads a file, which must be new, and returns where it is.
func (d *depot) putAt(t *testing.T, address, file string) string {
	t.Helper()
	status, body, at := d.upload(t, address, file)
	if status != http.StatusCreated {
		t.Fatalf("PUT %s: %d, want 201: %s", address, status, body)
	}
	return at
}

// upload uploads a file and returns what the proxy says of it, and the address in its Location.
func (d *depot) upload(t *testing.T, address, file string) (status int, body, at string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(w.Body); err != nil {
		t.Fatal(err)
	}
	if to, err := r.URL.Parse(w.Header.Get("Location")); err == nil && w.Header.Get("Location") != "" {
		at = to.String()
	}
	return w.StatusCode, text.String(), at
}

// build builds a package named hello, and uploads it.
func (d *depot) build(t *testing.T, kind world.Kind, version string) (b world.Built, address string) {
	t.Helper()
	b = world.Package{Name: "hello", Version: version}.Build(t, kind)
	return b, d.put(t, kind, b)
}

// setup sets a client up by the text that the repository serves for it.
func (d *depot) setup(t *testing.T, m world.Manager, c world.PackageManager) {
	t.Helper()
	must(t, c.Setup(t, d.setupText(t, repositoryOf(m.Kind), m.Name)))
}

func (d *depot) setupText(t *testing.T, repository, client string) string {
	t.Helper()
	return world.Get(t, d.URL+"/-/setup/"+repository+"?client="+client)
}

// key fetches a file of a repository's public keys.
func (d *depot) key(t *testing.T, repository, name string) string {
	t.Helper()
	return write(t, name, world.Get(t, d.URL+"/-/keys/"+repository+"/"+name))
}

// fetched returns a copy of what is at an address, in a file of the same name.
func fetched(t *testing.T, address string) string {
	t.Helper()
	return write(t, path.Base(address), world.Get(t, address))
}

// instead returns an Interceptor that lets another server answer for paths that match.
func instead(t *testing.T, other string, paths *regexp.Regexp) world.Interceptor {
	t.Helper()
	to, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	return func(w http.ResponseWriter, r *http.Request, ours http.Handler) {
		if paths.MatchString(r.URL.Path) {
			forward.ServeHTTP(w, r)
			return
		}
		ours.ServeHTTP(w, r)
	}
}

// missing returns an Interceptor that answers 404 for paths that match.
func missing(paths *regexp.Regexp) world.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if paths.MatchString(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}
}

// installs installs a package and wants that very one. The version is what the client asks for; empty: the newest.
func installs(t *testing.T, c world.PackageManager, version string, want world.Built) {
	t.Helper()
	must(t, c.Install(t, want.Name, version))
	if has := c.Installed(t, want.Name); has != want.Version {
		t.Fatalf("%q is installed, want %s", has, want.Version)
	}
}

func removes(t *testing.T, c world.PackageManager, name string) {
	t.Helper()
	must(t, c.Remove(t, name))
	if has := c.Installed(t, name); has != "" {
		t.Fatalf("%s is still there after it was removed", has)
	}
}

// distrusts wants an error that says that what was served is not believed.
func distrusts(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s is taken", what)
	} else if !world.Distrusted(err) {
		t.Errorf("%s is refused for another reason: %v", what, err)
	}
}

// absent wants an error that says that there is no such package, and not that it is not believed.
func absent(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || world.Distrusted(err) {
		t.Errorf("%s: %v", what, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// altered returns a copy of a file with one bit flipped in the middle.
func altered(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return write(t, filepath.Base(file), string(world.FlipBit(data)))
}

// occurs fails the test unless a text stands n times in another.
func occurs(t *testing.T, n int, what, in string) {
	t.Helper()
	if has := strings.Count(in, what); has != n {
		t.Errorf("%q stands %d times, and should %d times, in\n%s", what, has, n, in)
	}
}

// address returns where a repository's path is.
func (d *depot) address(format string, args ...any) string {
	return d.URL + fmt.Sprintf(format, args...)
}
