package nuget_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"testing"
)

// bad returns packages that are refused, by what is wrong with them.
func bad() map[string]func(testing.TB) []byte {
	of := func(p pkg) func(testing.TB) []byte { return p.build }
	metadata := func(lines string) func(testing.TB) []byte { return of(pkg{metadata: lines}) }
	nuspec := func(text string) func(testing.TB) []byte { return of(pkg{nuspec: text}) }
	files := func(files ...file) func(testing.TB) []byte { return of(pkg{files: files}) }
	named := func(name string) func(testing.TB) []byte { return files(file{name: name, data: "x"}) }
	changed := func(change func([]byte) []byte) func(testing.TB) []byte {
		return func(tb testing.TB) []byte { return change(pkg{}.build(tb)) }
	}
	const head, tail = `<package><metadata><id>a</id><version>1.0.0</version>`, `</metadata></package>`
	return map[string]func(testing.TB) []byte{
		"no bytes":                  func(testing.TB) []byte { return nil },
		"a text":                    func(testing.TB) []byte { return []byte("hello, this is no archive") },
		"an empty archive":          func(tb testing.TB) []byte { return zipped(tb) },
		"no .nuspec":                func(tb testing.TB) []byte { return zipped(tb, file{name: "a.txt", data: "x"}) },
		"a .nuspec in a folder":     func(tb testing.TB) []byte { return zipped(tb, file{name: "a/a.nuspec", data: head + tail}) },
		"two .nuspec":               named("b.nuspec"),
		"two .nuspec, one escaped":  named("b%2enuspec"),
		"a comment":                 changed(commented),
		"a comment that ends alike": changed(func(b []byte) []byte { return commented(append(b[:len(b):len(b)], b[len(b)-22:]...)) }),
		"zip64":                     changed(func(b []byte) []byte { return put(b, len(b)-12, 1<<16-1, 2) }),
		"another number of files":   changed(func(b []byte) []byte { return put(put(b, len(b)-12, 3, 2), len(b)-14, 3, 2) }),
		"a part of several":         changed(func(b []byte) []byte { return put(b, len(b)-18, 1, 2) }),
		"bytes before the archive":  changed(prefixed),
		"files that overlap": changed(func(b []byte) []byte {
			return record(b, 1, func(r []byte) { binary.LittleEndian.PutUint32(r[42:], 0) })
		}),
		"a file that is encrypted": changed(func(b []byte) []byte { return record(b, 2, func(r []byte) { r[8] |= 1 }) }),
		"a file in LZMA":           changed(func(b []byte) []byte { return record(b, 2, func(r []byte) { r[10] = 14 }) }),
		"another name in the file": changed(func(b []byte) []byte { return bytes.Replace(b, []byte("lib/net45"), []byte("lib/net46"), 1) }),
		"another size in the list": changed(func(b []byte) []byte { return record(b, 2, func(r []byte) { r[24]++ }) }),
		"another sum in the list":  changed(func(b []byte) []byte { return record(b, 1, func(r []byte) { r[16]++ }) }),
		"a .nuspec that is a bomb": func(tb testing.TB) []byte {
			return zipped(tb, file{name: "a.nuspec", data: strings.Repeat(" ", 64<<20)})
		},
		"a .nuspec that says it is small": func(tb testing.TB) []byte {
			return lying(tb, head+strings.Repeat(" ", 8<<20)+tail, 100)
		},
		"a link": files(file{name: "link", data: "/etc/passwd", header: func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }}),
		"a file with another name for some": files(file{name: "a.txt", data: "x", header: func(h *zip.FileHeader) {
			h.Extra = []byte("\x75\x70\x06\x00\x01\x00\x00\x00\x00x")
		}}),
		"a file twice":                       named("lib/net45/Hello.World.dll"),
		"a file twice in other letters":      named("LIB/net45/hello.world.dll"),
		"a file twice, escaped":              named("lib/net45/Hello%2eWorld.dll"),
		"a file that leads upwards":          named("lib/../../x"),
		"a file that leads upwards, escaped": named("lib/%2e%2e/%2E%2E/x"),
		"a file with an absolute name":       named("/etc/passwd"),
		"a file with a drive":                named("c:/x"),
		"a file with a stream":               named("x.txt:evil"),
		"a file with a backslash":            named(`lib\x`),
		"a file with an escaped backslash":   named("lib/..%5c..%5cx"),
		"a file with a newline":              named("a\nb"),
		"a file with an escaped NUL":         named("a%00b"),
		"a file without a name":              named("lib//x"),
		"a file with a name without end":     named(strings.Repeat("n", 5000)),
		"a folder with content":              changed(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("_rels/.rels"), []byte("_rels/.rel/")) }),
		"a signature that is none":           files(file{name: ".signature.p7s", data: "signed", header: func(h *zip.FileHeader) { h.Method = zip.Store }}),
		"a signature that is compressed":     files(file{name: ".signature.p7s", data: "signed"}),
		"a signature in other letters":       named(".Signature.p7s"),
		"a signature that is escaped":        named("%2esignature.p7s"),

		"a .nuspec that is no XML":            nuspec("id: a"),
		"a .nuspec that is empty":             nuspec(" "),
		"a .nuspec that is cut off":           nuspec("<package><metadata><id>a</id>"),
		"a .nuspec of another kind":           nuspec("<project/>"),
		"a .nuspec in Latin-1":                nuspec(`<?xml version="1.0" encoding="iso-8859-1"?>` + head + tail),
		"a .nuspec with a document type":      nuspec(`<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]><package><metadata><id>&e;</id></metadata></package>`),
		"a .nuspec with laughs":               nuspec(`<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>` + head + `<description>&b;</description>` + tail),
		"an entity that nobody knows":         nuspec(head + `<description>&evil;</description>` + tail),
		"a .nuspec with two roots":            nuspec(head + tail + head + tail),
		"a .nuspec with text around":          nuspec("x" + head + tail),
		"elements without end":                nuspec(head + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + tail),
		"elements without number":             nuspec(head + strings.Repeat("<a/>", 30_000) + tail),
		"no id":                               nuspec("<package><metadata><version>1.0.0</version></metadata></package>"),
		"no version":                          nuspec("<package><metadata><id>a</id></metadata></package>"),
		"an id twice":                         metadata("<id>other</id>"),
		"an id twice in other letters":        metadata("<ID>other</ID>"),
		"an id twice in other namespaces":     metadata(`<id xmlns="urn:x">other</id>`),
		"an id with elements":                 nuspec("<package><metadata><id>a<b/></id><version>1.0.0</version></metadata></package>"),
		"an id with a slash":                  nuspec("<package><metadata><id>../a</id><version>1.0.0</version></metadata></package>"),
		"an id with a dot at its end":         nuspec("<package><metadata><id>a.</id><version>1.0.0</version></metadata></package>"),
		"an id of other letters":              nuspec("<package><metadata><id>\u0430</id><version>1.0.0</version></metadata></package>"),
		"an id without end":                   of(pkg{id: strings.Repeat("a", 101)}),
		"a version of words":                  of(pkg{version: "one"}),
		"a version with five numbers":         of(pkg{version: "1.2.3.4.5"}),
		"a version with a slash":              of(pkg{version: "1.0.0-a/b"}),
		"a version without a number":          of(pkg{version: "1..0"}),
		"a version with a sign":               of(pkg{version: "1.-2"}),
		"a version with an empty label":       of(pkg{version: "1.0.0-a..b"}),
		"a version with a number of zeros":    of(pkg{version: "1.0.0-01"}),
		"a version that is huge":              of(pkg{version: "1.99999999999.0"}),
		"a description without end":           metadata("<summary>" + strings.Repeat("a", 20_000) + "</summary>"),
		"a client that is no version":         nuspec(`<package><metadata minClientVersion="` + strings.Repeat("1", 100) + `"><id>a</id><version>1.0.0</version></metadata></package>`),
		"symbols":                             metadata(`<packageTypes><packageType name="SymbolsPackage"/></packageTypes>`),
		"a type that is no name":              metadata(`<packageTypes><packageType name="a b"/></packageTypes>`),
		"dependencies of two kinds":           metadata(`<dependencies><dependency id="a"/><group><dependency id="b"/></group></dependencies>`),
		"a dependency on what is no id":       metadata(`<dependencies><dependency id="../a"/></dependencies>`),
		"a dependency on versions with lines": metadata(`<dependencies><dependency id="a" version="1&#10;2"/></dependencies>`),
		"a framework that is no name":         metadata(fmt.Sprintf(`<dependencies><group targetFramework="%s"/></dependencies>`, strings.Repeat("n", 300))),
	}
}

// put writes a number of some bytes into a copy of an archive.
func put(b []byte, at int, n uint32, size int) []byte {
	b = bytes.Clone(b)
	for i := range size {
		b[at+i] = byte(n >> (8 * i))
	}
	return b
}

// record changes a record of the central directory of a copy of an archive.
func record(b []byte, n int, change func([]byte)) []byte {
	b = bytes.Clone(b)
	at := int(binary.LittleEndian.Uint32(b[len(b)-6:]))
	for range n {
		at += 46 + int(binary.LittleEndian.Uint16(b[at+28:])) + int(binary.LittleEndian.Uint16(b[at+30:])) + int(binary.LittleEndian.Uint16(b[at+32:]))
	}
	change(b[at:])
	return b
}

// lying returns a package whose .nuspec says in all places that it has some other size.
func lying(tb testing.TB, nuspec string, size uint64) []byte {
	tb.Helper()
	var packed, b bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	z.Write([]byte(nuspec))
	z.Close()
	w := zip.NewWriter(&b)
	out, err := w.CreateRaw(&zip.FileHeader{
		Name: "a.nuspec", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(nuspec)),
		UncompressedSize64: size, CompressedSize64: uint64(packed.Len()),
	})
	if err != nil {
		tb.Fatal(err)
	}
	out.Write(packed.Bytes())
	w.Close()
	return b.Bytes()
}

func commented(b []byte) []byte { return append(put(b, len(b)-2, 7, 2), "comment"...) }

// prefixed returns an archive with bytes before it, whose offsets know of them.
func prefixed(b []byte) []byte {
	const prefix = "#!/bin/sh\n"
	count := int(binary.LittleEndian.Uint16(b[len(b)-12:]))
	for n := range count {
		b = record(b, n, func(r []byte) {
			binary.LittleEndian.PutUint32(r[42:], binary.LittleEndian.Uint32(r[42:])+uint32(len(prefix)))
		})
	}
	b = put(b, len(b)-6, binary.LittleEndian.Uint32(b[len(b)-6:])+uint32(len(prefix)), 4)
	return append([]byte(prefix), b...)
}
