package attacks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"hallmark/integration/world"
)

// An outpost is a proxy in front of a repository that somebody else keeps, and may turn against us.
type outpost struct {
	*depot
	kind world.Kind
	name string // of the repository and its format
	peer world.Peer
	key  *world.OpenPGP
	// behind is what the proxy speaks to.
	behind *world.Recorder
}

// openOutposts plays a scene in front of a Debian and of an RPM repository with one package, seed. The proxy asks each
// time what there is. More are further settings of the upstream.
func openOutposts(t *testing.T, more string, scene func(*testing.T, *outpost)) {
	for _, kind := range []world.Kind{world.Deb, world.RPM} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := &outpost{kind: kind, name: "rpm", key: world.NewOpenPGP(t, "ed25519")}
			o.peer = world.NewCreaterepo(t, o.key)
			if kind == world.Deb {
				o.name, o.peer = "debian", world.NewDebianArchive(t, o.key)
			}
			o.publish(t, "seed", 1)
			o.behind = world.Record(t, world.Serve(t, http.FileServer(http.Dir(o.peer.Dir()))))
			o.depot = openDepot(t, shelf{repositories: []string{o.name}, settings: fmt.Sprintf(
				"    upstream: {url: %s, key: %s, refresh: 1ns, timeout: 1s%s}\n", o.behind.URL, o.key.Public(t), more)})
			scene(t, o)
		})
	}
}

// publish adds a package of at least so many bytes to the upstream and returns its path there, which is its path here.
func (o *outpost) publish(t *testing.T, name string, size int) string {
	t.Helper()
	noise := make([]byte, size)
	rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", name)))).Read(noise)
	b := world.Package{Name: name, Version: "1.0.0", Files: map[string]string{"/opt/" + name: string(noise)}}.Build(t, o.kind)
	o.peer.Add(t, b.Path)
	if o.kind == world.Deb {
		return "pool/" + b.File()
	}
	return b.File()
}

// index is a file of our index that tells one edition of the upstream from the next.
func (o *outpost) index(t *testing.T) string {
	t.Helper()
	path := "/rpm/repodata/repomd.xml"
	if o.kind == world.Deb {
		path = "/debian/dists/stable/main/binary-amd64/Packages"
	}
	return string(o.api.get(t, path).expect(t, http.StatusOK).body)
}

// logged waits until the proxy has written what matches all patterns, since the log had so many bytes.
func (o *outpost) logged(t *testing.T, since int, what string, patterns ...string) {
	t.Helper()
	if err := world.Poll(t.Context(), func(context.Context) error {
		lines := o.log(t)[since:]
		for _, p := range patterns {
			if !regexp.MustCompile(p).MatchString(lines) {
				return fmt.Errorf("%s: the log does not say %q:\n%s", what, p, lines)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// log returns all that the proxy has written.
func (o *outpost) log(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(o.proxy.Log)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// at lets an Interceptor have the paths that match.
func at(paths string, h world.Interceptor) world.Interceptor {
	matching := regexp.MustCompile(paths)
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if matching.MatchString(r.URL.Path) {
			h(w, r, forward)
			return
		}
		forward.ServeHTTP(w, r)
	}
}

// status answers with a status and nothing else of use.
func status(code int) world.Interceptor {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Www-Authenticate", `Basic realm="the upstream's"`)
		w.Header().Set("Set-Cookie", "upstream=1")
		http.Error(w, "<script>the upstream's own words</script>", code)
	}
}

// from lets another server answer, which knows no conditions.
func from(t *testing.T, address string) world.Interceptor {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(to)
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Modified-Since")
		forward.ServeHTTP(w, r)
	}
}

// endless sends zeros for as long as somebody takes them.
func endless(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	zeros := make([]byte, 1<<20)
	for {
		if _, err := w.Write(zeros); err != nil {
			return
		}
	}
}

// silent never says anything.
func silent(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// stalling begins, and sends no more.
func stalling(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Write([]byte("-----BEGIN"))
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// closing begins, and closes the connection before the end that it has announced.
func closing(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Length", "5000")
	w.Write([]byte("-----BEGIN"))
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// encoded sends everything in an encoding that nobody asked for.
func encoded(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	w.Header().Set("Content-Encoding", "gzip")
	forward.ServeHTTP(w, r)
}

// read returns a file of the upstream as it is now.
func (o *outpost) read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(o.peer.Dir(), path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
