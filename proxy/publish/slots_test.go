package publish_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/publish"
)

// slotted is raw with files named NAME-VERSION.VARIANT: one version of a name is kept, and "any" excludes all others.
type slotted struct{ format.Format }

func (s slotted) Spec() format.Spec {
	spec := s.Format.Spec()
	spec.Compare = func(a, b string) int { return cmp.Compare(a, b) }
	return spec
}

func (s slotted) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	p, err := s.Format.Parse(op, b, sigs)
	name, rest, _ := strings.Cut(op.Name, "-")
	version, variant, _ := strings.Cut(rest, ".")
	p.Slot, p.Version, p.Variant = name, version, strings.TrimPrefix(variant, "any")
	return p, err
}

func (h *house) listed() string {
	var names []string
	for line := range strings.Lines(h.get("SHA256SUMS")) {
		names = append(names, strings.Fields(line)[1])
	}
	return strings.Join(names, " ")
}

func TestASlotKeepsTheNewest(t *testing.T) {
	for _, c := range []struct {
		name   string
		puts   string // one after the other; a ! before one that is a conflict
		listed string
	}{
		{"a newer one evicts", "foo-1.x foo-2.x", "foo-2.x"},
		{"an older one is a conflict", "foo-2.x !foo-1.x", "foo-2.x"},
		{"other variants are beside each other", "foo-1.x foo-2.y", "foo-1.x foo-2.y"},
		{"one for all evicts every variant", "foo-1.x foo-1.y foo-2.any", "foo-2.any"},
		{"one for all is evicted by a newer variant", "foo-1.any foo-2.x", "foo-2.x"},
		{"one for all excludes an equal variant", "foo-1.any !foo-1.x", "foo-1.any"},
		{"a variant excludes an equal one for all", "foo-1.x !foo-1.any", "foo-1.x"},
		{"other names do not care", "foo-2.x bar-1.x", "foo-2.x bar-1.x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, slotted{rawFormat(t, raw.Defaults())})
			for name := range strings.FieldsSeq(c.puts) {
				name, refused := strings.CutPrefix(name, "!")
				if _, err := h.put(name, name); errors.Is(err, publish.ErrConflict) != refused || err != nil && !refused {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := h.listed(); got != c.listed {
				t.Errorf("listed are %q, want %q", got, c.listed)
			}
			h.mustVerify()
		})
	}
}

// Clients that are in the middle of an update still find what was evicted, and its signature.
func TestWhatWasEvictedStaysReadableForAWhile(t *testing.T) {
	h := newHouse(t, slotted{rawFormat(t, raw.Defaults())})
	h.mustPut("foo-1.x", "old")
	h.mustPut("foo-2.x", "new")
	if h.get("foo-1.x") != "old" {
		t.Error("it is gone at once")
	}
	h.signed("foo-1.x")
	if err := h.delete("foo-2.x"); err != nil {
		t.Fatal(err)
	}
	if h.get("foo-2.x") != "" {
		t.Error("what was deleted is still there")
	}
}

func TestRivalsAtTheSameTime(t *testing.T) {
	h := newHouse(t, slotted{rawFormat(t, raw.Defaults())})
	var uploads sync.WaitGroup
	for i := range 30 {
		uploads.Go(func() {
			if _, err := h.put(fmt.Sprintf("foo-%02d.x", i), "x"); err != nil && !errors.Is(err, publish.ErrConflict) {
				t.Error(err)
			}
		})
	}
	uploads.Wait()
	if got := h.listed(); got != "foo-29.x" {
		t.Errorf("listed are %q", got)
	}
	h.mustVerify()
}

// sets is raw with files that wait: those of a folder, until a file "set" names them, a line each.
type sets struct{ format.Format }

func (s sets) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	p, err := s.Format.Parse(op, b, sigs)
	p.Set = op.Dir
	if op.Name != "set" {
		p.Waits = true
		return p, err
	}
	text := make([]byte, b.Size())
	b.ReadAt(text, 0)
	for line := range strings.Lines(string(text)) {
		var sum []byte
		var name string
		if _, err := fmt.Sscanf(line, "%x %s", &sum, &name); err != nil {
			return p, format.Malformedf("bad line %q", line)
		}
		p.Parts = append(p.Parts, format.Part{Name: name, Path: op.Dir + "/" + name, SHA256: sum})
	}
	return p, err
}

func TestASetBecomesVisibleAtOnce(t *testing.T) {
	h := newHouse(t, sets{rawFormat(t, raw.Defaults())})
	if r := h.mustPut("a/one", "1"); !r.Waits {
		t.Errorf("the first of a set: %+v", r)
	}
	h.mustPut("a/two", "wrong")
	h.mustPut("a/two", "2")
	h.mustPut("b/one", "of another set")
	whole := sum("1", "one") + sum("2", "two")
	for _, path := range []string{"a/one", "a/two", "a/one.asc", "a/SHA256SUMS"} {
		if h.get(path) != "" {
			t.Errorf("%s is visible before the set is complete", path)
		}
	}
	for what, list := range map[string]string{
		"a set that lacks a file":       whole + sum("3", "three"),
		"a set with other bytes":        sum("1", "one") + sum("wrong", "two"),
		"a set that is nothing at all":  "?",
		"a file of another set's bytes": sum("of another set", "one"),
	} {
		if _, err := h.put("a/set", list); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.restart()
	before := h.generation()
	if r := h.mustPut("a/set", whole); r.Same || r.Waits {
		t.Errorf("the last of the set: %+v", r)
	}
	if h.generation() != before+1 {
		t.Errorf("%d generations for a set", h.generation()-before)
	}
	for _, path := range []string{"a/one", "a/two", "a/set"} {
		h.signed(path)
	}
	if got := strings.Count(h.get("a/SHA256SUMS"), "\n"); got != 3 {
		t.Errorf("%d files are listed", got)
	}
	h.mustVerify()
	if r := h.mustPut("a/set", whole); !r.Same {
		t.Errorf("the same again: %+v", r)
	}
	waiting := 0
	for _, err := range h.repo.Waiting(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		waiting++
	}
	if waiting != 1 {
		t.Errorf("%d files wait, want that of the other set", waiting)
	}
}

func TestAFileDoesNotWaitForEver(t *testing.T) {
	h := newHouse(t, sets{rawFormat(t, raw.Defaults())})
	h.mustPut("a/one", "1")
	count := func() (n int) {
		for range h.repo.Waiting(t.Context()) {
			n++
		}
		return n
	}
	h.now = h.now.Add(23 * 60 * 60 * 1e9)
	if err := h.repo.Expire(t.Context()); err != nil || count() != 1 {
		t.Errorf("after 23 hours %d wait, %v", count(), err)
	}
	h.now = h.now.Add(2 * 60 * 60 * 1e9)
	if err := h.repo.Expire(t.Context()); err != nil || count() != 0 {
		t.Errorf("after 25 hours %d wait, %v", count(), err)
	}
}
