package world

import (
	"os"
	"path/filepath"
)

// Createrepo is createrepo_c --update, without databases, and gpg.
type Createrepo struct {
	dir string
	key *OpenPGP
	Command
}

// NewCreaterepo returns an empty repository.
func NewCreaterepo(t T, key *OpenPGP) *Createrepo {
	t.Helper()
	return &Createrepo{t.TempDir(), key, Command{
		Path: Installed(t, "createrepo-c", "createrepo_c"),
		Args: []string{"--quiet", "--update", "--no-database"},
	}}
}

// Name returns the program's name.
func (c *Createrepo) Name() string { return "createrepo_c" }

// Dir returns the folder that clients read.
func (c *Createrepo) Dir() string { return c.dir }

// Add copies packages, signed or not, and writes the indexes anew.
func (c *Createrepo) Add(t T, packages ...string) {
	t.Helper()
	for _, p := range packages {
		copyFile(t, p, filepath.Join(c.dir, filepath.Base(p)))
	}
	c.publish(t)
}

// Remove removes a package and writes the indexes anew.
func (c *Createrepo) Remove(t T, b Built) {
	t.Helper()
	if err := os.Remove(filepath.Join(c.dir, b.File())); err != nil {
		t.Fatalf("%v", err)
	}
	c.publish(t)
}

func (c *Createrepo) publish(t T) {
	t.Helper()
	c.Run(t, c.dir)
	index := filepath.Join(c.dir, "repodata", "repomd.xml")
	c.key.Detach(t, index, index+".asc", true)
}
