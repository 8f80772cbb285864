package nuget

import (
	"slices"
	"testing"
)

func TestVersionsHaveANormalForm(t *testing.T) {
	for text, want := range map[string][2]string{
		"1":                    {"1.0.0", "1.0.0"},
		"1.0":                  {"1.0.0", "1.0.0"},
		"1.00.0.0":             {"1.0.0", "1.0.0"},
		"01.2.3.4":             {"1.2.3.4", "1.2.3.4"},
		"1.0.0-Beta.2":         {"1.0.0-Beta.2", "1.0.0-beta.2"},
		"1.0-rc+Build.01":      {"1.0.0-rc", "1.0.0-rc"},
		"1.0.0-0A":             {"1.0.0-0A", "1.0.0-0a"},
		"2147483647.0.0.1+x-y": {"2147483647.0.0.1", "2147483647.0.0.1"},
	} {
		v, ok := parseVersion(text)
		if !ok || v.String() != want[0] || v.lower() != want[1] {
			t.Errorf("%s is %s, in addresses %s, %t; want %q", text, v, v.lower(), ok, want)
		}
	}
	if v, _ := parseVersion("1.0+a.b"); v.full() != "1.0.0+a.b" {
		t.Errorf("with its metadata it is %s", v.full())
	}
	for _, text := range []string{
		"", ".", "1.", "1..2", "a", "1.a", "1.2.3.4.5", "-1", "+1", "1-", "1+", "1.0-a..b", "1.0-ä", "1.0-a_b", "1.0-01", "1.0+", "1.0+a+b",
		"2147483648", "0x1", "1.0 ", " 1.0", "1.0-1.0.0.0-1111111111111111111111111111111111111111111111111111111",
	} {
		if v, ok := parseVersion(text); ok {
			t.Errorf("%q is read as %s", text, v)
		}
	}
}

// As NuGet's VersionComparer orders them: numbers by value, prereleases before the release, letters of either case.
func TestVersionsHaveTheirOrder(t *testing.T) {
	order := []string{
		"0.9.9", "1.0.0-1", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-ALPHA.1", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta-2", "1.0.0", "1.0.0.1", "1.0.1", "1.2.0", "1.10.0", "2.0.0-rc", "2.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			x, _ := parseVersion(a)
			y, _ := parseVersion(b)
			if got, want := x.compare(y), min(1, max(-1, i-j)); got != want {
				t.Errorf("%s against %s is %d, want %d", a, b, got, want)
			}
		}
	}
	for _, same := range [][2]string{{"1.0", "1.0.0.0"}, {"1.0.0+a", "1.0.0+b"}, {"1.0.0-Beta", "1.0.0-beta"}} {
		x, _ := parseVersion(same[0])
		y, _ := parseVersion(same[1])
		if x.compare(y) != 0 {
			t.Errorf("%q are not the same", same)
		}
	}
}

func TestADependencyOnAVersionIsOnTheLeast(t *testing.T) {
	for versions, want := range map[string]string{"1.0": "[1.0.0, )", "[1.0,2.0)": "[1.0,2.0)", "": "", "1.*": "1.*", "1.0-Beta": "[1.0.0-Beta, )"} {
		if got := rangeOf(versions); got != want {
			t.Errorf("%q is registered as %q, want %q", versions, got, want)
		}
	}
}

func TestJSONHoldsTheAddressAndNothingThatLooksLikeIt(t *testing.T) {
	got, err := marshal([]string{here("a"), `\u0001`, `\\u0001`, "\\", `"`})
	if want := "[\"\x01/a\"," + `"\\u0001","\\\\u0001","\\","\""]`; err != nil || string(got) != want {
		t.Errorf("it is %q, want %q: %v", got, want, err)
	}
}

func TestTextsAreShortenedBetweenCharacters(t *testing.T) {
	long := slices.Repeat([]byte("ä"), maxSummary)
	if got := shortened(string(long)); len(got) > maxSummary+len("…") || got != string(long[:len(got)-len("…")])+"…" {
		t.Errorf("%d bytes are %d: %q", len(long), len(got), got[len(got)-10:])
	}
	if got := shortened("short"); got != "short" {
		t.Error(got)
	}
}
