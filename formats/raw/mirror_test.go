package raw_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/raw"
	"hallmark/signing/scheme"
)

func TestScopeIsTheFolder(t *testing.T) {
	for p, want := range map[string]string{"a": "", "a/b": "a", "a/b/c.asc": "a/b", "a/SHA256SUMS": "a"} {
		if got, ok := open(t, raw.Defaults()).Scope(p); !ok || got != want {
			t.Errorf("%s is in %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{"", "a/"} {
		if got, ok := open(t, raw.Defaults()).Scope(p); ok {
			t.Errorf("the folder %q is in %q", p, got)
		}
	}
}

// signed returns an upstream that has a folder with a list.
func signed(list string) *formattest.Tree {
	u := &formattest.Tree{Key: "they"}
	u.Files = map[string][]byte{"a/SHA256SUMS": []byte(list), "a/SHA256SUMS.asc": u.Sign("they", scheme.OpenPGPArmored, []byte(list))}
	return u
}

func TestASignedListIsFollowed(t *testing.T) {
	sum := sha256.Sum256([]byte("content"))
	hex := fmt.Sprintf("%x", sum)
	list := "# comment\n\n" + hex + "  text\n" + strings.ToUpper(hex) + " *binary\n" + `\` + hex + `  back\\slash` + "\n" + hex + "  ./dot\n" +
		hex + "  SHA256SUMS\n" + hex + "  with  blanks"
	e, files, err := signed(list).Describe(open(t, raw.Defaults()), "a")
	if err != nil || e != (format.Edition{Shard: "a"}) {
		t.Fatalf("%+v, %v", e, err)
	}
	names := []string{"text", "binary", `back\slash`, "dot", "with  blanks"}
	if len(files) != len(names) {
		t.Fatalf("%d files, want %q", len(files), names)
	}
	for i, f := range files {
		parsed, err := open(t, raw.Defaults()).Parse(format.Op{Dir: "a", Name: names[i]}, formattest.NewBlob([]byte("content")), nil)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(f.Package) != fmt.Sprint(parsed) || f.Size != -1 || string(f.SHA256) != string(sum[:]) {
			t.Errorf("%+v, and an upload of it is %+v", f, parsed)
		}
	}
}

func TestWhatIsNotSignedIsNotFollowed(t *testing.T) {
	list := fmt.Sprintf("%x  file\n", sha256.Sum256(nil))
	for name, change := range map[string]func(*formattest.Tree){
		"no signature":        func(u *formattest.Tree) { delete(u.Files, "a/SHA256SUMS.asc") },
		"one by another key":  func(u *formattest.Tree) { u.Key = "others" },
		"one of another list": func(u *formattest.Tree) { u.Files["a/SHA256SUMS"] = []byte(strings.Replace(list, "file", "evil", 1)) },
		"one of another thing": func(u *formattest.Tree) {
			u.Files["a/SHA256SUMS.asc"] = u.Sign("they", scheme.OpenPGPBinary, []byte(list))
		},
	} {
		u := signed(list)
		change(u)
		if _, err := open(t, raw.Defaults()).Follow(u, "a"); !errors.Is(err, format.ErrMalformed) || len(u.Emitted) > 0 {
			t.Errorf("%s: %d lines, %v", name, len(u.Emitted), err)
		}
	}
	if _, err := open(t, raw.Defaults()).Follow(signed(list), "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a list: %v", err)
	}
}

func TestBadListsAreRefused(t *testing.T) {
	hex := fmt.Sprintf("%x", sha256.Sum256(nil))
	for name, list := range map[string]string{
		"a file of a subfolder":         hex + "  b/file\n",
		"a file of the folder above":    hex + "  ../file\n",
		"the folder above":              hex + "  ..\n",
		"the folder itself":             hex + "  ./.\n",
		"an absolute name":              hex + "  /etc/passwd\n",
		"no name":                       hex + "  \n",
		"a short digest":                hex[2:] + "  file\n",
		"a digest of other letters":     "x" + hex[1:] + "  file\n",
		"the form of BSD":               "SHA256 (file) = " + hex + "\n",
		"one blank":                     hex + " file\n",
		"a newline in a name":           `\` + hex + `  a\nb` + "\n",
		"a NUL in a name":               hex + "  a\x00b\n",
		"a name that is not UTF-8":      hex + "  \xff\n",
		"a line without end":            hex + "  " + strings.Repeat("a", 5000) + "\n",
		"a name beyond any file system": hex + "  " + strings.Repeat("a", 300) + "\n",
	} {
		if _, err := open(t, raw.Defaults()).Follow(signed(list), "a"); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := open(t, raw.Defaults()).Describe("a", "", []byte(list), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s, described: %v", name, err)
		}
	}
	for _, scope := range []string{"..", "a/../..", "/a"} {
		if _, err := open(t, raw.Defaults()).Describe(scope, "", []byte(hex+"  file\n"), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("the folder %q: %v", scope, err)
		}
	}
}

// The house takes the first of two.
func TestTwoLinesOfOneFileHaveOnePath(t *testing.T) {
	list := fmt.Sprintf("%x  file\n%x *./file\n", sha256.Sum256(nil), sha256.Sum256([]byte("other")))
	_, files, err := signed(list).Describe(open(t, raw.Defaults()), "a")
	if err != nil || len(files) != 2 || files[0].Path != "a/file" || files[1].Path != "a/file" {
		t.Errorf("%+v, %v", files, err)
	}
}

func TestWithoutAKeyEveryFolderIsOpen(t *testing.T) {
	f := open(t, raw.Defaults())
	list := fmt.Sprintf("%x  file\n", sha256.Sum256(nil))
	for name, files := range map[string]map[string][]byte{"with a list": maps.Clone(signed(list).Files), "with nothing": nil} {
		u := &formattest.Tree{Files: files}
		e, err := f.Follow(u, "a")
		if err != nil || e != (format.Edition{Shard: "a", Open: true}) || len(u.Emitted)+len(u.Fetched) > 0 {
			t.Errorf("%s: %+v, %q, %v", name, e, u.Emitted, err)
		}
	}
	sum := sha256.Sum256([]byte("content"))
	found, err := f.Found("a/file", sum[:], 7)
	if err != nil {
		t.Fatal(err)
	}
	described, err := f.Describe("a", "", fmt.Appendf(nil, "%x  file\n", sum), nil)
	if described.Size = 7; err != nil || fmt.Sprint(found) != fmt.Sprint(described) {
		t.Errorf("found %+v, described %+v, %v", found, described, err)
	}
	for _, p := range []string{"SHA256SUMS", "a/SHA256SUMS.asc"} {
		if _, err := f.Found(p, sum[:], 7); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s can be found: %v", p, err)
		}
	}
}

func FuzzMirror(f *testing.F) {
	f.Add(fmt.Appendf(nil, "%x  file\n\\%x *a\\\\b\n", sha256.Sum256(nil), sha256.Sum256(nil)))
	f.Add([]byte("# comment\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		u := signed(string(list))
		_, files, err := u.Describe(open(t, raw.Defaults()), "a")
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		for _, file := range files {
			if name, ok := strings.CutPrefix(file.Path, "a/"); !ok || name != file.Name || strings.Contains(name, "/") || !fs.ValidPath(file.Path) {
				t.Errorf("the list has %q", file.Path)
			}
		}
	})
}
