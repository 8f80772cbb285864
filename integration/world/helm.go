package world

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Helm carries charts.
type Helm struct{ Command }

// NewHelm returns a helm with its caches and credentials in the test's folder.
func NewHelm(t T) *Helm {
	t.Helper()
	dir := t.TempDir()
	return &Helm{Command{Path: Tool(t, "helm"), Env: []string{
		"HELM_CACHE_HOME=" + filepath.Join(dir, "cache"),
		"HELM_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"HELM_DATA_HOME=" + filepath.Join(dir, "data"),
		"DOCKER_CONFIG=" + dir,
	}}}
}

// Name returns the client's name.
func (h *Helm) Name() string { return "helm" }

// Login gives the client the user's credentials for a registry.
func (h *Helm) Login(t T, registry string, u User) {
	t.Helper()
	h.Run(t, "registry", "login", "--plain-http", "--username", u.Name, "--password", u.Password, registry)
}

// Push makes a chart that is like no other and pushes it. Helm takes the last part of the name and the tag
// from the chart, so the chart is made for them.
func (h *Helm) Push(t T, ref string) error {
	t.Helper()
	chart, version := helmName(t, ref)
	parent := ref[:strings.LastIndex(ref, "/")]
	_, err := h.Try(t, "push", "--plain-http", h.Chart(t, chart, version), "oci://"+parent)
	return err
}

// Pull fetches the chart to a folder.
func (h *Helm) Pull(t T, ref string) error {
	t.Helper()
	_, version := helmName(t, ref)
	_, err := h.Try(t, "pull", "--plain-http", "oci://"+strings.TrimSuffix(ref, ":"+version),
		"--version", version, "--destination", t.TempDir())
	return err
}

// Chart makes a chart that is like no other and returns the archive that helm package makes of it.
func (h *Helm) Chart(t T, name, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	files := map[string]string{
		"Chart.yaml":           fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %q\ndescription: %s\n", name, version, rand.Text()),
		"values.yaml":          "replicas: 1\n",
		"templates/hello.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\n",
	}
	for file, text := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	out := t.TempDir()
	h.Run(t, "package", "--destination", out, dir)
	return filepath.Join(out, name+"-"+version+".tgz")
}

// helmName returns the chart and its version of a reference host:port/path/chart:version.
func helmName(t T, ref string) (chart, version string) {
	t.Helper()
	chart, version, ok := strings.Cut(ref[strings.LastIndex(ref, "/")+1:], ":")
	if !ok {
		t.Fatalf("%s has no tag, and helm needs one", ref)
	}
	return chart, version
}
