package world

import (
	"crypto/rand"
	"os"
	"path/filepath"
)

// ORAS carries artifacts that are no images.
type ORAS struct {
	Command
	config string
}

// NewORAS returns an oras with credentials in the test's folder.
func NewORAS(t T) *ORAS {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.json")
	return &ORAS{
		Command: Command{Path: Tool(t, "oras"), Dir: t.TempDir(), Env: []string{"DOCKER_CONFIG=" + filepath.Dir(config)}},
		config:  config,
	}
}

// Name returns the client's name.
func (o *ORAS) Name() string { return "oras" }

// Login gives the client the user's credentials for a registry.
func (o *ORAS) Login(t T, registry string, u User) {
	t.Helper()
	o.Run(t, "login", "--plain-http", "--registry-config", o.config,
		"--username", u.Name, "--password", u.Password, registry)
}

// Push makes a file that is like no other and pushes it as an artifact under ref.
func (o *ORAS) Push(t T, ref string) error {
	t.Helper()
	file := filepath.Join(o.Dir, "report.txt")
	if err := os.WriteFile(file, []byte("a report "+rand.Text()+"\n"), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	_, err := o.Try(t, "push", "--plain-http", "--registry-config", o.config, "--no-tty",
		"--artifact-type", "application/vnd.example.report", ref, "report.txt:text/plain")
	return err
}

// Pull fetches the files of ref.
func (o *ORAS) Pull(t T, ref string) error {
	t.Helper()
	_, err := o.Try(t, "pull", "--plain-http", "--registry-config", o.config, "--no-tty",
		"--output", t.TempDir(), ref)
	return err
}
