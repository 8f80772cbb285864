package world

import "path/filepath"

// RepoAdd is Arch's repo-add, which signs the database, and gpg, which signs packages.
type RepoAdd struct {
	dir string
	key *OpenPGP
	add Command
	del Command
}

// NewRepoAdd returns an empty repository of the name test. It writes its database with the first package.
func NewRepoAdd(t T, key *OpenPGP) *RepoAdd {
	t.Helper()
	Installed(t, "makepkg", "makepkg")
	Installed(t, "libarchive-tools", "bsdtar")
	args := []string{"--quiet", "--sign", "--key", key.Fingerprint}
	return &RepoAdd{t.TempDir(), key,
		key.Command(Command{Path: Installed(t, "pacman-package-manager", "repo-add"), Args: args}),
		key.Command(Command{Path: Installed(t, "pacman-package-manager", "repo-remove"), Args: args}),
	}
}

// Name returns the program's name.
func (r *RepoAdd) Name() string { return "repo-add" }

// Dir returns the folder that clients read.
func (r *RepoAdd) Dir() string { return r.dir }

// Add signs packages and runs repo-add, which keeps one version of each.
func (r *RepoAdd) Add(t T, packages ...string) {
	t.Helper()
	args := []string{r.database()}
	for _, p := range packages {
		to := filepath.Join(r.dir, filepath.Base(p))
		copyFile(t, p, to)
		r.key.Detach(t, to, to+".sig", false)
		args = append(args, to)
	}
	r.add.Run(t, args...)
}

// Remove runs repo-remove.
func (r *RepoAdd) Remove(t T, b Built) {
	t.Helper()
	r.del.Run(t, r.database(), b.Name)
}

func (r *RepoAdd) database() string { return filepath.Join(r.dir, "test.db.tar.gz") }
