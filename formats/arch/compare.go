package arch

import (
	"strings"
)

// Compare orders versions as vercmp(8) of pacman does: by the epoch, then the version, then the release where both have one.
// It is negative if a is older than b.
func Compare(a, b string) int {
	first, second := parseVersion(a), parseVersion(b)
	if sign := compareParts(first.epoch, second.epoch); sign != 0 {
		return sign
	}
	if sign := compareParts(first.version, second.version); sign != 0 || !first.released || !second.released {
		return sign
	}
	return compareParts(first.release, second.release)
}

// An evr is a version in its parts: "epoch:version-release".
type evr struct {
	epoch, version, release string
	released                bool // there is a release
}

func parseVersion(s string) evr {
	v := evr{epoch: "0"}
	if digits := spanOf(s, isDigit); strings.HasPrefix(s[digits:], ":") {
		if digits > 0 {
			v.epoch = s[:digits]
		}
		s = s[digits+1:]
	}
	v.version = s
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		v.version, v.release, v.released = s[:i], s[i+1:], true
	}
	return v
}

// compareParts compares runs of digits as numbers and runs of letters as text, one after the other. The lengths of what
// stands between two runs count, not what it is. Digits are newer than letters, and letters at the end are older than
// nothing: 1.0rc is older than 1.0, which is older than 1.0.1.
func compareParts(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		between, other := spanOf(a, isNeither), spanOf(b, isNeither)
		a, b = a[between:], b[other:]
		if a == "" || b == "" {
			break
		}
		if between != other {
			return sign(between < other)
		}
		kind, digits := isLetter, isDigit(a[0])
		if digits {
			kind = isDigit
		}
		n, m := spanOf(a, kind), spanOf(b, kind)
		if m == 0 {
			return sign(!digits)
		}
		run, otherRun := a[:n], b[:m]
		a, b = a[n:], b[m:]
		if digits {
			run, otherRun = strings.TrimLeft(run, "0"), strings.TrimLeft(otherRun, "0")
			if len(run) != len(otherRun) {
				return sign(len(run) < len(otherRun))
			}
		}
		if run != otherRun {
			return sign(run < otherRun)
		}
	}
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return sign(!isLetter(b[0]))
	}
	return sign(isLetter(a[0]))
}

// sign returns -1 if the first is older, and else 1.
func sign(older bool) int {
	if older {
		return -1
	}
	return 1
}

// spanOf returns how many bytes at the beginning are of a kind.
func spanOf(s string, kind func(byte) bool) int {
	for i := range len(s) {
		if !kind(s[i]) {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isLetter(c byte) bool  { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isNeither(c byte) bool { return !isDigit(c) && !isLetter(c) }
