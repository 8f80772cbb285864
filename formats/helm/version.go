package helm

import (
	"cmp"
	"strings"
)

const (
	versionMost = 128 // bytes
	numberMost  = 18  // digits
)

// A version is one in its parts.
type version struct {
	text       string
	numbers    [3]string
	prerelease string
}

// parseVersion reads what helm takes for a version: that of semver.org 2.0.0, also with a v in front and with fewer numbers
// (NewVersion of github.com/Masterminds/semver/v3). It reports false for what is none. An index is ordered by it each time a chart
// gets a version, so it is quick.
func parseVersion(text string) (v version, ok bool) {
	v.text = text
	rest, build, built := strings.Cut(strings.TrimPrefix(text, "v"), "+")
	numbers, prerelease, early := strings.Cut(rest, "-")
	v.prerelease = prerelease
	n := 0
	for number := range strings.SplitSeq(numbers, ".") {
		if n == len(v.numbers) || !isNumber(number) || len(number) > numberMost {
			return v, false
		}
		v.numbers[n] = number
		n++
	}
	if built && !isDotted(build) || early && !isDotted(prerelease) || len(text) > versionMost {
		return v, false
	}
	for part := range strings.SplitSeq(prerelease, ".") {
		if isNumber(part) && len(part) > 1 && part[0] == '0' {
			return v, false
		}
	}
	return v, true
}

// isDotted reports whether s is of letters, digits and hyphens, with dots between them.
func isDotted(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			return false
		}
	}
	return true
}

// compare orders versions as helm does (semver.org 2.0.0, section 11), and those of the same precedence by their bytes.
func compare(a, b version) int {
	for i := range a.numbers {
		if c := compareNumbers(a.numbers[i], b.numbers[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(comparePrereleases(a.prerelease, b.prerelease), cmp.Compare(a.text, b.text))
}

func comparePrereleases(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a)) // the one without is the later
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		c := 0
		switch {
		case isNumber(x[i]) && isNumber(y[i]):
			c = compareNumbers(x[i], y[i])
		case isNumber(x[i]):
			c = -1
		case isNumber(y[i]):
			c = 1
		default:
			c = cmp.Compare(x[i], y[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// compareNumbers compares digits of any length. None are 0.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
