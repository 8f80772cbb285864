package formattest

import (
	"reflect"
	"sync"
	"testing"

	"hallmark/formats/format"
)

// checkPurity calls Parse and Seal for several packages, one by one and at once, and looks at the results when all calls are
// over.
func checkPurity(tb testing.TB, s Subject) {
	h := NewHouse(tb, s.Format)
	site := h.site(h.Date)
	before := clone(reflect.ValueOf(site.Keys)).Interface()
	type call struct {
		op     format.Op
		body   []byte
		pkg    format.Package
		seals  []format.Seal
		copied any
	}
	var calls []call
	for _, u := range append(s.samples(tb), s.Extra...) {
		changes, err := h.changes(u)
		if err != nil {
			tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
		}
		for _, change := range changes {
			if change.op.Kind != format.Put {
				continue
			}
			c := call{op: change.op, body: change.body}
			if c.pkg, err = h.guard.Parse(c.op, NewBlob(c.body), nil); err != nil {
				tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
			}
			c.copied = clone(reflect.ValueOf(c.pkg)).Interface()
			sealing, err := h.guard.Seal(site, c.op, NewBlob(c.body))
			if err != nil {
				tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
			}
			c.seals = sealing.Seals
			calls = append(calls, c)
		}
	}
	for _, c := range calls {
		if !reflect.DeepEqual(c.pkg, c.copied) {
			h.guard.breach("what Parse has returned for %q changes when other packages are read", c.pkg.Path)
		}
	}
	s.fill(h)
	if !reflect.DeepEqual(site.Keys, before) {
		h.guard.breach("it changes the keys that it is shown")
	}
	// A guard ends the test, which only the test's own goroutine may do: these calls are without.
	var running sync.WaitGroup
	differs := make([]bool, len(calls))
	for i, c := range calls {
		running.Go(func() {
			for range 4 {
				p, err := s.Format.Parse(c.op, NewBlob(c.body), nil)
				sealing, errSeal := s.Format.Seal(site, c.op, NewBlob(c.body))
				differs[i] = differs[i] || err != nil || errSeal != nil || !reflect.DeepEqual(p, c.copied) ||
					!reflect.DeepEqual(sealing.Seals, c.seals)
			}
		})
	}
	running.Wait()
	for i, c := range calls {
		if differs[i] {
			h.guard.breach("the package %q is another when several are read at the same time", c.pkg.Path)
		}
	}
}

// clone returns a copy that shares no slice with v. Functions and what is behind interfaces are not copied.
func clone(v reflect.Value) reflect.Value {
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			to.Field(i).Set(clone(v.Field(i)))
		}
	case reflect.Slice:
		if v.IsNil() {
			return to
		}
		to.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			to.Index(i).Set(clone(v.Index(i)))
		}
	}
	return to
}
