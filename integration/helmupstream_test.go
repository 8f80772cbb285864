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

// A chartTree is a tree that helm repo index has made an index of, and nginx serves and takes uploads to.
type chartTree struct {
	dir   string
	nginx *world.Nginx
	key   *world.OpenPGP
	helm  *world.Helm
}

func newChartTree(t *testing.T) *chartTree {
	t.Helper()
	c := &chartTree{dir: t.TempDir(), key: world.NewOpenPGP(t, "ed25519"), helm: world.NewHelm(t)}
	c.nginx = world.StartNginx(t, c.dir, world.NginxOptions{DAV: true})
	return c
}

// add puts a new chart into the tree, and signs the index.
func (c *chartTree) add(t *testing.T, version string) (file string) {
	t.Helper()
	file = c.helm.Chart(t, "hello", version)
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(c.dir, filepath.Base(file)), data, 0o644))
	c.index(t)
	return file
}

func (c *chartTree) index(t *testing.T) {
	t.Helper()
	index := filepath.Join(c.dir, "index.yaml")
	c.helm.Run(t, "repo", "index", c.dir)
	must(t, os.RemoveAll(index+".asc"))
	c.key.Detach(t, index, index+".asc", true)
}

// before opens a depot in front of an address, which is asked each time.
func (c *chartTree) before(t *testing.T, address, settings string) *depot {
	t.Helper()
	return openDepotUnready(t, map[string]repository{"helm": {upstream: "{url: " + address + ", refresh: 1ns, timeout: 1s, " + settings + "}"}})
}

// Charts that the index names at another server come from there if that is configured, and otherwise from beside the index: the
// other name may be ours.
func TestChartsInFrontOfAnIndexWhoseChartsAreElsewhere(t *testing.T) {
	t.Parallel()
	c := newChartTree(t)
	first := c.add(t, "1.0.0")
	index, charts := world.Record(t, c.nginx.URL), world.Record(t, c.nginx.URL)
	c.helm.Run(t, "repo", "index", c.dir, "--url", charts.URL)
	asked := func(r *world.Recorder) (n int) {
		for _, q := range r.Requests() {
			if strings.HasSuffix(q.Path, ".tgz") {
				n++
			}
		}
		r.Reset()
		return n
	}
	for _, tt := range []struct {
		origins        string
		beside, charts int
	}{{"[]", 1, 0}, {"[" + charts.URL + "]", 0, 1}} {
		m := c.before(t, index.URL, "trust: unverified, redirect_origins: "+tt.origins).helmOf(t, 3)
		got, err := m.pulls(t, "hello", "1.0.0")
		must(t, err)
		if want, err := os.ReadFile(first); err != nil || got != string(want) {
			t.Errorf("with redirect_origins %s, helm has pulled another chart (%v)", tt.origins, err)
		}
		if beside, elsewhere := asked(index), asked(charts); beside != tt.beside || elsewhere != tt.charts {
			t.Errorf("with redirect_origins %s, %d charts came from beside the index and %d from elsewhere", tt.origins, beside, elsewhere)
		}
	}
}

// What the upstream's index lists is what helm verifies by our provenance, and what is uploaded through us goes there, too. A chart
// that is not the one of the index passes for nobody, and nobody's index but the upstream's own is followed.
func TestChartsInFrontOfATree(t *testing.T) {
	for _, version := range helms {
		t.Run(fmt.Sprint("helm ", version), func(t *testing.T) {
			t.Parallel()
			c := newChartTree(t)
			first := c.add(t, "1.0.0")
			behind := world.Record(t, c.nginx.URL)
			d := c.before(t, behind.URL, "key: "+c.key.Public(t))
			m := d.helmOf(t, version)
			pull := func(version, file string) {
				t.Helper()
				got, err := m.pulls(t, "hello", version)
				must(t, err)
				if want, err := os.ReadFile(file); err != nil || got != string(want) {
					t.Errorf("helm has pulled another %s (%v)", version, err)
				}
			}
			pull("1.0.0", first)
			second := c.add(t, "2.0.0")
			other, err := os.ReadFile(c.helm.Chart(t, "hello", "2.0.0"))
			must(t, err)
			behind.Intercept(world.Alter(regexp.MustCompile(`hello-2\.0\.0\.tgz$`), func(string, []byte) []byte { return other }))
			if _, err := m.pulls(t, "hello", "2.0.0"); err == nil {
				t.Error("a chart that is not the one of the upstream's index is taken")
			}
			behind.Intercept(nil)
			pull("2.0.0", second)

			third := c.helm.Chart(t, "hello", "3.0.0")
			d.putAt(t, d.address("/helm/%s", filepath.Base(third)), third)
			pull("3.0.0", third)
			if theirs := world.Get(t, c.nginx.URL+"/hello-3.0.0.tgz"); theirs != world.Get(t, d.URL+"/helm/hello-3.0.0.tgz") {
				t.Error("the upstream has other bytes than we serve")
			}
			c.index(t)
			pull("3.0.0", third)

			before := world.Get(t, d.URL+"/helm/api/charts/hello")
			c.add(t, "4.0.0")
			for what, intercept := range map[string]world.Interceptor{
				"an index that was changed":  world.Flip(regexp.MustCompile(`index\.yaml$`)),
				"an index without signature": missing(regexp.MustCompile(`\.asc$`)),
			} {
				behind.Intercept(intercept)
				if now := world.Get(t, d.URL+"/helm/api/charts/hello"); now != before {
					t.Errorf("%s is followed:\n%s", what, now)
				}
			}
			behind.Intercept(nil)
			if now := world.Get(t, d.URL+"/helm/api/charts/hello"); !strings.Contains(now, `"4.0.0"`) {
				t.Errorf("what the upstream lists now is\n%s", now)
			}
			d = c.before(t, behind.URL, "key: "+world.NewOpenPGP(t, "ed25519").Public(t))
			if status, body := world.Send(t, http.MethodGet, d.URL+"/helm/index.yaml", nil); status != http.StatusBadGateway {
				t.Errorf("an index by another key: %d %s", status, body)
			}
			d = c.before(t, c.nginx.URL, "trust: unverified")
			m = d.helmOf(t, version)
			pull("1.0.0", first)
		})
	}
}
