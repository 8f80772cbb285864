package integration

import (
	"os"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Beside every file of every format there are two signatures over the very bytes that are served, which tools verify
// that know no packages: F.asc for gpg and its kin, F.sigstore.json for cosign.
func TestEveryFileHasSignaturesBesideIt(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, packageRepositories), openDepot(t, packageRepositories)
	files := map[string]string{
		"raw": d.putAt(t, d.URL+"/raw/tools/v1/tool.txt", write(t, "tool.txt", "a tool\n")),
	}
	for _, kind := range []world.Kind{world.Deb, world.RPM, world.Alpine, world.Arch} {
		_, files[repositoryOf(kind)] = d.build(t, kind, "1.0.0")
	}
	for name, address := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasSignaturesBesideIt(t, d, other, name, address)
		})
	}
}

// hasSignaturesBesideIt verifies what is beside a file of a repository. The other depot has a repository of the same name.
func hasSignaturesBesideIt(t *testing.T, d, other *depot, name, address string) {
	t.Helper()
	f := fetched(t, address)
	armored, bundle := fetched(t, address+".asc"), fetched(t, address+".sigstore.json")
	for _, keys := range []string{"files.asc", "files.gpg"} {
		ours, theirs := d.key(t, name, keys), other.key(t, name, keys)
		for _, v := range world.Verifiers(t) {
			who := v.Name() + " with " + keys
			if err := v.Detached(t, ours, f, armored); err != nil {
				t.Errorf("%s: %v", who, err)
			}
			for what, err := range map[string]error{
				"a file with one bit flipped":      v.Detached(t, ours, altered(t, f), armored),
				"a signature with one bit flipped": v.Detached(t, ours, f, altered(t, armored)),
				"a signature by another key":       v.Detached(t, theirs, f, armored),
				"no signature":                     v.Detached(t, ours, f, write(t, "none.asc", "")),
			} {
				if err == nil {
					t.Errorf("%s: %s is taken", who, what)
				}
			}
		}
	}
	ours, theirs := d.key(t, name, "files.pub"), other.key(t, name, "files.pub")
	for _, c := range []*world.Cosign{world.NewCosign(t, 2), world.NewCosign(t, 3)} {
		if err := verifyBlob(t, c, ours, bundle, f); err != nil {
			t.Errorf("cosign %d: %v", c.Version, err)
		}
		for what, err := range map[string]error{
			"a file with one bit flipped": verifyBlob(t, c, ours, bundle, altered(t, f)),
			"a bundle by another key":     verifyBlob(t, c, theirs, bundle, f),
			"a bundle of another file":    verifyBlob(t, c, ours, bundle, armored),
			"a flipped bundle":            verifyBlob(t, c, ours, flippedSignature(t, bundle), f),
			"no bundle":                   verifyBlob(t, c, ours, write(t, "none.json", "{}"), f),
		} {
			if err == nil {
				t.Errorf("cosign %d: %s is taken", c.Version, what)
			}
		}
	}
}

// verifyBlob runs cosign verify-blob. Version 2 wants a trusted root for a bundle even with a key, and takes one that
// trusts nobody.
func verifyBlob(t *testing.T, c *world.Cosign, key, bundle, file string) error {
	t.Helper()
	line := []string{"verify-blob", "--private-infrastructure", "--key", key, "--bundle", bundle}
	if c.Version == 2 {
		line = append(line, "--new-bundle-format", "--trusted-root", trustedRoot(t))
	}
	_, err := c.Try(t, append(line, file)...)
	return err
}

// flippedSignature returns a copy of a bundle in whose signature one letter is another.
func flippedSignature(t *testing.T, bundle string) string {
	t.Helper()
	data, err := os.ReadFile(bundle)
	must(t, err)
	const field = `"signature":"`
	at := strings.Index(string(data), field)
	if at < 0 {
		t.Fatalf("there is no signature in %s", data)
	}
	letter := at + len(field) + 20
	data[letter] = map[bool]byte{true: 'B', false: 'A'}[data[letter] == 'A']
	return write(t, "flipped.json", string(data))
}
