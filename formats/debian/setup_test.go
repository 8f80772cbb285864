package debian_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func site(shards ...format.Contents) format.Site {
	return format.Site{
		Repository: "debian", URL: "http://127.0.0.1:8080/debian", KeysURL: "http://127.0.0.1:8080/-/keys/debian", Tree: formattest.Contents(shards),
		Keys: format.Keys{{Purpose: scheme.Index, Family: scheme.OpenPGP, Fingerprint: "0123ABCD"}, {Purpose: scheme.File, Family: scheme.OpenPGP, Fingerprint: "FFFF"}},
	}
}

// A machine is one where scripts run: commands are stubs that note how they were called.
type machine struct{ root, bin string }

func newMachine(t *testing.T, stubs map[string]string) machine {
	t.Helper()
	m := machine{root: t.TempDir(), bin: t.TempDir()}
	for name, body := range stubs {
		if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/bin/sh\necho \""+name+" $*\" >>'"+m.root+"/log'\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cat", "chmod", "grep", "install", "mkdir", "mktemp", "rm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%v: apt-get install coreutils grep", err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// run pipes a script into a shell. What it calls /etc is in the machine's root.
func (m machine) run(t *testing.T, script []byte) (output string, err error) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(shell)
	cmd.Env = []string{"PATH=" + m.bin, "TMPDIR=" + m.root}
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(script, []byte("/etc/"), []byte(m.root+"/etc/")))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m machine) read(name string) string {
	data, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(data), m.root, "")
}

const (
	root     = "echo 0"
	fetchKey = `while [ $# -gt 1 ]; do case "$1" in -o|-O) to=$2;; esac; shift; done; echo '-----BEGIN PGP PUBLIC KEY BLOCK-----' >"$to"`
)

func TestSetupMakesAptTrustTheRepository(t *testing.T) {
	f := open(t, nil)
	groups := func(names ...string) (all []format.Group) {
		for _, name := range names {
			all = append(all, format.Group{Name: name, Count: 1})
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		site    format.Site
		sources string
	}{
		{"nothing was uploaded yet", site(), "Types: deb\nURIs: http://127.0.0.1:8080/debian\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/hallmark-debian.asc\n"},
		{
			"two distributions",
			site(format.Contents{Shard: "bookworm", Groups: groups("contrib/all", "main/amd64", "main/source")}, format.Contents{Shard: "trixie", Groups: groups("main/amd64")}),
			"Types: deb deb-src\nURIs: http://127.0.0.1:8080/debian\nSuites: bookworm\nComponents: contrib main\nSigned-By: /etc/apt/keyrings/hallmark-debian.asc\n" +
				"\nTypes: deb\nURIs: http://127.0.0.1:8080/debian\nSuites: trixie\nComponents: main\nSigned-By: /etc/apt/keyrings/hallmark-debian.asc\n",
		},
	} {
		for _, fetcher := range []string{"curl", "wget"} {
			t.Run(tt.name+", with "+fetcher, func(t *testing.T) {
				script, err := f.Setup(tt.site, "apt")
				if err != nil {
					t.Fatal(err)
				}
				m := newMachine(t, map[string]string{"id": root, "apt-get": "", fetcher: fetchKey})
				for range 2 {
					if out, err := m.run(t, script); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					if got := m.read("etc/apt/sources.list.d/hallmark-debian.sources"); got != tt.sources {
						t.Errorf("the sources are:\n%s", got)
					}
					if got := m.read("etc/apt/keyrings/hallmark-debian.asc"); got != "-----BEGIN PGP PUBLIC KEY BLOCK-----\n" {
						t.Errorf("the key is:\n%s", got)
					}
				}
				log := m.read("log")
				if !strings.Contains(log, "http://127.0.0.1:8080/-/keys/debian/openpgp.asc") || strings.Count(log, "apt-get update\n") != 2 {
					t.Errorf("it has run:\n%s", log)
				}
				info, err := os.Stat(filepath.Join(m.root, "etc/apt/keyrings/hallmark-debian.asc"))
				if err != nil || info.Mode().Perm() != 0o644 {
					t.Errorf("apt's own user cannot read the key: %v, %v", info, err)
				}
			})
		}
	}
}

func TestSetupThatCannotBeDoneChangesNothing(t *testing.T) {
	script, err := open(t, nil).Setup(site(), "apt")
	if err != nil {
		t.Fatal(err)
	}
	half := script[:len(script)*9/10]
	for _, tt := range []struct {
		name   string
		stubs  map[string]string
		script []byte
		want   string
	}{
		{"for others than root", map[string]string{"id": "echo 1000", "apt-get": "", "curl": fetchKey}, script, "again as root"},
		{"without apt", map[string]string{"id": root, "curl": fetchKey}, script, "no apt-get"},
		{"without curl and wget", map[string]string{"id": root, "apt-get": ""}, script, "curl or wget"},
		{"when the key cannot be fetched", map[string]string{"id": root, "apt-get": "", "curl": "exit 22"}, script, ""},
		{"when something else is fetched", map[string]string{"id": root, "apt-get": "", "wget": strings.Replace(fetchKey, "KEY", "CAT", 1)}, script, "no public key"},
		{"when half of the script is lost", map[string]string{"id": root, "apt-get": "", "curl": fetchKey}, half, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, tt.stubs)
			out, err := m.run(t, tt.script)
			if err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := os.Stat(filepath.Join(m.root, "etc")); !errors.Is(err, fs.ErrNotExist) || strings.Contains(m.read("log"), "apt-get update") {
				t.Errorf("something was changed: %v\n%s", err, m.read("log"))
			}
			if left, _ := filepath.Glob(filepath.Join(m.root, "tmp.*")); len(left) > 0 {
				t.Errorf("%q was left", left)
			}
		})
	}
}

func TestSetupIsOneForAptAlone(t *testing.T) {
	f := open(t, nil)
	for _, client := range []string{"", "dnf"} {
		if _, err := f.Setup(site(), client); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("for %q: %v", client, err)
		}
	}
	for _, url := range []string{"http://a'; evil '", "http://a\nEND_OF_SOURCES\nevil", "http://a b", "file:///x", "http://$(evil)"} {
		s := site()
		s.URL = url
		if text, err := f.Setup(s, "apt"); err == nil {
			t.Errorf("at %q: %s", url, text)
		}
	}
}
