package arch

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"hallmark/formats/format"
)

const (
	infoName = ".PKGINFO"
	infoMost = 1 << 20 // bytes of a .PKGINFO

	// descriptionMost is how much a package's file desc may come to in a database, in bytes. pacman reads lines of at most
	// 512 KiB, and all packages' desc at each start.
	descriptionMost = 256 << 10
)

// sectionForm is what begins a section of a database's file. A value of this form could be taken for one.
var sectionForm = regexp.MustCompile(`^%[A-Z0-9]+%$`)

// A pkginfo is what .PKGINFO says, as far as a database repeats it: single values and lists, by the names of the keys.
type pkginfo struct {
	single map[string]string
	lists  map[string][]string
}

// parseInfo reads a .PKGINFO. Lines that pacman passes over are passed over here, and runs of white space become a blank, as
// in repo-add.
func parseInfo(text []byte) (pkginfo, error) {
	if !utf8.Valid(text) {
		return pkginfo{}, format.Malformedf("%s is not UTF-8", infoName)
	}
	p := pkginfo{map[string]string{}, map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return pkginfo{}, format.Malformedf("%s holds a control character, in a line that begins with %.50q", infoName, line)
		}
		key, value, found := strings.Cut(line, "=")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		key, value = strings.TrimSpace(key), strings.Join(strings.Fields(value), " ")
		if sectionForm.MatchString(value) {
			return pkginfo{}, format.Malformedf("%s has %.30s = %.50s, which begins a section of a database", infoName, key, value)
		}
		if value == "" {
			continue
		}
		switch key {
		case "pkgname", "pkgbase", "pkgver", "pkgdesc", "url", "builddate", "packager", "size", "arch":
			if _, ok := p.single[key]; ok {
				return pkginfo{}, format.Malformedf("%s has %s twice", infoName, key)
			}
			p.single[key] = value
		case "group", "license", "replaces", "conflict", "provides", "depend", "optdepend", "makedepend", "checkdepend":
			p.lists[key] = append(p.lists[key], value)
		}
	}
	return p, p.check()
}

func (p pkginfo) name() string    { return p.single["pkgname"] }
func (p pkginfo) version() string { return p.single["pkgver"] }
func (p pkginfo) arch() string    { return p.single["arch"] }

// check refuses what a database or a path cannot hold.
func (p pkginfo) check() error {
	switch {
	case p.name() == "" || p.version() == "" || p.arch() == "":
		return format.Malformedf("%s has no pkgname, no pkgver or no arch", infoName)
	case !isName(p.name()):
		return format.Malformedf("the package's name is %.120q: it may have letters, digits and @._+-, does not begin with a dot or hyphen, "+
			"and has at most 96 bytes", p.name())
	case !isVersion(p.version()):
		return format.Malformedf("the package's version is %.80q: versions look like 1.2.3-1 or 1:1.2.3-1, with a release",
			p.version())
	case !isArch(p.arch()):
		return format.Malformedf("the package's architecture is %.50q, which is no name of one", p.arch())
	}
	for _, key := range []string{"size", "builddate"} {
		if value, ok := p.single[key]; ok {
			if _, err := strconv.ParseUint(value, 10, 63); err != nil {
				return format.Malformedf("%s has %s = %.50q, which is no number", infoName, key, value)
			}
		}
	}
	return nil
}
