package arch_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/formattest"

	"github.com/google/go-cmp/cmp"
)

func TestADatabaseListsANameOnce(t *testing.T) {
	const (
		x86   = "x86_64/hello-1.0-1-x86_64.pkg.tar.zst"
		arm   = "aarch64/hello-1.0-1-aarch64.pkg.tar.zst"
		all   = "any/hello-1.0-1-any.pkg.tar.zst"
		newer = "x86_64/hello-1.1-1-x86_64.pkg.tar.zst"
	)
	type upload struct {
		folder string
		pkg    pkg
	}
	x86Pkg, armPkg, allPkg := upload{pkg: pkg{}}, upload{pkg: pkg{arch: "aarch64"}}, upload{pkg: pkg{arch: "any"}}
	for _, tt := range []struct {
		name   string
		before []upload
		last   upload
		want   []string // nil: the last is a conflict
	}{
		{"two architectures have a version each", []upload{x86Pkg}, armPkg, []string{arm, x86}},
		{"a newer version takes the place of the older", []upload{x86Pkg}, upload{pkg: pkg{version: "1.1-1"}}, []string{newer}},
		{"an older version is refused", []upload{x86Pkg}, upload{pkg: pkg{version: "0.9-1"}}, nil},
		{"the same version in another compression is refused", []upload{x86Pkg}, upload{pkg: pkg{extension: "xz"}}, nil},
		{"a newer version in another compression takes the place of the older", []upload{x86Pkg},
			upload{pkg: pkg{version: "1.1-1", extension: "gz"}}, []string{"x86_64/hello-1.1-1-x86_64.pkg.tar.gz"}},
		{"a package that moves to all architectures takes the places of each", []upload{x86Pkg, armPkg},
			upload{pkg: pkg{arch: "any", version: "1.1-1"}}, []string{"any/hello-1.1-1-any.pkg.tar.zst"}},
		{"the same version for all architectures is refused", []upload{x86Pkg}, allPkg, nil},
		{"the same version for one architecture is refused", []upload{allPkg}, x86Pkg, nil},
		{"a package that moves to one architecture takes the place of that for all", []upload{allPkg},
			upload{pkg: pkg{version: "1.1-1"}}, []string{newer}},
		{"another folder has another database", []upload{x86Pkg}, upload{"testing", pkg{arch: "any"}}, []string{"testing/" + all, x86}},
		{"another name is another package", []upload{x86Pkg}, upload{pkg: pkg{name: "hello2", arch: "any"}},
			[]string{"any/hello2-1.0-1-any.pkg.tar.zst", x86}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := formattest.NewHouse(t, open(t, arch.Defaults()))
			put := func(u upload) error {
				folder := u.folder
				if folder != "" {
					folder += "/"
				}
				return h.Put(folder, u.pkg.build(t))
			}
			for _, u := range tt.before {
				if err := put(u); err != nil {
					t.Fatal(err)
				}
			}
			want := tt.want
			if want == nil {
				want = slices.Sorted(maps.Keys(h.Packages()))
			}
			if err := put(tt.last); tt.want == nil && !errors.Is(err, formattest.ErrConflict) || tt.want != nil && err != nil {
				t.Errorf("the last upload gets %v", err)
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(h.Packages()))); diff != "" {
				t.Error(diff)
			}
			for _, database := range []string{"x86_64/conformance.test.db", "aarch64/conformance.test.db"} {
				packages, err := readDatabase(h.Indexes()[database], "desc")
				if err != nil {
					t.Fatal(err)
				}
				names := map[string]bool{}
				for folder, p := range packages {
					if names[p["NAME"][0]] {
						t.Errorf("%s lists %s, and the name once more", database, folder)
					}
					names[p["NAME"][0]] = true
				}
			}
		})
	}
}
