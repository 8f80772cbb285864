package formattest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
)

func checkDeterminism(tb testing.TB, s Subject) {
	h := s.filled(tb)
	for _, name := range slices.Sorted(maps.Keys(h.shards)) {
		first := h.render(h.shards[name])
		for range 8 {
			again := h.render(h.shards[name])
			if difference := compareEmissions(first, again, false); difference != "" {
				h.guard.breach("the index of the shard %q is not the same each time: %s", name, difference)
			}
		}
	}
}

func checkRebuilding(tb testing.TB, s Subject) {
	one := s.filled(tb)
	if difference := compareEmissions(one.emitted, one.rebuilt().emitted, false); difference != "" {
		one.guard.breach("an index that was made one by one and one that was rebuilt differ: %s", difference)
	}
	bulk := NewHouse(tb, s.Format)
	bulk.remember(one)
	if err := bulk.putAll(append(s.samples(tb), s.Extra...)); err != nil {
		tb.Fatalf("uploads that are taken one by one are refused at once: %v", err)
	}
	if difference := compareEmissions(one.emitted, bulk.emitted, false); difference != "" {
		one.guard.breach("an index that was made one by one and one that was made at once differ: %s", difference)
	}
}

func checkRemoving(tb testing.TB, s Subject) {
	h := s.filled(tb)
	before := h.emitted
	u := s.another(tb)
	known := h.Packages()
	if err := h.putAll([]Upload{u}); err != nil {
		tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
	}
	if compareEmissions(before, h.emitted, true) == "" {
		h.guard.breach("the index does not change when %s is added", u.Path)
	}
	for p := range h.Packages() {
		if _, was := known[p]; was {
			continue
		}
		if err := h.Delete(p); err != nil {
			tb.Fatalf("%s cannot be deleted: %v", p, err)
		}
	}
	if difference := compareEmissions(before, h.emitted, true); difference != "" {
		h.guard.breach("after adding and removing %s the index is another: %s", u.Path, difference)
	}
}

// compareEmissions returns a difference of two indexes, or "". The order of their files is none. Files that last may be
// left out.
func compareEmissions(a, b []emission, skipLasting bool) string {
	files := func(all []emission) map[string][]byte {
		m := map[string][]byte{}
		for _, e := range all {
			if !e.lasting || !skipLasting {
				maps.Copy(m, e.files())
			}
		}
		return m
	}
	x, y := files(a), files(b)
	for _, p := range slices.Sorted(maps.Keys(x)) {
		other, ok := y[p]
		if !ok {
			return fmt.Sprintf("one has no %s", p)
		}
		if !bytes.Equal(x[p], other) {
			return fmt.Sprintf("%s is\n%.2000q\nor\n%.2000q", p, x[p], other)
		}
	}
	for p := range y {
		if _, ok := x[p]; !ok {
			return fmt.Sprintf("one has no %s", p)
		}
	}
	return ""
}
