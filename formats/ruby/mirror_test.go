package ruby_test

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/ruby"
	"hallmark/signing/scheme"
)

// staticTree returns testdata, which "gem generate_index" of RubyGems 3.3.15 has made.
func staticTree(tb testing.TB) *formattest.Tree {
	tb.Helper()
	u := &formattest.Tree{Files: map[string][]byte{}}
	err := fs.WalkDir(os.DirFS("testdata"), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(p, "fuzz") {
			u.Files[p], err = os.ReadFile(filepath.Join("testdata", p))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func TestAStaticTreeIsFollowedByItsOlderIndex(t *testing.T) {
	f := open(t, ruby.Defaults())
	_, files, err := staticTree(t).Describe(f, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		lines = append(lines, file.Path+": "+string(file.Entries[0].Data))
		data := staticTree(t).Files[file.Path]
		p, err := f.Parse(format.Op{Kind: format.Put}, formattest.NewBlob(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Path != file.Path || p.Shard != file.Shard || p.Arch != file.Arch || !bytes.Equal(p.Entries[1].Data, file.Entries[2].Data) ||
			p.Entries[1].Group != file.Entries[2].Group || file.SHA256 != nil || file.Size != -1 {
			t.Errorf("%+v is listed, and uploaded it is %+v", file, p)
		}
		for _, size := range []int{1, 511, 512, 4096} {
			if err := check(t, f, file.Check, data, size); err != nil {
				t.Errorf("%s does not pass: %v", file.Path, err)
			}
		}
	}
	slices.Sort(lines)
	want := []string{
		"gems/base-1.0.gem: 1.0 |ruby:>= 2.7\n",
		"gems/base-1.1.gem: 1.1 |ruby:>= 2.7\n",
		"gems/hello-1.0-java.gem: 1.0-java |ruby:>= 2.7\n",
		"gems/hello-1.0.gem: 1.0 base:< 3&~> 1.0,other:>= 0|ruby:>= 2.7\n",
		"gems/hello-1.1.rc1.gem: 1.1.rc1 |ruby:>= 2.7,rubygems:> 1.3.1\n",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the tree has\n%q, want\n%q", lines, want)
	}
}

func check(tb testing.TB, f *ruby.Format, name string, data []byte, size int) error {
	tb.Helper()
	w, err := f.Check(name)
	if err != nil {
		tb.Fatal(err)
	}
	for part := range slices.Chunk(data, size) {
		if n, err := w.Write(part); n != len(part) || err != nil {
			tb.Fatalf("%d of %d bytes are written: %v", n, len(part), err)
		}
	}
	return w.Close()
}

func TestAGemThatIsAnotherThanListedDoesNotPass(t *testing.T) {
	f := open(t, ruby.Defaults())
	good := spec{name: "good", version: "1.0", platform: "ruby"}
	parts := good.parts(t)
	for what, data := range map[string][]byte{
		"another name":     spec{name: "other", version: "1.0", platform: "ruby"}.build(t),
		"another version":  spec{name: "good", version: "1.1", platform: "ruby"}.build(t),
		"another platform": spec{name: "good", version: "1.0", platform: "java"}.build(t),
		"cut off":          good.build(t)[:1000],
		"cut in a header":  good.build(t)[:100],
		"nothing":          nil,
		"a page of HTML":   []byte("<html>" + strings.Repeat("not here ", 200)),
		"metadata twice":   pack(t, parts[0], parts[1], parts[0]),
		"no metadata":      pack(t, parts[1]),
		"large metadata":   pack(t, part{"metadata.gz", make([]byte, 1<<20)}, parts[1]),
		"a bomb":           pack(t, part{"metadata.gz", zip(t, make([]byte, 32<<20))}, parts[1]),
	} {
		if err := check(t, f, "good-1.0", data, 777); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := check(t, f, "good-1.0", good.build(t), 777); err != nil {
		t.Error(err)
	}
}

func TestTheOlderIndexIsNotReadWhereThereIsAKey(t *testing.T) {
	u := staticTree(t)
	u.Key = "they"
	for _, name := range []string{"specs.4.8.gz", "prerelease_specs.4.8.gz"} {
		u.Files[name+".asc"] = u.Sign("they", scheme.OpenPGPArmored, u.Files[name])
	}
	if _, err := open(t, ruby.Defaults()).Follow(u, ""); !errors.Is(err, fs.ErrNotExist) || len(u.Emitted) > 0 {
		t.Errorf("%d gems, %v", len(u.Emitted), err)
	}
}

func TestAnOlderIndexThatIsBrokenIsRefused(t *testing.T) {
	deflate := func(data string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const specs, quick = "specs.4.8.gz", "quick/Marshal.4.8/base-1.0.gemspec.rz"
	list := func(text string) []byte { return zip(t, []byte("\x04\x08"+text)) }
	tuple := func(name, version, platform string) []byte {
		text := func(s string) string { return fmt.Sprintf("I\"%c%s\x06:\x06ET", len(s)+5, s) }
		return list("[\x06[\x08" + text(name) + "U:\x11Gem::Version[\x06" + text(version) + text(platform))
	}
	for _, tt := range []struct {
		what, file string
		data       []byte
	}{
		{"no prereleases", "prerelease_specs.4.8.gz", nil},
		{"no gemspec", quick, nil},
		{"no Marshal", specs, zip(t, []byte("[]"))},
		{"another version of Marshal", specs, zip(t, []byte("\x04\x09[\x00"))},
		{"something behind", specs, list("[\x00[\x00")},
		{"no array", specs, list("0")},
		{"an array of other things", specs, list("[\x06i\x06")},
		{"a long array", specs, list("[\x04\xff\xff\xff\x7f")},
		{"a negative length", specs, list("[\xfa")},
		{"arrays in arrays", specs, list(strings.Repeat("[\x06", 1000) + "0")},
		{"a reference to nothing", specs, list("[\x06@\x20")},
		{"a reference to itself", specs, list("[\x06@\x00")},
		{"a symbol that was not said", specs, list("[\x06[\x08\"\x06a;\x10\"\x06a")},
		{"an object of another class", specs, list("[\x06o:\x0bObject\x00")},
		{"a name that leads upwards", specs, tuple("../a", "1", "ruby")},
		{"a version that leads upwards", specs, tuple("a", "../1", "ruby")},
		{"a platform that leads upwards", specs, tuple("a", "1", "../b")},
		{"a bomb", specs, zip(t, make([]byte, 80<<20))},
		{"the gemspec of another gem", quick, staticTree(t).Files["quick/Marshal.4.8/base-1.1.gemspec.rz"]},
		{"a gemspec without zlib", quick, []byte("\x04\x08u:\x17Gem::Specification\x00")},
		{"a gemspec that is none", quick, deflate("\x04\x08[\x00")},
		{"a gemspec without fields", quick, deflate("\x04\x08u:\x17Gem::Specification\x09\x04\x08[\x00")},
		{"a gemspec that is a bomb", quick, deflate(strings.Repeat("\x00", 16<<20))},
	} {
		u := staticTree(t)
		if u.Files[tt.file] = tt.data; tt.data == nil {
			delete(u.Files, tt.file)
		}
		if _, err := open(t, ruby.Defaults()).Follow(u, ""); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}

// signedIndex returns an upstream with a compact index of one gem.
func signedIndex(versions, info string) *formattest.Tree {
	u := &formattest.Tree{Key: "they", Files: map[string][]byte{"versions": []byte(versions), "info/a": []byte(info)}}
	for _, name := range []string{"versions", "info/a"} {
		u.Files[name+".asc"] = u.Sign("they", scheme.OpenPGPArmored, u.Files[name])
	}
	return u
}

func TestACompactIndexIsFollowed(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	info := "---\n1.0 b:>= 1&< 2,c:~> 1.0.a|checksum:" + sum + ",ruby:>= 2.5,rubygems:> 1.3.1,created_at:2026-01-02T03:04:05Z\n" +
		"1.0-java |checksum:" + sum + "\n"
	md5sum := fmt.Sprintf("%x", md5.Sum([]byte(info)))
	old := strings.Repeat("0", 32)
	for what, versions := range map[string]string{
		"one line":             "created_at: x\n---\na 1.0,1.0-java " + md5sum + "\n",
		"a line for each time": "created_at: x\n---\na 1.0 " + old + "\na 1.0-java " + md5sum + "\n",
	} {
		_, files, err := signedIndex(versions, info).Describe(open(t, ruby.Defaults()), "")
		if err != nil || len(files) != 2 || files[0].Path != "gems/a-1.0.gem" || files[1].Path != "gems/a-1.0-java.gem" ||
			fmt.Sprintf("%x", files[0].SHA256) != sum || files[0].Check != "" {
			t.Errorf("%s: %+v, %v", what, files, err)
			continue
		}
		if line := string(files[0].Entries[0].Data); !strings.Contains(info, line) {
			t.Errorf("%s: the line has become %q", what, line)
		}
	}
}

// wanting returns settings that list some gems of an upstream alone.
func wanting(names ...string) ruby.Settings {
	s := ruby.Defaults()
	s.UpstreamGems = names
	return s
}

func TestOnlyWantedGemsOfAnUpstreamAreListed(t *testing.T) {
	info := "---\n1.0 |checksum:" + strings.Repeat("ab", 32) + "\n"
	all := fmt.Sprintf("---\n---\nunlisted 1.0 0\na 1.0 %x\n", md5.Sum([]byte(info)))
	for what, tt := range map[string]struct {
		upstream *formattest.Tree
		gem      string
	}{"compact": {signedIndex(all, info), "a"}, "older": {staticTree(t), "hello"}} {
		_, files, err := tt.upstream.Describe(open(t, wanting(tt.gem, "elsewhere")), "")
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %+v, %v", what, files, err)
		}
		for _, file := range files {
			if file.Name != tt.gem {
				t.Errorf("%s: %s is listed", what, file.Path)
			}
		}
		if _, files, err := tt.upstream.Describe(open(t, wanting("elsewhere")), ""); err != nil || len(files) != 0 {
			t.Errorf("%s, none of them wanted: %+v, %v", what, files, err)
		}
	}
	if _, err := ruby.New(wanting("../a")); err == nil || !strings.Contains(err.Error(), "upstream_gems") {
		t.Errorf("a name that leads upwards: %v", err)
	}
}

func TestAnUpstreamOfEverythingIsRefusedAtOnce(t *testing.T) {
	info := "---\n1.0 |checksum:" + strings.Repeat("ab", 32) + "\n"
	versions := bytes.NewBufferString("---\n---\n")
	fmt.Fprintf(versions, "a 1.0 %x\n", md5.Sum([]byte(info)))
	for i := range 20_000 {
		fmt.Fprintf(versions, "g%d 1.0 %032d\n", i, i)
	}
	u := signedIndex(versions.String(), info)
	_, _, err := u.Describe(open(t, ruby.Defaults()), "")
	if !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), "20001 gems") || !strings.Contains(err.Error(), "upstream_gems") {
		t.Errorf("%v", err)
	}
	if _, files, err := u.Describe(open(t, wanting("a")), ""); err != nil || len(files) != 1 {
		t.Errorf("one of them wanted: %+v, %v", files, err)
	}
}

func TestACompactIndexThatIsBrokenIsRefused(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	good := "---\n1.0 |checksum:" + sum + "\n"
	list := func(info string) string { return fmt.Sprintf("---\n---\na 1.0 %x\n", md5.Sum([]byte(info))) }
	for what, u := range map[string]*formattest.Tree{
		"info that is not what is meant":    signedIndex(list(good+"1.1 |\n"), good),
		"no head":                           signedIndex(strings.TrimPrefix(list(good), "---\n---\n"), good),
		"no MD5":                            signedIndex("---\n---\na 1.0\n", good),
		"an MD5 that is none":               signedIndex("---\n---\na 1.0 xyz\n", good),
		"a name that leads upwards":         signedIndex("---\n---\n../a 1.0 "+strings.Repeat("0", 32)+"\n", good),
		"a gem that there is not":           signedIndex(strings.ReplaceAll(list(good), "\na ", "\nb "), good),
		"info without a head":               signedIndex(list("1.0 |\n"), "1.0 |\n"),
		"info that is cut off":              signedIndex(list(good+"1.1 |"), good+"1.1 |"),
		"a checksum that is none":           signedIndex(list("---\n1.0 |checksum:ab\n"), "---\n1.0 |checksum:ab\n"),
		"a version that leads upwards":      signedIndex(list("---\n../1 |\n"), "---\n../1 |\n"),
		"a platform that leads upwards":     signedIndex(list("---\n1-../x |\n"), "---\n1-../x |\n"),
		"the platform ruby":                 signedIndex(list("---\n1-ruby |\n"), "---\n1-ruby |\n"),
		"a requirement that is none":        signedIndex(list("---\n1 b:=> 1|\n"), "---\n1 b:=> 1|\n"),
		"a dependency on a strange name":    signedIndex(list("---\n1 b/c:>= 1|\n"), "---\n1 b/c:>= 1|\n"),
		"a requirement of ruby that is one": signedIndex(list("---\n1 |ruby:new\n"), "---\n1 |ruby:new\n"),
		"other characters than ASCII":       signedIndex(list("---\n1 |x:\x1b\n"), "---\n1 |x:\x1b\n"),
	} {
		if _, _, err := u.Describe(open(t, ruby.Defaults()), ""); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzOlderIndex(f *testing.F) {
	tree := staticTree(f)
	for name := range tree.Files {
		if strings.HasPrefix(name, "quick/") {
			f.Add(unpacked(f, tree.Files["specs.4.8.gz"]), inflated(f, tree.Files[name]))
		}
	}
	format := open(f, ruby.Defaults())
	f.Fuzz(func(t *testing.T, specs, quick []byte) {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, _ = w.Write(quick)
		_ = w.Close()
		u := &formattest.Tree{Files: map[string][]byte{
			"specs.4.8.gz": zip(t, specs), "prerelease_specs.4.8.gz": zip(t, []byte("\x04\x08[\x00")),
			"quick/Marshal.4.8/base-1.0.gemspec.rz": packed.Bytes(), "quick/Marshal.4.8/hello-1.0.gemspec.rz": packed.Bytes(),
		}}
		if _, files, err := u.Describe(format, ""); err == nil {
			for _, file := range files {
				if !fs.ValidPath(file.Path) {
					t.Errorf("the path %q", file.Path)
				}
			}
		}
	})
}

func unpacked(tb testing.TB, data []byte) []byte {
	tb.Helper()
	data, err := unzip(data)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func inflated(tb testing.TB, data []byte) []byte {
	tb.Helper()
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
