package formattest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
)

func TestAPackageEvictsWhatCannotBeBesideIt(t *testing.T) {
	unordered := func(s format.Spec) format.Spec { s.Compare = nil; return s }
	slotless := func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
		p.Slot, p.Variant = "", ""
		return p, err
	}
	for _, tt := range []struct {
		name    string
		format  tiny
		uploads string // the last one is the one that matters
		want    string // "": a conflict
	}{
		{"a newer version takes the place of the older", tiny{}, "one/a_1.0 one/a_1.1", "one/a_1.1"},
		{"an older version is refused", tiny{}, "one/a_1.1 one/a_1.0", ""},
		{"another name is beside it", tiny{}, "one/a_1.0 one/b_1.0", "one/a_1.0 one/b_1.0"},
		{"another variant is beside it", tiny{}, "one/a_1.0 two/a_1.0", "one/a_1.0 two/a_1.0"},
		{"an older version of another variant is beside it", tiny{}, "one/a_1.1 two/a_1.0", "one/a_1.1 two/a_1.0"},
		{"a newer version for all takes the places of each", tiny{}, "one/a_1.0 two/a_1.1 any/a_1.2", "any/a_1.2"},
		{"the same version for all is refused", tiny{}, "one/a_1.0 any/a_1.0", ""},
		{"a version for all that is older than one of them is refused", tiny{}, "one/a_1.0 two/a_1.2 any/a_1.1", ""},
		{"a newer version for one takes the place of that for all", tiny{}, "any/a_1.0 one/a_1.1", "one/a_1.1"},
		{"the same version for one is refused beside that for all", tiny{}, "any/a_1.0 one/a_1.0", ""},
		{"without an order, a newer version is refused", tiny{spec: unordered}, "one/a_1.0 one/a_1.1", ""},
		{"without an order, a newer version for all is refused", tiny{spec: unordered}, "one/a_1.0 any/a_1.1", ""},
		{"without an order, another variant is beside it", tiny{spec: unordered}, "one/a_1.0 two/a_1.1", "one/a_1.0 two/a_1.1"},
		{"without a slot, all are beside each other", tiny{parse: slotless}, "one/a_1.0 any/a_1.0 one/a_1.1", "any/a_1.0 one/a_1.0 one/a_1.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHouse(t, &tt.format)
			uploads := strings.Fields(tt.uploads)
			put := func(place string) error {
				arch, file, _ := strings.Cut(place, "/")
				name, version, _ := strings.Cut(file, "_")
				return h.Put(place+".tiny", fmt.Appendf(nil, "TINY %s %s %s 0\n", name, version, arch))
			}
			last := len(uploads) - 1
			for _, place := range uploads[:last] {
				if err := put(place); err != nil {
					t.Fatal(err)
				}
			}
			wanted := strings.Fields(tt.want)
			err := put(uploads[last])
			if tt.want == "" {
				wanted = uploads[:last]
				if !errors.Is(err, ErrConflict) {
					t.Errorf("no conflict: %v", err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range slices.Sorted(maps.Keys(h.Packages())) {
				got = append(got, strings.TrimSuffix(p, ".tiny"))
			}
			if !slices.Equal(got, wanted) {
				t.Errorf("there are %q, want %q", got, wanted)
			}
		})
	}
}

func TestAFileThatIsReplacedIsNoRivalOfItsOwn(t *testing.T) {
	overwrites := &tiny{parse: func(_ format.Op, _ format.Blob, _ []format.Signature, p format.Package, err error) (format.Package, error) {
		p.Overwrites = true
		return p, err
	}}
	h := NewHouse(t, overwrites)
	for _, body := range []string{"TINY a 1.0 one 0\n", "TINY a 1.0 one 1\nx"} {
		if err := h.Put("one/a_1.0.tiny", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := h.Fetch("one/a_1.0.tiny")
	if err != nil || !strings.HasPrefix(string(data), "TINY a 1.0 one 1\nx") || len(h.Packages()) != 1 {
		t.Errorf("there are %d packages, and the one is %q: %v", len(h.Packages()), data, err)
	}
}
