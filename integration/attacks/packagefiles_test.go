package attacks

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A part is a member of an archive.
type part struct {
	name, data string
	kind       byte // of a tar archive; 0: a file
}

// tarOf returns a tar archive, with its end or without.
func tarOf(end bool, parts ...part) []byte {
	var b bytes.Buffer // takes everything, so that nothing here can fail
	w := tar.NewWriter(&b)
	for _, p := range parts {
		h := &tar.Header{Name: p.name, Mode: 0o644, Typeflag: cmp.Or(p.kind, tar.TypeReg)}
		if p.kind == tar.TypeSymlink || p.kind == tar.TypeLink {
			h.Linkname = p.data
		} else {
			h.Size = int64(len(p.data))
		}
		w.WriteHeader(h)
		if h.Size > 0 {
			w.Write([]byte(p.data))
		}
	}
	if end {
		w.Close()
	} else {
		w.Flush()
	}
	return b.Bytes()
}

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func zstdOf(data []byte) []byte {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// arOf returns an ar archive, as deb(5) has it.
func arOf(parts ...part) []byte {
	b := []byte("!<arch>\n")
	for _, p := range parts {
		b = fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", p.name, 1_700_000_000, 0, 0, "100644", len(p.data), p.data)
		if len(p.data)%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

// A deb is a binary package of Debian to be built. The zero deb is a good one, and so are those below.
type deb struct {
	name, version, arch string
	more                string // lines of the control file
	control, data       []part // in place of the control file, and of one file
	noise               int    // bytes of content that nothing packs
}

func (p deb) build() []byte {
	p.name, p.version, p.arch = cmp.Or(p.name, "hello"), cmp.Or(p.version, "1.0"), cmp.Or(p.arch, "amd64")
	if p.control == nil {
		p.control = []part{{name: "./control", data: fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\n"+
			"Maintainer: Ann <ann@example.org>\n%sDescription: a greeting\n", p.name, p.version, p.arch, p.more)}}
	}
	if p.data == nil {
		p.data = []part{{name: "./usr/share/" + p.name, data: p.version + noiseOf(p.noise)}}
	}
	return arOf(part{name: "debian-binary", data: "2.0\n"},
		part{name: "control.tar.gz", data: string(gzipOf(tarOf(true, p.control...)))},
		part{name: "data.tar", data: string(tarOf(true, p.data...))})
}

// named returns a good package of a format, with a name of its own, and where to put it.
func named(format, name string) upload {
	switch format {
	case "debian":
		return upload{"/debian/stable/main/", deb{name: name}.build()}
	case "alpine":
		return upload{"/alpine/", apk{name: name}.build()}
	case "arch":
		return upload{"/arch/", pkg{name: name}.build()}
	case "rpm":
		return upload{"/rpm/", rpm{name: name}.build()}
	}
	return upload{"/raw/a/" + name, []byte(name)}
}

// noiseOf returns bytes that look like chance, and are the same each time.
func noiseOf(n int) string {
	var b []byte
	for sum := sha256.Sum256(nil); len(b) < n; sum = sha256.Sum256(sum[:]) {
		b = append(b, sum[:]...)
	}
	return string(b[:n])
}

// An apk is a package of Alpine, apk-v2(5), that nobody has signed.
type apk struct {
	name, version, arch string
	more                string // lines of .PKGINFO
	control, data       []part // more of the control files, and in place of one file
}

func (p apk) build() []byte {
	p.name, p.version, p.arch = cmp.Or(p.name, "hello"), cmp.Or(p.version, "1.0-r0"), cmp.Or(p.arch, "x86_64")
	if p.data == nil {
		p.data = []part{{name: "usr/share/" + p.name, data: p.version}}
	}
	data := gzipOf(tarOf(true, p.data...))
	info := fmt.Sprintf("pkgname = %s\npkgver = %s\narch = %s\n%sdatahash = %x\n", p.name, p.version, p.arch, p.more, sha256.Sum256(data))
	return append(gzipOf(tarOf(false, append([]part{{name: ".PKGINFO", data: info}}, p.control...)...)), data...)
}

// A pkg is a package of Arch.
type pkg struct {
	name, version, arch string
	more                string // lines of .PKGINFO
	files               []part // in place of one file
}

func (p pkg) build() []byte {
	p.name, p.version, p.arch = cmp.Or(p.name, "hello"), cmp.Or(p.version, "1.0-1"), cmp.Or(p.arch, "x86_64")
	if p.files == nil {
		p.files = []part{{name: "usr/share/" + p.name, data: p.version}}
	}
	info := fmt.Sprintf("pkgname = %s\npkgver = %s\narch = %s\nsize = 100\n%s", p.name, p.version, p.arch, p.more)
	return zstdOf(tarOf(true, append([]part{{name: ".PKGINFO", data: info}}, p.files...)...))
}

// The files that tests build are good where nothing is wrong with them.
func TestBuiltPackagesAreTaken(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian", "alpine", "arch", "rpm"}})
	for path, body := range map[string][]byte{
		"/debian/stable/main/":          deb{}.build(),
		"/debian/stable/main/x.deb":     deb{name: "noisy", noise: 100}.build(),
		"/alpine/hello-1.0-r0.apk":      apk{}.build(),
		"/arch/hello-1.0-1.pkg.tar.zst": pkg{}.build(),
		"/rpm/":                         rpm{}.build(),
	} {
		at := d.put(t, path, body)
		if err := d.beside(d.fetch, repositoryOf(at), at, d.api.get(t, at).expect(t, http.StatusOK).body); err != nil {
			t.Error(err)
		}
	}
}

// repositoryOf returns the repository that a path below the host belongs to.
func repositoryOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return name
}

// A set is what dput uploads: files, and the .changes that completes them.
type set struct {
	files   []part
	at      []string // where they will be
	changes part
}

// newSet returns a set of three packages.
func newSet(number int) set {
	source := fmt.Sprintf("set%d", number)
	var s set
	sums, sizes := "", ""
	for i := range 3 {
		p := deb{name: fmt.Sprintf("%s-%d", source, i), more: "Source: " + source + "\n"}
		f := part{name: p.name + "_1.0_amd64.deb", data: string(p.build())}
		s.files = append(s.files, f)
		s.at = append(s.at, "/debian/pool/stable/main/s/"+source+"/"+f.name)
		sums += fmt.Sprintf(" %s %d %s\n", hexOf([]byte(f.data)), len(f.data), f.name)
		sizes += fmt.Sprintf(" %032x %d misc optional %s\n", 0, len(f.data), f.name)
	}
	s.changes = part{name: source + "_1.0_amd64.changes", data: changesText(source, sums, sizes)}
	return s
}

// changesText returns a .changes with these lines of checksums.
func changesText(source, sums, sizes string) string {
	return fmt.Sprintf("Format: 1.8\nDate: Tue, 03 Feb 2026 04:05:06 +0000\nSource: %s\nBinary: %s\nArchitecture: amd64\nVersion: 1.0\n"+
		"Distribution: stable\nMaintainer: Ann <ann@example.org>\nDescription:\n %s - a greeting\nChanges:\n %s (1.0) stable; urgency=low\n"+
		"Checksums-Sha256:\n%sFiles:\n%s", source, source, source, source, sums, sizes)
}
