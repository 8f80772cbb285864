package formattest

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"hallmark/formats/format"
)

// flipsPerFile is how many bits are flipped in a file, one at a time.
const flipsPerFile = 16

func checkTampering(tb testing.TB, s Subject) {
	// With two keys, a signature by one would still stand when that by the other is broken.
	h := newHouse(tb, s.Format, older)
	s.fill(h)
	honest := s.sought(h.Packages())
	asked := map[string]bool{}
	if _, err := s.run(tb, func(p string) ([]byte, error) {
		data, err := h.Fetch(p)
		if err == nil {
			asked[p] = true
		}
		return data, err
	}, h.Trusted()); err != nil {
		tb.Fatalf("a client refuses an honest repository: %v", err)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, p := range slices.Sorted(maps.Keys(asked)) {
		data, err := h.Fetch(p)
		if err != nil || len(data) == 0 {
			continue
		}
		refused := 0
		for n := range flipsPerFile {
			bit := []int{0, 4 * len(data), 8*len(data) - 1, rnd.IntN(8 * len(data))}[min(n, 3)]
			got, err := s.run(tb, h.replacing(map[string][]byte{p: flipped(data, bit)}), h.Trusted())
			switch {
			case err != nil:
				refused++
			case h.uncovered(s, p, int64(bit/8)):
			case compareFound(honest, got) != "":
				tb.Fatalf("with bit %d of %s flipped, a client accepts another repository: %s", bit, p, compareFound(honest, got))
			case s.unsigned(p):
			case h.covered(p):
				tb.Fatalf("with bit %d of %s flipped, a client accepts the repository", bit, p)
			}
		}
		if refused < flipsPerFile/2 && !s.unsigned(p) {
			tb.Fatalf("of %d flipped bits of %s, a client accepts %d", flipsPerFile, p, flipsPerFile-refused)
		}
	}
}

func (s Subject) unsigned(p string) bool { return s.Unsigned != nil && s.Unsigned(p) }

// uncovered reports whether a place of a package, by a path at which it can be fetched, is one that the index does not cover.
func (h *House) uncovered(s Subject, p string, offset int64) bool {
	h.tb.Helper()
	if s.Uncovered == nil {
		return false
	}
	at := h.place(p)
	i := slices.IndexFunc(h.packages, func(s *stored) bool { return s.pkg.Path == at })
	return i >= 0 && slices.ContainsFunc(s.Uncovered(h.packages[i].data), func(s format.Section) bool {
		return offset >= s.Offset && offset < s.Offset+s.Size
	})
}

// covered reports whether each bit of a file is signed, or its digest is: it holds no signature.
func (h *House) covered(p string) bool {
	h.tb.Helper()
	at := h.place(p)
	for _, e := range h.emitted {
		for _, seal := range e.seals {
			if seal.Path == at || seal.Path == "" && e.path == at {
				return false
			}
		}
	}
	for _, s := range h.packages {
		if _, ok := s.sidecars[at]; ok {
			return false
		}
	}
	return at != ""
}

// checkMixing serves one index file of another generation.
func checkMixing(tb testing.TB, s Subject) {
	h := s.filled(tb)
	earlier, had := h.Indexes(), h.Packages()
	gone := slices.Sorted(maps.Keys(had))[0]
	if err := h.Delete(gone); err != nil {
		tb.Fatalf("%s cannot be deleted: %v", gone, err)
	}
	if err := h.putAll([]Upload{s.another(tb)}); err != nil {
		tb.Fatalf("another package is refused: %v", err)
	}
	for p, data := range earlier {
		got, err := s.run(tb, h.replacing(map[string][]byte{p: data}), h.Trusted())
		if err != nil {
			continue
		}
		for q, sum := range got {
			if had[q] != sum && h.Packages()[q] != sum {
				tb.Fatalf("with %s of an earlier generation, a client accepts %s, which was never published so", p, q)
			}
		}
	}
}
