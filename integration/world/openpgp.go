package world

import (
	"os"
	"path/filepath"
	"strings"
)

// An OpenPGP is a secret key in the hands of gpg, for repositories that are not the proxy's.
type OpenPGP struct {
	Home        string // GNUPGHOME
	Fingerprint string // 40 hexadecimal digits

	room *Room
	gpg  Command
}

// NewOpenPGP makes a key. The algorithm is one of gpg's words, such as ed25519 or rsa3072.
func NewOpenPGP(t T, algorithm string) *OpenPGP {
	t.Helper()
	k := &OpenPGP{Home: shortDir(t), room: NewRoom(t)} // an agent's socket has a short path
	k.gpg = k.Command(Command{
		Path: Installed(t, "gnupg", "gpg"),
		Args: []string{"--batch", "--yes", "--quiet", "--no-permission-warning"},
	})
	k.gpg.Run(t, "--passphrase", "", "--quick-generate-key", "Test <test@example.org>", algorithm, "sign", "never")
	for line := range strings.Lines(k.gpg.Run(t, "--with-colons", "--list-secret-keys")) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			k.Fingerprint = fields[9]
		}
	}
	if k.Fingerprint == "" {
		t.Fatalf("gpg has made no key")
	}
	return k
}

// Command returns c as it runs where the key is: its gpg is this one.
func (k *OpenPGP) Command(c Command) Command {
	c.Env = append(append([]string{}, c.Env...), "GNUPGHOME="+k.Home, "HOME="+k.Home, "LC_ALL=C.UTF-8", "GPG_TTY=")
	return k.room.Command(c)
}

// Public writes the public key to a file, armored, and returns its path.
func (k *OpenPGP) Public(t T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.asc")
	k.gpg.Run(t, "--armor", "--output", path, "--export", k.Fingerprint)
	return path
}

// Secret writes the secret key to a file that only its owner reads, armored and without a passphrase, and
// returns its path.
func (k *OpenPGP) Secret(t T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.asc")
	k.gpg.Run(t, "--armor", "--output", path, "--export-secret-keys", k.Fingerprint)
	return path
}

// Detach signs a file and writes the signature to another, armored or not.
func (k *OpenPGP) Detach(t T, file, signature string, armored bool) {
	t.Helper()
	args := []string{"--local-user", k.Fingerprint, "--output", signature, "--detach-sign", file}
	if armored {
		args = append([]string{"--armor"}, args...)
	}
	k.gpg.Run(t, args...)
}

// Clearsign writes a clearsigned copy of a text.
func (k *OpenPGP) Clearsign(t T, file, signed string) {
	t.Helper()
	k.gpg.Run(t, "--local-user", k.Fingerprint, "--output", signed, "--clearsign", file)
}

// SignRPM signs the header of a package, and header and payload, in place.
func (k *OpenPGP) SignRPM(t T, file string) {
	t.Helper()
	k.Command(Command{Path: Installed(t, "rpm", "rpmsign"), Args: []string{
		"--define", "_gpg_name " + k.Fingerprint, "--define", "__gpg " + Installed(t, "gnupg", "gpg"), "--addsign",
	}}).Run(t, file)
}

// copyFile copies a file, whose folder exists.
func copyFile(t T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
}

// makeDir makes a folder and those above.
func makeDir(t T, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}
