package rpm

import (
	"iter"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
)

const (
	// filesLimit is how many files a package may have, and pathsLimit how many bytes their paths.
	filesLimit = 500_000
	pathsLimit = 32 << 20

	modeFormat, modeDir = 0o170000, 0o040000 // inode(7)
	flagGhost           = 1 << 6             // rpm's RPMFILE_GHOST: owned, and not in the payload
)

// files are the files of a package. A path is a directory and a name in it; old packages have nothing but names, which
// are the whole paths.
type files struct {
	dirs, names    []string
	indexes        rpmfile.Numbers // of dirs, for each name
	modes, flags   rpmfile.Numbers
	hasDirectories bool
}

// listFiles reads the files of a package. The paths are absolute, without . and .. and control characters, and none is
// there twice; those of a source package are names alone.
func listFiles(f *rpmfile.File) (files, error) {
	v := values{header: f.Header}
	l := files{
		dirs:           v.texts(rpmfile.DirNames),
		names:          v.texts(rpmfile.BaseNames),
		indexes:        v.numbers(rpmfile.DirIndexes),
		modes:          v.numbers(rpmfile.FileModes),
		flags:          v.numbers(rpmfile.FileFlags),
		hasDirectories: f.Header.Has(rpmfile.BaseNames),
	}
	old := v.texts(rpmfile.OldFileNames)
	switch {
	case v.err != nil:
		return files{}, v.err
	case l.hasDirectories && old != nil:
		return files{}, format.Malformedf("the header has two lists of files (tags %d and %d)",
			rpmfile.BaseNames, rpmfile.OldFileNames)
	case !l.hasDirectories:
		l.names = old
	case l.indexes.Len() != len(l.names):
		return files{}, format.Malformedf("the header has %d files and the directories of %d", len(l.names), l.indexes.Len())
	}
	if l.modes.Len() != len(l.names) || l.flags.Len() != len(l.names) {
		return files{}, format.Malformedf("the header has %d files, the modes of %d and the flags of %d",
			len(l.names), l.modes.Len(), l.flags.Len())
	}
	if len(l.names) > filesLimit {
		return files{}, format.Malformedf("the package has %d files, which is more than %d", len(l.names), filesLimit)
	}
	for i := range l.indexes.Len() {
		if l.indexes.At(i) >= uint64(len(l.dirs)) {
			return files{}, format.Malformedf("file %d of the header is in a directory that there is not", i)
		}
	}
	return l, l.check(f.Source())
}

// check looks at each path.
func (l files) check(source bool) error {
	total, last, sorted := 0, "", true
	for p := range l.paths() {
		if total += len(p); total > pathsLimit {
			return format.Malformedf("the paths of the package's files have more than %d MiB", pathsLimit>>20)
		}
		switch {
		case hasControl(p):
			return format.Malformedf("the name of the file %.100q has a control character", p)
		case source && (strings.Contains(p, "/") || p == "" || p == "." || p == ".."):
			return format.Malformedf("the file %.100q of a source package is not a mere name", p)
		case !source && (!strings.HasPrefix(p, "/") || hasDots(p)):
			return format.Malformedf("the path %.100q of a file is not absolute, or has . or .. in it", p)
		}
		sorted = sorted && last < p
		last = p
	}
	if sorted {
		return nil
	}
	seen := make(map[string]bool, len(l.names))
	for p := range l.paths() {
		if seen[p] {
			return format.Malformedf("the file %.100q is in the package twice", p)
		}
		seen[p] = true
	}
	return nil
}

func hasDots(p string) bool {
	if !strings.Contains(p, "/.") {
		return false
	}
	return strings.Contains(p+"/", "/./") || strings.Contains(p+"/", "/../")
}

// paths yields the path and the kind of each file as the metadata calls it: "dir", "ghost" or "".
func (l files) paths() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i, p := range l.names {
			if l.hasDirectories {
				p = l.dirs[l.indexes.At(i)] + p
			}
			kind := ""
			if l.modes.At(i)&modeFormat == modeDir {
				kind = "dir"
			} else if l.flags.At(i)&flagGhost != 0 {
				kind = "ghost"
			}
			if !yield(p, kind) {
				return
			}
		}
	}
}

// isPrimary reports whether a file is named in the primary metadata, so that solvers find what wants it without reading
// the filelists (createrepo_c's src/misc.c, cr_is_primary).
func isPrimary(p string) bool {
	return strings.HasPrefix(p, "/etc/") || strings.Contains(p, "bin/") || p == "/usr/lib/sendmail"
}
