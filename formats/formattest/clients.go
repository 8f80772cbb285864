package formattest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"hallmark/formats/format"
)

// found is what a client in miniature returns.
type found = map[string][sha256.Size]byte

// run runs the client. It must not panic on what it is served.
func (s Subject) run(tb testing.TB, fetch func(string) ([]byte, error), t Trusted) (got found, err error) {
	tb.Helper()
	defer func() {
		if r := recover(); r != nil {
			tb.Fatalf("the client in miniature panics: %v", r)
		}
	}()
	return s.Client(Repository{Fetch: fetch, Trusted: t})
}

func checkClient(tb testing.TB, s Subject) {
	h := s.filled(tb)
	for _, sets := range [][]int{{older}, {older, newer}, {newer}} {
		alone := false
		fetch := func(p string) ([]byte, error) {
			tb.Helper()
			data, err := h.Fetch(p)
			alone = alone || err == nil && h.signedAlone(p)
			return data, err
		}
		got, err := s.run(tb, fetch, h.trusted(sets...))
		if lacks := !slices.Contains(sets, older); lacks && alone && errors.Is(err, ErrSignature) {
			continue
		}
		if err != nil {
			tb.Fatalf("a client that trusts the key sets %d gets: %v", sets, err)
		}
		if difference := compareFound(s.sought(h.Packages()), got); difference != "" {
			tb.Fatalf("a client that trusts the key sets %d does not find what there is: %s", sets, difference)
		}
	}
	for p := range h.Packages() {
		if err := h.Delete(p); err != nil {
			tb.Fatalf("%s cannot be deleted: %v", p, err)
		}
	}
	got, err := s.run(tb, h.Fetch, h.Trusted())
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(got) > 0 {
		tb.Fatalf("in an emptied repository a client finds %d packages and gets: %v", len(got), err)
	}
}

// signedAlone reports whether what a GET gets is a signature by the oldest key alone, or a file with one in it. Of a package
// with such a seal it says so in any case, since an index may hold the signature.
func (h *House) signedAlone(p string) bool {
	h.tb.Helper()
	at := h.place(p)
	for _, e := range h.emitted {
		for _, seal := range e.seals {
			if seal.Single && (seal.Path == at || seal.Path == "" && e.path == at) {
				return true
			}
		}
	}
	return slices.ContainsFunc(h.packages, func(s *stored) bool { return s.pkg.Path == at && hasSingle(s.seals) })
}

func hasSingle(seals []format.Seal) bool {
	return slices.ContainsFunc(seals, func(s format.Seal) bool { return s.Single })
}

// sought returns those of some packages that a client comes to.
func (s Subject) sought(all found) found {
	if s.Aside != nil {
		maps.DeleteFunc(all, func(p string, _ [sha256.Size]byte) bool { return s.Aside(p) })
	}
	return all
}

func compareFound(want, got found) string {
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if sum, ok := got[p]; !ok {
			return fmt.Sprintf("%s is missing", p)
		} else if sum != want[p] {
			return fmt.Sprintf("%s has other bytes", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[p]; !ok {
			return fmt.Sprintf("%s should not be there", p)
		}
	}
	return ""
}

func checkUntrusted(tb testing.TB, s Subject) {
	h := s.filled(tb)
	other := newHouse(tb, s.Format, foreign)
	unsigned := NewHouse(tb, s.Format)
	unsigned.silent = true
	s.fill(unsigned)
	for _, tt := range []struct {
		name    string
		fetch   func(string) ([]byte, error)
		trusted Trusted
	}{
		{"with the keys of another house", h.Fetch, other.trusted(foreign)},
		{"without any key", h.Fetch, h.trusted()},
		{"without signatures", unsigned.replacing(unsigned.stripped()), unsigned.Trusted()},
	} {
		if got, err := s.run(tb, tt.fetch, tt.trusted); err == nil {
			tb.Fatalf("%s, a client accepts the repository and finds %d packages", tt.name, len(got))
		}
	}
}
