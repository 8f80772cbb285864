package npm

import (
	"path"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"hallmark/formats/format"
)

const (
	nameMost    = 214 // bytes, as npm has it
	versionMost = 256 // bytes, as node-semver has it
	tarballEnd  = ".tgz"
)

var (
	// oldForm is what the names of packages look like that have long been there, in an upstream: JSONStream.
	oldForm = regexp.MustCompile(`^(@[A-Za-z0-9~-][A-Za-z0-9._~-]*/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*$`)
	// nameForm is what validate-npm-package-name takes for a new package.
	nameForm = regexp.MustCompile(`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$`)
	// tagForm leaves out what a shell or an address would have to escape. What looks like a range of versions cannot be a
	// tag: see isTag.
	tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*$`)
)

// isName reports whether there may be a package of the name.
func isName(name string) bool {
	return len(name) <= nameMost && oldForm.MatchString(name) && name != "-" && name != "node_modules" && name != "favicon.ico"
}

// isTag reports whether a distribution tag may have the name.
func isTag(tag string) bool {
	if len(tag) > nameMost || !tagForm.MatchString(tag) {
		return false
	}
	_, err := semver.NewConstraint(tag)
	return err != nil // npm refuses tags that could be ranges
}

// isVersion reports whether a text is a version as npm publishes it: semver.org 2.0.0 without build metadata, which npm
// drops.
func isVersion(v string) bool {
	parsed, err := semver.StrictNewVersion(v)
	return err == nil && len(v) <= versionMost && parsed.Metadata() == ""
}

// tarballPath returns where the tarball of a version is.
func tarballPath(name, version string) string {
	return name + "/-/" + path.Base(name) + "-" + version + tarballEnd
}

// splitName cuts a path into the name of a package and what follows it, without the slash between them.
func splitName(p string) (name, rest string, ok bool) {
	first, after, _ := strings.Cut(p, "/")
	if strings.HasPrefix(first, "@") {
		second, beyond, _ := strings.Cut(after, "/")
		first, after = first+"/"+second, beyond
	}
	return first, after, isName(first)
}

// splitTarball reads the path of a tarball, or of a sidecar of one. The version is what its name says.
func splitTarball(name, rest string) (version string, ok bool) {
	file, ok := strings.CutPrefix(rest, "-/"+path.Base(name)+"-")
	if !ok {
		return "", false
	}
	version, ok = strings.CutSuffix(file, tarballEnd)
	return version, ok && isVersion(version)
}

// checkName says what is wrong with the name of a new package.
func checkName(name string) error {
	if !isName(name) || !nameForm.MatchString(name) {
		return format.Malformedf("%.100q is not the name of a package: those have at most %d small letters, digits and -._~, "+
			"with a @scope/ before them or none", name, nameMost)
	}
	return nil
}
