package debian_test

import (
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hallmark/formats/format"

	"github.com/google/go-cmp/cmp"
)

// lists returns the fields Files, whose lines have more columns between size and name, and Checksums-Sha256.
func lists(columns string, files ...file) string {
	var files1, sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&files1, " %x %d %s%s\n", md5.Sum([]byte(f.data)), len(f.data), columns, f.name)
		fmt.Fprintf(&sums, " %x %d %s\n", sha256.Sum256([]byte(f.data)), len(f.data), f.name)
	}
	return "Checksums-Sha256:\n" + sums.String() + "Files:\n" + files1.String()
}

// dscOf returns a .dsc like those of dpkg-source.
func dscOf(source, version, more string, files ...file) string {
	return fmt.Sprintf("Format: 3.0 (quilt)\nSource: %s\nBinary: %s\nArchitecture: any\nVersion: %s\nMaintainer: Ann <ann@example.org>\nPackage-List:\n %s deb misc optional arch=any\n%s%s",
		source, source, version, source, more, lists("", files...))
}

// changesOf returns a .changes like those of dpkg-genchanges.
func changesOf(source, version, distribution string, files ...file) string {
	return fmt.Sprintf("Format: 1.8\nDate: Tue, 03 Feb 2026 04:05:06 +0000\nSource: %s\nBinary: %s\nArchitecture: source amd64\nVersion: %s\nDistribution: %s\nUrgency: medium\nMaintainer: Ann <ann@example.org>\nChanges:\n %s (%s) %s; urgency=medium\n .\n   * New.\n%s",
		source, source, version, distribution, source, version, distribution, lists("misc optional ", files...))
}

// clearsigned puts a text into a frame, as gpg does, with a signature that is none.
func clearsigned(text string) string {
	escaped := "\n" + text
	escaped = strings.ReplaceAll(escaped, "\n-", "\n- -")[1:]
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + escaped + "-----BEGIN PGP SIGNATURE-----\n\niHUEARYKAB0WIQ\n=abcd\n-----END PGP SIGNATURE-----\n"
}

var sourceFiles = struct{ orig, asc, patches, dsc file }{
	file{"hello_1.0.orig.tar.gz", "\x1f\x8b\x08 the author's, for all that anybody knows"},
	file{"hello_1.0.orig.tar.gz.asc", "-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n"},
	file{"hello_1.0-1.debian.tar.xz", "\xfd7zXZ\x00 the maintainer's, for all that anybody knows"},
	file{"hello_1.0-1.dsc", ""},
}

func TestDscBecomesAStanzaOfSources(t *testing.T) {
	f := open(t, nil)
	text := dscOf("hello", "1:1.0-1", "X-Unknown: kept\n", sourceFiles.orig, sourceFiles.asc, sourceFiles.patches)
	for name, body := range map[string]string{"as it is": text, "signed by its author": clearsigned(text)} {
		for _, at := range []string{"stable/main/hello_1.0-1.dsc", "stable/main/"} {
			p := accepted(t, f, at, body)
			digest := sha256.Sum256([]byte(body))
			part := func(of file) format.Part {
				sum := sha256.Sum256([]byte(of.data))
				return format.Part{Name: of.name, Path: "pool/stable/main/h/hello/" + of.name, Size: int64(len(of.data)), SHA256: sum[:]}
			}
			line := func(digest any, of file) string { return fmt.Sprintf(" %x %d %s\n", digest, len(of.data), of.name) }
			want := format.Package{
				Path: "pool/stable/main/h/hello/hello_1.0-1.dsc",
				Name: "hello", Version: "1:1.0-1", Arch: "source", Shard: "stable", Set: "stable/main",
				Parts: []format.Part{part(sourceFiles.orig), part(sourceFiles.asc), part(sourceFiles.patches)},
				Entries: []format.Entry{{Group: "main/source", Data: []byte(`Package: hello
Format: 3.0 (quilt)
Binary: hello
Architecture: any
Version: 1:1.0-1
Maintainer: Ann <ann@example.org>
Package-List:
 hello deb misc optional arch=any
X-Unknown: kept
Directory: pool/stable/main/h/hello
Files:
` + line(md5.Sum([]byte(body)), file{"hello_1.0-1.dsc", body}) +
					line(md5.Sum([]byte(sourceFiles.orig.data)), sourceFiles.orig) +
					line(md5.Sum([]byte(sourceFiles.asc.data)), sourceFiles.asc) +
					line(md5.Sum([]byte(sourceFiles.patches.data)), sourceFiles.patches) +
					"Checksums-Sha256:\n" + line(digest, file{"hello_1.0-1.dsc", body}) +
					line(sha256.Sum256([]byte(sourceFiles.orig.data)), sourceFiles.orig) +
					line(sha256.Sum256([]byte(sourceFiles.asc.data)), sourceFiles.asc) +
					line(sha256.Sum256([]byte(sourceFiles.patches.data)), sourceFiles.patches) + "\n")}},
			}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("%s at %s: %s", name, at, diff)
			}
		}
	}
}

func TestSourceFilesWaitForTheirDsc(t *testing.T) {
	f := open(t, nil)
	for _, of := range []file{sourceFiles.orig, sourceFiles.asc, sourceFiles.patches} {
		p := accepted(t, f, "stable/main/"+of.name, of.data)
		version := "1.0"
		if of == sourceFiles.patches {
			version = "1.0-1"
		}
		want := format.Package{Path: "pool/stable/main/h/hello/" + of.name, Name: "hello", Version: version, Arch: "source", Shard: "stable", Waits: true, Set: "stable/main"}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Error(diff)
		}
	}
	for name, body := range map[string]string{
		"hello_1.0.orig.tar.gz":     "Origin: Debian\nSuite: stable\n",
		"hello_1.0.orig.tar.xz":     sourceFiles.orig.data,
		"hello_1.0.orig.tar.gz.asc": "Origin: Debian\n-----BEGIN PGP SIGNATURE-----\n",
		"hello_1.0.tar.gz":          "",
	} {
		if p, err := put(f, "stable/main/"+name, body); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestChangesNameTheirParts(t *testing.T) {
	f := open(t, nil)
	hello := file{"hello_1.0-1_amd64.deb", "a package"}
	dsc := file{"hello_1.0-1.dsc", "a source"}
	info := file{"hello_1.0-1_amd64.buildinfo", "how it was built"}
	for _, frame := range []func(string) string{func(s string) string { return s }, clearsigned} {
		p := accepted(t, f, "stable/main/incoming/hello_1.0-1_amd64.changes", frame(changesOf("hello", "1.0-1", "stable", dsc, sourceFiles.patches, hello, info)))
		var names, paths []string
		for _, part := range p.Parts {
			names, paths = append(names, part.Name), append(paths, part.Path)
		}
		if diff := cmp.Diff([]string{dsc.name, sourceFiles.patches.name, hello.name}, names); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"pool/stable/main/h/hello/" + dsc.name, "pool/stable/main/h/hello/" + sourceFiles.patches.name, "pool/stable/main/h/hello/" + hello.name}, paths); diff != "" {
			t.Error(diff)
		}
		if !p.Unlisted || p.Waits || p.Path != "" || p.Set != "stable/main/incoming" || p.Shard != "stable" || p.Entries != nil {
			t.Errorf("%+v", p)
		}
	}
	p := accepted(t, f, "stable/main/incoming/hello_1.0-1_amd64.buildinfo", "Format: 1.0\nSource: hello\nBinary: hello\nVersion: 1.0-1\n")
	if !p.Waits || p.Set != "stable/main/incoming" || p.Entries != nil {
		t.Errorf("the .buildinfo: %+v", p)
	}
}

func TestTextsThatAreNotOfASourceAreMalformed(t *testing.T) {
	f := open(t, nil)
	orig, patches := sourceFiles.orig, sourceFiles.patches
	good := dscOf("hello", "1.0-1", "", orig)
	signed := clearsigned(good)
	accepted(t, f, "stable/main/hello_1.0-1.dsc", good)
	accepted(t, f, "stable/main/hello_1.0-1.dsc", signed)
	for name, body := range map[string]string{
		"nothing":                              "",
		"another source":                       dscOf("world", "1.0-1", "", file{"world_1.0.tar.gz", "x"}),
		"another version":                      dscOf("hello", "1.0-2", "", orig),
		"a source in capitals":                 dscOf("Hello", "1.0-1", "", orig),
		"a source with a path":                 strings.Replace(good, "Source: hello", "Source: ../hello", 1),
		"a version with a path":                dscOf("hello", "1.0/../1", "", orig),
		"no Format":                            strings.Replace(good, "Format:", "Form:", 1),
		"no Files":                             strings.Replace(good, "\nFiles:", "\nFile:", 1),
		"no Checksums-Sha256":                  strings.Replace(good, "Checksums-Sha256:", "Checksums-Sha1:", 1),
		"no files":                             "Format: 1.0\nSource: hello\nVersion: 1.0-1\nFiles:\nChecksums-Sha256:\n",
		"lists that differ in a size":          strings.Replace(good, fmt.Sprintf(" %d %s\nFiles", len(orig.data), orig.name), fmt.Sprintf(" %d %s\nFiles", 1, orig.name), 1),
		"lists that differ in a name":          strings.Replace(good, orig.name+"\nFiles", "hello_1.0.tar.gz\nFiles", 1),
		"a file twice":                         dscOf("hello", "1.0-1", "", orig, orig),
		"a file with a path":                   dscOf("hello", "1.0-1", "", file{"../hello_1.0.tar.gz", "x"}),
		"a file of another source":             dscOf("hello", "1.0-1", "", file{"world_1.0.tar.gz", "x"}),
		"a file that is none of a source":      dscOf("hello", "1.0-1", "", file{"hello_1.0_amd64.deb", "x"}),
		"itself":                               dscOf("hello", "1.0-1", "", orig, sourceFiles.dsc),
		"a digest in capitals":                 strings.Replace(good, fmt.Sprintf("%x", sha256.Sum256([]byte(orig.data))), fmt.Sprintf("%X", sha256.Sum256([]byte(orig.data))), 1),
		"a short digest":                       strings.Replace(good, fmt.Sprintf("%x", sha256.Sum256([]byte(orig.data))), "00", 1),
		"a negative size":                      strings.ReplaceAll(good, fmt.Sprintf(" %d ", len(orig.data)), " -1 "),
		"the digests of a Release":             good + "SHA256:\n " + strings.Repeat("0", 64) + " 0 main/binary-amd64/Packages\n",
		"the suite of a Release":               dscOf("hello", "1.0-1", "Suite: stable\n", orig),
		"the name of an index's stanza":        dscOf("hello", "1.0-1", "Package: evil\n", orig),
		"the folder of an index's stanza":      dscOf("hello", "1.0-1", "Directory: pool/evil\n", orig),
		"a Release":                            "Origin: Debian\nSuite: stable\nSHA256:\n 00 0 main/binary-amd64/Packages\n",
		"a signed Release":                     clearsigned("Origin: Debian\nSuite: stable\nSHA256:\n 00 0 main/binary-amd64/Packages\n"),
		"text before the frame":                "Origin: Debian\n\n" + signed,
		"a newline before the frame":           "\n" + signed,
		"text after the frame":                 signed + "Origin: Debian\n",
		"two frames":                           signed + signed,
		"a frame without a signature":          signed[:strings.Index(signed, "-----BEGIN PGP SIGNATURE")],
		"a frame that does not end":            signed[:len(signed)-30],
		"a frame with another header":          strings.Replace(signed, "Hash: SHA512", "Comment: x", 1),
		"a frame with a line that is not safe": strings.Replace(signed, "Binary:", "-Binary:", 1),
		"another frame":                        strings.Replace(signed, "SIGNED MESSAGE", "MESSAGE", 1),
		"a frame in a frame":                   clearsigned(signed),
		"text in the signature":                strings.Replace(signed, "=abcd", "-----BEGIN PGP SIGNED MESSAGE-----", 1),
		"more than a text":                     good + "X: " + strings.Repeat("x", 1<<20),
	} {
		t.Run("a .dsc: "+name, func(t *testing.T) {
			if p, err := put(f, "stable/main/hello_1.0-1.dsc", body); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	deb1 := file{"hello_1.0-1_amd64.deb", "x"}
	for name, body := range map[string]string{
		"another distribution": changesOf("hello", "1.0-1", "unstable", deb1),
		"two distributions":    changesOf("hello", "1.0-1", "stable unstable", deb1),
		"a udeb":               changesOf("hello", "1.0-1", "stable", file{"hello_1.0-1_amd64.udeb", "x"}),
		"a .buildinfo alone":   changesOf("hello", "1.0-1", "stable", file{"hello_1.0-1_amd64.buildinfo", "x"}),
		"a file with a path":   changesOf("hello", "1.0-1", "stable", file{"../hello_1.0-1_amd64.deb", "x"}),
		"columns of a .dsc":    strings.ReplaceAll(changesOf("hello", "1.0-1", "stable", deb1, patches), " misc optional ", " "),
	} {
		t.Run("a .changes: "+name, func(t *testing.T) {
			if p, err := put(f, "stable/main/incoming/hello_1.0-1_amd64.changes", body); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

func FuzzParseDsc(f *testing.F) {
	format1 := open(f, nil)
	f.Add(dscOf("hello", "1:1.0-1", "", sourceFiles.orig, sourceFiles.patches))
	f.Add(clearsigned(dscOf("hello", "1:1.0-1", "", sourceFiles.orig)))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := put(format1, "stable/main/", text)
		checkParsed(t, p, err)
	})
}

func FuzzParseChanges(f *testing.F) {
	format1 := open(f, nil)
	f.Add(changesOf("hello", "1:1.0-1", "stable", sourceFiles.orig, file{"hello_1.0-1_amd64.deb", "x"}))
	f.Add(clearsigned(changesOf("hello", "1:1.0-1", "stable", sourceFiles.orig)))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := put(format1, "stable/main/incoming/hello_1.0-1_amd64.changes", text)
		checkParsed(t, p, err)
		for _, part := range p.Parts {
			if !strings.HasPrefix(part.Path, "pool/stable/main/") || strings.Contains(part.Path, "/../") {
				t.Errorf("a part is at %q", part.Path)
			}
		}
	})
}
