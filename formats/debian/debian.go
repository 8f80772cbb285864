// Package debian is the format of Debian package repositories, as apt reads them.
//
// Sources of the wire format: the Debian Policy Manual (chapter 5), deb(5), deb-control(5), dsc(5), deb-changes(5),
// "DebianRepository/Format" in the Debian wiki, and apt's own reading of them.
package debian

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a Debian repository.
//
// Do not change origin and label once clients use the repository: apt then stops until somebody confirms it.
type Settings struct {
	// Who makes the packages, for apt's pinning (`o=`).
	Origin string `yaml:"origin"`

	// What the repository is called, for apt's pinning (`l=`).
	Label string `yaml:"label"`

	// How long apt may rely on an index, such as 168h; 0s: for ever. The index is signed again in time, also while
	// nothing is uploaded, so that a client that is kept from seeing updates finds out.
	ValidFor time.Duration `yaml:"valid_for"`

	// Whether a package gets a signature inside (the member _gpgorigin, which debsig-verify checks): never; unsigned:
	// unless its maker has put one there; always: in place of its maker's.
	SignPackages string `yaml:"sign_packages"`

	// The architectures that there is an index for from the beginning. Those of uploaded packages join them.
	Architectures []string `yaml:"architectures"`

	// Of an upstream, the architectures whose packages are listed, such as [amd64, source]; empty: all of them. Packages for
	// every architecture (all) are listed in any case.
	UpstreamArchitectures []string `yaml:"upstream_architectures"`
}

// The values of Settings.SignPackages.
const (
	signNever    = "never"
	signUnsigned = "unsigned"
	signAlways   = "always"
)

// Defaults returns the settings of a repository that has none.
func Defaults() Settings {
	return Settings{
		Origin:                "Hallmark",
		Label:                 "Hallmark",
		SignPackages:          signNever,
		Architectures:         []string{"amd64", "arm64"},
		UpstreamArchitectures: []string{},
	}
}

// Format is the format of Debian packages. It keeps the rules of [format.Format].
type Format struct {
	settings Settings
}

// New returns the format with the given settings. The error names the setting and the way out.
func New(s Settings) (*Format, error) {
	for _, text := range []struct{ setting, value string }{{"origin", s.Origin}, {"label", s.Label}} {
		if v := text.value; v == "" || len(v) > maxName || strings.TrimSpace(v) != v || !utf8.ValidString(v) ||
			strings.ContainsFunc(v, unicode.IsControl) {
			return nil, fmt.Errorf("%s is %q: write one line of text, such as Hallmark", text.setting, v)
		}
	}
	if s.ValidFor < 0 || s.ValidFor%time.Second != 0 {
		return nil, fmt.Errorf("valid_for is %v: write whole seconds, minutes or hours, such as 168h, or 0s for "+
			"ever", s.ValidFor)
	}
	switch s.SignPackages {
	case signNever, signUnsigned, signAlways:
	default:
		return nil, fmt.Errorf("sign_packages is %q: write never, unsigned or always", s.SignPackages)
	}
	for _, arch := range s.Architectures {
		if !isArchitecture(arch) || arch == archAll {
			return nil, fmt.Errorf("architectures has %q, which is no architecture: write names such as amd64 or "+
				"arm64, and leave out all and source, which there are without being asked for", arch)
		}
	}
	for _, arch := range s.UpstreamArchitectures {
		if !isArchitecture(arch) && arch != archSource {
			return nil, fmt.Errorf("upstream_architectures has %q, which is no architecture: write names such as amd64, and "+
				"source for sources, or leave it empty for all", arch)
		}
	}
	s.Architectures = slices.Compact(slices.Sorted(slices.Values(s.Architectures)))
	return &Format{settings: s}, nil
}

// Spec implements [format.Format].
func (f *Format) Spec() format.Spec {
	spec := format.Spec{
		Title:   "Debian packages",
		Keys:    []format.KeyUse{keyUse(scheme.Index)},
		Clients: []string{clientAPT},
		Valid:   f.settings.ValidFor,
		Resign:  f.settings.ValidFor / 3,
	}
	if f.settings.SignPackages != signNever {
		spec.Keys = append(spec.Keys, keyUse(scheme.Package))
	}
	return spec
}

// keyUse wants OpenPGP keys that gpgv 2.2 and later and sqv verify, and apt accepts. A key of purpose package is never
// that of the index: what it signs is an uploader's choice.
func keyUse(p scheme.Purpose) format.KeyUse {
	return format.KeyUse{
		Purpose:  p,
		Family:   scheme.OpenPGP,
		Generate: "rsa3072",
		Kinds:    []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384"},
		Refused: "apt trusts RSA of 2048 to 4096 bits, Ed25519 (EdDSA of version 4 keys), P-256 and P-384; " +
			"it has known P-521 by a wrong name since 2.7.13",
	}
}
