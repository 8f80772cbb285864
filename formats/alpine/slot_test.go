package alpine_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/formattest"

	"github.com/google/go-cmp/cmp"
)

// apk asks for x86_64/hello-1.0-r0.apk whether that is for all architectures or not.
func TestAnAddressStandsForOnePackage(t *testing.T) {
	const (
		x86 = "x86_64/hello-1.0-r0.apk"
		arm = "aarch64/hello-1.0-r0.apk"
		all = "noarch/hello-1.0-r0.apk"
	)
	for _, tt := range []struct {
		name   string
		before []apk
		folder string
		last   apk
		want   []string // nil: the last is a conflict
	}{
		{"two architectures have the version", []apk{{}}, "", apk{arch: "aarch64"}, []string{arm, x86}},
		{"the version for all architectures is refused beside that for one", []apk{{}}, "", apk{arch: "noarch"}, nil},
		{"the version for all architectures is refused beside those for two", []apk{{}, {arch: "aarch64"}}, "", apk{arch: "noarch"}, nil},
		{"the version for one architecture is refused beside that for all", []apk{{arch: "noarch"}}, "", apk{}, nil},
		{"versions are there side by side", []apk{{}}, "", apk{version: "1.1-r0"}, []string{x86, "x86_64/hello-1.1-r0.apk"}},
		{"an older version is there, too", []apk{{version: "1.1-r0"}}, "", apk{}, []string{x86, "x86_64/hello-1.1-r0.apk"}},
		{"another version for all architectures is there, too", []apk{{}}, "", apk{version: "1.1-r0", arch: "noarch"},
			[]string{"noarch/hello-1.1-r0.apk", x86}},
		{"another folder has addresses of its own", []apk{{}}, "edge/", apk{arch: "noarch"}, []string{"edge/" + all, x86}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := formattest.NewHouse(t, open(t, alpine.Defaults()))
			for _, a := range tt.before {
				if err := h.Put("", a.build(t)); err != nil {
					t.Fatal(err)
				}
			}
			want := tt.want
			if want == nil {
				want = slices.Sorted(maps.Keys(h.Packages()))
			}
			if err := h.Put(tt.folder, tt.last.build(t)); tt.want == nil && !errors.Is(err, formattest.ErrConflict) || tt.want != nil && err != nil {
				t.Errorf("the last upload gets %v", err)
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(h.Packages()))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
