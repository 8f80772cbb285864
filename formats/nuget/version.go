package nuget

import (
	"cmp"
	"strconv"
	"strings"
)

// A version is one as NuGet reads it: that of Semantic Versioning 2.0.0 with a fourth number
// (learn.microsoft.com/nuget/concepts/package-versioning, and NuGetVersion of NuGet.Client).
type version struct {
	numbers    [4]int
	prerelease string // "" for a release
	metadata   string // behind "+": it tells versions apart for people alone
}

const maxVersion = 64 // characters, as NuGet's gallery has it

// parseVersion reads a version that a package may have. The numbers have no more than 31 bits.
func parseVersion(text string) (v version, ok bool) {
	if len(text) > maxVersion {
		return v, false
	}
	rest, metadata, hasMetadata := strings.Cut(text, "+")
	numbers, prerelease, isPrerelease := strings.Cut(rest, "-")
	if hasMetadata && !areLabels(metadata, false) || isPrerelease && !areLabels(prerelease, true) {
		return v, false
	}
	parts := strings.Split(numbers, ".")
	if len(parts) > len(v.numbers) {
		return v, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return v, false
		}
		v.numbers[i] = int(n)
	}
	v.prerelease, v.metadata = prerelease, metadata
	return v, true
}

// areLabels reports whether a text is labels with dots between them. Numbers of a prerelease have no leading zeros.
func areLabels(text string, numbersAreStrict bool) bool {
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool { return !isLetterOrDigit(r) && r != '-' }) {
			return false
		}
		if numbersAreStrict && isNumber(label) && len(label) > 1 && label[0] == '0' {
			return false
		}
	}
	return true
}

// String returns the version without metadata, in the form in which equal versions are equal but for the case of letters.
func (v version) String() string {
	var b strings.Builder
	for i, n := range v.numbers {
		if i == 3 && n == 0 {
			break
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(n))
	}
	if v.prerelease != "" {
		b.WriteString("-" + v.prerelease)
	}
	return b.String()
}

// full returns the version with its metadata.
func (v version) full() string {
	if v.metadata == "" {
		return v.String()
	}
	return v.String() + "+" + v.metadata
}

// lower returns the version as it stands in addresses.
func (v version) lower() string { return strings.ToLower(v.String()) }

// compare orders versions; metadata does not count.
func (v version) compare(w version) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.prerelease == w.prerelease:
		return 0
	case v.prerelease == "":
		return 1
	case w.prerelease == "":
		return -1
	}
	a, b := strings.Split(strings.ToLower(v.prerelease), "."), strings.Split(strings.ToLower(w.prerelease), ".")
	for i := range min(len(a), len(b)) {
		if c := compareLabels(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareLabels orders labels of a prerelease: numbers by their value, and before words.
func compareLabels(a, b string) int {
	switch x, y := isNumber(a), isNumber(b); {
	case x && y:
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case x != y && x:
		return -1
	case x != y:
		return 1
	}
	return cmp.Compare(a, b)
}

func isNumber(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func isLetterOrDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
