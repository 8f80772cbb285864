package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Debsig is debsig-verify with a policy that wants the signature of an origin by one key.
type Debsig struct{ Command }

// The policy picks and wants the same: a _gpgorigin by this key.
const debsigPolicy = `<?xml version="1.0"?>
<!DOCTYPE Policy SYSTEM "https://www.debian.org/debsig/1.0/policy.dtd">
<Policy xmlns="https://www.debian.org/debsig/1.0/">
  <Origin Name="Test" id="%[1]s" Description="A test"/>
  <Selection><Required Type="origin" File="keys.gpg" id="%[1]s"/></Selection>
  <Verification MinOptional="0"><Required Type="origin" File="keys.gpg" id="%[1]s"/></Verification>
</Policy>
`

// NewDebsig returns a debsig-verify that trusts the key in a file, armored or not.
func NewDebsig(t T, key string) *Debsig {
	t.Helper()
	// The program knows keys by the last 16 digits of their fingerprint.
	fingerprint := FingerprintOf(t, key)
	id := fingerprint[len(fingerprint)-16:]
	policies, keyrings := t.TempDir(), t.TempDir()
	policy := filepath.Join(makeDir(t, policies, id), "test.pol")
	if err := os.WriteFile(policy, fmt.Appendf(nil, debsigPolicy, id), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	copyFile(t, Dearmored(t, key), filepath.Join(makeDir(t, keyrings, id), "keys.gpg"))
	return &Debsig{Command{
		Path: Installed(t, "debsig-verify", "debsig-verify"),
		Args: []string{"--policies-dir", policies, "--keyrings-dir", keyrings},
		Env:  []string{"LC_ALL=C.UTF-8"},
	}}
}

// Check verifies a package. The program ends with 10 if there is no signature at all, 11 and 12 if no policy
// fits, 13 if the signature is bad.
func (d *Debsig) Check(t T, file string) error {
	t.Helper()
	_, err := d.Try(t, file)
	return err
}

// FingerprintOf returns the fingerprint of the first key of a file, armored or not.
func FingerprintOf(t T, key string) string {
	t.Helper()
	out := Command{Path: Installed(t, "gnupg", "gpg"), Args: []string{"--homedir", t.TempDir(), "--no-autostart"}}.
		Run(t, "--batch", "--with-colons", "--show-keys", key)
	for line := range strings.Lines(out) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			return fields[9]
		}
	}
	t.Fatalf("there is no key in %s:\n%s", key, out)
	return ""
}
