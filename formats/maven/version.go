package maven

import (
	"cmp"
	"slices"
	"strings"
)

// compareVersions orders versions as Maven does (org.apache.maven.artifact.versioning.ComparableVersion): numbers are compared
// as numbers, qualifiers by what they mean, and 1, 1.0 and 1-ga are the same. Versions that are the same in that are
// ordered by their text.
func compareVersions(a, b string) int {
	return cmp.Or(compareParts(parts(a), parts(b)), strings.Compare(a, b))
}

// sortVersions sorts what has a version, the oldest first. The order in which it comes does not matter.
func sortVersions[E any](all []E, version func(E) string) {
	type keyed struct {
		text  string
		parts []part
		of    E
	}
	keys := make([]keyed, len(all))
	for i, e := range all {
		keys[i] = keyed{version(e), parts(version(e)), e}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return strings.Compare(a.text, b.text) })
	slices.SortStableFunc(keys, func(a, b keyed) int { return compareParts(a.parts, b.parts) })
	for i, k := range keys {
		all[i] = k.of
	}
}

// A part of a version is a number or a word. It is dashed if a hyphen or a change between digits and letters is before it.
type part struct {
	text   string // a number without zeros in front, or a word in small letters
	number bool
	dashed bool
}

// parts takes a version apart. What means nothing is left out: zeros and words for a release before a hyphen or at the end.
func parts(version string) []part {
	var all []part
	text := strings.ToLower(version)
	trim := func() {
		for len(all) > 0 && all[len(all)-1].isNull() {
			all = all[:len(all)-1]
		}
	}
	dashed := false
	for text != "" {
		if strings.ContainsRune(".-_", rune(text[0])) {
			if dashed = text[0] == '-'; dashed {
				trim()
			}
			text = text[1:]
			continue
		}
		end := strings.IndexFunc(text, func(r rune) bool { return strings.ContainsRune(".-_", r) || isDigit(r) != isDigit(rune(text[0])) })
		if end < 0 {
			end = len(text)
		}
		next := part{text: text[:end], number: isDigit(rune(text[0])), dashed: dashed}
		if next.number {
			next.text = strings.TrimLeft(next.text, "0")
		} else {
			next.text = qualifier(next.text, end < len(text) && isDigit(rune(text[end])))
		}
		all = append(all, next)
		text = text[end:]
		if dashed = text != "" && !strings.ContainsRune(".-_", rune(text[0])); dashed {
			trim()
		}
	}
	trim()
	return all
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// qualifier returns a word as it is meant. Single letters are short for others in front of a number.
func qualifier(word string, beforeNumber bool) string {
	if long := map[string]string{"a": "alpha", "b": "beta", "m": "milestone"}[word]; long != "" && beforeNumber {
		return long
	}
	switch word {
	case "ga", "final", "release":
		return ""
	case "cr":
		return "rc"
	}
	return word
}

func (p part) isNull() bool { return p.text == "" }

func compareParts(a, b []part) int {
	for i := range max(len(a), len(b)) {
		if d := comparePart(at(a, i, b), at(b, i, a)); d != 0 {
			return d
		}
	}
	return 0
}

// at returns a part of a version, or, behind its end, one that means nothing beside the other version's.
func at(of []part, i int, beside []part) part {
	if i < len(of) {
		return of[i]
	}
	return part{number: beside[i].number, dashed: beside[i].dashed}
}

// qualifiers are the words that come before a release, the release itself, and the one that comes behind. Others come after them.
var qualifiers = [...]string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

// comparePart orders two parts at the same place: words come before numbers, and among numbers those behind a hyphen before
// those behind a dot.
func comparePart(a, b part) int {
	rank := func(p part) int {
		switch {
		case !p.number:
			return 0
		case p.dashed:
			return 1
		}
		return 2
	}
	if d := cmp.Compare(rank(a), rank(b)); d != 0 {
		return d
	}
	if a.number {
		return cmp.Or(cmp.Compare(len(a.text), len(b.text)), strings.Compare(a.text, b.text))
	}
	meaning := func(p part) int {
		if i := slices.Index(qualifiers[:], p.text); i >= 0 {
			return i
		}
		return len(qualifiers)
	}
	return cmp.Or(cmp.Compare(meaning(a), meaning(b)), strings.Compare(a.text, b.text))
}
