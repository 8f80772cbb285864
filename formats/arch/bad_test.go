package arch_test

import (
	"archive/tar"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bad returns packages that are refused, by what is wrong with them.
func bad() map[string]func(testing.TB) []byte {
	of := func(p pkg) func(testing.TB) []byte { return p.build }
	info := func(lines string) func(testing.TB) []byte { return of(pkg{info: lines}) }
	files := func(files ...member) func(testing.TB) []byte { return of(pkg{files: files}) }
	raw := func(extension string, change func([]byte) []byte) func(testing.TB) []byte {
		return func(tb testing.TB) []byte { return change(pkg{extension: extension}.build(tb)) }
	}
	lines := func(text string) func(testing.TB) []byte {
		return func(tb testing.TB) []byte {
			return packed(tb, "zst", archive(tb, member{name: ".PKGINFO", data: text}))
		}
	}
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	link := func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeLink, "x" }
	all := map[string]func(testing.TB) []byte{
		"no bytes":                          func(testing.TB) []byte { return nil },
		"a text":                            func(testing.TB) []byte { return []byte("hello") },
		"an archive that is not compressed": func(tb testing.TB) []byte { return archive(tb, member{name: ".PKGINFO", data: "pkgname = a\n"}) },
		"a package of Debian":               func(testing.TB) []byte { return []byte("!<arch>\ndebian-binary   ") },
		"zstd that is cut off":              raw("zst", cut),
		"half of zstd":                      raw("zst", half),
		"xz that is cut off":                raw("xz", cut),
		"half of xz":                        raw("xz", half),
		"gzip that is cut off":              raw("gz", cut),
		"half of gzip":                      raw("gz", half),
		"bytes behind zstd":                 raw("zst", func(b []byte) []byte { return append(b, "more"...) }),
		"bytes behind xz":                   raw("xz", func(b []byte) []byte { return append(b, "more"...) }),
		"bytes behind gzip":                 raw("gz", func(b []byte) []byte { return append(b, "more"...) }),
		"no archive in it":                  func(tb testing.TB) []byte { return packed(tb, "zst", []byte(strings.Repeat("x", 1024))) },
		"an archive that is cut off": func(tb testing.TB) []byte {
			return packed(tb, "zst", archive(tb, member{name: ".PKGINFO", data: strings.Repeat("#", 2000)})[:1024])
		},
		"no .PKGINFO":             func(tb testing.TB) []byte { return packed(tb, "zst", archive(tb, member{name: "usr/x", data: "x"})) },
		"two .PKGINFO":            files(member{name: ".PKGINFO", data: "pkgname = other\n"}),
		"two with a dot in front": files(member{name: "./.PKGINFO", data: "pkgname = other\n"}),
		"a .PKGINFO that is a link": func(tb testing.TB) []byte {
			return packed(tb, "zst", archive(tb, member{name: ".PKGINFO", header: func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "x" }}))
		},
		"a .PKGINFO without end":              info("# " + strings.Repeat("a", 1<<20) + "\n"),
		"no name":                             lines("pkgver = 1-1\narch = any\n"),
		"no version":                          lines("pkgname = a\narch = any\n"),
		"no architecture":                     lines("pkgname = a\npkgver = 1-1\n"),
		"a name twice":                        info("pkgname = other\n"),
		"a name twice, without blanks":        info("pkgname=other\n"),
		"a name with a slash":                 of(pkg{name: "../x"}),
		"a name with a dot":                   of(pkg{name: ".x"}),
		"a name with a hyphen":                of(pkg{name: "-x"}),
		"a name without end":                  of(pkg{name: strings.Repeat("a", 97)}),
		"a version without a release":         of(pkg{version: "1.0"}),
		"a version with two hyphens":          of(pkg{version: "1-0-1"}),
		"a version with a slash":              of(pkg{version: "1/2-1"}),
		"a version with an epoch of letters":  of(pkg{version: "a:1-1"}),
		"an architecture that leads upwards":  of(pkg{arch: "../x"}),
		"a NUL in a field":                    info("pkgdesc = a\x00b\n"),
		"a carriage return in a field":        info("url = https://example.org\r\n"),
		"a .PKGINFO that is not UTF-8":        info("pkgdesc = \xff\n"),
		"a size that is no number":            lines("pkgname = a\npkgver = 1-1\narch = any\nsize = many\n"),
		"a value that begins a section":       info("depend = %DEPENDS%\n"),
		"a description that begins a section": info("pkgdesc = %FILENAME%\n"),
		"dependencies without end":            info(strings.Repeat("depend = "+strings.Repeat("a", 1000)+"\n", 300)),
		"a file that leads upwards":           files(member{name: "usr/../../x", data: "x"}),
		"a file with an absolute name":        files(member{name: "/etc/passwd", data: "x"}),
		"a file twice":                        files(member{name: "a", data: "x"}, member{name: "a", data: "y"}),
		"a file with a newline in its name":   files(member{name: "a\nb", data: "x"}),
		"a database's file":                   files(member{name: "evil-1.0-1/desc", data: "%NAME%\nevil\n"}),
		"a database's file in a folder":       files(member{name: "evil-1.0-1/a/b/desc", data: "%NAME%\nevil\n"}),
		"a database's file with a dot":        files(member{name: "./evil-1.0-1/desc", data: "%NAME%\nevil\n"}),
		"a database's list of dependencies":   files(member{name: "evil-1.0-1/depends", data: "%DEPENDS%\nevil\n"}),
		"a database's list of files":          files(member{name: "evil-1.0-1/files", data: "%FILES%\nevil\n"}),
		"a database's file by a long name":    files(member{name: strings.Repeat("e", 120) + "-1.0-1/desc", data: "%NAME%\nevil\n"}),
		"a database's file as a link":         files(member{name: "evil-1.0-1/desc", header: link}),
		"a database's file in gzip":           of(pkg{extension: "gz", files: []member{{name: "evil-1.0-1/desc", data: "%NAME%\nevil\n"}}}),
	}
	for name, entries := range hidden() {
		all["a database's file behind "+name] = func(tb testing.TB) []byte {
			return packed(tb, "zst", slices.Concat(ustar(".PKGINFO", "pkgname = a\npkgver = 1-1\narch = any\n", '0'), entries, make([]byte, 1024)))
		}
	}
	return all
}

const evil = "evil-1.0-1/desc"

// hidden returns entries of an archive of which one is a database's file for some readers and not for others.
func hidden() map[string][]byte {
	record := func(key, value string) string {
		n := len(key) + len(value) + 3
		for n != len(strconv.Itoa(n))+len(key)+len(value)+3 {
			n++
		}
		return fmt.Sprintf("%d %s=%s\n", n, key, value)
	}
	extended := func(records ...string) []byte { return ustar("PaxHeaders/x", strings.Join(records, ""), 'x') }
	long := func(name string) []byte { return ustar("././@LongLink", name+"\x00", 'L') }
	plain := func(name string) []byte { return ustar(name, "content", '0') }
	sized := func(name string, kind byte, size string) []byte { return sum(change(ustar(name, "", kind), 124, size)) }
	return map[string][]byte{
		"two extended headers":            slices.Concat(extended(record("path", evil)), extended(record("mtime", "1")), plain("usr/x")),
		"an extended header and a name":   slices.Concat(extended(record("path", evil)), long("usr/x"), plain("usr/y")),
		"a name and an extended header":   slices.Concat(long(evil), extended(record("path", "usr/x")), plain("usr/y")),
		"two names":                       slices.Concat(long(evil), long("usr/x"), plain("usr/y")),
		"two paths":                       slices.Concat(extended(record("path", evil), record("path", "usr/x")), plain("usr/y")),
		"a path of no length":             slices.Concat(extended(record("path", "")), plain("usr/y")),
		"a path that is not UTF-8":        slices.Concat(extended(record("path", "usr/\xff")), plain("usr/x")),
		"a path with a NUL":               slices.Concat(extended(record("path", evil+"\x00x")), plain("usr/x")),
		"a path in an unknown charset":    slices.Concat(extended(record("hdrcharset", "EBCDIC"), record("path", "usr/y")), plain("usr/x")),
		"the name of a sparse file":       slices.Concat(extended(record("GNU.sparse.name", evil)), plain("usr/x")),
		"a real size":                     slices.Concat(extended(record("SCHILY.realsize", "0")), ustar("usr/x", string(plain(evil)), '0')),
		"an extended header of Solaris":   slices.Concat(ustar("usr/x", record("path", evil), 'X'), plain("usr/y")),
		"settings for all that follows":   slices.Concat(ustar("usr/x", record("path", evil), 'g'), plain("usr/y")),
		"broken records":                  slices.Concat(ustar("usr/x", "99 path="+evil+"\n", 'x'), plain("usr/y")),
		"a length with a sign":            slices.Concat(ustar("usr/x", "+24 path="+evil+"\n", 'x'), plain("usr/y")),
		"the prefix of a GNU header":      sum(change(change(plain(evil), 257, "ustar  \x00"), 345, "usr")),
		"the prefix of a header of star":  sum(change(change(plain(evil), 508, "tar\x00"), 345, "usr")),
		"the prefix of an old header":     sum(change(change(plain(evil), 257, "\x00\x00\x00\x00\x00\x00\x00\x00"), 345, "usr")),
		"a link with bytes":               slices.Concat(sized("usr/x", '1', "00000001000"), ustar("usr/y", string(plain(evil)), '0')),
		"a folder with bytes":             slices.Concat(sized("usr/x/", '5', "00000001000"), ustar("usr/y", string(plain(evil)), '0')),
		"a folder that is a file":         slices.Concat(sized("usr/x/", 0, "00000001000"), ustar("usr/y", string(plain(evil)), '0')),
		"a link with an extended size":    slices.Concat(extended(record("size", "512")), sized("usr/x", '2', "00000000000"), plain(evil)),
		"a size below zero":               slices.Concat(sized("usr/x", '0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\x00"), plain(evil)),
		"a size of words":                 slices.Concat(sized("usr/x", '0', "0000000100x"), plain(evil)),
		"an extended size of words":       slices.Concat(extended(record("size", "0x200")), plain("usr/x"), plain(evil)),
		"an extended header that is huge": slices.Concat(ustar("usr/x", record("comment", strings.Repeat("x", 2<<20)), 'x'), plain("usr/y")),
	}
}

// ustar returns an entry of a tar archive, made by hand.
func ustar(name, data string, kind byte) []byte {
	b := make([]byte, 512+(len(data)+511)/512*512)
	copy(b, name)
	copy(b[100:], "0000644")
	copy(b[124:], fmt.Sprintf("%011o", len(data)))
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	copy(b[512:], data)
	return sum(b)
}

// sum sets the checksum of the header that an archive begins with.
func sum(b []byte) []byte {
	copy(b[148:], "        ")
	n := 0
	for _, c := range b[:512] {
		n += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", n))
	return b
}

func change(b []byte, at int, to string) []byte {
	copy(b[at:], to)
	return b
}
