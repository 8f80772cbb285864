package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"syscall"

	"hallmark/integration/world"
)

// languageGoods are packages of languages, each of which has an index of its own. They are uploaded to where they are served.
var languageGoods = []goods{
	{format: "npm", title: "npm", keys: []string{"{purpose: npm, generate: p256}"}, removed: 200, make: makeNPM},
	{format: "maven", title: "Maven", keys: []string{"{purpose: index, generate: ed25519}"}, make: makePOM},
	{format: "python", title: "Python", keys: []string{"{purpose: index, generate: ed25519}"}, make: makeWheel},
	{format: "helm", title: "Helm", keys: []string{"{purpose: index, generate: ed25519}", "{purpose: package, generate: ed25519}"}, make: makeChart},
	{format: "ruby", title: "Ruby", keys: []string{"{purpose: package, generate: rsa2048}"}, make: makeGem},
	{format: "nuget", title: "NuGet", keys: []string{"{purpose: package, generate: rsa2048}"}, make: makeNupkg},
}

// What is measured of packages of languages: many names, and many versions of one.
const (
	manyVersions  = 1_000
	moreForMany   = 15.0 // ms, at most
	versionsTurns = 15
)

// languages measures how long it takes until one version is in its index, in repositories that grow, and in a package that has
// many versions.
func (b *bench) languages(t world.T) {
	for _, g := range b.languageGoods {
		proxy, shelf := startShelf(t, g, "languages", ed25519, clientsAtOnce, places{})
		ours := &contender{keeper: shelf, name: hallmark, most: math.MaxInt, acts: 5, bound: slow}
		grid := &grid{title: g.title, names: []string{hallmark}, times: map[cell][]float64{}}
		source := source{g, t.TempDir()}
		before := 0
		for i, size := range b.sizes {
			if size > goalSize {
				break
			}
			grid.sizes = append(grid.sizes, size)
			t.Logf("languages, %s: up to %s packages", g.title, thousands(size))
			if err := shelf.fill(t.Context(), before, size); err != nil {
				t.Fatalf("%s: %v", g.title, err)
			}
			for _, a := range acts {
				takeTurns(t, grid, source, []*contender{ours}, a, i)
			}
			before = size
		}
		grid.memory = mebibytes(t, proxy.Pid(), "VmHWM")
		b.grids = append(b.grids, grid)
		b.manyVersions(t, g, ours, shelf)
		ours.leave()
	}
}

// manyVersions compares a version that is added to a package with one other with a version that is added to one with many.
func (b *bench) manyVersions(t world.T, g goods, ours *contender, shelf *shelf) {
	t.Logf("languages, %s: a package with %s versions", g.title, thousands(manyVersions))
	const number = 499_999 // of a package that nothing else asks for
	err := shelf.putMany(t.Context(), manyVersions, func(i int) pkg { return g.make(number, i+1) })
	if err != nil {
		t.Fatalf("%s: %v", g.title, err)
	}
	syscall.Sync()
	var few, many []float64
	for n := range versionsTurns {
		for _, of := range []struct {
			to *[]float64
			p  pkg
		}{{&few, g.make(n+40, 3)}, {&many, g.make(number, manyVersions+n+1)}} {
			took, err := ours.timed(t, add, of.p)
			if err != nil {
				t.Fatalf("%s: %v", g.title, err)
			}
			*of.to = append(*of.to, milliseconds(took))
		}
	}
	more := median(many) - median(few)
	b.add(row{
		what:   fmt.Sprintf("%s, a version more of a package with %s versions, against one with 1", g.title, thousands(manyVersions)),
		theirs: duration(median(few)), ours: duration(median(many)), outcome: fmt.Sprintf("%+.1f ms", more),
		goal: fmt.Sprintf("≤ %.0f ms", moreForMany), pass: more <= moreForMany, pairs: versionsTurns,
	})
}

// about are the words that describe a package.
func about(number, release int) string { return text(chance(number, release), 9, " ") }

func makeNPM(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d.0", release)}
	p.file = p.name + "/-/" + p.name + "-" + p.version + ".tgz"
	manifest := fmt.Sprintf(`{"name":%q,"version":%q,"description":%q,"main":"index.js","license":"MIT","dependencies":{"left":"^1.0.0","right":"~2.1.0"},`+
		`"scripts":{"test":"node test.js"},"repository":"https://example.org/%[1]s"}`, p.name, p.version, about(number, release))
	p.data = gzipped(tarred(true, entry{"package/package.json", []byte(manifest)}, entry{"package/index.js", []byte(p.file)}))
	return p
}

func makePOM(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d", release)}
	p.file = fmt.Sprintf("org/example/%s/%s/%[1]s-%[2]s.pom", p.name, p.version)
	p.data = fmt.Appendf(nil, "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>org.example</groupId>\n  <artifactId>%s</artifactId>\n"+
		"  <version>%s</version>\n  <description>%s</description>\n</project>\n", p.name, p.version, about(number, release))
	return p
}

func makeWheel(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d", release)}
	base := strings.ReplaceAll(p.name, "-", "_") + "-" + p.version
	p.file = "simple/" + p.name + "/" + base + "-py3-none-any.whl"
	info := base + ".dist-info/"
	p.data = zipped(
		entry{info + "METADATA", fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nRequires-Python: >=3.8\n",
			p.name, p.version, about(number, release))},
		entry{info + "WHEEL", []byte("Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")},
		entry{info + "RECORD", []byte(info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n")})
	return p
}

func makeChart(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d.0", release)}
	p.file = p.name + "-" + p.version + ".tgz"
	p.data = gzipped(tarred(true,
		entry{p.name + "/Chart.yaml", fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\ndescription: %s\n", p.name, p.version, about(number, release))},
		entry{p.name + "/values.yaml", []byte("replicas: 1\n")}))
	return p
}

func makeGem(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d.0", release)}
	p.file = "gems/" + p.name + "-" + p.version + ".gem"
	spec := fmt.Sprintf(`--- !ruby/object:Gem::Specification
name: %s
version: !ruby/object:Gem::Version
  version: %s
platform: ruby
authors:
- The Bench Team
autorequire:
bindir: bin
cert_chain: []
date: 2026-01-02 00:00:00.000000000 Z
dependencies: []
description: %s
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
      version: '0'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
requirements: []
rubygems_version: 3.3.15
signing_key:
specification_version: 4
summary: %[3]s
test_files: []
`, p.name, p.version, about(number, release))
	metadata, data := gzipped([]byte(spec)), gzipped(tarred(true, entry{"lib/" + p.name + ".rb", []byte("# " + p.file)}))
	sums := fmt.Sprintf("---\nSHA256:\n  metadata.gz: %x\n  data.tar.gz: %x\n", sha256.Sum256(metadata), sha256.Sum256(data))
	p.data = tarred(true, entry{"metadata.gz", metadata}, entry{"data.tar.gz", data}, entry{"checksums.yaml.gz", gzipped([]byte(sums))})
	return p
}

func makeNupkg(number, release int) pkg {
	p := pkg{name: nameOf(number), version: fmt.Sprintf("1.%d.0", release)}
	p.file = "v3/flat/" + p.name + "/" + p.version + "/" + p.name + "." + p.version + ".nupkg"
	p.data = zipped(
		entry{"_rels/.rels", []byte("<Relationships/>")},
		entry{p.name + ".nuspec", fmt.Appendf(nil, `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>%s</id>
    <version>%s</version>
    <authors>The Bench Team</authors>
    <description>%s</description>
  </metadata>
</package>
`, p.name, p.version, about(number, release))},
		entry{"lib/net45/" + p.name + ".dll", []byte(p.file)},
		entry{"[Content_Types].xml", []byte("<Types/>")})
	return p
}

// zipped returns a zip archive.
func zipped(entries ...entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, _ := w.Create(e.name) // a buffer takes everything
		f.Write(e.data)
	}
	w.Close()
	return b.Bytes()
}
