// Package alpine keeps packages of Alpine Linux, and signs their index as apk-tools 2 and 3 verify it.
//
// A folder of the repository is one line of /etc/apk/repositories. Below it there is a folder for each architecture with
// an APKINDEX.tar.gz and the packages. The formats are those of version 2: apk-v2(5) and apk-package(5), which apk-tools 3
// reads too.
package alpine

import (
	"fmt"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of Alpine packages.
type Settings struct {
	// Which packages get a signature of this repository inside: never; unsigned, those that come without one; or always,
	// in place of the one they came with. apk looks at it only when it installs a file, as in "apk add ./hello.apk": a
	// package from a repository is verified by the signed index.
	SignPackages string `yaml:"sign_packages"`

	// The architectures that have an index in every folder, beside those that packages came for. A package for all
	// architectures (noarch) is listed in each.
	Architectures []string `yaml:"architectures"`

	// Whether signatures over SHA-1 stand beside those over SHA-256. apk-tools before 2.7.2 (2017) take no others. In front
	// of an upstream, whether one over SHA-1 is enough for its index, as abuild-sign makes it unless it is told otherwise.
	SHA1 bool `yaml:"sha1"`
}

// The values of [Settings].SignPackages.
const (
	signNever    = "never"
	signUnsigned = "unsigned"
	signAlways   = "always"
)

// Defaults returns the settings of a repository that has none.
func Defaults() Settings {
	return Settings{SignPackages: signUnsigned, Architectures: []string{"x86_64", "aarch64"}}
}

// A Format is the format of Alpine packages. It implements [format.Format], [format.Renderer],
// [format.Mirror] and [format.Checker].
type Format struct {
	settings Settings
}

// New returns the format with its settings. The error names the setting that cannot be used.
func New(s Settings) (*Format, error) {
	switch s.SignPackages {
	case signNever, signUnsigned, signAlways:
	case "":
		s.SignPackages = signUnsigned
	default:
		return nil, fmt.Errorf("sign_packages is %q: it must be never, unsigned or always", s.SignPackages)
	}
	for i, arch := range s.Architectures {
		switch {
		case !isArch(arch):
			return nil, fmt.Errorf("architectures has %q, which is no name of an architecture: they look like x86_64", arch)
		case arch == noarch:
			return nil, fmt.Errorf("architectures has noarch: leave it out, its packages are listed in every architecture")
		case slices.Contains(s.Architectures[:i], arch):
			return nil, fmt.Errorf("architectures has %q twice", arch)
		}
	}
	s.Architectures = slices.Clone(s.Architectures)
	return &Format{s}, nil
}

// Spec says what the format is and what it needs.
func (f *Format) Spec() format.Spec {
	kinds := []string{"rsa2048", "rsa3072", "rsa4096"}
	const refused = "apk verifies RSA signatures only: use rsa2048, rsa3072 or rsa4096"
	return format.Spec{
		Title: "Alpine packages",
		Keys: []format.KeyUse{
			{Purpose: scheme.Index, Family: scheme.RSA, Generate: "rsa3072", Kinds: kinds, Refused: refused},
			{Purpose: scheme.Package, Family: scheme.RSA, Generate: "rsa3072", Shared: true, Kinds: kinds, Refused: refused},
		},
		Clients: []string{"apk"},
	}
}
