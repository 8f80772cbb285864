package ruby

import "testing"

// The order is that of Ruby 3.1 for Gem::Version; those of one line are equal.
var ordered = [][]string{
	{"0"},
	{"0.0.1"},
	{"1.0.A"},
	{"1.a", "1.0.a", "1.0.0.a.0", "1.0.0.a"},
	{"1.0.a.2"},
	{"1.0.a10"},
	{"1.0.b1"},
	{"1", "1.0", "1.0.0"},
	{"1.0.1"},
	{"01.2", "1.02"},
	{"1.9.0.rc1", "1.9.0.rc.1"},
	{"1.9"},
	{"1.10"},
	{"2.0.pre1", "2.0.pre.1"},
	{"10.0"},
	{"99999999999999999999998.9"},
	{"99999999999999999999999"},
}

func TestVersionsAreOrderedAsRubyOrdersThem(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			for _, x := range a {
				for _, y := range b {
					want := 0
					if i < j {
						want = -1
					} else if i > j {
						want = 1
					}
					if got := compareVersions(x, y); got != want {
						t.Errorf("%s against %s is %d, want %d", x, y, got, want)
					}
				}
			}
		}
	}
}

func TestVersionsWithLettersAreBeforeARelease(t *testing.T) {
	for version, want := range map[string]bool{"1.0": false, "1.0.a": true, "2.0.pre1": true, "1.0.0": false} {
		if got := isPrerelease(version); got != want {
			t.Errorf("%s: %t", version, got)
		}
	}
}
