// Package raw keeps any file at any path, with the checksums of each folder and their signature.
//
// A folder's SHA256SUMS is what sha256sum -c of GNU coreutils reads. Its lines stand in the order in which the files were
// uploaded; subfolders have one of their own. SHA256SUMS.asc is its armored OpenPGP signature.
package raw

import (
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of raw files.
type Settings struct {
	// Whether an upload may replace a file by other bytes. If not, it is refused as a conflict.
	Overwrite bool `yaml:"overwrite"`
}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{} }

// A Format is the format of raw files. It implements [format.Format], [format.Renderer], [format.Mirror] and [format.Finder].
type Format struct {
	settings Settings
}

// New returns the format with its settings. The error is nil.
func New(s Settings) (*Format, error) { return &Format{s}, nil }

// Spec says what the format is and what it needs.
func (f *Format) Spec() format.Spec {
	return format.Spec{
		Title:   "Raw files",
		AnyPath: true,
		Keys: []format.KeyUse{{
			Purpose:  scheme.Index,
			Family:   scheme.OpenPGP,
			Generate: "rsa3072",
			Kinds:    []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
			Refused:  "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
		}},
		Clients:  []string{"curl"},
		Together: together,
	}
}

// together names the set of a folder's checksums and their signature, which are two requests.
func together(p string) string {
	switch base := path.Base(p); base {
	case sums, sumsSignature:
		return strings.TrimSuffix(p, base) + sums
	}
	return ""
}
