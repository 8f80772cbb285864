package alpine

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	// listMost is the longest line of an index with dependencies, in bytes. apk reads lines into a buffer of 128 KiB, and
	// refuses an index with a longer one as a whole.
	listMost = 60_000

	// headMost is how much the lines before the dependencies may come to. apk keeps what is installed in the same form,
	// and writes those lines through a buffer of 2 KiB: it could not install the package.
	headMost = 2000
)

// A pkginfo is what .PKGINFO says (apk-v2(5), apk-package(5)), as far as an index repeats it.
type pkginfo struct {
	name, version, arch     string
	description, url        string
	license, origin         string
	maintainer, commit      string
	size, built, priority   uint64
	depends, provides, auto []string
	dataHash                []byte
}

// parseInfo reads a .PKGINFO. Lines that apk passes over are passed over here.
func parseInfo(text []byte) (pkginfo, error) {
	if !utf8.Valid(text) {
		return pkginfo{}, format.Malformedf(".PKGINFO is not UTF-8")
	}
	var p pkginfo
	single := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, " = ")
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return pkginfo{}, format.Malformedf(".PKGINFO holds a control character, in a line that begins with %.50q", line)
		}
		if !found {
			continue
		}
		switch key {
		case "depend":
			p.depends = append(p.depends, strings.Fields(value)...)
		case "provides":
			p.provides = append(p.provides, strings.Fields(value)...)
		case "install_if":
			p.auto = append(p.auto, strings.Fields(value)...)
		case "pkgname", "pkgver", "arch", "pkgdesc", "url", "license", "origin", "maintainer", "commit", "size", "builddate",
			"provider_priority", "datahash":
			if _, ok := single[key]; ok {
				return pkginfo{}, format.Malformedf(".PKGINFO has %s twice", key)
			}
			single[key] = value
		}
	}
	p.name, p.version, p.arch = single["pkgname"], single["pkgver"], single["arch"]
	p.description, p.url, p.license = single["pkgdesc"], single["url"], single["license"]
	p.origin, p.maintainer, p.commit = single["origin"], single["maintainer"], single["commit"]
	for key, to := range map[string]*uint64{"size": &p.size, "builddate": &p.built, "provider_priority": &p.priority} {
		value, ok := single[key]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return pkginfo{}, format.Malformedf(".PKGINFO has %s = %.50q, which is no number", key, value)
		}
		*to = n
	}
	hash, ok := single["datahash"]
	if !ok {
		return pkginfo{}, format.Malformedf(".PKGINFO has no datahash: build the package with abuild, melange or nfpm")
	}
	var err error
	if p.dataHash, err = hex.DecodeString(hash); err != nil || len(p.dataHash) != 32 {
		return pkginfo{}, format.Malformedf(".PKGINFO has a datahash that is no SHA-256 in hex: %.80q", hash)
	}
	return p, p.check()
}

// check refuses what an index or a path cannot hold.
func (p pkginfo) check() error {
	switch {
	case p.name == "" || p.version == "" || p.arch == "":
		return format.Malformedf(".PKGINFO has no pkgname, no pkgver or no arch")
	case !isName(p.name):
		return format.Malformedf(
			"the package's name is %.150q: it may have letters, digits and ._+-, begins with a letter or digit, and has at most 128 bytes", p.name)
	case !isVersion(p.version):
		return format.Malformedf("the package's version is %.80q, which apk cannot compare: versions look like 1.2.3_rc1-r0",
			p.version)
	case p.arch == "all" || p.arch == "any":
		return format.Malformedf("the package's architecture is %q, which no apk installs: build it with the architecture noarch",
			p.arch)
	case !isArch(p.arch):
		return format.Malformedf("the package's architecture is %.50q, which is no name of one", p.arch)
	}
	for key, list := range map[string][]string{"depend": p.depends, "provides": p.provides, "install_if": p.auto} {
		size := 0
		for _, word := range list {
			size += len(word) + 1
		}
		if size > listMost {
			return format.Malformedf("the package's %s come to %d bytes: apk reads at most %d", key, size, listMost)
		}
	}
	return nil
}
