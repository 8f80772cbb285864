// Package ruby keeps RubyGems, signs each inside as "gem install -P HighSecurity" verifies it, and keeps both indexes that
// clients ask for: the compact one (versions, names, info/NAME) and the older one (specs.4.8.gz and its sisters, a gemspec for
// each version).
//
// A gem is a tar archive with metadata.gz, data.tar.gz and checksums.yaml.gz; its signatures are more files of that archive
// (lib/rubygems/package.rb and lib/rubygems/security of RubyGems 3.3). The compact index is that of
// guides.rubygems.org/rubygems-org-compact-index-api, and the older one is what lib/rubygems/indexer.rb writes.
package ruby

import (
	"fmt"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of RubyGems.
type Settings struct {
	// Which gems get a signature of this repository inside: never; unsigned, those that come without one; or always, in place of
	// the one they came with, which is kept beside the gem. gem and bundler look at it with a trust policy alone ("gem install -P
	// HighSecurity"). A gem that comes with a signature must carry the certificates that it verifies by, whatever is set here.
	SignPackages string `yaml:"sign_packages"`
	// Of an upstream, the gems that are listed, such as [rails, rack]: what they depend on must be named, too. Empty: all of them,
	// where they are at most 20,000.
	UpstreamGems []string `yaml:"upstream_gems"`
}

// The values of [Settings].SignPackages.
const (
	signNever    = "never"
	signUnsigned = "unsigned"
	signAlways   = "always"
)

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{SignPackages: signUnsigned, UpstreamGems: []string{}} }

// A Format is the format of RubyGems. It implements [format.Format], [format.Renderer], [format.Unwrapper], [format.Speaker],
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
	for _, name := range s.UpstreamGems {
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("upstream_gems: %w", err)
		}
	}
	return &Format{s}, nil
}

// Spec says what the format is and what it needs. The key of gems stands in a certificate and is no key of the index: clients
// keep the two apart, and only gems are verified by programs of Ruby.
func (f *Format) Spec() format.Spec {
	return format.Spec{
		Title: "RubyGems",
		Keys: []format.KeyUse{
			{
				Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "ed25519",
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
				Refused: "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
			},
			{
				Purpose: scheme.Package, Family: scheme.RSA, Generate: "rsa3072", Certificate: true,
				Kinds:   []string{"rsa2048", "rsa3072", "rsa4096"},
				Refused: "the certificates of gems are of RSA keys here: use rsa2048, rsa3072 or rsa4096",
			},
		},
		Clients:  []string{"gem", "bundler"},
		Overlaid: true, // gem servers take gems by POST to their API, and trees on a disk are indexed by who keeps them
		Together: together,
	}
}

// together names a file of the compact index with its signature, which are two requests. The files of the older index are not
// among them, since gem keeps those by their dates, which such files do not have.
func together(p string) string {
	file := strings.TrimSuffix(p, signature)
	if dir, _ := path.Split(file); dir == infoFolder || file == versionsFile || file == namesFile {
		return file
	}
	return ""
}
