package integration

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// The set-up text of raw files keeps the keys and shows commands. They work as they stand, with nothing but FOLDER and
// FILE filled in, and refuse what was changed.
func TestRawFilesAreVerifiedAsTheSetUpTextSays(t *testing.T) {
	t.Parallel()
	d := openDepot(t, packageRepositories)
	m := world.NewMachine(t)
	must(t, m.Setup(t, "mkdir /build\necho 'a tool' > /build/tool.sh\necho 'its manual' > /build/manual.txt"))
	out := m.Command("sh").Run(t, "-c", "curl -fsS '"+d.URL+"/-/setup/raw?client=curl' | sh")
	commands := strings.NewReplacer("FOLDER", "tools/v1", "FILE", "tool.sh").Replace(out)
	part := func(begin, end string) string {
		t.Helper()
		_, rest, ok := strings.Cut(commands, begin)
		if !ok {
			t.Fatalf("there is no %q in\n%s", begin, commands)
		}
		_, rest, _ = strings.Cut(rest, "\n")
		text, _, _ := strings.Cut(rest, end)
		return text
	}
	upload, bySums := part("To upload", "To verify"), part("To verify", "Or one file")
	byEither := part("Or one file", "\nEND")
	byAsc, byBundle, ok := strings.Cut(byEither, "  cosign ")
	fetch, _, found := strings.Cut(byAsc, "  gpgv ")
	if !ok || !found {
		t.Fatalf("the text shows no gpgv and no cosign:\n%s", out)
	}
	cosign := world.NewCosign(t, 3)
	byBundle = fetch + "TUF_MIRROR=http://127.0.0.1:9 " + cosign.Path + " " + byBundle

	must(t, m.Setup(t, "set -e\ncd /build\n"+upload+strings.ReplaceAll(upload, "tool.sh", "manual.txt")))
	verify := func(commands string) error {
		_, err := m.Command("sh").Try(t, "-e", "-c", "rm -rf /got && mkdir /got && cd /got\n"+commands)
		return err
	}
	for _, way := range []struct {
		name, commands string
		needs          []string // patterns of what must be as it was
		signature      string
	}{
		{"the signed list", bySums, []string{`/tool\.sh$`, `/SHA256SUMS$`, `/SHA256SUMS\.asc$`}, ".asc"},
		{"the file's OpenPGP signature", byAsc, []string{`/tool\.sh$`, `/tool\.sh\.asc$`}, ".asc"},
		{"the file's bundle", byBundle, []string{`/tool\.sh$`, `/tool\.sh\.sigstore\.json$`}, ".sigstore.json"},
	} {
		if err := verify(way.commands); err != nil {
			t.Errorf("by %s: %v", way.name, err)
		}
		for _, need := range way.needs {
			d.Intercept(world.Flip(regexp.MustCompile(need)))
			if err := verify(way.commands); err == nil {
				t.Errorf("by %s: %s is taken with one bit flipped", way.name, need)
			}
		}
		others := world.Get(t, d.proxy.URL+"/raw/tools/v1/manual.txt"+way.signature)
		d.Intercept(world.Alter(regexp.MustCompile(regexp.QuoteMeta(way.signature)+"$"), func(string, []byte) []byte {
			return []byte(others)
		}))
		if err := verify(way.commands); err == nil {
			t.Errorf("by %s: another file's signature is taken", way.name)
		}
		d.Intercept(nil)
	}

	world.Delete(t, d.URL+"/raw/tools/v1/tool.sh", http.StatusNoContent)
	sums := world.Get(t, d.URL+"/raw/tools/v1/SHA256SUMS")
	if strings.Contains(sums, "tool.sh") || !strings.Contains(sums, "manual.txt") {
		t.Errorf("a file was deleted, and the list is\n%s", sums)
	}
	if err := verify(bySums); err == nil {
		t.Error("a file that was deleted is still there")
	}
}
