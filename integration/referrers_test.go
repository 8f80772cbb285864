package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"hallmark/integration/world"
)

// write makes a file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// oras attaches, discovers and removes, through the proxy, where the registry behind has no referrers.
func TestReferrers(t *testing.T) {
	in(t, []string{embedded, embeddedHtpasswd, stock, stockToken}, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		oras := world.NewORAS(t)
		h.login(t, h.proxy.Addr, oras)
		oras.Dir = filepath.Dir(write(t, "report.txt", "all is well\n"))
		ref := h.ref("team/app@" + d)
		for _, kind := range []string{"report", "sbom"} {
			oras.Run(t, h.orasLine(t, "attach", "--artifact-type", "application/vnd.example."+kind, ref, "report.txt:text/plain")...)
		}
		out := oras.Run(t, h.orasLine(t, "discover", "--format", "json", "--artifact-type", "application/vnd.example.report", ref)...)
		if !strings.Contains(out, "vnd.example.report") || strings.Contains(out, "vnd.example.sbom") {
			t.Errorf("oras discovers %s", out)
		}

		w := h.wire(t, "team/app")
		all := w.get(t, "/referrers/"+d)
		if got := all.Header.Get("Content-Type"); got != ociIndex {
			t.Errorf("the list of referrers is %s", got)
		}
		list := decode[v1.IndexManifest](t, all.Body)
		if len(list.Manifests) != 2 {
			t.Fatalf("%d referrers, want 2: %s", len(list.Manifests), all.Body)
		}
		filtered := w.get(t, "/referrers/"+d+"?artifactType=application/vnd.example.sbom")
		only := decode[v1.IndexManifest](t, filtered.Body)
		if filtered.Header.Get("OCI-Filters-Applied") != "artifactType" || len(only.Manifests) != 1 ||
			only.Manifests[0].ArtifactType != "application/vnd.example.sbom" {
			t.Errorf("filtered: %v %s", filtered.Header, filtered.Body)
		}
		none := w.get(t, "/referrers/"+d+"?artifactType=application/vnd.example.none")
		if len(decode[v1.IndexManifest](t, none.Body).Manifests) != 0 {
			t.Errorf("referrers of a type that there is none of: %s", none.Body)
		}

		// The list lies in the registry, under the tag that the specification has for it.
		behind := h.directWire(t, "team/app")
		held := decode[v1.IndexManifest](t, behind.get(t, "/manifests/"+fallbackTag(d)).Body)
		if len(held.Manifests) != 2 {
			t.Errorf("the registry holds %d referrers: %+v", len(held.Manifests), held)
		}

		// What has a subject is an artifact, and signed as such, unless it is a signature.
		h.verified(t, h.ref("team/app@"+list.Manifests[0].Digest.String()))

		a := w.put(t, list.Manifests[0].Digest.String(), ociManifest, w.get(t, "/manifests/"+list.Manifests[0].Digest.String()).Body)
		if a.Header.Get("OCI-Subject") != d {
			t.Errorf("OCI-Subject is %q, want %s", a.Header.Get("OCI-Subject"), d)
		}
		if again := decode[v1.IndexManifest](t, w.get(t, "/referrers/"+d).Body); len(again.Manifests) != 2 {
			t.Errorf("pushed again, a referrer is listed twice: %+v", again.Manifests)
		}

		w.drop(t, list.Manifests[0].Digest.String())
		left := decode[v1.IndexManifest](t, w.get(t, "/referrers/"+d).Body)
		if len(left.Manifests) != 1 || left.Manifests[0].Digest != list.Manifests[1].Digest {
			t.Errorf("after the deletion of one, referrers are %+v", left.Manifests)
		}
		h.verified(t, ref)
	})
}

func (h *house) orasLine(t *testing.T, command string, args ...string) []string {
	t.Helper()
	line := []string{command, "--plain-http"}
	if h.user.Name != "" {
		line = append(line, "--username", h.user.Name, "--password", h.user.Password)
	}
	return append(line, args...)
}

// A digest that nothing refers to has an empty list, be it there or not; what is no digest is refused.
func TestNoReferrers(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		w := h.wire(t, "team/app")
		nobody := "sha256:" + strings.Repeat("1", 64)
		a := w.get(t, "/referrers/"+nobody)
		if list := decode[v1.IndexManifest](t, a.Body); len(list.Manifests) != 0 || !strings.Contains(string(a.Body), `"manifests":[]`) {
			t.Errorf("the list is %s", a.Body)
		}
		w.do(t, http.MethodGet, "/referrers/latest", nil).refused(t, "referrers of a tag")
	})
}
