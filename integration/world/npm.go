package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NPM is npm with a home, a cache and a project of its own. It knows no registry until Setup.
type NPM struct {
	Command
	Home    string // where .npmrc is
	Project string // where packages are installed
}

// NewNPM returns an npm that asks nobody about itself, and shows nothing but what it is asked for.
func NewNPM(t T) *NPM {
	t.Helper()
	home, project := t.TempDir(), t.TempDir()
	n := &NPM{
		Home: home, Project: project,
		Command: Command{Path: Installed(t, "npm", "npm"), Dir: project, Env: []string{
			"HOME=" + home, "npm_config_cache=" + filepath.Join(home, "cache"), "npm_config_globalconfig=" + emptyFile(t),
			"npm_config_update_notifier=false", "npm_config_fund=false", "npm_config_audit=false", "npm_config_color=false",
			"npm_config_fetch_retries=0", "npm_config_prefer_online=true",
		}},
	}
	n.write(t, "package.json", `{"name": "project", "version": "1.0.0", "private": true}`)
	return n
}

func (n *NPM) write(t T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.Project, name), []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
}

// Setup runs a script by sh as whose npm it is, such as the text that a repository serves.
func (n *NPM) Setup(t T, script string, env ...string) error {
	t.Helper()
	sh := Command{Path: "sh", Dir: n.Project, Env: slices.Concat(n.Env, env)}
	_, err := sh.Try(t, "-c", script)
	return err
}

// Install installs packages into the project: name, name@version, name@tag.
func (n *NPM) Install(t T, packages ...string) error {
	t.Helper()
	_, err := n.Try(t, append([]string{"install"}, packages...)...)
	return err
}

// Installed returns the version of a package in the project, and is empty if it is not there.
func (n *NPM) Installed(t T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.Project, "node_modules", name, "package.json"))
	if err != nil {
		return ""
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatalf("%v", err)
	}
	return manifest.Version
}

// Forget removes all that was installed and downloaded, and the lock file.
func (n *NPM) Forget(t T) {
	t.Helper()
	for _, dir := range []string{
		filepath.Join(n.Project, "node_modules"), filepath.Join(n.Project, "package-lock.json"), filepath.Join(n.Home, "cache", "_cacache"),
	} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatalf("%v", err)
		}
	}
	n.write(t, "package.json", `{"name": "project", "version": "1.0.0", "private": true}`)
}

// An NPMPackage is one that is made for a test.
type NPMPackage struct {
	Name, Version string
	Description   string
	Dependencies  map[string]string
	Files         map[string]string // beside package.json
}

// Dir makes the package's folder.
func (p NPMPackage) Dir(t T) string {
	t.Helper()
	dir := t.TempDir()
	manifest, err := json.Marshal(map[string]any{
		"name": p.Name, "version": p.Version, "description": p.Description, "dependencies": p.Dependencies,
		"license": "MIT", "main": "index.js", "keywords": []string{"hallmark"},
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	files := map[string]string{"package.json": string(manifest), "index.js": fmt.Sprintf("module.exports = %q\n", p.Version)}
	maps.Copy(files, p.Files)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return dir
}

// Publish publishes a package to the registry that npm knows.
func (n *NPM) Publish(t T, p NPMPackage, args ...string) error {
	t.Helper()
	_, err := n.Try(t, append([]string{"publish", p.Dir(t)}, args...)...)
	return err
}

// Pack returns the tarball of a package.
func (n *NPM) Pack(t T, p NPMPackage) []byte {
	t.Helper()
	to := t.TempDir()
	n.Run(t, "pack", "--pack-destination", to, p.Dir(t))
	files, err := filepath.Glob(filepath.Join(to, "*.tgz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("npm pack has made %q: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return data
}

// View returns what the registry says of a field of a package, or of one of its versions.
func (n *NPM) View(t T, spec, field string) string {
	t.Helper()
	return strings.TrimSpace(n.Run(t, "view", spec, field))
}

// AuditSignatures verifies the registry's signatures of all that is installed. There is no network to the public
// transparency log in tests: npm finds a stand-in for its list of keys, with none in it, and asks the registry for them.
func (n *NPM) AuditSignatures(t T) (string, error) {
	t.Helper()
	tuf, cache := serveTUF(t), filepath.Join(n.Home, "cache")
	place := filepath.Join(cache, "_tuf", tufHost)
	err := errors.Join(
		os.RemoveAll(filepath.Join(cache, "_cacache")), // an answer that was tampered with would stay there
		os.RemoveAll(place),
		os.MkdirAll(place, 0o755),
		os.WriteFile(filepath.Join(place, "root.json"), tuf.root, 0o644),
	)
	if err != nil {
		t.Fatalf("%v", err)
	}
	audit := n.Command
	audit.Env = slices.Concat(n.Env, []string{
		"HTTPS_PROXY=" + tuf.proxy, "https_proxy=" + tuf.proxy, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
		"NODE_EXTRA_CA_CERTS=" + tuf.certificate,
	})
	return audit.Try(t, "audit", "signatures")
}
