package integration

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/integration/world"
)

// nextSecond waits until what is published has a later date, which has no parts of seconds.
func nextSecond(t *testing.T) {
	t.Helper()
	now := time.Now().Unix()
	until(t, func() error {
		if time.Now().Unix() == now {
			return errors.New("it is the same second still")
		}
		return nil
	})
}

// An upstream that is down is served from what we have, also by a new process. One that comes back older, or with
// another key, is not believed, until it has published something new or we have been told of its key.
func TestTheUpstreamGoesDownAndComesBack(t *testing.T) {
	bothKindsOfPackages(t, func(t *testing.T, f *front, m world.Manager) {
		name := repositoryOf(m.Kind)
		first := world.Package{Name: "hello", Version: "1.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, first.Path)
		c := m.New(t)
		f.setup(t, m, c)
		takesUnsigned(t, m, c)
		must(t, c.Refresh(t))
		installs(t, c, "", first)
		older := t.TempDir()
		must(t, os.CopyFS(older, os.DirFS(f.peer.Dir())))
		nextSecond(t)
		second := world.Package{Name: "hello", Version: "2.0.0"}.Build(t, m.Kind)
		f.peer.Add(t, second.Path)
		must(t, c.Refresh(t))
		installs(t, c, "", second)
		index := world.Get(t, f.URL+f.index())

		f.behind.Intercept(down)
		again := func(what string) {
			t.Helper()
			must(t, c.Refresh(t))
			removes(t, c, "hello")
			if err := c.Install(t, "hello", ""); err != nil || c.Installed(t, "hello") != second.Version {
				t.Errorf("%s: %q is installed: %v", what, c.Installed(t, "hello"), err)
			}
		}
		again("while the upstream is down")
		status, text := world.Send(t, http.MethodGet, f.proxy.URL+"/readyz", nil)
		if status != http.StatusServiceUnavailable || !strings.Contains(text, f.behind.Addr) {
			t.Errorf("while the upstream is down, /readyz says %d %s", status, text)
		}
		f.proxy.Restart(t)
		again("after a restart, while the upstream is down")
		if err := c.Install(t, "seed", ""); err == nil {
			t.Error("what nobody has asked for is there while the upstream is down")
		}

		f.behind.Intercept(instead(t, world.Serve(t, http.FileServer(http.Dir(older))), regexp.MustCompile("")))
		again("while the upstream is older")
		f.logs(t, "older", "repository="+name, f.behind.Addr)

		// The upstream changes its key.
		key := world.NewOpenPGP(t, "ed25519")
		moved := upstreamOf(t, m.Kind, key)
		third := world.Package{Name: "hello", Version: "3.0.0"}.Build(t, m.Kind)
		moved.Add(t, second.Path, third.Path)
		f.behind.Intercept(instead(t, world.Serve(t, http.FileServer(http.Dir(moved.Dir()))), regexp.MustCompile("")))
		again("while the upstream has another key")
		f.logs(t, "upstream.key", "repository="+name)
		if now := world.Get(t, f.URL+f.index()); now != index {
			t.Errorf("the index has changed to\n%s", now)
		}
		f.reconfigure(t, f.repositories(t, f.behind.URL, key))
		must(t, c.Refresh(t))
		installs(t, c, "", third)
	})
}

// Clients that update while the upstream publishes see one edition of it or the next, and never a mixture.
func TestClientsUpdateWhileTheUpstreamPublishes(t *testing.T) {
	onEachWayInFront(t, func(t *testing.T, f *front, m world.Manager, change func(d *depot, script string) string) {
		clients := []world.PackageManager{m.New(t), m.New(t)}
		script := f.setupText(t, repositoryOf(m.Kind), m.Name)
		if change != nil {
			script = change(f.depot, script)
		}
		for _, c := range clients {
			must(t, c.Setup(t, script))
			takesUnsigned(t, m, c)
			must(t, c.Refresh(t)) // createrepo_c leaves no moment without an index, but some with another's signature
		}
		var packages []world.Built
		for _, version := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"} {
			packages = append(packages, world.Package{Name: "hello", Version: version}.Build(t, m.Kind))
		}
		var readers sync.WaitGroup
		for who, c := range clients {
			readers.Go(func() {
				for i := range refreshes / 2 {
					if err := c.Refresh(t); err != nil {
						t.Errorf("client %d, refresh %d: %v", who, i+1, err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { readers.Wait(); close(done) }()
		last := packages[len(packages)-1]
		for reading := true; reading; {
			for _, b := range packages {
				f.peer.Add(t, b.Path)
			}
			for _, b := range packages {
				if b != last {
					f.peer.Remove(t, b)
				}
			}
			select {
			case <-done:
				reading = false
			default:
			}
		}
		for _, c := range clients {
			must(t, c.Refresh(t))
			installs(t, c, "", last)
		}
	})
}

// onEachWayInFront plays a scene for each of the waysIn to a format that can stand in front. Clients come to the proxy
// itself, on connections of their own.
func onEachWayInFront(t *testing.T, scene func(t *testing.T, f *front, m world.Manager, change func(d *depot, script string) string)) {
	for _, way := range waysIn {
		m := manager(t, way.manager)
		if !slices.ContainsFunc(upstreams, func(u upstream) bool { return u.kind == m.Kind }) {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			key := world.NewOpenPGP(t, "ed25519")
			f := standInFront(t, m.Kind, upstreamOf(t, m.Kind, key), key)
			f.URL = f.proxy.URL
			scene(t, f, m, way.change)
		})
	}
}
