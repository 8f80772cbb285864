package formattest

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"testing"

	"hallmark/signing/scheme"
)

// checkOracle uploads what is an index elsewhere, and serves what is made of it as an index.
func checkOracle(tb testing.TB, s Subject) {
	evil := newHouse(tb, s.Format, foreign)
	for i, arch := range s.Archs {
		if err := evil.putAll([]Upload{s.Upload(tb, sampleName(20+i), s.Versions[1], arch)}); err != nil {
			tb.Fatalf("a package is refused: %v", err)
		}
	}
	h := s.filled(tb)
	honest := h.Packages()
	for _, u := range attacks(tb, s, evil) {
		if err := h.putAll([]Upload{u}); err != nil {
			if !isRefusal(err) && !errors.Is(err, ErrConflict) {
				h.guard.breach("the upload of %s gets %v", u.Path, err)
			}
			continue
		}
		served := h.Packages()
		maps.DeleteFunc(served, func(p string, sum [sha256.Size]byte) bool { return honest[p] == sum })
		for p := range served {
			h.checkForgery(s, evil, p)
			if err := h.Delete(p); err != nil {
				tb.Fatalf("%s cannot be deleted: %v", p, err)
			}
		}
		if !maps.Equal(h.Packages(), honest) {
			h = s.filled(tb)
		}
	}
}

// checkForgery serves a repository of somebody else whose index files and signatures are those of an uploaded file.
func (h *House) checkForgery(s Subject, evil *House, p string) {
	h.tb.Helper()
	i := slices.IndexFunc(h.packages, func(s *stored) bool { return s.pkg.Path == p })
	uploaded := h.packages[i]
	contents := [][]byte{uploaded.data}
	for _, q := range slices.Sorted(maps.Keys(uploaded.sidecars)) {
		contents = append(contents, uploaded.sidecars[q])
	}
	try := func(shard string, files map[string][]byte) {
		h.tb.Helper()
		// The other shards stay as they are, so that a client has nothing to complain of there.
		all := evil.shardFiles(shard)
		maps.Copy(all, files)
		got, err := s.run(h.tb, h.replacing(all), h.Trusted())
		for q, sum := range got {
			if err == nil && h.Packages()[q] != sum {
				h.tb.Fatalf("a client takes what is served of the upload %s for an index, by which it accepts %s", p, q)
			}
		}
	}
	for _, e := range evil.emitted {
		try(e.shard, map[string][]byte{e.path: uploaded.data})
		for _, seal := range e.seals {
			if seal.Path == "" {
				continue
			}
			for _, data := range contents {
				try(e.shard, map[string][]byte{seal.Path: data})
				try(e.shard, map[string][]byte{e.path: uploaded.data, seal.Path: data})
				try(e.shard, map[string][]byte{e.path: e.plain, seal.Path: data})
			}
		}
	}
}

// shardFiles returns all packages, and the index files of one shard.
func (h *House) shardFiles(shard string) map[string][]byte {
	files := map[string][]byte{}
	for _, s := range h.packages {
		files[s.pkg.Path] = s.data
	}
	for _, e := range h.emitted {
		if e.shard == shard {
			maps.Copy(files, e.files())
		}
	}
	return files
}

// attacks returns the bodies that are signed elsewhere, each at the address of a package.
func attacks(tb testing.TB, s Subject, evil *House) []Upload {
	tb.Helper()
	bodies := slices.Clone(confusing())
	for _, e := range evil.emitted {
		for _, data := range e.files() {
			bodies = append(bodies, data)
		}
		bodies = append(bodies, e.plain)
		for _, seal := range e.seals {
			if seal.Scheme == scheme.OpenPGPClearsigned {
				bodies = append(bodies, e.beside[seal.Path])
			}
		}
	}
	var all []Upload
	for _, arch := range s.Archs {
		u := s.Upload(tb, sampleName(24), s.Versions[0], arch)
		for _, body := range bodies {
			all = append(all, Upload{Method: u.Method, Path: u.Path, Type: u.Type, Body: body})
		}
	}
	for _, what := range slices.Sorted(maps.Keys(s.Attacks)) {
		all = append(all, s.Attacks[what])
	}
	return all
}

// confusing returns messages that mean something to a client if a key signs them that is meant for it. Whoever uploads one
// must not get such a signature.
func confusing() [][]byte {
	const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	return [][]byte{
		// apt: Release
		[]byte("Origin: x\nSuite: stable\nCodename: stable\nDate: Tue, 03 Feb 2026 04:05:06 UTC\nArchitectures: amd64\n" +
			"Components: main\nSHA256:\n " + digest + " 0 main/binary-amd64/Packages\n"),
		// dnf: repomd.xml
		[]byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
			`<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary">` +
			`<checksum type="sha256">` + digest + `</checksum><location href="repodata/primary.xml.gz"/></data></repomd>` + "\n"),
		// sha256sum: SHA256SUMS
		[]byte(digest + "  evil\n"),
		// cosign: the payload of an image's signature
		[]byte(`{"critical":{"identity":{"docker-reference":"localhost/evil"},` +
			`"image":{"docker-manifest-digest":"sha256:` + digest + `"},"type":"cosign container image signature"},"optional":null}`),
		// DSSE: the encoding that is signed, and an envelope
		[]byte(`DSSEv1 28 application/vnd.in-toto+json 2 {}`),
		[]byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":""}]}`),
		// npm: name@version:integrity
		[]byte("evil@1.0.0:sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="),
		// a signed note: a checkpoint of a log
		[]byte("sum.golang.org\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
	}
}
