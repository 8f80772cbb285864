package integration

import (
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// A database has one version of a package, the newest that was ever there.
func TestArchKeepsTheNewest(t *testing.T) {
	t.Parallel()
	d := openDepot(t, packageRepositories)
	older := world.Package{Name: "hello", Version: "1.9.0"}.Build(t, world.Arch)
	first := world.Package{Name: "hello", Version: "1.10.0"}.Build(t, world.Arch)
	d.put(t, world.Arch, first)
	all := world.Package{Name: "everywhere", Version: "1.0.0", Arch: "all"}.Build(t, world.Arch)
	everywhere := d.put(t, world.Arch, all)
	pacman := world.NewPacman(t)
	must(t, pacman.Setup(t, d.setupText(t, "arch", "pacman")))

	status, body, _ := d.upload(t, d.URL+"/arch/"+older.File(), older.Path)
	if status != http.StatusConflict || !strings.Contains(body, "1.10.0") {
		t.Errorf("an older version: %d, want 409 and a word of 1.10.0: %s", status, body)
	}
	other := world.Package{Name: "hello", Version: "1.10.0", Description: "Another."}.Build(t, world.Arch)
	if status, body, _ = d.upload(t, d.URL+"/arch/"+other.File(), other.Path); status != http.StatusConflict {
		t.Errorf("the same version with other bytes: %d, want 409: %s", status, body)
	}
	if status, body, _ = d.upload(t, d.URL+"/arch/"+first.File(), first.Path); status != http.StatusOK {
		t.Errorf("the same again: %d, want 200: %s", status, body)
	}
	must(t, pacman.Refresh(t))
	installs(t, pacman, first.Version, first)

	second := world.Package{Name: "hello", Version: "2.0.0"}.Build(t, world.Arch)
	at := d.put(t, world.Arch, second)
	must(t, pacman.Refresh(t))
	want := "arch everywhere " + all.Version + "\narch hello " + second.Version + " [installed: " + first.Version + "]\n"
	if out := pacman.Command("pacman").Run(t, "-Sl", "arch"); out != want {
		t.Errorf("the database lists\n%s", out)
	}
	installs(t, pacman, "", second)

	world.Delete(t, at, http.StatusNoContent)
	world.Delete(t, at, http.StatusNotFound)
	must(t, pacman.Refresh(t))
	if out := pacman.Command("pacman").Run(t, "-Sl", "arch"); strings.Contains(out, "hello") {
		t.Errorf("what was deleted, or what it had replaced, is listed:\n%s", out)
	}
	installs(t, pacman, "", all)
	must(t, pacman.Remove(t, "everywhere"))
	world.Delete(t, everywhere, http.StatusNoContent)
}

// A package for any architecture is in the database of each. pacman wants every signature, and finds what a file is in
// by the list of files.
func TestArchDatabases(t *testing.T) {
	t.Parallel()
	d, other := openDepot(t, packageRepositories), openDepot(t, packageRepositories)
	all := world.Package{Name: "hello", Version: "1.0.0", Arch: "all"}.Build(t, world.Arch)
	d.putAt(t, d.URL+"/arch/extra/"+all.File(), all.Path)
	for _, arch := range []string{"x86_64", "aarch64"} {
		for _, name := range []string{"extra.db", "extra.files", "extra.db.tar.gz", "extra.files.tar.gz", all.File()} {
			address := d.address("/arch/extra/%s/%s", arch, name)
			file, signature := fetched(t, address), fetched(t, address+".sig")
			for _, v := range world.Verifiers(t) {
				if err := v.Detached(t, d.key(t, "arch", "openpgp.gpg"), file, signature); err != nil {
					t.Errorf("%s: %s: %v", v.Name(), name, err)
				}
				if v.Detached(t, d.key(t, "arch", "openpgp.gpg"), altered(t, file), signature) == nil ||
					v.Detached(t, other.key(t, "arch", "openpgp.gpg"), file, signature) == nil ||
					v.Detached(t, d.key(t, "arch", "files.gpg"), file, signature) == nil {
					t.Errorf("%s: %s is taken with one bit flipped, or by another key", v.Name(), name)
				}
			}
			data, err := os.ReadFile(file)
			must(t, err)
			if strings.Contains(name, ".db") && !strings.Contains(gunzipped(t, string(data)), path.Base(all.Path)) {
				t.Errorf("%s of %s does not list the package for any architecture", name, arch)
			}
		}
	}
	pacman := world.NewPacman(t)
	must(t, pacman.Setup(t, d.setupText(t, "arch", "pacman")))
	if out := pacman.Command("pacman-conf").Run(t, "--repo=extra", "SigLevel"); strings.Contains(out, "Optional") ||
		strings.Contains(out, "Never") || strings.Contains(out, "TrustAll") || !strings.Contains(out, "DatabaseRequired") {
		t.Errorf("the set-up text makes pacman check signatures so:\n%s", out)
	}
	must(t, pacman.Refresh(t))
	installs(t, pacman, "", all)
	pacman.Command("pacman").Run(t, "-Fy")
	if out := pacman.Command("pacman").Run(t, "-Fl", "hello"); !strings.Contains(out, "opt/hello/version") {
		t.Errorf("the files of hello are\n%s", out)
	}
}
