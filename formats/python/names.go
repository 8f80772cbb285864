package python

import (
	"regexp"
	"strings"
)

// The names of the pages of a folder, and what stands behind the name of a file in those of the files beside it.
const (
	root     = "simple"
	pageHTML = "index.html"
	pageJSON = "index.json"

	metadataSuffix     = ".metadata"          // PEP 658
	authorSuffix       = ".author.asc"        // the author's OpenPGP signature
	attestationsSuffix = ".attestations.json" // what the uploader attests (PEP 740)
)

const nameMost = 200 // bytes of a project's name and of a file's

var (
	nameForm  = regexp.MustCompile(`^(?i)[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?$`)
	separator = regexp.MustCompile(`[-_.]+`)
	// A file's name needs no escape in an address, in HTML or in JSON.
	fileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*$`)
)

// isName reports whether a name is one that a project can have (PEP 508).
func isName(name string) bool { return len(name) <= nameMost && nameForm.MatchString(name) }

// normalize returns the form of a project's name in which all its spellings are the same (PEP 503).
func normalize(name string) string { return separator.ReplaceAllString(strings.ToLower(name), "-") }

// isFile reports whether a name is one of a distribution that is taken here.
func isFile(name string) bool {
	return len(name) <= nameMost && fileForm.MatchString(name) && (isWheel(name) || isSource(name))
}

func isWheel(name string) bool { return strings.HasSuffix(name, ".whl") }

func isSource(name string) bool {
	_, ok := cutSource(name)
	return ok
}

// cutSource returns the name of a source distribution without its extension, of which PEP 625 knows the first alone.
func cutSource(name string) (base string, ok bool) {
	for _, extension := range []string{".tar.gz", ".zip"} {
		if base, ok = strings.CutSuffix(name, extension); ok {
			return base, true
		}
	}
	return "", false
}

// A release is what the name of a file says of it.
type release struct {
	version  string // canonical
	platform string // of a wheel
}

// releaseOf returns the release of a project that a file is of, by its name. It reports false for a file of another
// project.
func releaseOf(project, file string) (release, bool) {
	if base, ok := cutSource(file); ok {
		version, ok := cutRelease(project, base)
		return release{version: version}, ok
	}
	// {distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl (PEP 427)
	parts := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	if !isWheel(file) || len(parts) != 5 && len(parts) != 6 || normalize(parts[0]) != project {
		return release{}, false
	}
	if len(parts) == 6 && (parts[2] == "" || parts[2][0] < '0' || parts[2][0] > '9') {
		return release{}, false
	}
	version, ok := canonical(parts[1])
	return release{version, parts[len(parts)-1]}, ok
}

// cutRelease returns the version of NAME-VERSION, in which both may hold a hyphen.
func cutRelease(project, base string) (version string, ok bool) {
	for i := range base {
		if base[i] == '-' && normalize(base[:i]) == project {
			if version, ok = canonical(base[i+1:]); ok {
				return version, true
			}
		}
	}
	return "", false
}
