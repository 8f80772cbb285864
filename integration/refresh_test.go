package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"hallmark/integration/world"
)

// waysIn are the ways in which package managers read a repository.
var waysIn = []struct {
	name, manager string
	change        func(d *depot, script string) string // the set-up text; nil: it stays as it is
}{
	{"apt", "apt", nil},
	{"dnf by the .repo that is served", "dnf", nil},
	{"dnf by a plain baseurl", "dnf", plainBaseurl},
	{"zypper", "zypper", nil},
	{"pacman", "pacman", nil},
	{"apk", "apk", nil},
}

// plainBaseurl has dnf read the repository itself, as people write it by hand.
func plainBaseurl(d *depot, script string) string {
	return script + "sed -i 's|^mirrorlist=.*|baseurl=" + d.proxy.URL + "/rpm/|' /etc/yum.repos.d/*.repo\n" +
		"grep -q ^baseurl= /etc/yum.repos.d/*.repo\n"
}

// onEachWayIn opens a depot with one package for each way, and lets f have what sets a client up. Clients come to the
// proxy itself, on connections of their own.
func onEachWayIn(t *testing.T, f func(t *testing.T, d *depot, m world.Manager, client func() world.PackageManager)) {
	for _, way := range waysIn {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			managers := world.Managers()
			m := managers[slices.IndexFunc(managers, func(m world.Manager) bool { return m.Name == way.manager })]
			d := openDepot(t, packageRepositories)
			d.URL = d.proxy.URL
			d.build(t, m.Kind, "1.0.0")
			script := d.setupText(t, repositoryOf(m.Kind), m.Name)
			if way.change != nil {
				script = way.change(d, script)
			}
			f(t, d, m, func() world.PackageManager {
				t.Helper()
				c := m.New(t)
				must(t, c.Setup(t, script))
				return c
			})
		})
	}
}

// A client sees what was acknowledged before it asked, also if it has asked a moment before.
func TestTheNextRefreshSeesAnUpload(t *testing.T) {
	onEachWayIn(t, func(t *testing.T, d *depot, m world.Manager, client func() world.PackageManager) {
		c := client()
		must(t, c.Refresh(t))
		for i := range 3 {
			b, _ := d.build(t, m.Kind, fmt.Sprintf("2.%d.0", i))
			must(t, c.Refresh(t))
			installs(t, c, "", b)
			must(t, c.Refresh(t)) // nothing new
		}
	})
}

// refreshes is how often each client refreshes while publishes go on.
const refreshes = 10

// Clients that refresh while publishes go on, one behind the other, never see an index of one generation with the
// signature of another, not even two that have one address. What they see in the end is the end.
func TestClientsRefreshWhilePublishesGoOn(t *testing.T) {
	onEachWayIn(t, func(t *testing.T, d *depot, m world.Manager, client func() world.PackageManager) {
		clients := []world.PackageManager{client(), client()}
		publishes := newPublisher(t, d, m.Kind)
		done := make(chan struct{})
		var publisher, readers sync.WaitGroup
		publisher.Go(func() { publishes.until(done) })
		for who, c := range clients {
			readers.Go(func() {
				for i := 0; (i < refreshes || publishes.count.Load() < 3*refreshes) && !t.Failed(); i++ {
					if err := c.Refresh(t); err != nil {
						t.Errorf("client %d, refresh %d, after %d publishes: %v", who, i+1, publishes.count.Load(), err)
					}
				}
			})
		}
		readers.Wait()
		close(done)
		publisher.Wait()
		last, _ := d.build(t, m.Kind, "2.0.0")
		for _, c := range clients {
			must(t, c.Refresh(t))
			installs(t, c, "", last)
		}
	})
}

// A publisher uploads and deletes packages, one after another.
type publisher struct {
	t      *testing.T
	folder string
	files  []world.Built
	bytes  [][]byte
	count  atomic.Int64 // uploads and deletions
}

func newPublisher(t *testing.T, d *depot, kind world.Kind) *publisher {
	t.Helper()
	p := &publisher{t: t, folder: d.proxy.URL + "/" + repositoryOf(kind) + "/"}
	if kind == world.Deb {
		p.folder += "stable/main/"
	}
	for i := range 8 {
		b := world.Package{Name: fmt.Sprintf("busy%d", i), Version: "1.0.0"}.Build(t, kind)
		p.files, p.bytes = append(p.files, b), append(p.bytes, b.Bytes(t))
	}
	return p
}

// until publishes without a pause until done is closed, or something fails, which is an error of the test.
func (p *publisher) until(done <-chan struct{}) {
	listed := make([]string, len(p.files)) // where they are
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		i := n % len(p.files)
		method, address, body, want := http.MethodPut, p.folder+p.files[i].File(), p.bytes[i], http.StatusCreated
		if listed[i] != "" {
			method, address, body, want = http.MethodDelete, listed[i], nil, http.StatusNoContent
		}
		at, err := p.send(method, address, body, want)
		if err != nil {
			p.t.Error(err)
			return
		}
		listed[i] = at
		p.count.Add(1)
	}
}

// send returns the address of what was uploaded.
func (p *publisher) send(method, address string, body []byte, want int) (string, error) {
	r, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != want {
		return "", fmt.Errorf("%s %s: %s, want %d: %s (%v)", method, address, w.Status, want, answer, err)
	}
	location := w.Header.Get("Location")
	if location == "" {
		return "", nil
	}
	to, err := r.URL.Parse(location)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}
