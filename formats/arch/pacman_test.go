package arch_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
)

// A machine is a folder in which pacman itself works, with a repository on a disk.
type machine struct {
	t   *testing.T
	dir string
}

// newMachine skips the test for who is not root, whom pacman does not work for.
func newMachine(t *testing.T, section, server string) machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("pacman wants to be root")
	}
	for name, debian := range map[string]string{"pacman": "pacman-package-manager", "gpg": "gnupg"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed: apt-get install %s", name, debian)
		}
	}
	// The socket of gpg's agent has a path of at most 107 bytes.
	dir, err := os.MkdirTemp("", "pacman")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd := exec.Command("gpgconf", "--homedir", filepath.Join(dir, "gnupg"), "--kill", "all")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("gpg's programs do not end: %s", out)
		}
		os.RemoveAll(dir)
	})
	m := machine{t, dir}
	for _, name := range []string{"root", "db", "cache", "gnupg", "repo"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.write("pacman.conf", fmt.Appendf(nil, "[options]\nArchitecture = x86_64\n[%s]\nSigLevel = Required TrustedOnly\nServer = file://%s/repo/%s$arch\n",
		section, dir, server))
	return m
}

func (m machine) write(name string, data []byte) {
	m.t.Helper()
	file := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// trust imports keys and trusts them as pacman-key's local signature does.
func (m machine) trust(keys ...format.Key) {
	m.t.Helper()
	gpg := []string{"--homedir", filepath.Join(m.dir, "gnupg"), "--batch", "--no-tty"}
	for _, key := range keys {
		for _, step := range []struct{ option, input string }{
			{"--import", string(key.Armored)},
			{"--import-ownertrust", key.Fingerprint + ":6:\n"},
		} {
			cmd := exec.Command("gpg", append(gpg[:len(gpg):len(gpg)], step.option)...)
			cmd.Stdin = strings.NewReader(step.input)
			if out, err := cmd.CombinedOutput(); err != nil {
				m.t.Fatalf("gpg %s: %s", step.option, out)
			}
		}
	}
}

// serve writes all files of a house to the disk. Packages for all architectures stand among those of one, where they are
// asked for.
func (m machine) serve(h *formattest.House, changed map[string][]byte) {
	m.t.Helper()
	files := maps.Clone(h.Indexes())
	for p := range h.Packages() {
		for _, p := range []string{p, p + ".sig"} {
			data, err := h.Fetch(p)
			if err != nil {
				m.t.Fatal(err)
			}
			files[p] = data
		}
	}
	maps.Copy(files, changed)
	for p, data := range files {
		m.write("repo/"+p, data)
		m.write("repo/"+strings.Replace(p, "any/", "x86_64/", 1), data)
	}
}

func (m machine) pacman(args ...string) (string, error) {
	m.t.Helper()
	at := func(name string) string { return filepath.Join(m.dir, name) }
	cmd := exec.Command("pacman", append([]string{"--config", at("pacman.conf"), "--root", at("root"), "--dbpath", at("db"), "--cachedir", at("cache"),
		"--gpgdir", at("gnupg"), "--hookdir", at("hooks"), "--logfile", at("log"), "--noconfirm"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs pacman, which must succeed and say a text, or fail and say it.
func (m machine) must(succeed bool, text string, args ...string) {
	m.t.Helper()
	out, err := m.pacman(args...)
	if (err == nil) != succeed || !strings.Contains(out, text) {
		m.t.Fatalf("pacman %s: %v, and %q is wanted in:\n%s", args, err, text, out)
	}
}

func filled(t *testing.T, packages map[string]pkg) *formattest.House {
	t.Helper()
	h := formattest.NewHouse(t, open(t, arch.Defaults()))
	for path, p := range packages {
		if err := h.Put(path, p.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestPacmanInstallsAndUpgrades(t *testing.T) {
	h := filled(t, map[string]pkg{
		"hello.pkg.tar.zst": {info: "depend = beta>=1\n"}, "beta.pkg.tar.xz": {name: "beta", arch: "any", extension: "xz", version: "2:1.0-1.1"},
		"gamma.pkg.tar.gz": {name: "gamma", extension: "gz"},
	})
	m := newMachine(t, "conformance.test", "")
	m.trust(h.Trusted().Keys()...)
	m.serve(h, nil)
	m.must(true, "", "-Sy")
	m.must(true, "", "-S", "hello", "gamma")
	m.must(true, "beta 2:1.0-1.1\ngamma 1.0-1\nhello 1.0-1\n", "-Q")
	m.must(true, "", "-Fy")
	m.must(true, "hello usr/share/hello\n", "-Fl", "hello")

	if err := h.Put("hello.pkg.tar.zst", pkg{version: "1.1-1"}.build(t)); err != nil {
		t.Fatal(err)
	}
	m.serve(h, nil)
	m.must(true, "", "-Syyu")
	m.must(true, "hello 1.1-1\n", "-Q", "hello")
	if err := h.Delete("x86_64/hello-1.1-1-x86_64.pkg.tar.zst"); err != nil {
		t.Fatal(err)
	}
	m.serve(h, nil)
	m.must(true, "", "-Syy") // twice, since the files may be of the same second
	m.must(false, "target not found", "-S", "hello")
}

// pacman wants every signature to be by a key that it knows. So a client that was set up before there was a second key goes on.
func TestPacmanGoesOnWhenASecondKeyComes(t *testing.T) {
	h := filled(t, map[string]pkg{"hello.pkg.tar.zst": {}})
	for name, trusted := range map[string][]format.Key{"the oldest key": h.Trusted().Keys()[:1], "both keys": h.Trusted().Keys()} {
		t.Run("with "+name, func(t *testing.T) {
			m := newMachine(t, "conformance.test", "")
			m.trust(trusted...)
			m.serve(h, nil)
			m.must(true, "", "-Sy", "hello")
			m.must(true, "hello 1.0-1\n", "-Q")
			m.must(true, "", "-Fy")
		})
	}
}

func TestPacmanUsesADatabaseThatIsNamedLikeItsFolder(t *testing.T) {
	h := filled(t, map[string]pkg{"testing/extra/hello.pkg.tar.zst": {}})
	m := newMachine(t, "extra", "testing/extra/")
	m.trust(h.Trusted().Keys()...)
	m.serve(h, nil)
	m.must(true, "", "-Sy", "hello")
}

func TestPacmanRefusesWhatIsNotSigned(t *testing.T) {
	h := filled(t, map[string]pkg{"hello.pkg.tar.zst": {}})
	const file, database = "x86_64/hello-1.0-1-x86_64.pkg.tar.zst", "x86_64/conformance.test.db"
	data, err := h.Fetch(file)
	if err != nil {
		t.Fatal(err)
	}
	db, sig := h.Indexes()[database], h.Indexes()[database+".sig"]
	trusted := h.Trusted().Keys()
	for _, tt := range []struct {
		name    string
		trusted []format.Key
		changed map[string][]byte
		want    string // at the update; empty: that succeeds
	}{
		{"a package of which one bit was flipped", trusted, map[string][]byte{file: flip(data)}, ""},
		{"another package under the name", trusted, map[string][]byte{file: pkg{info: "pkgdesc = evil\n"}.build(t)}, ""},
		{"a database of which one bit was flipped", trusted, map[string][]byte{database: flip(db)}, "invalid or corrupted database"},
		{"a signature of which one bit was flipped", trusted, map[string][]byte{database + ".sig": flip(sig)}, "invalid or corrupted database"},
		{"a database without a signature", trusted, map[string][]byte{database + ".sig": nil}, "failed to synchronize"},
		{"keys that nobody trusts", nil, nil, "failed to synchronize"},
		{"only the newer key, which has not signed", trusted[1:], nil, "failed to synchronize"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, "conformance.test", "")
			m.trust(tt.trusted...)
			m.serve(h, tt.changed)
			if tt.want != "" {
				m.must(false, tt.want, "-Sy")
				return
			}
			m.must(true, "", "-Sy")
			m.must(false, "Errors occurred, no packages were upgraded", "-S", "hello")
		})
	}
}

// flip returns data with one bit flipped near its end.
func flip(data []byte) []byte {
	data = slices.Clone(data)
	data[len(data)-20] ^= 4
	return data
}
