package formattest

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"hallmark/formats/format"
)

func checkLife(tb testing.TB, s Subject) {
	h := NewHouse(tb, s.Format)
	for _, u := range s.samples(tb) {
		known := h.Packages()
		if err := h.putAll([]Upload{u}); err != nil {
			tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
		}
		index := h.Indexes()
		added := slices.DeleteFunc(slices.Collect(maps.Keys(h.Packages())), func(p string) bool { _, was := known[p]; return was })
		if len(added) != 1 {
			tb.Fatalf("the upload of %s adds the packages %q, want one", u.Path, added)
		}
		if err := h.putAll([]Upload{u}); err != nil || !equalFiles(index, h.Indexes()) {
			tb.Fatalf("the second upload of %s changes the index, or is refused: %v", u.Path, err)
		}
		if s.Opaque {
			other := Upload{Method: u.Method, Path: u.Path, Type: u.Type, Body: append(bytes.Clone(u.Body), '!')}
			checkOther(h, other)
		}
	}
	checkSlots(tb, s)
	checkDelete(h)
}

// checkOther uploads other bytes for a path that is taken.
func checkOther(h *House, u Upload) {
	h.tb.Helper()
	staged, err := h.stageUpload(u)
	if err != nil {
		h.tb.Fatalf("other bytes for %s are refused as %v, though the format takes any", u.Path, err)
	}
	if err := h.putAll([]Upload{u}); (err == nil) != staged.pkg.Overwrites || err != nil && !errors.Is(err, ErrConflict) {
		h.tb.Fatalf("other bytes for %s get %v, though the package says that it overwrites: %t", u.Path, err, staged.pkg.Overwrites)
	}
}

// checkDelete deletes each package at the path at which it is served.
func checkDelete(h *House) {
	h.tb.Helper()
	for _, s := range slices.Clone(h.packages) {
		p := s.pkg.Path
		if err := h.Delete(p); err != nil {
			h.tb.Fatalf("the package cannot be deleted at its path %q: %v", p, err)
		}
		for _, gone := range append(slices.Collect(maps.Keys(s.sidecars)), p) {
			if _, err := h.Fetch(gone); !errors.Is(err, fs.ErrNotExist) {
				h.tb.Fatalf("after the package is deleted, %q gets %v", gone, err)
			}
		}
		if err := h.Delete(p); !errors.Is(err, fs.ErrNotExist) {
			h.tb.Fatalf("deleting %q twice gets %v", p, err)
		}
	}
}

func checkIndexPaths(tb testing.TB, s Subject) {
	h := s.filled(tb)
	before := h.Indexes()
	targets := maps.Clone(before)
	for _, stored := range h.packages {
		for p, data := range stored.sidecars {
			if p != stored.pkg.Path+".asc" && p != stored.pkg.Path+".sigstore.json" { // which are the house's to refuse
				targets[p] = data
			}
		}
	}
	for p, data := range targets {
		for _, method := range []string{"PUT", "POST"} {
			for _, body := range [][]byte{data, s.another(tb).Body} {
				u := Upload{Method: method, Path: p, Body: body}
				if op, err := h.guard.Route(u.request()); err == nil && (op.Kind == format.Ignore || op.Kind == format.Check) {
					continue // it is taken, and changes nothing
				}
				if h.onlyMarks(u) {
					continue // what is made here stays what it is
				}
				if err := h.putAll([]Upload{u}); !isRefusal(err) {
					h.guard.breach("a %s to %q, which is made here, gets %v", method, p, err)
				}
			}
		}
		if h.onlyMarks(Upload{Method: "DELETE", Path: p}) {
			continue
		}
		if err := h.Delete(p); !isRefusal(err) && !errors.Is(err, fs.ErrNotExist) {
			h.guard.breach("a DELETE of %q, which is made here, gets %v", p, err)
		}
	}
	if !equalFiles(before, h.Indexes()) {
		h.guard.breach("what was refused has changed the index")
	}
}

func isRefusal(err error) bool {
	return errors.Is(err, format.ErrMalformed) || errors.Is(err, format.ErrNotAllowed)
}

func equalFiles(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }
