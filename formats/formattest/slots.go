package formattest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"hallmark/formats/format"
)

// add makes one package visible, in place of those that it evicts.
func (h *House) add(s *stored, touched map[string]bool) error {
	var old *stored
	if i := slices.IndexFunc(h.packages, func(other *stored) bool { return other.pkg.Path == s.pkg.Path }); i >= 0 {
		old = h.packages[i]
	}
	switch {
	case old == nil:
	case bytes.Equal(old.uploaded, s.uploaded):
		return nil
	case !s.pkg.Overwrites:
		return fmt.Errorf("%s is there with other bytes: %w", s.pkg.Path, ErrConflict)
	}
	rivals := slices.DeleteFunc(slices.Clone(h.packages), func(other *stored) bool { return !excludes(s.pkg, other.pkg) })
	for _, rival := range rivals {
		if !h.evicts(s.pkg, rival.pkg) {
			return fmt.Errorf("%s cannot be beside %s and is not newer: %w", s.pkg.Path, rival.pkg.Path, ErrConflict)
		}
	}
	for _, rival := range rivals {
		h.remove(rival, touched)
	}
	if old != nil {
		h.packages[slices.Index(h.packages, old)] = s
	} else {
		h.packages = append(h.packages, s)
	}
	h.yield()
	h.exchange(old, s, touched)
	return nil
}

// yield takes our signatures away where an author's own stands.
func (h *House) yield() {
	for _, author := range h.packages {
		if !author.op.Author {
			continue
		}
		for _, s := range h.packages {
			delete(s.sidecars, author.pkg.Path)
		}
	}
}

// excludes reports whether two packages of different paths cannot be there at one time.
func excludes(a, b format.Package) bool {
	return a.Slot != "" && a.Slot == b.Slot && a.Path != b.Path && (a.Variant == b.Variant || a.Variant == "" || b.Variant == "")
}

// evicts reports whether a package takes the place of one that it excludes.
func (h *House) evicts(p, old format.Package) (newer bool) {
	h.tb.Helper()
	if h.guard.spec.Compare == nil {
		return false
	}
	h.guard.calling("Compare", func() { newer = h.guard.spec.Compare(p.Version, old.Version) > 0 })
	return newer
}

// checkSlots uploads two packages of one name, for each two of its versions and architectures.
func checkSlots(tb testing.TB, s Subject) {
	tb.Helper()
	h := s.filled(tb)
	var all []*stored
	for _, version := range s.Versions[:2] {
		for _, arch := range s.Archs {
			u := s.Upload(tb, sampleName(25), version, arch)
			staged, err := h.stageUpload(u)
			if err != nil {
				tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
			}
			all = append(all, staged)
		}
	}
	for i, first := range all {
		for j, second := range all {
			if i != j {
				h.checkPair(s, first, second)
			}
		}
	}
}

// checkPair publishes two packages, one after the other, and removes them. After that a client must find what there is: if
// one address stood for both of them, it would not.
func (h *House) checkPair(s Subject, first, second *stored) {
	h.tb.Helper()
	commit := func(change func(touched map[string]bool) error) error {
		h.tb.Helper()
		touched := map[string]bool{}
		err := change(touched)
		h.publish(touched)
		return err
	}
	before := h.Packages()
	if err := commit(func(touched map[string]bool) error { return h.admit(first, touched) }); err != nil {
		h.tb.Fatalf("%s is refused: %v", first.pkg.Path, err)
	}
	want := h.Packages()
	excluded := excludes(first.pkg, second.pkg)
	conflict := excluded && !h.evicts(second.pkg, first.pkg)
	if !conflict {
		want[second.pkg.Path] = sha256.Sum256(second.data)
	}
	if excluded && !conflict {
		delete(want, first.pkg.Path)
	}
	err := commit(func(touched map[string]bool) error { return h.admit(second, touched) })
	if conflict != errors.Is(err, ErrConflict) || !conflict && err != nil {
		h.tb.Fatalf("%s after %s gets %v; a conflict: %t", second.pkg.Path, first.pkg.Path, err, conflict)
	}
	if difference := compareFound(want, h.Packages()); difference != "" {
		h.tb.Fatalf("after %s and %s, %s", first.pkg.Path, second.pkg.Path, difference)
	}
	got, err := s.run(h.tb, h.Fetch, h.Trusted())
	if err != nil {
		h.tb.Fatalf("after %s and %s, a client gets: %v", first.pkg.Path, second.pkg.Path, err)
	}
	if difference := compareFound(s.sought(want), got); difference != "" {
		h.tb.Fatalf("after %s and %s, a client does not find what there is: %s", first.pkg.Path, second.pkg.Path, difference)
	}
	_ = commit(func(touched map[string]bool) error {
		for _, s := range []*stored{first, second} {
			if slices.Contains(h.packages, s) {
				h.remove(s, touched)
			}
		}
		return nil
	})
	if difference := compareFound(before, h.Packages()); difference != "" {
		h.tb.Fatalf("after %s and %s are removed, %s", first.pkg.Path, second.pkg.Path, difference)
	}
}
