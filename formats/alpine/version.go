package alpine

import (
	"regexp"
	"slices"
	"strings"
)

// noarch is the architecture of a package for all of them.
const noarch = "noarch"

var (
	nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._+-]*$`)

	// apk compares other versions as if they were equal to many.
	versionForm = regexp.MustCompile(
		`^[0-9]+(\.[0-9]+)*[a-z]?(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(~[0-9a-f]+)?(-r[0-9]+)?$`)

	archForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)
)

// isName, isVersion and isArch report whether a text has the form that apk-package(5) gives to it. The limits are ours: they
// keep a file's name below what file systems take.
func isName(s string) bool    { return len(s) <= 128 && nameForm.MatchString(s) }
func isVersion(s string) bool { return len(s) <= 64 && versionForm.MatchString(s) }
func isArch(s string) bool    { return len(s) <= 32 && archForm.MatchString(s) }

// knownArches returns the architectures of apk-package(5). The segment of a URL that is one of them is meant as one.
func knownArches() []string {
	return []string{
		noarch, "aarch64", "arc700", "archs", "armeb", "armel", "armhf", "armv7", "loongarch64", "loongarchx32", "mips",
		"mips64", "mips64el", "mipsel", "ppc", "ppc64", "ppc64le", "riscv32", "riscv64", "s390x", "sh2eb", "sh3", "sh4",
		"wasi32", "wasi64", "x86", "x86_64",
	}
}

func isKnownArch(s string) bool { return slices.Contains(knownArches(), s) }

// splitName takes apart "name-version". The version begins behind the last "-" that a digit follows.
func splitName(s string) (name, version string, ok bool) {
	for i := len(s) - 2; i > 0; i-- {
		if s[i] == '-' && s[i+1] >= '0' && s[i+1] <= '9' {
			name, version = s[:i], s[i+1:]
			return name, version, isName(name) && isVersion(version)
		}
	}
	return "", "", false
}

// splitUnderscored takes apart "name_version_arch", as nfpm names its files, where the architecture is a known one.
func splitUnderscored(s string) (name, version, arch string, ok bool) {
	for _, arch := range knownArches() {
		rest, found := strings.CutSuffix(s, "_"+arch)
		if !found {
			continue
		}
		// Names and versions may hold "_" themselves. A version begins with a digit.
		for i := 1; i < len(rest)-1; i++ {
			if rest[i] == '_' && isName(rest[:i]) && isVersion(rest[i+1:]) {
				return rest[:i], rest[i+1:], arch, true
			}
		}
	}
	return "", "", "", false
}
