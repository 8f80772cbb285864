package formattest

import (
	"testing"
)

// sampleName returns the name of the nth package.
func sampleName(n int) string { return "pkg" + string(rune('a'+n%26)) }

// samples returns uploads that a repository takes in their order: two packages of each architecture, and a newer version of
// the first.
func (s Subject) samples(tb testing.TB) []Upload {
	tb.Helper()
	if len(s.Versions) < 2 || len(s.Archs) == 0 || s.Upload == nil || s.Client == nil {
		tb.Fatal("the subject lacks Upload, Client, two versions or an architecture")
	}
	var all []Upload
	for i, arch := range s.Archs {
		all = append(all,
			s.Upload(tb, sampleName(2*i), s.Versions[0], arch),
			s.Upload(tb, sampleName(2*i+1), s.Versions[0], arch))
	}
	return append(all, s.Upload(tb, sampleName(0), s.Versions[1], s.Archs[0]))
}

// another returns a package that is not among the samples.
func (s Subject) another(tb testing.TB) Upload {
	tb.Helper()
	return s.Upload(tb, sampleName(25), s.Versions[0], s.Archs[0])
}

// filled returns a house with all samples.
func (s Subject) filled(tb testing.TB) *House {
	tb.Helper()
	h := NewHouse(tb, s.Format)
	s.fill(h)
	return h
}

// fill uploads all samples, one by one.
func (s Subject) fill(h *House) {
	h.tb.Helper()
	for _, u := range append(s.samples(h.tb), s.Extra...) {
		if err := h.putAll([]Upload{u}); err != nil {
			h.tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
		}
	}
}
