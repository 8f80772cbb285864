package arch

import (
	"regexp"
	"slices"
	"strings"
)

// The names of the files of a database: "core.db" is the same file as "core.db.tar.gz".
const (
	databaseName = ".db"
	filesName    = ".files"
	archiveName  = ".tar.gz"
	signature    = ".sig"
)

// archAny is the architecture of a package for all of them.
const archAny = "any"

// The forms are those that makepkg checks (PKGBUILD(5)), as far as they mean nothing to a shell or in an address.
var (
	nameForm    = regexp.MustCompile(`^[a-zA-Z0-9@_+][a-zA-Z0-9@._+-]*$`)
	versionForm = regexp.MustCompile(`^([0-9]+:)?[a-zA-Z0-9._+~^@]+-[0-9]+(\.[0-9]+)?$`)
	archForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)

	// fileForm is a file's name without its extension: name, version, release, architecture.
	fileForm = regexp.MustCompile(`^(.+)-([^-]+-[0-9.]+)-([a-z0-9_]+)$`)

	folderForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._+@-]*$`)
)

// The limits are ours: they keep the names of files and of entries in a database below what readers take.
func isName(s string) bool    { return len(s) <= 96 && nameForm.MatchString(s) }
func isVersion(s string) bool { return len(s) <= 48 && versionForm.MatchString(s) }
func isArch(s string) bool    { return len(s) <= 32 && archForm.MatchString(s) }

// isKnownArch reports whether the segment of a URL is meant as an architecture: one of Arch Linux and its ports.
func isKnownArch(s string) bool {
	return slices.Contains([]string{
		archAny, "aarch64", "arm", "armv6h", "armv7h", "i486", "i686", "loong64", "loongarch64", "pentium4", "powerpc",
		"powerpc64", "powerpc64le", "riscv64", "x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4",
	}, s)
}

// extensions are those of packages. The compression is what the file itself says.
func extensions() []string { return []string{".pkg.tar.zst", ".pkg.tar.xz", ".pkg.tar.gz"} }

// cutExtension returns the name of a package's file without its extension.
func cutExtension(name string) (base, extension string, ok bool) {
	for _, extension := range extensions() {
		if base, ok := strings.CutSuffix(name, extension); ok {
			return base, extension, true
		}
	}
	return name, "", false
}
