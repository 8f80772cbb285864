package alpine

import (
	"encoding/base64"
	"strconv"
	"strings"

	"hallmark/formats/format"
)

// entry returns what an APKINDEX says of a package, with the blank line that ends it: the fields of apk-v2(5) in the order
// of "apk index", which leaves out r: too. The checksum is the SHA-1 of the control member, by which apk knows a package.
func (p pkginfo) entry(checksum []byte, size int64) ([]byte, error) {
	var b strings.Builder
	line := func(field, value string) { b.WriteString(field + ":" + value + "\n") }
	optional := func(field, value string) {
		if value != "" {
			line(field, value)
		}
	}
	number := func(field string, n uint64) {
		if n != 0 {
			line(field, strconv.FormatUint(n, 10))
		}
	}
	line("C", "Q1"+base64.StdEncoding.EncodeToString(checksum))
	line("P", p.name)
	line("V", p.version)
	line("A", p.arch)
	line("S", strconv.FormatInt(size, 10))
	line("I", strconv.FormatUint(p.size, 10))
	line("T", p.description)
	line("U", p.url)
	line("L", p.license)
	optional("o", p.origin)
	optional("m", p.maintainer)
	number("t", p.built)
	optional("c", p.commit)
	number("k", p.priority)
	if b.Len() > headMost {
		return nil, format.Malformedf("the fields of .PKGINFO without dependencies come to %d bytes: apk installs no "+
			"package with more than %d, so shorten pkgdesc",
			b.Len(), headMost)
	}
	optional("D", strings.Join(p.depends, " "))
	optional("p", strings.Join(p.provides, " "))
	optional("i", strings.Join(p.auto, " "))
	b.WriteByte('\n')
	return []byte(b.String()), nil
}
