// Package arch keeps packages of Arch Linux, and signs their databases as pacman verifies them.
//
// Below a folder of the repository there is a folder for each architecture, with the databases and the packages: it is what
// a line "Server = …/$arch" of pacman.conf names. The database is called like the folder, or like the repository in its
// root. Packages are PKGINFO(5) of pacman in a compressed tar archive, and databases are those of repo-add(8).
package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of Arch packages.
type Settings struct {
	// The architectures that have a database in every folder, beside those that packages came for. A package for all
	// architectures (any) is listed in each.
	Architectures []string `yaml:"architectures"`
}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{Architectures: []string{"x86_64", "aarch64"}} }

// A Format is the format of Arch packages. It implements [format.Format], [format.Renderer] and
// [format.Mirror].
type Format struct {
	settings Settings
}

// New returns the format with its settings. The error names the setting that cannot be used.
func New(s Settings) (*Format, error) {
	for i, name := range s.Architectures {
		switch {
		case !isArch(name):
			return nil, fmt.Errorf("architectures has %q, which is no name of an architecture: they look like x86_64", name)
		case name == archAny:
			return nil, fmt.Errorf("architectures has any: leave it out, its packages are listed in every architecture")
		case slices.Contains(s.Architectures[:i], name):
			return nil, fmt.Errorf("architectures has %q twice", name)
		}
	}
	s.Architectures = slices.Clone(s.Architectures)
	return &Format{s}, nil
}

// Spec says what the format is and what it needs.
func (f *Format) Spec() format.Spec {
	kinds := []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"}
	const refused = "pacman verifies with gpg, which takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521"
	return format.Spec{
		Title: "Arch packages",
		Keys: []format.KeyUse{
			{Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "rsa3072", Kinds: kinds, Refused: refused},
			{Purpose: scheme.Package, Family: scheme.OpenPGP, Generate: "rsa3072", Shared: true, Kinds: kinds, Refused: refused},
		},
		Clients:  []string{"pacman"},
		Compare:  Compare,
		Together: together,
	}
}

// together names a database with its signature, which pacman fetches by two requests. Both names of a database are one set.
func together(p string) string {
	dir, name := path.Split(p)
	name = strings.TrimSuffix(strings.TrimSuffix(name, signature), archiveName)
	if isDatabase(name) {
		return dir + name
	}
	return ""
}
