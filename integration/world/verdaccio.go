package world

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// A Verdaccio is a registry of npm packages, which takes uploads of everybody and asks no other registry.
type Verdaccio struct {
	URL string // http://host:port

	*Process
	config, addr string
}

// StartVerdaccio starts one without packages and waits until it answers.
func StartVerdaccio(t T) *Verdaccio {
	t.Helper()
	dir := t.TempDir()
	v := &Verdaccio{addr: FreeAddr(t), config: filepath.Join(dir, "config.yaml")}
	v.URL = "http://" + v.addr
	text := fmt.Sprintf(verdaccioConfig, filepath.Join(dir, "storage"), filepath.Join(dir, "htpasswd"))
	if err := os.WriteFile(v.config, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	v.Start(t)
	return v
}

const verdaccioConfig = `storage: %s
auth:
  htpasswd:
    file: %s
uplinks: {}
packages:
  "**":
    access: $all
    publish: $all
    unpublish: $all
log: {type: stdout, format: pretty, level: info}
`

// Start starts the registry again on its address and folder, after a Kill.
func (v *Verdaccio) Start(t T) {
	t.Helper()
	Installed(t, "nodejs", "node")
	cmd := exec.Command(Tool(t, "verdaccio"), "--config", v.config, "--listen", v.addr)
	cmd.Dir = filepath.Dir(v.config)
	v.Process = Start(t, "verdaccio", cmd)
	v.Await(t, Answers(v.URL+"/-/ping", http.StatusOK))
}

// NPM returns an npm that publishes to it.
func (v *Verdaccio) NPM(t T) *NPM {
	t.Helper()
	n := NewNPM(t)
	if err := n.Setup(t, fmt.Sprintf("npm config set registry %s/ && npm config set //%s/:_authToken anonymous", v.URL, v.addr)); err != nil {
		t.Fatalf("%v", err)
	}
	return n
}
