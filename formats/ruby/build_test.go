package ruby_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"
)

// A spec is what a gem of a test says of itself.
type spec struct {
	name, version, platform string
	chain                   string // the lines of cert_chain; empty: "cert_chain: []"
	needs                   []string
	extra                   string // more lines of the gemspec
}

// yaml returns the gemspec as RubyGems 3.3 writes it.
func (s spec) yaml() string {
	var deps strings.Builder
	for _, name := range s.needs {
		requirement := func(key string) {
			fmt.Fprintf(&deps, "  %s: !ruby/object:Gem::Requirement\n    requirements:\n    - - \"~>\"\n      - !ruby/object:Gem::Version\n"+
				"        version: '1.0'\n", key)
		}
		fmt.Fprintf(&deps, "- !ruby/object:Gem::Dependency\n  name: %s\n", name)
		requirement("requirement")
		deps.WriteString("  type: :runtime\n  prerelease: false\n")
		requirement("version_requirements")
	}
	dependencies := "dependencies: []\n"
	if deps.Len() > 0 {
		dependencies = "dependencies:\n" + deps.String()
	}
	chain := "cert_chain: []\n"
	if s.chain != "" {
		chain = s.chain
	}
	return fmt.Sprintf(`--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: %s
platform: %s
authors:
- Conformance
autorequire:
bindir: bin
%sdate: 2026-01-02 00:00:00.000000000 Z
%sdescription:
email:
executables: []
extensions: []
extra_rdoc_files: []
files:
- lib/%[1]s.rb
homepage: https://example.org
licenses:
- MIT
metadata: {}
post_install_message:
rdoc_options: []
require_paths:
- lib
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '2.0'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
requirements: []
rubygems_version: 3.3.15
signing_key:
specification_version: 4
summary: The gem "%[1]s", füll öf letters
test_files: []
%[6]s`, s.name, "'"+s.version+"'", s.platform, chain, dependencies, s.extra)
}

// A part is a file of an archive.
type part struct {
	name string
	data []byte
}

// pack returns a tar archive.
func pack(tb testing.TB, parts ...part) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		err := w.WriteHeader(&tar.Header{Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: p.name, Size: int64(len(p.data)), Mode: 0o444})
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zip(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// parts returns the three files of a gem.
func (s spec) parts(tb testing.TB) []part {
	tb.Helper()
	data := zip(tb, pack(tb, part{"lib/" + s.name + ".rb", []byte("# " + s.name + " " + s.version + " " + s.platform + "\n")}))
	return gemParts(tb, zip(tb, []byte(s.yaml())), data)
}

func gemParts(tb testing.TB, metadata, data []byte) []part {
	tb.Helper()
	sums := fmt.Sprintf("---\nSHA256:\n  metadata.gz: '%x'\n  data.tar.gz: '%x'\nSHA512:\n  metadata.gz: '%x'\n  data.tar.gz: '%x'\n",
		sha256.Sum256(metadata), sha256.Sum256(data), sha512.Sum512(metadata), sha512.Sum512(data))
	return []part{{"metadata.gz", metadata}, {"data.tar.gz", data}, {"checksums.yaml.gz", zip(tb, []byte(sums))}}
}

// build returns the gem.
func (s spec) build(tb testing.TB) []byte {
	tb.Helper()
	return pack(tb, s.parts(tb)...)
}

// path returns where the gem is served.
func (s spec) path() string {
	if s.platform == "ruby" {
		return "gems/" + s.name + "-" + s.version + ".gem"
	}
	return "gems/" + s.name + "-" + s.version + "-" + s.platform + ".gem"
}
