// Package python keeps Python distributions, in the index that pip and uv install from.
//
// The pages of the index are those of PEP 503 in HTML and of PEP 691 in JSON: simple/ lists the projects, and
// simple/PROJECT/ the files of one, which are served beside its page. Distributions come by the form that twine and uv send
// (the "legacy" upload API of PyPI), or by a PUT to where they will be served.
package python

import (
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of Python distributions. There are none.
type Settings struct{}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{} }

// A Format is the format of Python distributions. It implements [format.Format], [format.Unwrapper], [format.Renderer] and
// [format.Mirror].
type Format struct{}

// New returns the format. The error is nil.
func New(Settings) (*Format, error) { return &Format{}, nil }

// Spec says what the format is and what it needs. There is no key of packages: no installer knows signatures of
// distributions but those beside them.
func (f *Format) Spec() format.Spec {
	return format.Spec{
		Title: "Python distributions",
		Keys: []format.KeyUse{{
			Purpose:  scheme.Index,
			Family:   scheme.OpenPGP,
			Generate: "rsa3072",
			Kinds:    []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
			Refused:  "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
		}},
		Clients:  []string{"pip", "uv", "twine"},
		Together: together,
	}
}

// together names the set of a page and its signature, which are two requests.
func together(p string) string {
	page := strings.TrimSuffix(p, ".asc")
	switch path.Base(page) {
	case pageHTML, pageJSON:
		return page
	}
	return ""
}
