// Package nuget keeps packages of NuGet, and signs each as NuGet verifies it: by a repository signature inside the package.
//
// The protocol is version 3 of NuGet's server API (learn.microsoft.com/nuget/api/overview). Everything is below v3/: the
// service index, the packages and their versions (flat/), what the client's resolver reads of them (registration/), and
// documents that are made for one request: search and autocomplete. Packages and versions stand in small letters in
// addresses, and versions in their normal form.
//
// NuGet signs no index. Of each package there is a list of all that is said of its versions, with the digests of their files,
// which has an OpenPGP signature: flat/ID/packages.jsonl. It is for whoever looks, and for a repository in front of this one.
package nuget

import (
	"fmt"
	"net/url"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of NuGet packages.
type Settings struct {
	// The address of a timestamp server (RFC 3161), such as http://timestamp.example.com. Its timestamps make signatures outlive
	// our certificates. Nothing is published while it does not answer. Empty: no timestamps.
	Timestamp string `yaml:"timestamp"`
}

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{} }

// A Format is the format of NuGet packages. It implements [format.Format], [format.Renderer], [format.Unwrapper],
// [format.Speaker], [format.Mirror] and [format.Checker].
type Format struct {
	settings Settings
}

// New returns the format with its settings. The error names the setting that cannot be used.
func New(s Settings) (*Format, error) {
	if s.Timestamp != "" {
		at, err := url.Parse(s.Timestamp)
		if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
			return nil, fmt.Errorf("timestamp is %q: write the address of a server, such as http://timestamp.example.com", s.Timestamp)
		}
	}
	return &Format{s}, nil
}

// Spec says what the format is and what it needs.
//
// Packages have a key of their own: NuGet trusts a certificate for signatures in packages, and gpg another key for the
// lists.
func (*Format) Spec() format.Spec {
	return format.Spec{
		Title: "NuGet packages",
		Keys: []format.KeyUse{
			{
				Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "rsa3072",
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
				Refused: "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
			},
			{
				Purpose: scheme.Package, Family: scheme.RSA, Generate: "rsa3072", Certificate: true,
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096"},
				Refused: "NuGet takes signatures by rsa2048, rsa3072 and rsa4096 alone",
			},
		},
		Clients:   []string{"dotnet", "nuget"},
		KeyHeader: "X-NuGet-ApiKey",
		Together:  together,
		Overlaid:  true,
	}
}
