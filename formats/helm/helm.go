// Package helm keeps Helm charts, in a repository as helm reads it and with the API of ChartMuseum.
//
// In the root are index.yaml, which lists all charts, and the charts: NAME-VERSION.tgz with NAME-VERSION.tgz.prov, the provenance
// that helm --verify asks for (helm.sh/docs/topics/provenance). One by the author of a chart goes before ours.
package helm

import (
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of charts. There are none.
type Settings struct{}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{} }

// A Format is the format of Helm charts. It implements [format.Format], [format.Unwrapper], [format.Speaker], [format.Renderer]
// and [format.Mirror].
type Format struct{}

// New returns the format. The error is nil.
func New(Settings) (*Format, error) { return &Format{}, nil }

// Spec says what the format is and what it needs.
//
// Provenance has a key of its own. What it signs holds words of whoever uploads a chart, helm verifies nothing but it, and
// who verifies index.yaml does that by gpg: nobody needs one key for both.
func (f *Format) Spec() format.Spec {
	return format.Spec{
		Title: "Helm charts",
		Keys: []format.KeyUse{
			{
				Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "rsa3072",
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
				Refused: "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
			},
			{
				Purpose: scheme.Package, Family: scheme.OpenPGP, Generate: "rsa3072",
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096", "ed25519"},
				Refused: "helm 3 and 4 have to verify with it, and were seen to take rsa2048, rsa3072, rsa4096 and ed25519",
			},
		},
		Clients:  []string{"helm"},
		Together: together,
	}
}

// The names of the index files.
const (
	indexName      = "index.yaml"
	indexSignature = "index.yaml.asc"
)

// together names the index with its signature, which are two requests.
func together(p string) string {
	if strings.TrimSuffix(p, ".asc") == indexName {
		return indexName
	}
	return ""
}
