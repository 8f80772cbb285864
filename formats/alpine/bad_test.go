package alpine_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// bad returns packages that are refused, by what is wrong with them.
func bad() map[string]func(testing.TB) []byte {
	info := func(lines string) func(testing.TB) []byte {
		return func(tb testing.TB) []byte { return apk{info: lines}.build(tb) }
	}
	of := func(a apk) func(testing.TB) []byte { return a.build }
	control := func(change func(archive []byte) []byte) func(testing.TB) []byte {
		return func(tb testing.TB) []byte {
			return apk{}.buildWith(tb, func(info string) []byte {
				return packed(tb, change(archive(tb, false, member{name: ".PKGINFO", data: info})))
			})
		}
	}
	behind := func(files ...member) func(testing.TB) []byte {
		return func(tb testing.TB) []byte {
			return control(func(a []byte) []byte { return append(a, archive(tb, false, files...)...) })(tb)
		}
	}
	good := func(tb testing.TB) []byte { return apk{}.build(tb) }
	data := func(files ...member) func(testing.TB) []byte { return of(apk{data: files}) }
	return map[string]func(testing.TB) []byte{
		"no bytes":            func(testing.TB) []byte { return nil },
		"an Android package":  func(testing.TB) []byte { return []byte("PK\x03\x04 and more") },
		"a package of apk 3":  func(testing.TB) []byte { return []byte("ADBd and more") },
		"a text":              func(testing.TB) []byte { return []byte("hello") },
		"only a control file": func(tb testing.TB) []byte { b := good(tb); return b[:bytes.LastIndex(b, []byte("\x1f\x8b"))] },
		"cut off in its data": func(tb testing.TB) []byte { b := good(tb); return b[:len(b)-1] },
		"cut off in control":  func(tb testing.TB) []byte { return good(tb)[:60] },
		"bytes behind it":     func(tb testing.TB) []byte { return append(good(tb), 0) },
		"zeros behind it":     func(tb testing.TB) []byte { return append(good(tb), make([]byte, 70_000)...) },
		"two data members": func(tb testing.TB) []byte {
			one := packed(tb, archive(tb, false, member{name: "a", data: "a"}))
			return apk{rawData: append(one, packed(tb, archive(tb, true, member{name: "b", data: "b"}))...)}.build(tb)
		},
		"a data member that is another": func(tb testing.TB) []byte {
			return apk{info: fmt.Sprintf("datahash = %x\n", sha256.Sum256(nil)), noHash: true}.build(tb)
		},
		"two control members": func(tb testing.TB) []byte {
			c := packed(tb, archive(tb, false, member{name: ".PKGINFO", data: "pkgname = a\n"}))
			return append(c, good(tb)...)
		},
		"an empty member first":                  func(tb testing.TB) []byte { return append(packed(tb, nil), good(tb)...) },
		"no datahash":                            of(apk{noHash: true}),
		"a datahash twice":                       info("datahash = 00\n"),
		"no name":                                func(tb testing.TB) []byte { return withInfo(tb, "pkgver = 1\narch = x86_64\n") },
		"no version":                             func(tb testing.TB) []byte { return withInfo(tb, "pkgname = a\narch = x86_64\n") },
		"no architecture":                        func(tb testing.TB) []byte { return withInfo(tb, "pkgname = a\npkgver = 1\n") },
		"a name twice":                           info("pkgname = hello\n"),
		"a description twice":                    info("pkgdesc = a\npkgdesc = a\n"),
		"a name with a slash":                    of(apk{name: "../hello"}),
		"a name with a dot":                      of(apk{name: ".hello"}),
		"a name with a blank":                    of(apk{name: "he llo"}),
		"a name without end":                     of(apk{name: strings.Repeat("a", 129)}),
		"a version of Debian":                    of(apk{version: "1:1.0-1"}),
		"a version with tilde":                   of(apk{version: "1.0~beta"}),
		"a version of words":                     of(apk{version: "latest"}),
		"a version that leads upwards":           of(apk{version: "1/../../x"}),
		"an architecture that none is":           of(apk{arch: "x86-64/.."}),
		"the architecture all":                   of(apk{arch: "all"}),
		"a NUL in a field":                       info("pkgdesc = a\x00b\n"),
		"a carriage return in a field":           info("url = https://example.org/\r\n"),
		"an escape in a field that nobody reads": info("packager = \x1b[2J\n"),
		"a .PKGINFO that is not UTF-8":           info("pkgdesc = \xff\xfe\n"),
		"a size that is no number":               info("size = many\n"),
		"a size below zero":                      info("size = -1\n"),
		"a date that is no number":               info("builddate = yesterday\n"),
		"a priority that is too large":           info("provider_priority = 99999999999999999999\n"),
		"a description that no apk installs":     info("pkgdesc = " + strings.Repeat("a", 2000) + "\n"),
		"dependencies that no apk reads":         info("depend = " + strings.Repeat("a", 60_000) + "\n"),
		"many dependencies that no apk reads":    info(strings.Repeat("depend = "+strings.Repeat("a", 99)+"\n", 601)),
		"an index among the control files":       of(apk{control: []member{{name: "APKINDEX", data: "P:evil\n\n"}}}),
		"an index's description":                 of(apk{control: []member{{name: "DESCRIPTION", data: "x"}}}),
		"an index that an extended header names": control(func(a []byte) []byte {
			header := ustar("PaxHeaders/a", "17 path=APKINDEX\n")
			header[156] = 'x'
			return append(append(a, sum(header)...), ustar(".a", "P:evil\n\n")...)
		}),
		"an index that an extended header moves": control(func(a []byte) []byte {
			header := ustar("PaxHeaders/a", "12 size=512\n")
			header[156] = 'x'
			return append(append(a, sum(header)...), ustar(".a", "P:evil\n\n")...)
		}),
		"an index behind the end of the archive": control(func(a []byte) []byte {
			return append(append(a, make([]byte, 1024)...), ustar("APKINDEX", "P:evil\n\n")...)
		}),
		"an index behind a blank block": control(func(a []byte) []byte {
			return append(append(a, make([]byte, 512)...), ustar("APKINDEX", "P:evil\n\n")...)
		}),
		"an index in the name of an extended header": control(func(a []byte) []byte {
			header := ustar("APKINDEX", "11 mtime=1\n")
			header[156] = 'x'
			return append(a, sum(header)...)
		}),
		"an index with a size of its own":    control(func(a []byte) []byte { return append(a, sum(change(ustar(".a", ""), 124, "\x80"))...) }),
		"an index with a name that is split": control(func(a []byte) []byte { return append(a, sum(change(ustar("INDEX", ""), 345, "APK"))...) }),
		"an index by its long name":          control(func(a []byte) []byte { return append(a, sum(change(ustar(".a", "APKINDEX"), 156, "L"))...) }),
		"an index as a link":                 control(func(a []byte) []byte { return append(a, sum(change(ustar(".a", ""), 156, "1"))...) }),
		"an index by a size that begins with a blank": control(func(a []byte) []byte {
			return append(a, sum(change(ustar(".a", strings.Repeat("a", 512)), 124, "        1000"))...)
		}),
		"a header with a bad checksum":     control(func(a []byte) []byte { return append(a, change(ustar(".a", ""), 0, ".b")...) }),
		"half a block of control":          control(func(a []byte) []byte { return append(a, make([]byte, 100)...) }),
		"a control file that is cut off":   control(func(a []byte) []byte { return append(a, ustar(".a", "content")[:512]...) }),
		"a control file twice":             behind(member{name: ".PKGINFO", data: "pkgname = other\n"}),
		"a control file that is none":      of(apk{control: []member{{name: "usr/bin/x", data: "x"}}}),
		"a control file in a folder":       of(apk{control: []member{{name: ".a/b", data: "x"}}}),
		"a control file of old":            of(apk{control: []member{{name: ".INSTALL", data: "x"}}}),
		"a signature behind .PKGINFO":      of(apk{control: []member{{name: ".SIGN.RSA.x", data: "x"}}}),
		"a folder as a control file":       of(apk{control: []member{{name: ".a/", header: func(h *tar.Header) { h.Typeflag = tar.TypeDir }}}}),
		"control files that are too many":  of(apk{control: many(64)}),
		"control files that are too large": of(apk{control: []member{{name: ".post-install", data: strings.Repeat("\x00", 5<<20)}}}),
		"a signature with something beside it": func(tb testing.TB) []byte {
			return append(packed(tb, archive(tb, false, member{name: ".SIGN.RSA.x", data: "x"}, member{name: ".PKGINFO"})), good(tb)...)
		},
		"signatures without end": func(tb testing.TB) []byte {
			one := packed(tb, archive(tb, false, member{name: ".SIGN.RSA.x", data: "x"}))
			return append(bytes.Repeat(one, 9), good(tb)...)
		},
		"a signature that is too large": func(tb testing.TB) []byte {
			return append(packed(tb, archive(tb, false, member{name: ".SIGN.RSA.x", data: strings.Repeat("x", 65<<10)})), good(tb)...)
		},
		"nothing but signatures": func(tb testing.TB) []byte {
			return packed(tb, archive(tb, false, member{name: ".SIGN.RSA.x", data: "x"}))
		},
		"no .PKGINFO": func(tb testing.TB) []byte {
			return apk{}.buildWith(tb, func(info string) []byte {
				return packed(tb, archive(tb, false, member{name: ".pre-install", data: info}))
			})
		},
		"data that leads upwards":    data(member{name: "usr/../../etc/passwd", data: "x"}),
		"data with an absolute name": data(member{name: "/etc/passwd", data: "x"}),
		"data with a file twice":     data(member{name: "a", data: "x"}, member{name: "a", data: "y"}),
		"data that is no archive": func(tb testing.TB) []byte {
			return apk{rawData: packed(tb, []byte(strings.Repeat("x", 2048)))}.build(tb)
		},
		"data that is not compressed": func(tb testing.TB) []byte {
			return apk{rawData: archive(tb, true, member{name: "a", data: "x"})}.build(tb)
		},
		"data that is cut off": func(tb testing.TB) []byte {
			return apk{rawData: packed(tb, archive(tb, false, member{name: "a", data: strings.Repeat("x", 2000)})[:1024])}.build(tb)
		},
		"data behind the end of an archive without files": func(tb testing.TB) []byte {
			return apk{rawData: packed(tb, append(make([]byte, 8192), ustar("a", "x")...))}.build(tb)
		},
	}
}

// withInfo returns a package with these lines of .PKGINFO and its digest.
func withInfo(tb testing.TB, lines string) []byte {
	data := packed(tb, archive(tb, true))
	info := lines + fmt.Sprintf("datahash = %x\n", sha256.Sum256(data))
	return append(packed(tb, archive(tb, false, member{name: ".PKGINFO", data: info})), data...)
}

// ustar returns an entry of a tar archive, made by hand.
func ustar(name, data string) []byte {
	b := make([]byte, 512+(len(data)+511)/512*512)
	copy(b, name)
	copy(b[124:], fmt.Sprintf("%011o", len(data)))
	b[156] = '0'
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

func many(n int) []member {
	var files []member
	for i := range n {
		files = append(files, member{name: fmt.Sprintf(".%d", i)})
	}
	return files
}
