package ruby

import (
	"cmp"
	"slices"
	"strings"
)

// isPrerelease reports whether a version is one before a release, as Gem::Version#prerelease? does.
func isPrerelease(version string) bool {
	return strings.ContainsFunc(version, func(r rune) bool { return r > '9' })
}

// compareVersions orders versions as Gem::Version#<=> does (lib/rubygems/version.rb).
func compareVersions(a, b string) int {
	x, y := segments(a), segments(b)
	for i := range max(len(x), len(y)) {
		if c := compareSegments(at(x, i), at(y, i)); c != 0 {
			return c
		}
	}
	return 0
}

// segments returns the numbers and words of a version. Zeros that end the numbers before the first word, or all of it, do
// not count. Numbers have no zeros in front: zero is "".
func segments(version string) []string {
	var all []string
	for rest := version; rest != ""; {
		isLetter := rest[0] > '9'
		end := strings.IndexFunc(rest, func(r rune) bool { return r == '.' || (r > '9') != isLetter })
		if end < 0 {
			end = len(rest)
		}
		segment := rest[:end]
		if rest = strings.TrimPrefix(rest[end:], "."); !isLetter {
			segment = strings.TrimLeft(segment, "0")
		}
		all = append(all, segment)
	}
	word := slices.IndexFunc(all, isWord)
	if word < 0 {
		return trimZeros(all)
	}
	return slices.Concat(trimZeros(all[:word]), trimZeros(all[word:]))
}

func trimZeros(all []string) []string {
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return ""
}

func isWord(segment string) bool { return segment != "" && segment[0] > '9' }

func compareSegments(a, b string) int {
	switch {
	case isWord(a) && isWord(b):
		return cmp.Compare(a, b)
	case isWord(a):
		return -1
	case isWord(b):
		return 1
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
