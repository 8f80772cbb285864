package debian_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestScopesAreDistributions(t *testing.T) {
	f := open(t, nil)
	for p, want := range map[string]string{
		"dists/stable/InRelease": "stable", "dists/stable/Release.gpg": "stable", "dists/bookworm-updates/main/binary-amd64/Packages.gz": "bookworm-updates",
		"dists/stable/main/binary-amd64/by-hash/SHA256/" + strings.Repeat("0", 64): "stable",
	} {
		if got, ok := f.Scope(p); !ok || got != want {
			t.Errorf("the scope of %s is %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{"", "dists", "dists/", "dists/stable", "dists/stable/", "dists/../InRelease", "dists/-x/InRelease", "pool/main/h/hello/hello_1.0_all.deb", "Release"} {
		if got, ok := f.Scope(p); ok {
			t.Errorf("the scope of %q is %q", p, got)
		}
	}
}

// stanzaOf returns a package's stanza of Packages.
func stanzaOf(name, arch, filename string) string {
	return fmt.Sprintf("Package: %s\nVersion: 1:1.0-1\nArchitecture: %s\nX-Unknown:  kept\nFilename: %s\nSize: 4\nSHA256: %s\nDescription: a greeting\n  that is long\n", name, arch, filename, strings.Repeat("ab", 32))
}

// A published is what the Release of an upstream is made of.
type published struct {
	fields string            // lines of the Release before its files
	files  map[string]string // below the distribution
	unsent []string          // those that the Release names and that are not there
	byHash bool              // they are there by their digests alone
	named  map[string]string // files that the Release names as something else than they are
}

const released = "Suite: stable\nDate: Thu, 01 Jan 2026 00:00:10 UTC\nValid-Until: Thu, 08 Jan 2026 00:00:10 UTC\nComponents: main contrib\nArchitectures: amd64 arm64\n"

// tree returns an upstream with a distribution "stable", signed in the frame of InRelease.
func (p published) tree() *formattest.Tree {
	u := &formattest.Tree{Key: "they", Files: map[string][]byte{}}
	text := p.fields
	if text == "" {
		text = released
	}
	if p.byHash {
		text += "Acquire-By-Hash: yes\n"
	}
	text += "SHA256:\n"
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		data := p.files[name]
		if other, ok := p.named[name]; ok {
			data = other
		}
		sum := sha256.Sum256([]byte(data))
		text += fmt.Sprintf(" %x %d %s\n", sum, len(data), name)
		place := "dists/stable/" + name
		if p.byHash {
			place = place[:strings.LastIndexByte(place, '/')] + fmt.Sprintf("/by-hash/SHA256/%x", sum)
		}
		if !slices.Contains(p.unsent, name) {
			u.Files[place] = []byte(p.files[name])
		}
	}
	u.Files["dists/stable/InRelease"] = u.Clearsign("they", []byte(text))
	return u
}

func TestADistributionIsFollowed(t *testing.T) {
	one, two := stanzaOf("one", "amd64", "pool/o/one.deb"), stanzaOf("two", "all", "./pool/t/two.deb")
	packages := one + "\n" + two
	packed := func(suffix string) string { return string(pack(t, suffix, []byte(packages))) }
	const amd64 = "main/binary-amd64/Packages"
	for name, p := range map[string]published{
		"plain":                        {files: map[string]string{amd64: packages}},
		"with blank lines around":      {files: map[string]string{amd64: "\n\n" + one + "\n\n\n" + two + "\n\n"}},
		"in gz":                        {files: map[string]string{amd64 + ".gz": packed(".gz")}},
		"in xz":                        {files: map[string]string{amd64 + ".xz": packed(".xz")}},
		"in zstd":                      {files: map[string]string{amd64 + ".zst": packed(".zst")}},
		"the best form":                {files: map[string]string{amd64: "other", amd64 + ".gz": "other", amd64 + ".xz": packed(".xz")}},
		"the best that is there":       {files: map[string]string{amd64: packages, amd64 + ".gz": packed(".gz"), amd64 + ".xz": "gone"}, unsent: []string{amd64, amd64 + ".xz"}},
		"by its digest alone":          {files: map[string]string{amd64 + ".gz": packed(".gz")}, byHash: true},
		"with what is no index of apt": {files: map[string]string{amd64: packages, "main/Contents-amd64.gz": "x", "main/dep11/Components-amd64.yml.gz": "x", amd64 + ".diff/Index": "x"}},
		"with an index of nothing":     {files: map[string]string{amd64: packages, "contrib/binary-arm64/Packages": "", "main/source/Sources": "\n"}},
		"with an architecture unnamed": {files: map[string]string{amd64: packages, "main/binary-mips/Packages": "nonsense"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, files, err := p.tree().Describe(open(t, nil), "stable")
			want := format.Edition{Shard: "stable", Order: 1_767_225_610, Until: time.Date(2026, 1, 8, 0, 0, 10, 0, time.UTC)}
			if err != nil || e.Shard != want.Shard || e.Order != want.Order || !e.Until.Equal(want.Until) || e.Open {
				t.Fatalf("%+v, %v", e, err)
			}
			if len(files) != 2 {
				t.Fatalf("it lists %+v", files)
			}
			for i, tt := range []struct{ path, group, stanza string }{
				{"pool/o/one.deb", "main/amd64", one}, {"pool/t/two.deb", "main/all", strings.Replace(two, "./pool", "pool", 1)},
			} {
				f := files[i]
				if f.Path != tt.path || f.Version != "1:1.0-1" || f.Size != 4 || !bytes.Equal(f.SHA256, bytes.Repeat([]byte{0xab}, 32)) || f.Shard != "stable" || f.Source != "" || f.Now {
					t.Errorf("it lists %+v", f)
				}
				if len(f.Entries) != 1 || f.Entries[0].Group != tt.group || i == 0 && string(f.Entries[0].Data) != tt.stanza+"\n" {
					t.Errorf("%s stands in our index as %+v", f.Path, f.Entries)
				}
				if got := string(f.Entries[0].Data); !strings.Contains(got, "\nFilename: "+tt.path+"\n") || !strings.HasSuffix(got, "\n\n") {
					t.Errorf("%s stands in our index as %q", f.Path, got)
				}
			}
		})
	}
}

// Debian's archive of security updates names the component updates/main, which is main.
func TestComponentsAreKnownByTheirLastName(t *testing.T) {
	p := published{
		fields: strings.Replace(released, "main contrib", "updates/main updates/contrib main", 1),
		files:  map[string]string{"main/binary-amd64/Packages": stanzaOf("one", "amd64", "pool/o/one.deb")},
	}
	_, files, err := p.tree().Describe(open(t, nil), "stable")
	if err != nil || len(files) != 1 || files[0].Entries[0].Group != "main/amd64" {
		t.Fatalf("%+v, %v", files, err)
	}
}

// What else the upstream has is not even asked for.
func TestOnlyWantedArchitecturesOfAnUpstreamAreListed(t *testing.T) {
	const amd64, arm64 = "main/binary-amd64/Packages", "main/binary-arm64/Packages"
	all := stanzaOf("every", "all", "pool/e/every.deb")
	sums := fmt.Sprintf(" %s 3 hello_1.0.dsc\n", strings.Repeat("01", 32))
	p := published{files: map[string]string{
		amd64: stanzaOf("one", "amd64", "pool/o/one.deb") + "\n" + all, arm64: stanzaOf("two", "arm64", "pool/t/two.deb") + "\n" + all,
		"main/binary-all/Packages": all,
		"main/source/Sources":      "Package: hello\nBinary: hello\nVersion: 1.0\nArchitecture: any\nDirectory: pool/h/hello\nChecksums-Sha256:\n" + sums,
	}}
	for _, tt := range []struct {
		wanted []string
		paths  string
	}{
		{nil, "pool/e/every.deb pool/h/hello/hello_1.0.dsc pool/o/one.deb pool/t/two.deb"},
		{[]string{"arm64"}, "pool/e/every.deb pool/t/two.deb"},
		{[]string{"amd64", "source"}, "pool/e/every.deb pool/h/hello/hello_1.0.dsc pool/o/one.deb"},
		{[]string{"s390x"}, "pool/e/every.deb"},
	} {
		u := p.tree()
		_, files, err := u.Describe(open(t, func(s *debian.Settings) { s.UpstreamArchitectures = tt.wanted }), "stable")
		var paths []string
		for _, f := range files {
			paths = append(paths, f.Path)
		}
		slices.Sort(paths)
		if got := strings.Join(slices.Compact(paths), " "); err != nil || got != tt.paths {
			t.Errorf("of %v there is %s, %v", tt.wanted, got, err)
		}
		for _, at := range u.Fetched {
			if tt.wanted != nil && !slices.Contains(tt.wanted, "amd64") && strings.Contains(at, "amd64") {
				t.Errorf("%s was fetched, and %v is wanted", at, tt.wanted)
			}
		}
	}
	for _, bad := range []string{"", "any", "../x", "a b"} {
		if _, err := debian.New(debian.Settings{Origin: "x", Label: "x", SignPackages: "never", UpstreamArchitectures: []string{bad}}); err == nil || !strings.Contains(err.Error(), "upstream_architectures") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFilesOfSourcesAreListedOneByOne(t *testing.T) {
	sums := fmt.Sprintf(" %s 3 hello_1.0.dsc\n %s 5 hello_1.0.tar.xz\n", strings.Repeat("01", 32), strings.Repeat("02", 32))
	stanza := "Package: hello\nBinary: hello\nVersion: 1.0\nArchitecture: any\nDirectory: pool/h/hello\nChecksums-Sha256:\n" + sums
	_, files, err := published{files: map[string]string{"main/source/Sources": stanza}}.tree().Describe(open(t, nil), "stable")
	if err != nil || len(files) != 2 {
		t.Fatalf("%+v, %v", files, err)
	}
	dsc, tar := files[0], files[1]
	if dsc.Path != "pool/h/hello/hello_1.0.dsc" || dsc.Size != 3 || dsc.SHA256[0] != 1 || len(dsc.Entries) != 1 || dsc.Entries[0].Group != "main/source" || string(dsc.Entries[0].Data) != stanza+"\n" {
		t.Errorf("the .dsc is %+v", dsc)
	}
	if tar.Path != "pool/h/hello/hello_1.0.tar.xz" || tar.Size != 5 || tar.SHA256[0] != 2 || len(tar.Entries) != 0 {
		t.Errorf("the tarball is %+v", tar)
	}
}

// Debian's node-lodash has 292 files.
func TestASourceMayHaveHundredsOfFiles(t *testing.T) {
	for n, taken := range map[int]bool{292: true, 500: true, 501: false} {
		var sums strings.Builder
		for i := range n {
			fmt.Fprintf(&sums, " %064x 3 hello_1.0.orig-%d.tar.xz\n", i, i)
		}
		stanza := "Package: hello\nBinary: hello\nVersion: 1.0\nArchitecture: any\nDirectory: pool/h/hello\nChecksums-Sha256:\n" + sums.String()
		_, files, err := published{files: map[string]string{"main/source/Sources": stanza}}.tree().Describe(open(t, nil), "stable")
		if taken && (err != nil || len(files) != n) || !taken && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("of %d files %d are listed: %v", n, len(files), err)
		}
	}
}

// A translation that has a name of its own in each edition waits for somebody who wants that language.
func TestTranslations(t *testing.T) {
	const de, fr = "main/i18n/Translation-de", "main/i18n/Translation-fr"
	p := published{files: map[string]string{de: "plain", de + ".bz2": "bz2", de + ".xz": "xz", fr + ".gz": "gz", "main/i18n/Index": "x", "other/i18n/Translation-de": "x"}}
	for _, p.byHash = range []bool{false, true} {
		u := p.tree()
		_, files, err := u.Describe(open(t, nil), "stable")
		if err != nil || len(files) != 2 {
			t.Fatalf("%+v, %v", files, err)
		}
		if slices.ContainsFunc(u.Fetched, func(p string) bool { return strings.Contains(p, "i18n") }) {
			t.Errorf("Follow fetches %q", u.Fetched)
		}
		for i, tt := range []struct{ name, data, more string }{
			{de + ".xz", "xz", fmt.Sprintf(" %x 5 %s\n", sha256.Sum256([]byte("plain")), de)}, {fr + ".gz", "gz", ""},
		} {
			f, sum := files[i], sha256.Sum256([]byte(tt.data))
			source := "dists/stable/" + tt.name
			if p.byHash {
				source = ""
			}
			if f.Path != fmt.Sprintf("dists/stable/main/i18n/by-hash/SHA256/%x", sum) || f.Source != source || !bytes.Equal(f.SHA256, sum[:]) || f.Size != 2 || f.Now == p.byHash {
				t.Errorf("by their digests %t: %+v", p.byHash, f)
			}
			if line := fmt.Sprintf(" %x 2 %s\n", sum, tt.name) + tt.more; len(f.Entries) != 1 || f.Entries[0].Group != "extra" || string(f.Entries[0].Data) != line {
				t.Errorf("by their digests %t, our Release says %+v", p.byHash, f.Entries)
			}
		}
	}
}

func TestAReleaseIsFollowedIfItIsSigned(t *testing.T) {
	p := published{files: map[string]string{"main/binary-amd64/Packages": stanzaOf("one", "amd64", "pool/one.deb")}}
	// detached puts Release and its signature in place of InRelease.
	detached := func(u *formattest.Tree) {
		_, text, _ := bytes.Cut(u.Files["dists/stable/InRelease"], []byte("\n"))
		u.Files["dists/stable/Release"], u.Files["dists/stable/Release.gpg"] = text, u.Sign("they", scheme.OpenPGPArmored, text)
	}
	for name, tt := range map[string]struct {
		change func(*formattest.Tree)
		kind   error
	}{
		"InRelease":               {func(*formattest.Tree) {}, nil},
		"Release and Release.gpg": {func(u *formattest.Tree) { detached(u); delete(u.Files, "dists/stable/InRelease") }, nil},
		"no key":                  {func(u *formattest.Tree) { u.Key = ""; u.Files["dists/stable/InRelease"][0] ^= 1 }, nil},
		"another key":             {func(u *formattest.Tree) { u.Key = "others" }, format.ErrMalformed},
		"a flipped bit":           {func(u *formattest.Tree) { u.Files["dists/stable/InRelease"][100] ^= 1 }, format.ErrMalformed},
		// Who can spoil InRelease must not choose what stands for it.
		"a bad InRelease beside a good Release": {func(u *formattest.Tree) {
			detached(u)
			u.Key = ""
			u.Files["dists/stable/InRelease"] = []byte("bad")
			u.Key = "they"
		}, format.ErrMalformed},
		"Release without a signature": {func(u *formattest.Tree) {
			detached(u)
			delete(u.Files, "dists/stable/InRelease")
			delete(u.Files, "dists/stable/Release.gpg")
		}, format.ErrMalformed},
		"Release with the signature of another": {func(u *formattest.Tree) {
			detached(u)
			delete(u.Files, "dists/stable/InRelease")
			u.Files["dists/stable/Release"] = append(u.Files["dists/stable/Release"], '\n')
		}, format.ErrMalformed},
		"nothing":                  {func(u *formattest.Tree) { clear(u.Files) }, fs.ErrNotExist},
		"an index that is another": {func(u *formattest.Tree) { u.Files["dists/stable/main/binary-amd64/Packages"][0] ^= 1 }, format.ErrMalformed},
		"an index that is gone":    {func(u *formattest.Tree) { delete(u.Files, "dists/stable/main/binary-amd64/Packages") }, format.ErrMalformed},
	} {
		u := p.tree()
		tt.change(u)
		_, files, err := u.Describe(open(t, nil), "stable")
		if !errors.Is(err, tt.kind) || (err == nil) != (len(files) == 1) || err != nil && len(u.Emitted) > 0 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
		if tt.kind == format.ErrMalformed && errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is taken for absent: %v", name, err)
		}
	}
}

func TestBadReleasesOfAnUpstreamAreRefused(t *testing.T) {
	replaced := func(from, to string) published {
		if !strings.Contains(released, from) {
			t.Fatalf("%q is not in the Release", from)
		}
		return published{fields: strings.Replace(released, from, to, 1), files: map[string]string{"main/binary-amd64/Packages": ""}}
	}
	for name, p := range map[string]published{
		"no components":                  replaced("Components: main contrib\n", ""),
		"a component that leads upwards": replaced("contrib", ".."),
		"one that does after a slash":    replaced("contrib", "updates/.."),
		"as many with a slash":           replaced("contrib", "x/"+strings.Join(manyNames(201), " x/")),
		"one that ends in a slash":       replaced("contrib", "updates/"),
		"a component in a folder": {fields: strings.Replace(released, "contrib", "a/main", 1),
			files: map[string]string{"main/binary-amd64/Packages": "", "a/main/binary-amd64/Packages": ""}},
		"an architecture with a slash":    replaced("arm64", "../x"),
		"an architecture of all":          replaced("arm64", "any"),
		"a date of another form":          replaced("Thu, 01 Jan 2026 00:00:10 UTC", "2026-01-01"),
		"a date of another zone":          replaced("00:00:10 UTC", "00:00:10 CET"),
		"an end of validity that is none": replaced("Thu, 08 Jan 2026 00:00:10 UTC", "never"),
		"a field twice":                   replaced("Suite: stable", "Suite: stable\nDate: Thu, 01 Jan 2026 00:00:10 UTC"),
		"two stanzas":                     replaced("Suite: stable\n", "Suite: stable\n\n"),
		"a carriage return":               replaced("Suite: stable\n", "Suite: stable\r\n"),
		"weak digests alone":              {fields: released + "MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages\nX-"},
		"more components than anyone has": replaced("contrib", strings.Join(manyNames(201), " ")),
	} {
		u := p.tree()
		if _, err := open(t, nil).Follow(u, "stable"); !errors.Is(err, format.ErrMalformed) || len(u.Emitted) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, line := range []string{"", " x 0 main/binary-amd64/Packages", " " + strings.Repeat("0", 64) + " -1 main/binary-amd64/Packages", " " + strings.Repeat("0", 64) + " 0", " " + strings.Repeat("0", 62) + " 0 a",
		" " + strings.Repeat("0", 64) + " 0 a\n " + strings.Repeat("1", 64) + " 0 a"} {
		u := &formattest.Tree{Key: "they", Files: map[string][]byte{}}
		u.Files["dists/stable/InRelease"] = u.Clearsign("they", []byte(released+"SHA256:\n"+line+"\n"))
		if _, err := open(t, nil).Follow(u, "stable"); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("with the line %q: %v", line, err)
		}
	}
	for _, scope := range []string{"", "..", "a/b", "-x", "a b"} {
		if _, err := open(t, nil).Follow(published{}.tree(), scope); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the distribution %q: %v", scope, err)
		}
	}
}

func manyNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	return names
}

func TestBadStanzasOfAnUpstreamAreRefused(t *testing.T) {
	good := stanzaOf("one", "amd64", "pool/one.deb")
	sums := fmt.Sprintf(" %s 3 hello_1.0.dsc\n", strings.Repeat("01", 32))
	source := "Package: hello\nVersion: 1.0\nDirectory: pool\nChecksums-Sha256:\n" + sums
	line := fmt.Sprintf(" %s 5 main/i18n/Translation-de.xz\n", strings.Repeat("01", 32))
	f := open(t, nil)
	for context, stanza := range map[string]string{"main": good, "main/source/hello_1.0.dsc": source, "main/i18n/true": line} {
		if _, err := f.Describe("stable", context, []byte(stanza), nil); err != nil {
			t.Fatalf("a good stanza of %s: %v", context, err)
		}
	}
	for name, tt := range map[string]struct{ scope, context, stanza, from, to string }{
		"no name":                          {"stable", "main", good, "Package: one\n", ""},
		"a name with a slash":              {"stable", "main", good, "Package: one", "Package: ../one"},
		"no version":                       {"stable", "main", good, "Version: 1:1.0-1\n", ""},
		"a version with a blank":           {"stable", "main", good, "1:1.0-1", "1 2"},
		"an architecture that is none":     {"stable", "main", good, "amd64", "any"},
		"no place":                         {"stable", "main", good, "Filename: pool/one.deb\n", ""},
		"a place upwards":                  {"stable", "main", good, "pool/one.deb", "../one.deb"},
		"a place upwards within":           {"stable", "main", good, "pool/one.deb", "pool/../../one.deb"},
		"a place at the root of machines":  {"stable", "main", good, "pool/one.deb", "/etc/one.deb"},
		"a place that is a folder":         {"stable", "main", good, "pool/one.deb", "pool/"},
		"a place among the indexes":        {"stable", "main", good, "pool/one.deb", "dists/stable/InRelease"},
		"a place among the indexes, so":    {"stable", "main", good, "pool/one.deb", "./dists/stable/InRelease"},
		"no digest":                        {"stable", "main", good, "SHA256:", "SHA1:"},
		"a digest that is short":           {"stable", "main", good, "abab", ""},
		"a size below zero":                {"stable", "main", good, "Size: 4", "Size: -4"},
		"no size":                          {"stable", "main", good, "Size: 4\n", ""},
		"a field twice":                    {"stable", "main", good, "Size: 4", "Size: 4\nsize: 5"},
		"a control character":              {"stable", "main", good, "kept", "ke\x1bpt"},
		"two stanzas":                      {"stable", "main", good, "Size: 4", "\nSize: 4"},
		"another distribution":             {"../stable", "main", good, "", ""},
		"a component that leads upwards":   {"stable", "..", good, "", ""},
		"a context that nobody knows":      {"stable", "main/other/x", good, "", ""},
		"a source without the file":        {"stable", "main/source/hello_2.0.dsc", source, "", ""},
		"a source in a folder upwards":     {"stable", "main/source/hello_1.0.dsc", source, "Directory: pool", "Directory: ../pool"},
		"a source among the indexes":       {"stable", "main/source/hello_1.0.dsc", source, "Directory: pool", "Directory: dists"},
		"a file of a source with a slash":  {"stable", "main/source/a/hello_1.0.dsc", source, "hello_1.0.dsc", "a/hello_1.0.dsc"},
		"a translation elsewhere":          {"stable", "main/i18n/true", line, "main/i18n", "main/binary-amd64"},
		"a translation of another":         {"stable", "contrib/i18n/true", line, "", ""},
		"a translation upwards":            {"stable", "main/i18n/true", line, "Translation-de.xz", "../../../InRelease"},
		"a plain translation elsewhere":    {"stable", "main/i18n/true", line + strings.Replace(line, "main/i18n", "main", 1), "", ""},
		"a translation of a digest of one": {"stable", "main/i18n/true", line, "01", ""},
	} {
		if tt.from != "" && !strings.Contains(tt.stanza, tt.from) {
			t.Fatalf("%s: %q is not in it", name, tt.from)
		}
		stanza := strings.Replace(tt.stanza, tt.from, tt.to, 1)
		if got, err := f.Describe(tt.scope, tt.context, []byte(stanza), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
