// Package rpm keeps RPM packages in directories of any depth, each with the signed repodata that dnf and zypper read.
//
// The metadata has the elements that createrepo_c writes: primary, filelists and other, in one repomd.xml whose detached
// signature covers their digests, and so those of the packages. A package carries the signature of rpm itself, too, over
// its main header, which holds the digest of the payload.
package rpm

import (
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of RPM packages.
type Settings struct {
	// Which packages get a signature of this repository in their header: "unsigned" signs those that come without one and
	// keeps that of a maker, whose key the clients then need besides; "always" replaces a maker's; "never" leaves packages
	// as they are, and clients go by the signed index alone.
	SignPackages string `yaml:"sign_packages"`
}

// The values of Settings.SignPackages.
const (
	never    = "never"
	unsigned = "unsigned"
	always   = "always"
)

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{SignPackages: unsigned} }

// A Format is the format of RPM packages. It implements [format.Format] and [format.Renderer].
type Format struct {
	settings Settings
}

// New returns the format with its settings. The error names the setting that is wrong and what it may be.
func New(s Settings) (*Format, error) {
	switch s.SignPackages {
	case never, unsigned, always:
		return &Format{s}, nil
	}
	return nil, fmt.Errorf("sign_packages is %q; it may be %s, %s or %s", s.SignPackages, never, unsigned, always)
}

// Spec says what the format is and what it needs.
func (f *Format) Spec() format.Spec {
	kinds := []string{"rsa2048", "rsa3072", "rsa4096", "ed25519"}
	const refused = "rpm imports and verifies with rsa2048, rsa3072, rsa4096 and ed25519 alone"
	return format.Spec{
		Title: "RPM packages",
		Keys: []format.KeyUse{
			{Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "rsa3072", Kinds: kinds, Refused: refused},
			{Purpose: scheme.Package, Family: scheme.OpenPGP, Generate: "rsa3072", Shared: true, Kinds: kinds, Refused: refused},
		},
		Clients:  []string{"dnf", "zypper"},
		Together: together,
	}
}

// together names the set of a directory's repomd.xml, its signature and its key, which are requests of their own.
func together(p string) string {
	dir, base := path.Split(p)
	switch base {
	case repomd, repomd + ".asc", repomd + ".key":
		if dir == repodata+"/" || strings.HasSuffix(dir, "/"+repodata+"/") {
			return dir + repomd
		}
	}
	return ""
}
