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

// helms are the versions of helm that the scenes are played with.
var helms = []int{3, 4}

// A helmMachine is a helm that a set-up text has brought to a repository, with the keyring that it keeps.
type helmMachine struct {
	*world.HelmMachine
	keyring string
}

// helmOf sets a machine up.
func (d *depot) helmOf(t *testing.T, version int) helmMachine {
	t.Helper()
	m := helmMachine{world.NewHelmMachine(t, version), "/usr/local/share/hallmark/helm/openpgp.gpg"}
	must(t, m.Setup(t, "set -e\n"+d.setupText(t, "helm", "helm")))
	return m
}

// pulls has helm fetch a version of a chart, verified by the keyring, and returns the archive. Helm 4 keeps what it has fetched
// under the digest that the index names, with which it does not compare it: it is made to forget.
func (m helmMachine) pulls(t *testing.T, chart, version string) (string, error) {
	t.Helper()
	must(t, m.Setup(t, "rm -rf /charts /root/.cache/helm/content && mkdir /charts"))
	if out, err := m.Helm().Try(t, "repo", "update", "helm"); err != nil {
		return out, err
	}
	out, err := m.Helm().Try(t, "pull", "helm/"+chart, "--version", version, "--destination", "/charts", "--verify", "--keyring", m.keyring)
	if err != nil {
		return out, err
	}
	data, err := m.Root(t).ReadFile("charts/" + chart + "-" + version + ".tgz")
	must(t, err)
	return string(data), nil
}

// post posts files to ChartMuseum's API, in pairs of field and file.
func (d *depot) post(t *testing.T, path string, fields ...string) (string, error) {
	t.Helper()
	var args []string
	for i := 0; i < len(fields); i += 2 {
		args = append(args, "-F", fields[i]+"=@"+fields[i+1])
	}
	return world.NewCurl(t).Try(t, append(args, d.URL+"/helm/api/"+path)...)
}

// helm finds, verifies and renders what was uploaded, in each way, and an upgrade of it. What was tampered with is refused.
func TestChartsAreUploadedAndVerified(t *testing.T) {
	for _, version := range helms {
		t.Run(fmt.Sprint("helm ", version), func(t *testing.T) {
			t.Parallel()
			d := openDepot(t, map[string]repository{"helm": {}})
			h := world.NewHelm(t)
			first, second, third := h.Chart(t, "hello", "1.0.0"), h.Chart(t, "hello", "1.1.0"), h.Chart(t, "hello", "1.2.0+build.1")
			out, err := d.post(t, "charts", "chart", first)
			must(t, err)
			occurs(t, 1, `{"saved":true}`, out)
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
			d.putAt(t, d.address("/helm/%s", filepath.Base(second)), second)
			d.putAt(t, d.address("/helm/%s", filepath.Base(third)), third)
			pull("1.1.0", second)
			pull("1.2.0+build.1", third)
			if out := m.Helm().Run(t, "search", "repo", "helm/hello", "--versions"); !strings.Contains(out, "1.2.0+build.1") ||
				strings.Index(out, "1.2.0") > strings.Index(out, "1.1.0") || strings.Index(out, "1.1.0") > strings.Index(out, "1.0.0") {
				t.Errorf("helm finds\n%s", out)
			}
			render := []string{"template", "release", "helm/hello", "--verify", "--keyring", m.keyring}
			if out := m.Helm().Run(t, render...); !strings.Contains(out, "kind: ConfigMap") {
				t.Errorf("helm renders\n%s", out)
			}

			other, err := os.ReadFile(h.Chart(t, "hello", "1.1.0"))
			must(t, err)
			provenance := world.Get(t, d.URL+"/helm/hello-1.0.0.tgz.prov")
			for _, tt := range []struct {
				what      string
				intercept world.Interceptor
				why       []string
			}{
				{"another chart", world.Alter(regexp.MustCompile(`\.tgz$`), func(string, []byte) []byte { return other }), []string{"sha256 sum does not match"}},
				{"a provenance that was changed", world.Flip(regexp.MustCompile(`\.prov$`)), nil},
				{"another chart's provenance", world.Alter(regexp.MustCompile(`\.prov$`), func(string, []byte) []byte { return []byte(provenance) }), nil},
				{"no provenance", missing(regexp.MustCompile(`\.prov$`)), []string{"prov"}},
			} {
				d.Intercept(tt.intercept)
				out, err := m.pulls(t, "hello", "1.1.0")
				if err == nil {
					t.Errorf("%s is taken", tt.what)
				}
				for _, w := range tt.why {
					if !strings.Contains(out, w) {
						t.Errorf("%s is refused for another reason than %q:\n%s", tt.what, w, out)
					}
				}
				m.Helm().Refuses(t, nil, append(render, "--version", "1.1.0")...)
			}
			d.Intercept(nil)
			stranger := world.NewOpenPGP(t, "rsa3072").Public(t)
			m.Copy(t, world.Dearmored(t, stranger), "/stranger.gpg")
			own := m.keyring
			for _, keyring := range []string{"/stranger.gpg", "/usr/local/share/hallmark/helm/files.gpg"} {
				m.keyring = keyring
				if out, err := m.pulls(t, "hello", "1.0.0"); err == nil || !strings.Contains(out, "unknown entity") {
					t.Errorf("by %s: %v\n%s", keyring, err, out)
				}
			}
			m.keyring = own
			pull("1.0.0", first)
			if status, body := world.Send(t, http.MethodDelete, d.URL+"/helm/api/charts/hello/1.0.0", nil); status != http.StatusOK || !strings.Contains(body, `{"deleted":true}`) {
				t.Errorf("a deletion gets %d %s", status, body)
			}
			if _, err := m.pulls(t, "hello", "1.0.0"); err == nil {
				t.Error("a chart that was deleted is there")
			}
			pull("1.1.0", second)
		})
	}
}

// The provenance of an author is what helm gets, whether it comes with the chart or later, and ours stays behind it.
func TestAnAuthorsProvenanceStays(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"helm": {}})
	author := world.NewOpenPGP(t, "rsa3072")
	h := world.NewHelm(t)
	signed := func(version string) string {
		t.Helper()
		chart := h.Chart(t, "hello", version)
		world.SignChart(t, author, chart)
		return chart
	}
	together, later, bare := signed("1.0.0"), signed("1.1.0"), h.Chart(t, "hello", "1.2.0")
	out, err := d.post(t, "charts", "chart", together, "prov", together+".prov")
	must(t, err)
	occurs(t, 1, `{"saved":true}`, out)
	for _, chart := range []string{later, bare} {
		_, err := d.post(t, "charts", "chart", chart)
		must(t, err)
	}
	out, err = d.post(t, "prov", "prov", later+".prov")
	must(t, err)
	occurs(t, 1, `{"saved":true}`, out)
	again := signed("1.3.0")
	for _, fields := range [][]string{{"chart", again}, {"chart", again, "prov", again + ".prov"}} {
		_, err := d.post(t, "charts", fields...)
		must(t, err)
	}
	// One that is not of the chart that is here is refused.
	if out, err := d.post(t, "prov", "prov", signed("1.2.0")+".prov"); err == nil || !strings.Contains(out, `{"error":"the provenance is of`) {
		t.Errorf("a provenance of another chart: %v\n%s", err, out)
	}
	for _, version := range helms {
		m := d.helmOf(t, version)
		m.Copy(t, world.Dearmored(t, author.Public(t)), "/author.gpg")
		own := m.keyring
		for chart, keyring := range map[string]string{"1.0.0": "/author.gpg", "1.1.0": "/author.gpg", "1.2.0": own, "1.3.0": "/author.gpg"} {
			m.keyring = keyring
			if _, err := m.pulls(t, "hello", chart); err != nil {
				t.Errorf("helm %d, %s: %v", version, chart, err)
			}
			m.keyring = map[bool]string{true: own, false: "/author.gpg"}[keyring != own]
			if out, err := m.pulls(t, "hello", chart); err == nil || !strings.Contains(out, "unknown entity") {
				t.Errorf("helm %d, %s by the other's key: %v\n%s", version, chart, err, out)
			}
		}
	}
	gpg := world.Verifiers(t)[0]
	must(t, gpg.Clearsigned(t, d.key(t, "helm", "openpgp.gpg"), fetched(t, d.address("/helm/hello-1.0.0.tgz.repository.prov"))))
	for _, v := range world.Verifiers(t) {
		index, signature := fetched(t, d.address("/helm/index.yaml")), fetched(t, d.address("/helm/index.yaml.asc"))
		must(t, v.Detached(t, d.key(t, "helm", "openpgp.gpg"), index, signature))
		if v.Detached(t, d.key(t, "helm", "openpgp.gpg"), altered(t, index), signature) == nil ||
			v.Detached(t, d.key(t, "helm", "files.gpg"), index, signature) == nil {
			t.Errorf("%s: index.yaml is taken with one bit flipped, or by another key", v.Name())
		}
	}
}

// What is wrong with a chart is what ChartMuseum's users read.
func TestChartsThatAreRefused(t *testing.T) {
	t.Parallel()
	d := openDepot(t, map[string]repository{"helm": {}})
	h := world.NewHelm(t)
	chart, other := h.Chart(t, "hello", "1.0.0"), h.Chart(t, "hello", "1.0.0")
	_, err := d.post(t, "charts", "chart", chart)
	must(t, err)
	before := world.Get(t, d.URL+"/helm/index.yaml")
	for what, tt := range map[string]struct{ file, want string }{
		"no chart":    {write(t, "chart.tgz", "none"), `{"error":"this is no chart`},
		"other bytes": {other, `is there already with other bytes`},
	} {
		if out, err := d.post(t, "charts", "chart", tt.file); err == nil || !strings.Contains(out, tt.want) || !strings.Contains(out, `{"error":`) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	out, err := d.post(t, "charts", "chart", chart)
	must(t, err)
	occurs(t, 1, `{"saved":true}`, out)
	if after := world.Get(t, d.URL+"/helm/index.yaml"); after != before {
		t.Errorf("what was refused, or was there, has changed the index:\n%s", after)
	}
}

// A repository moves from one key of provenance to another: both sign for a while, and helm takes what either has signed.
func TestKeysOfProvenanceChange(t *testing.T) {
	for _, version := range helms {
		t.Run(fmt.Sprint("helm ", version), func(t *testing.T) {
			t.Parallel()
			older, newer := world.NewOpenPGP(t, "rsa3072").Secret(t), world.NewOpenPGP(t, "ed25519").Secret(t)
			signedBy := func(keys ...string) map[string]repository {
				r := repository{keys: indexKey("generate: ed25519")}
				for _, key := range keys {
					r.keys += "    - {purpose: package, key: \"file:" + key + "\"}\n"
				}
				return map[string]repository{"helm": r}
			}
			d := openDepot(t, signedBy(older))
			h := world.NewHelm(t)
			publish := func(version string) {
				t.Helper()
				_, err := d.post(t, "charts", "chart", h.Chart(t, "hello", version))
				must(t, err)
			}
			takes := func(m helmMachine, version string) {
				t.Helper()
				if _, err := m.pulls(t, "hello", version); err != nil {
					t.Error(err)
				}
			}
			publish("1.0.0")
			before := d.helmOf(t, version)
			takes(before, "1.0.0")
			d.reconfigure(t, signedBy(older, newer))
			publish("2.0.0")
			during := d.helmOf(t, version)
			takes(before, "2.0.0")
			takes(during, "2.0.0")
			takes(during, "1.0.0")
			d.reconfigure(t, signedBy(newer))
			publish("3.0.0")
			after := d.helmOf(t, version)
			takes(during, "3.0.0")
			takes(after, "3.0.0")
			takes(after, "2.0.0")
			if out, err := before.pulls(t, "hello", "3.0.0"); err == nil || !strings.Contains(out, "unknown entity") {
				t.Errorf("a chart by the newer key is taken by who has the older: %v\n%s", err, out)
			}
		})
	}
}
