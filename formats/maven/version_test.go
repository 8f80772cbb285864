package maven

import (
	"slices"
	"testing"
)

// The orders are those of Maven's own documentation of versions.
func TestVersionsAreOrderedAsMavenDoes(t *testing.T) {
	for _, order := range [][]string{
		{"1-alpha-1", "1-alpha-2", "1-beta-1", "1-milestone-1", "1-rc-1", "1-SNAPSHOT", "1", "1-sp", "1-abc", "1-xyz", "1-1", "1.1"},
		{"1.0-alpha1", "1.0-beta1", "1.0-m2", "1.0-rc1", "1.0-cr2", "1.0-20260203.040506-1", "1.1"},
		{"0.9", "1.9", "1.10", "1.10.1", "2"},
		{"1a1", "1b1", "1", "1.0.1"},
		{"1.foo", "1-1", "1.1"},
		{"1-foo", "1-1", "1.0.1"},
		{"9", "10", "99999999999999999999999999998", "99999999999999999999999999999"},
		{"2.0.RELEASE", "2.0.1"},
	} {
		for i, a := range order {
			for j, b := range order {
				if got := compareVersions(a, b); min(1, max(-1, got)) != min(1, max(-1, i-j)) {
					t.Errorf("compareVersions(%q, %q) is %d", a, b, got)
				}
			}
		}
	}
	for _, same := range [][]string{{"1", "1.0", "1.0.0", "1-0", "1-ga", "1.final", "1.RELEASE"}, {"1-a1", "1-alpha-1"}, {"1x", "1-X"}, {"1cr1", "1RC1"}} {
		for _, a := range same {
			if x, y := parts(a), parts(same[0]); !slices.EqualFunc(x, y, func(a, b part) bool { return comparePart(a, b) == 0 }) {
				t.Errorf("%s is %+v, and %s is %+v", a, x, same[0], y)
			}
		}
	}
}
