package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// errInUse: another process has the data folder.
var errInUse = errors.New("the data folder is in use")

// dataFolder is the folder of everything that must survive a restart, while this process owns it.
type dataFolder struct {
	path string
	lock *flock.Flock
}

// openData makes the folder if it is not there and locks it. If another process has it, the error wraps errInUse.
func openData(path string) (*dataFolder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	d := &dataFolder{path: path, lock: flock.New(filepath.Join(path, "lock"), flock.SetPermissions(0o600))}
	ok, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	if !ok {
		who := "another process"
		if r, err := readRunning(path); err == nil {
			who = fmt.Sprintf("the proxy at %s (process %d)", r.URL, r.PID)
		}
		return nil, fmt.Errorf("%w: %s belongs to %s; stop that, or take another folder with --data", errInUse, path, who)
	}
	return d, nil
}

func (d *dataFolder) close() {
	os.Remove(d.file(runningFile))
	d.lock.Unlock()
}

func (d *dataFolder) file(name string) string { return filepath.Join(d.path, name) }

// secret returns the random secret of that name, made at the first use and kept.
func (d *dataFolder) secret(name string) (string, error) {
	path := d.file(name)
	data, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(data))) >= 32 {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	text := newSecret()
	return text, writeFile(path, []byte(text+"\n"))
}

func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// writeFile replaces a file that only its owner may read.
func writeFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

const (
	runningFile    = "server.json"
	adminTokenFile = "admin-token"
	httpSecretFile = "http-secret"
)

// running is how commands find the server that has a data folder.
type running struct {
	PID int    `json:"pid"`
	URL string `json:"url"`
}

func (d *dataFolder) announce(url string) error {
	data, err := json.Marshal(running{os.Getpid(), url})
	if err != nil {
		return err
	}
	return writeFile(d.file(runningFile), append(data, '\n'))
}

func readRunning(path string) (running, error) {
	var r running
	data, err := os.ReadFile(filepath.Join(path, runningFile))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}
