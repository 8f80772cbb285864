package world

import (
	"path/filepath"
	"strings"
)

// Cosign signs and verifies, with keys in files and without the public services.
type Cosign struct {
	Command
	Version int // 2 or 3
}

// NewCosign returns cosign 2 or 3, unmodified, with no way to the internet: it would ask for trusted roots
// even with a key, and so fails to get them at once.
func NewCosign(t T, version int) *Cosign {
	t.Helper()
	tool := map[int]string{2: "cosign2", 3: "cosign3"}[version]
	if tool == "" {
		t.Fatalf("there is no cosign %d here", version)
	}
	return &Cosign{Version: version, Command: Command{
		Path: Tool(t, tool),
		Dir:  t.TempDir(),
		Env: []string{
			"TUF_MIRROR=http://127.0.0.1:9", "TUF_ROOT=" + t.TempDir(),
			"COSIGN_PASSWORD=", "COSIGN_YES=true", "DOCKER_CONFIG=" + t.TempDir(),
		},
	}}
}

// Login gives the client the user's credentials for a registry. Cosign does not ask the registry.
func (c *Cosign) Login(t T, registry string, u User) {
	t.Helper()
	c.Run(t, "login", "--username", u.Name, "--password", u.Password, registry)
}

// GenerateKey makes a key pair without a passphrase and returns its files.
func (c *Cosign) GenerateKey(t T) (private, public string) {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "key")
	c.Run(t, "generate-key-pair", "--output-key-prefix", prefix)
	return prefix + ".key", prefix + ".pub"
}

// Sign signs ref as a user would who has no transparency log. Cosign 2 makes a .sig tag, cosign 3 a bundle.
func (c *Cosign) Sign(t T, key, ref string, args ...string) {
	t.Helper()
	line := []string{"sign", "--key", key, "--tlog-upload=false"}
	if c.Version == 3 {
		line = append(line, "--use-signing-config=false")
	}
	c.Run(t, append(append(line, args...), ref)...)
}

// Verify returns an error unless ref has a signature that key, a file or a URL, verifies.
func (c *Cosign) Verify(t T, key, ref string, args ...string) error {
	t.Helper()
	_, err := c.Try(t, c.verify(key, ref, args)...)
	return err
}

// How cosign says that it looked and found nothing good: no signature, none that fits, no bundle that fits.
// Its exit status does not tell: that of a bundle which does not fit is 1, as for anything.
var refusals = [...]string{"no signatures found", "no matching signatures", "no matching attestations"}

// NotVerify is the twin of Verify: the test fails unless cosign looked for a signature of key at ref and
// says that there is none, or none that fits. It returns what cosign said. An error of another kind, such
// as a tag or a key that is not there, is a failure of the test.
func (c *Cosign) NotVerify(t T, key, ref string, args ...string) string {
	t.Helper()
	out, err := c.Try(t, c.verify(key, ref, args)...)
	if err == nil {
		t.Fatalf("cosign %d verified %s with %s and should not have:\n%s", c.Version, ref, key, out)
	}
	for _, refusal := range refusals {
		if strings.Contains(out, "\nError: "+refusal) || strings.HasPrefix(out, "Error: "+refusal) {
			return out
		}
	}
	t.Fatalf("cosign %d did not come to verify %s: %v", c.Version, ref, err)
	return ""
}

func (c *Cosign) verify(key, ref string, args []string) []string {
	line := []string{"verify", "--private-infrastructure=true", "--key", key}
	return append(append(line, args...), ref)
}
