package world

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// A Verifier checks OpenPGP signatures against one file of public keys, armored or not.
type Verifier interface {
	// Name returns the program's name: gpg, gpgv, sqv.
	Name() string

	// Detached checks a signature, armored or not, over a file.
	Detached(t T, keys, file, signature string) error

	// Clearsigned checks a signed text. It wraps errors.ErrUnsupported if the program has no word for it.
	Clearsigned(t T, keys, file string) error
}

// Verifiers returns one of each.
func Verifiers(t T) []Verifier {
	t.Helper()
	return []Verifier{
		gpg{Installed(t, "gnupg", "gpg")},
		gpgv{Installed(t, "gpgv", "gpgv")},
		sqv{Installed(t, "sqv", "sqv")},
	}
}

// gpg is GnuPG with a new keyring for each call.
type gpg struct{ path string }

func (g gpg) Name() string { return "gpg" }

func (g gpg) Detached(t T, keys, file, signature string) error {
	t.Helper()
	return g.verify(t, keys, signature, file)
}

func (g gpg) Clearsigned(t T, keys, file string) error {
	t.Helper()
	return g.verify(t, keys, file)
}

func (g gpg) verify(t T, keys string, files ...string) error {
	t.Helper()
	// Nothing of this needs an agent, and none is started.
	c := Command{Path: g.path, Args: []string{
		"--homedir", shortDir(t), "--batch", "--no-autostart", "--no-permission-warning", "--trust-model", "always",
	}}
	if _, err := c.Try(t, "--import", keys); err != nil {
		return err
	}
	_, err := c.Try(t, append([]string{"--verify"}, files...)...)
	return err
}

// gpgv is what apt 2 asks. It takes keyrings that are not armored.
type gpgv struct{ path string }

func (g gpgv) Name() string { return "gpgv" }

func (g gpgv) Detached(t T, keys, file, signature string) error {
	t.Helper()
	_, err := g.command(t, keys).Try(t, signature, file)
	return err
}

func (g gpgv) Clearsigned(t T, keys, file string) error {
	t.Helper()
	_, err := g.command(t, keys).Try(t, file)
	return err
}

func (g gpgv) command(t T, keys string) Command {
	t.Helper()
	return Command{Path: g.path, Args: []string{"--homedir", t.TempDir(), "--keyring", Dearmored(t, keys)}}
}

// sqv is what apt 3 asks, in Debian 13.
type sqv struct{ path string }

func (s sqv) Name() string { return "sqv" }

func (s sqv) Detached(t T, keys, file, signature string) error {
	t.Helper()
	_, err := Command{Path: s.path}.Try(t, "--keyring", keys, signature, file)
	return err
}

func (s sqv) Clearsigned(T, string, string) error {
	return errors.Join(errors.New("sqv 1.1 checks detached signatures alone"), errors.ErrUnsupported)
}

// Dearmored returns a file of public keys in the form that is not armored: itself, if it has that.
func Dearmored(t T, keys string) string {
	t.Helper()
	data, err := os.ReadFile(keys)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if !bytes.HasPrefix(data, []byte("-----BEGIN")) {
		return keys
	}
	binary := filepath.Join(t.TempDir(), "keys.gpg")
	Command{Path: Installed(t, "gnupg", "gpg"), Args: []string{"--homedir", t.TempDir(), "--no-autostart"}}.
		Run(t, "--batch", "--output", binary, "--dearmor", keys)
	return binary
}
