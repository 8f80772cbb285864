package formattest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"hallmark/formats/format"
)

func checkSealing(tb testing.TB, s Subject) {
	h := NewHouse(tb, s.Format)
	for _, u := range append(s.samples(tb), s.Extra...) {
		if op, err := h.guard.Route(u.request()); err == nil && op.Kind != format.Put {
			continue // what it wraps up is a package like the others
		}
		once, err := h.stageUpload(u)
		if err != nil {
			tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
		}
		again, err := h.stageUpload(u)
		if err != nil || !bytes.Equal(once.data, again.data) || !reflect.DeepEqual(once.pkg, again.pkg) {
			h.guard.breach("the same upload of %s gives another package the second time (%v)", u.Path, err)
		}
		twice, err := h.stageUpload(Upload{Method: u.Method, Path: u.Path, Type: u.Type, Body: once.data})
		if err != nil {
			h.guard.breach("%s is refused when it comes back as it was served: %v", u.Path, err)
		}
		if !bytes.Equal(once.data, twice.data) {
			h.guard.breach("%s changes when it comes back as it was served and is sealed again", u.Path)
		}
		checkSealedElsewhere(h, s, u)
	}
}

// checkSealedElsewhere uploads a package that others have signed, or we with the keys of an earlier time.
func checkSealedElsewhere(h *House, s Subject, u Upload) {
	h.tb.Helper()
	own, err := h.stageUpload(u)
	if err != nil {
		h.tb.Fatal(err)
	}
	for _, set := range []int{older, foreign} {
		other, err := newHouse(h.tb, s.Format, set).stageUpload(u)
		if err != nil {
			h.tb.Fatalf("the upload of %s is refused where there is one key: %v", u.Path, err)
		}
		resealed, err := h.stageUpload(Upload{Method: u.Method, Path: u.Path, Type: u.Type, Body: other.data})
		if err != nil {
			h.guard.breach("%s is refused when others have signed it: %v", u.Path, err)
		}
		if a, b := identity(own.pkg), identity(resealed.pkg); a != b {
			h.guard.breach("a package that others have signed has another identity: %s, not %s", b, a)
		}
	}
}

func checkPackageSignatures(tb testing.TB, s Subject) {
	h := s.filled(tb)
	for _, of := range h.packages {
		if len(of.sigs) == 0 || !of.carries() {
			continue
		}
		if s.Verify == nil {
			tb.Fatal("packages are sealed, and the subject has no Verify to see whether the signatures hold")
		}
		h.checkVerify(s, of)
	}
	// With two keys, a signature by one would still stand when that by the other is broken.
	single := newHouse(tb, s.Format, older)
	s.fill(single)
	for _, of := range single.packages {
		if len(of.sigs) > 0 && of.carries() {
			single.checkFlips(s, of)
		}
	}
}

// carries reports whether the signatures of a package are in it or beside it. Others are in the index.
func (s *stored) carries() bool {
	return slices.ContainsFunc(s.seals, func(seal format.Seal) bool { return seal.Path != "" || seal.Text == nil }) ||
		!bytes.Equal(s.data, s.uploaded)
}

// checkVerify verifies the signature of a package, by the right keys and by others.
func (h *House) checkVerify(s Subject, of *stored) {
	h.tb.Helper()
	verify := func(fetch func(string) ([]byte, error), t Trusted) error {
		return s.Verify(Repository{Fetch: fetch, Trusted: t}, of.pkg.Path)
	}
	for _, sets := range [][]int{{older}, {older, newer}, {newer}} {
		err := verify(h.Fetch, h.trusted(sets...))
		if lacks := !slices.Contains(sets, older); lacks && hasSingle(of.seals) && errors.Is(err, ErrSignature) {
			continue
		}
		if err != nil {
			h.tb.Fatalf("the signature of %s does not verify with the key sets %d: %v", of.pkg.Path, sets, err)
		}
	}
	if err := verify(h.Fetch, newHouse(h.tb, s.Format, foreign).trusted(foreign)); err == nil {
		h.tb.Fatalf("the signature of %s verifies with the key of somebody else", of.pkg.Path)
	}
	if err := verify(h.Fetch, h.trusted()); err == nil {
		h.tb.Fatalf("the signature of %s verifies without any key", of.pkg.Path)
	}
	unsigned := map[string][]byte{of.pkg.Path: of.uploaded}
	for p := range of.sidecars {
		unsigned[p] = nil
	}
	if err := verify(h.replacing(unsigned), h.Trusted()); err == nil {
		h.tb.Fatalf("%s verifies without its signature", of.pkg.Path)
	}
}

// checkFlips verifies the signature of copies of a package with one flipped bit. Some bits need not be signed, such as the
// padding of a header, but most are.
func (h *House) checkFlips(s Subject, of *stored) {
	h.tb.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	refused := 0
	const flips = 24
	for range flips {
		fetch := h.replacing(map[string][]byte{of.pkg.Path: flipped(of.data, rnd.IntN(8*len(of.data)))})
		if s.Verify(Repository{Fetch: fetch, Trusted: h.Trusted()}, of.pkg.Path) != nil {
			refused++
		}
	}
	if refused < flips/2 {
		h.tb.Fatalf("of %d copies of %s with a flipped bit, %d verify", flips, of.pkg.Path, flips-refused)
	}
}
