package world

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// A HelmMachine is a machine with one version of helm.
type HelmMachine struct{ *Machine }

// NewHelmMachine returns a machine with helm 3 or 4.
func NewHelmMachine(t T, version int) *HelmMachine {
	t.Helper()
	m := &HelmMachine{NewMachine(t)}
	m.mustSetup(t, "ln -sf "+Tool(t, map[int]string{3: "helm", 4: "helm4"}[version])+" /usr/local/bin/helm")
	return m
}

// Helm returns helm as it runs on the machine.
func (m *HelmMachine) Helm() Command { return m.Command("helm") }

// SignChart writes the provenance of a chart beside it, as `helm package --sign` makes it, by gpg: helm wants the secret key in a
// form that gpg has given up.
func SignChart(t T, key *OpenPGP, chart string) {
	t.Helper()
	data, err := os.ReadFile(chart)
	if err != nil {
		t.Fatalf("%v", err)
	}
	text := fmt.Sprintf("apiVersion: v2\nname: hello\n\n...\nfiles:\n  %s: sha256:%x\n", filepath.Base(chart), sha256.Sum256(data))
	key.Clearsign(t, file(t, "text", text), chart+".prov")
}
