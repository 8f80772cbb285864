package ruby

import (
	"regexp"
	"strings"

	"hallmark/formats/format"
)

// The files of the index.
const (
	versionsFile   = "versions"
	namesFile      = "names"
	infoFolder     = "info/"
	specsFile      = "specs.4.8.gz"
	latestFile     = "latest_specs.4.8.gz"
	prereleaseFile = "prerelease_specs.4.8.gz"
	quickFolder    = "quick/Marshal.4.8/"
	gemsFolder     = "gems/"
	signature      = ".asc"
)

const (
	gemExtension   = ".gem"
	quickExtension = ".gemspec.rz"

	// platformRuby is the platform of gems for all platforms, which file names leave out.
	platformRuby = "ruby"
)

// The forms of names, versions and platforms. RubyGems takes versions with a dash and turns that into ".pre.", so that no
// gemspec that it writes has one.
var (
	nameForm     = regexp.MustCompile(`^[a-zA-Z0-9_-][a-zA-Z0-9._-]*$`)
	letterForm   = regexp.MustCompile(`[a-zA-Z_-]`) // a gem called "_" is one of the oldest of rubygems.org
	versionForm  = regexp.MustCompile(`^[0-9]+(\.[0-9a-zA-Z]+)*$`)
	platformForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)
)

const (
	maxName     = 150
	maxVersion  = 60
	maxPlatform = 60
)

// checkName refuses what is no name of a gem, or would make its index file pass for another's signature.
func checkName(name string) error {
	switch {
	case len(name) > maxName || !nameForm.MatchString(name) || !letterForm.MatchString(name):
		return format.Malformedf("%.100q is no name of a gem: those have letters, digits, dots, dashes and underlines, but no digits alone, and at most %d",
			name, maxName)
	case strings.HasSuffix(name, signature) || strings.HasSuffix(name, ".sigstore.json"):
		return format.Malformedf("%.100q cannot be the name of a gem here: its index would have the name of a signature", name)
	}
	return nil
}

func checkVersion(version string) error {
	if len(version) > maxVersion || !versionForm.MatchString(version) {
		return format.Malformedf("%.100q is no version of a gem: they look like 1.2.3 or 1.2.0.rc1, and have at most %d characters",
			version, maxVersion)
	}
	return nil
}

func checkPlatform(platform string) error {
	if len(platform) > maxPlatform || !platformForm.MatchString(platform) {
		return format.Malformedf("%.100q is no platform of a gem: they look like ruby, java or x86_64-linux", platform)
	}
	return nil
}

// An identity is what tells gems apart.
type identity struct{ name, version, platform string }

// number returns the version and the platform as the compact index has them.
func (id identity) number() string {
	if id.platform == platformRuby {
		return id.version
	}
	return id.version + "-" + id.platform
}

// file returns the name of the gem's file without its extension.
func (id identity) file() string { return id.name + "-" + id.number() }

func (id identity) path() string { return gemsFolder + id.file() + gemExtension }

func (id identity) quick() string { return quickFolder + id.file() + quickExtension }
