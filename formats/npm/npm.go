// Package npm keeps packages of npm and of the Unity package manager, which speaks the same protocol.
//
// Each version of a package carries the registry's own ECDSA signature over its name, version and digest in
// dist.signatures, which "npm audit signatures" verifies with the keys at /-/npm/v1/keys. The protocol is that of the
// clients libnpmpublish, npm-registry-fetch and pacote, and of docs.npmjs.com/about-registry-signatures.
//
// What a packument says of a version is taken from the package.json inside the tarball, and not from what the client
// says beside it, which need not agree.
package npm

import (
	"crypto"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of npm packages. There are none.
type Settings struct{}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{} }

// A Format is the format of npm packages. It implements [format.Format], [format.Renderer], [format.Unwrapper],
// [format.Speaker], [format.Registrar], [format.Mirror], [format.Checker] and [format.Finder].
type Format struct {
	title   string
	clients []string
}

// New returns the format of packages for npm.
func New(Settings) (*Format, error) {
	return &Format{title: "npm packages", clients: []string{clientNPM, clientUnity}}, nil
}

// NewUnity returns the format of packages for the Unity package manager: the same, with another set-up text first.
func NewUnity(Settings) (*Format, error) {
	return &Format{title: "Unity packages", clients: []string{clientUnity, clientNPM}}, nil
}

// Spec says what the format is and what it needs.
func (f *Format) Spec() format.Spec {
	return format.Spec{
		Title: f.title, Clients: f.clients, EscapedSlash: true, Overlaid: true,
		Keys: []format.KeyUse{{
			Purpose: scheme.NPM, Family: scheme.ECDSA, Generate: "p256", Kinds: []string{"p256"},
			Refused: "npm's registries sign with p256 keys",
		}},
		// What dist.shasum and dist.integrity say.
		Digests: []crypto.Hash{crypto.SHA1, crypto.SHA512},
	}
}
