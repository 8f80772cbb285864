package debian_test

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/signing/scheme"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A shard is a distribution whose listings have the size of their number, and a digest of its digit.
type shard struct {
	name    string
	groups  []format.Group
	entries map[string][][]byte
	asked   []format.Listing
	err     error
}

func (s *shard) Raise(string, string, []byte) error { return nil }

func (s *shard) Name() string           { return s.name }
func (s *shard) Groups() []format.Group { return s.groups }

func (s *shard) Entries(group string) ([][]byte, error) { return s.entries[group], nil }

func (s *shard) List(listings ...format.Listing) ([]format.Listed, error) {
	s.asked = listings
	listed := make([]format.Listed, len(listings))
	for i := range listings {
		listed[i].Files = map[format.Encoding]format.ListedFile{}
		for j, encoding := range []format.Encoding{format.Plain, format.Gzip} {
			sum := make([]byte, 32)
			sum[31] = byte(2*i + j)
			listed[i].Files[encoding] = format.ListedFile{Size: int64(2*i + j), Digests: map[crypto.Hash][]byte{crypto.SHA256: sum}}
		}
	}
	return listed, s.err
}

func index(t *testing.T, f *debian.Format, s *shard) map[string]format.File {
	t.Helper()
	files := map[string]format.File{}
	site := format.Site{Repository: "debian", Date: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}
	err := f.Index(site, s, func(f format.File) error {
		if _, ok := files[f.Path]; ok {
			t.Errorf("%s comes twice", f.Path)
		}
		files[f.Path] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestReleaseNamesEveryIndex(t *testing.T) {
	f := open(t, func(s *debian.Settings) {
		s.Origin, s.Label, s.ValidFor, s.Architectures = "Example", "An example", 7*24*time.Hour, []string{"arm64", "amd64", "arm64"}
	})
	s := &shard{name: "bookworm", groups: []format.Group{{Name: "contrib/i386"}, {Name: "main/all", Count: 1}, {Name: "main/amd64", Count: 2}, {Name: "main/source", Count: 1}}}
	files := index(t, f, s)
	var want strings.Builder
	want.WriteString(`Origin: Example
Label: An example
Suite: bookworm
Codename: bookworm
Date: Tue, 03 Feb 2026 04:05:06 UTC
Valid-Until: Tue, 10 Feb 2026 04:05:06 UTC
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
Architectures: all amd64 arm64 i386
Components: contrib main
SHA256:
`)
	names := []string{"contrib/binary-all/Packages", "contrib/binary-amd64/Packages", "contrib/binary-arm64/Packages", "contrib/binary-i386/Packages",
		"main/binary-all/Packages", "main/binary-amd64/Packages", "main/binary-arm64/Packages", "main/binary-i386/Packages", "main/source/Sources"}
	for i, name := range names {
		fmt.Fprintf(&want, " %064x %d %s\n %064x %d %s.gz\n", 2*i, 2*i, name, 2*i+1, 2*i+1, name)
	}
	release := files["dists/bookworm/Release"]
	if diff := cmp.Diff(want.String(), string(release.Data)); diff != "" {
		t.Error(diff)
	}
	seals := []format.Seal{
		{Name: "InRelease", Scheme: scheme.OpenPGPClearsigned, Purpose: scheme.Index, Path: "dists/bookworm/InRelease"},
		{Name: "Release.gpg", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: "dists/bookworm/Release.gpg"},
	}
	if diff := cmp.Diff(seals, release.Seals); diff != "" {
		t.Error(diff)
	}
	if len(files) != 1+4*len(names) {
		t.Errorf("there are %d files", len(files))
	}
	for i, name := range names {
		for j, encoding := range []format.Encoding{format.Plain, format.Gzip} {
			folder := name[:strings.LastIndex(name, "/")]
			for path, want := range map[string]format.File{
				"dists/bookworm/" + name + []string{"", ".gz"}[j]:                    {Listing: name, Encoding: encoding},
				fmt.Sprintf("dists/bookworm/%s/by-hash/SHA256/%064x", folder, 2*i+j): {Listing: name, Encoding: encoding, Lasting: true},
			} {
				want.Path = path
				if diff := cmp.Diff(want, files[path], cmpopts.IgnoreFields(format.Sealing{}, "Splice")); diff != "" {
					t.Error(diff)
				}
			}
		}
	}
}

func TestPackagesOfEveryArchitectureShowThoseOfAll(t *testing.T) {
	s := &shard{name: "stable", groups: []format.Group{{Name: "main/all"}, {Name: "main/amd64"}}}
	index(t, open(t, nil), s)
	got := map[string][]string{}
	for _, l := range s.asked {
		got[l.Name] = l.Groups
	}
	want := map[string][]string{
		"main/binary-all/Packages":   {"main/all"},
		"main/binary-amd64/Packages": {"main/amd64", "main/all"},
		"main/binary-arm64/Packages": {"main/arm64", "main/all"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIndexStopsAtTheFirstError(t *testing.T) {
	f := open(t, nil)
	full := errors.New("disk full")
	if err := f.Index(format.Site{}, &shard{name: "stable", groups: []format.Group{{Name: "main/all"}}}, func(format.File) error { return full }); !errors.Is(err, full) {
		t.Errorf("of emit: %v", err)
	}
	err := f.Index(format.Site{}, &shard{name: "stable", err: full}, func(format.File) error {
		t.Error("something was emitted")
		return nil
	})
	if !errors.Is(err, full) {
		t.Errorf("of List: %v", err)
	}
}

func TestAnEmptyDistributionStaysWhatItWas(t *testing.T) {
	groups := []format.Group{{Name: "main/amd64"}}
	release := string(index(t, open(t, nil), &shard{name: "stable", groups: groups})["dists/stable/Release"].Data)
	if !strings.Contains(release, "\nArchitectures: all amd64 arm64\nComponents: main\n") || strings.Contains(release, "Valid-Until") {
		t.Errorf("%s", release)
	}
}
