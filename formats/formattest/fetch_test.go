package formattest

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"hallmark/formats/format"
)

// A package for all architectures can be fetched at the path of each.
func TestWhatReplacesAFileIsFoundByEachOfItsPaths(t *testing.T) {
	f := &tiny{route: func(r format.Request) (format.Op, error) {
		op, err := routeTiny(r)
		if name, ok := strings.CutPrefix(r.Path, "two/"); ok && op.Kind == format.Get {
			op.Paths = append(op.Paths, "any/"+name)
		}
		return op, err
	}}
	h := NewHouse(t, f)
	const asked, own = "two/a_1.0.tiny", "any/a_1.0.tiny"
	if err := h.Put(own, []byte("TINY a 1.0 any 0\n")); err != nil {
		t.Fatal(err)
	}
	served, err := h.Fetch(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		instead map[string][]byte
		asked   string
		want    string // "": there is nothing
	}{
		{"nothing is replaced", nil, asked, string(served)},
		{"its own path", map[string][]byte{own: []byte("x")}, asked, "x"},
		{"its own path, which is asked for", map[string][]byte{own: []byte("x")}, own, "x"},
		{"the path that is asked for", map[string][]byte{asked: []byte("x")}, asked, "x"},
		{"another path than is asked for", map[string][]byte{asked: []byte("x")}, own, string(served)},
		{"both paths", map[string][]byte{asked: []byte("x"), own: []byte("y")}, asked, "x"},
		{"there is nothing at its own path", map[string][]byte{own: nil}, asked, ""},
		{"there is nothing at the path that is asked for, where there never was", map[string][]byte{asked: nil}, asked, string(served)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := h.replacing(tt.instead)(tt.asked)
			if tt.want == "" && !errors.Is(err, fs.ErrNotExist) || tt.want != "" && (err != nil || string(got) != tt.want) {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	s := Subject{Uncovered: func([]byte) []format.Section { return []format.Section{{Offset: 3, Size: 2}} }}
	for _, p := range []string{asked, own} {
		for offset, want := range map[int64]bool{2: false, 3: true, 4: true, 5: false} {
			if got := h.uncovered(s, p, offset); got != want {
				t.Errorf("the byte %d of %s is uncovered: %t, want %t", offset, p, got, want)
			}
		}
		if !h.covered(p) {
			t.Errorf("%s, which holds no signature of the index, is said not to be covered", p)
		}
		if h.covered(p + ".asc") {
			t.Errorf("%s.asc is said to be covered", p)
		}
	}
	if h.uncovered(s, "two/b_1.0.tiny", 3) || h.covered("two/b_1.0.tiny") {
		t.Error("what is not there is said to be covered, or not to be")
	}
}
