package config

import (
	"slices"
	"strings"
)

// meant is what an error says after a word that is unknown: the nearest of the
// known words, or all of them where none is near.
func meant(word string, known []string) string {
	if g := guess(word, known); g != "" {
		return g
	}
	return " (known: " + strings.Join(known, ", ") + ")"
}

// guess returns " (did you mean x?)" for the known word that is nearest to
// word, or that word abbreviates, and nothing where none is near.
func guess(word string, known []string) string {
	best, limit := "", len(word)/3+2
	word = strings.ToLower(word)
	for _, k := range known {
		d := editDistance(word, k)
		if len(word) >= 3 && strings.HasPrefix(k, word) {
			d = min(d, 1)
		}
		if d < limit && d < len(k) {
			best, limit = k, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance returns how many bytes must be put in, left out or replaced to
// turn a into b (Levenshtein). A word of more than 64 bytes is far from all.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			replace := previous[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, previous[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
