package helm

import (
	"cmp"
	"regexp"
	"strings"
)

// versionForm is what helm takes for a version: that of semver.org 2.0.0, also with a v in front and with fewer numbers
// (NewVersion of github.com/Masterminds/semver/v3).
var versionForm = regexp.MustCompile(`^v?(\d{1,18})(?:\.(\d{1,18}))?(?:\.(\d{1,18}))?` +
	`(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$`)

const versionMost = 128 // bytes

// isVersion reports whether helm takes a version.
func isVersion(version string) bool {
	m := versionForm.FindStringSubmatch(version)
	if m == nil || len(version) > versionMost {
		return false
	}
	for part := range strings.SplitSeq(m[4], ".") {
		if isNumber(part) && len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return true
}

// compare orders versions as helm does (semver.org 2.0.0, section 11), and those of the same precedence by their bytes.
func compare(a, b string) int {
	x, y := versionForm.FindStringSubmatch(a), versionForm.FindStringSubmatch(b)
	if x == nil || y == nil {
		return cmp.Compare(a, b)
	}
	for i := 1; i <= 3; i++ {
		if c := compareNumbers(x[i], y[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(comparePrereleases(x[4], y[4]), cmp.Compare(a, b))
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

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// compareNumbers compares digits of any length. None are 0.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
