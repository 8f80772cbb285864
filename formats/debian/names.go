package debian

import (
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
)

// The words that stand where an architecture does.
const (
	archAll    = "all"
	archSource = "source"
)

// maxName is the most bytes of a name, a version or a segment of a path.
const maxName = 200

// isPackageName reports whether s can be the name of a package (Policy 5.6.7): lower-case letters, digits, "+", "-" and
// ".", at least two, the first a letter or a digit.
func isPackageName(s string) bool {
	return len(s) >= 2 && len(s) <= maxName && isLowerAlnum(s[0]) && consistsOf(s, isLowerAlnum, "+-.")
}

// isArchitecture reports whether s is the name of an architecture that a package can have, such as "amd64",
// "kfreebsd-amd64" or "all". Wildcards like "any" are none.
func isArchitecture(s string) bool {
	return s != "" && s != "any" && s != archSource && !strings.HasPrefix(s, "any-") && !strings.HasSuffix(s, "-any") &&
		len(s) <= maxName && isLowerAlnum(s[0]) && consistsOf(s, isLowerAlnum, "-")
}

// isVersion reports whether s is a version (Policy 5.6.12, deb-version(7)): [epoch:]upstream[-revision]. dpkg installs no
// package whose upstream version begins with anything but a digit.
func isVersion(s string) bool {
	if len(s) > maxName {
		return false
	}
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		if epoch == "" || len(epoch) > 9 || !consistsOf(epoch, isDigit, "") {
			return false
		}
		s = rest
	}
	upstream := s
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		upstream = s[:i]
		if revision := s[i+1:]; revision == "" || !consistsOf(revision, isAlnum, "+.~") {
			return false
		}
	}
	return upstream != "" && isDigit(upstream[0]) && consistsOf(upstream, isAlnum, ".+-~")
}

// withoutEpoch returns a version as it stands in the names of files.
func withoutEpoch(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		return rest
	}
	return version
}

// isSegment reports whether s can be the name of a distribution or a component: one segment of a path.
func isSegment(s string) bool {
	return s != "" && len(s) <= 100 && isAlnum(s[0]) && consistsOf(s, isAlnum, "._+~-")
}

// isFileName reports whether s can be the name of a file that a .dsc or a .changes names.
func isFileName(s string) bool {
	return s != "" && len(s) <= 3*maxName && isAlnum(s[0]) && consistsOf(s, isAlnum, "._+~-:%")
}

// A place is where uploads go: a distribution and a component of it.
type place struct{ distribution, component string }

// placeOf returns the place that an upload names.
func placeOf(op format.Op) place {
	distribution, rest, _ := strings.Cut(op.Dir, "/")
	component, _, _ := strings.Cut(rest, "/")
	return place{distribution, component}
}

// pool returns the folder for the files of a source.
func (p place) pool(source string) string {
	prefix := source[:1]
	if strings.HasPrefix(source, "lib") && len(source) > 3 {
		prefix = source[:4]
	}
	return path.Join("pool", p.distribution, p.component, prefix, source)
}

// A kind is what a file is, as its name tells.
type kind int

const (
	kindUnknown kind = iota
	kindDeb
	kindDsc
	kindSourceFile // a tarball of a source, its patches, or the signature that its author gave
	kindChanges
	kindBuildinfo
)

// kindOf returns what a file with the name is.
func kindOf(name string) kind {
	switch {
	case strings.HasSuffix(name, ".deb"):
		return kindDeb
	case strings.HasSuffix(name, ".dsc"):
		return kindDsc
	case strings.HasSuffix(name, ".changes"):
		return kindChanges
	case strings.HasSuffix(name, ".buildinfo"):
		return kindBuildinfo
	}
	if _, ok := parseSourceName(name); ok {
		return kindSourceFile
	}
	return kindUnknown
}

// A sourceName is what the name of a file of a source tells.
type sourceName struct {
	source, version string
	compression     tarball.Compression // None for a signature
}

// parseSourceName takes the name of a file of a source apart (dpkg-source(1)): NAME_VERSION followed by .orig.tar.gz,
// .orig-COMPONENT.tar.gz, .debian.tar.xz, .diff.gz or .tar.gz, or by .asc after one of the first two.
func parseSourceName(name string) (n sourceName, ok bool) {
	n.source, n.version, ok = strings.Cut(name, "_")
	if !ok || !isPackageName(n.source) || !isFileName(name) {
		return sourceName{}, false
	}
	rest, signature := strings.CutSuffix(n.version, ".asc")
	if version, is := strings.CutSuffix(rest, ".diff.gz"); is {
		n.version, n.compression = version, tarball.Gzip
	} else {
		i := strings.LastIndex(rest, ".tar.")
		if i < 0 {
			return sourceName{}, false
		}
		switch rest[i+len(".tar."):] {
		case "gz":
			n.compression = tarball.Gzip
		case "xz":
			n.compression = tarball.XZ
		case "bz2":
			n.compression = tarball.Bzip2
		case "lzma":
			n.compression = tarball.LZMA
		default:
			return sourceName{}, false
		}
		n.version = strings.TrimSuffix(rest[:i], ".debian")
	}
	before, component, orig := strings.Cut(n.version, ".orig")
	if orig = orig && (component == "" || component[0] == '-'); orig {
		n.version = before
	}
	if signature {
		n.compression = tarball.None
	}
	if signature && !orig || !isVersion(n.version) || strings.Contains(n.version, ":") {
		return sourceName{}, false
	}
	return n, true
}

// consistsOf reports whether all bytes of s are of a class or among others.
func consistsOf(s string, class func(byte) bool, others string) bool {
	for i := range len(s) {
		if !class(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool      { return c >= '0' && c <= '9' }
func isLowerAlnum(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' }
func isAlnum(c byte) bool      { return isLowerAlnum(c) || c >= 'A' && c <= 'Z' }
