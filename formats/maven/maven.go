// Package maven keeps artifacts in the layout of Maven's repositories, for Maven, Gradle and sbt alike.
//
// An artifact's files stand in folders GROUP/ARTIFACT/VERSION, with a slash for each dot of the group, and their names begin
// with ARTIFACT-VERSION (org.eclipse.aether.internal.impl.Maven2RepositoryLayoutFactory). Each has its checksums beside it. A
// version is there when its .pom is: maven-metadata.xml lists it from then on, whatever other maven-metadata.xml a client sends.
//
// checksums.sha256 lists all files with their SHA-256, in the form that Maven's trusted checksums have
// (org.eclipse.aether.internal.impl.checksum.SummaryFileTrustedChecksumsSource). The signature F.asc of a file, which Maven's
// pgpverify, Gradle and sbt-pgp look at, is the one that every uploaded file has.
package maven

import (
	"crypto"
	_ "crypto/md5" // clients still fetch such checksums
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Settings are the settings of a repository of Maven artifacts.
type Settings struct {
	// Whose signature stands at F.asc if an artifact's author has uploaded one: ours, and the author's is F.author.asc; or
	// the author's, and ours is F.hallmark.asc.
	Signatures string `yaml:"signatures"`
}

// The values of Settings.Signatures.
const (
	ours    = "ours"
	authors = "author"
)

// Defaults returns the settings of a repository that has none.
func Defaults() Settings { return Settings{Signatures: ours} }

// A Format is the format of Maven artifacts. It implements [format.Format], [format.Renderer], [format.Speaker], [format.Mirror],
// [format.Finder].
type Format struct {
	settings Settings
	clients  []string
}

// The programs that there are set-up texts for.
const (
	clientMaven  = "maven"
	clientGradle = "gradle"
	clientSbt    = "sbt"
)

// New returns the format with its settings.
func New(s Settings) (*Format, error) { return open(s, clientMaven, clientGradle, clientSbt) }

// NewGradle returns the same format, whose set-up text is first of all for Gradle.
func NewGradle(s Settings) (*Format, error) { return open(s, clientGradle, clientMaven, clientSbt) }

// NewSbt returns the same format, whose set-up text is first of all for sbt.
func NewSbt(s Settings) (*Format, error) { return open(s, clientSbt, clientMaven, clientGradle) }

func open(s Settings, clients ...string) (*Format, error) {
	if s.Signatures != ours && s.Signatures != authors {
		return nil, fmt.Errorf("signatures is %.50q: write ours, or author to serve an author's own signature in place of ours", s.Signatures)
	}
	return &Format{s, clients}, nil
}

// Spec says what the format is and what it needs. Nobody but a person verifies the index, with gpg; Gradle and Maven's plugins
// trust the keys of F.asc, with which no index is signed.
func (f *Format) Spec() format.Spec {
	spec := format.Spec{
		Title:   "Maven artifacts",
		AnyPath: true,
		Keys: []format.KeyUse{{
			Purpose:  scheme.Index,
			Family:   scheme.OpenPGP,
			Generate: "rsa3072",
			Kinds:    []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"},
			Refused:  "gpg has to verify with it, and takes rsa2048, rsa3072, rsa4096, ed25519, p256, p384 and p521",
		}},
		Digests:  []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA512},
		Clients:  slices.Clone(f.clients),
		Together: together,
	}
	if f.settings.Signatures == authors {
		spec.Aside = aside
	}
	return spec
}

// together names the set of an index file with its checksums and its signature, which are several requests.
func together(p string) string {
	name := path.Base(p)
	base, _ := cutChecksum(strings.TrimSuffix(name, signature))
	switch {
	case base == metadataName:
		return strings.TrimSuffix(p, name) + metadataName
	case p == checksumsName || p == checksumsName+signature:
		return checksumsName
	}
	return ""
}
