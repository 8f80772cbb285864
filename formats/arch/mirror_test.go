package arch_test

import (
	"archive/tar"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/formats/arch"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestScopes(t *testing.T) {
	f := open(t, arch.Defaults())
	for p, want := range map[string]string{
		"x86_64/hello.db":                      "x86_64/hello",
		"x86_64/hello.db.tar.gz":               "x86_64/hello",
		"x86_64/hello.files.sig":               "x86_64/hello",
		"core/os/x86_64/core.files.tar.gz.sig": "core/os/x86_64/core",
		"x86_64/chaotic-aur.db":                "x86_64/chaotic-aur",
	} {
		if got, ok := f.Scope(p); !ok || got != want {
			t.Errorf("the scope of %s is %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{
		"", "core.db", "any/core.db", "x86_64/", "x86_64/.db", "x86_64/hello-1.0-1-x86_64.pkg.tar.zst", "x86_64/hello.db.tar.xz",
		"../x86_64/core.db", "a b/x86_64/core.db", "x.db/x86_64/core.db", "A-b/core.db",
	} {
		if got, ok := f.Scope(p); ok {
			t.Errorf("the scope of %q is %q", p, got)
		}
	}
}

const place = "core/os/x86_64/core"

// desc returns the file of a package in a database, as repo-add writes it.
func desc(name, version string) string {
	file := name + "-" + version + "-x86_64.pkg.tar.zst"
	return "%FILENAME%\n" + file + "\n\n%NAME%\n" + name + "\n\n%VERSION%\n" + version + "\n\n%DESC%\nA  text with  blanks\n\n%CSIZE%\n100\n\n" +
		"%SHA256SUM%\n" + strings.Repeat("ab", 32) + "\n\n%PGPSIG%\naaaa\n\n%ARCH%\nx86_64\n\n%DEPENDS%\nglibc\nlibfoo>=1\n\n%XDATA%\npkgtype=pkg\n\n"
}

// signed returns an upstream with signed databases, by their suffixes.
func signed(databases map[string][]byte) *formattest.Tree {
	u := &formattest.Tree{Key: "they", Time: time.Unix(1_700_000_000, 0), Files: map[string][]byte{}}
	for suffix, data := range databases {
		u.Files[place+suffix] = data
		u.Files[place+suffix+".sig"] = u.Sign("they", scheme.OpenPGPBinary, data)
	}
	return u
}

// packages returns the members of a database of some packages, with lists of files or without.
func packages(lists bool, descs map[string]string) []member {
	var all []member
	for _, name := range slices.Sorted(maps.Keys(descs)) {
		all = append(all, folder(name+"/"), member{name: name + "/desc", data: descs[name]})
		if lists {
			all = append(all, member{name: name + "/files", data: "%FILES%\nusr/\nusr/" + name + "\n"})
		}
	}
	return all
}

func database(tb testing.TB, extension string, lists bool, descs map[string]string) []byte {
	tb.Helper()
	return packed(tb, extension, archive(tb, packages(lists, descs)...))
}

// content returns the files of an entry.
func content(tb testing.TB, entry []byte) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(entry)); ; {
		h, err := r.Next()
		if err != nil {
			return all
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			tb.Fatal(err)
		}
		all[h.Name] = text.String()
	}
}

func TestADatabaseIsFollowed(t *testing.T) {
	one, two := map[string]string{"one-1-1": desc("one", "1-1")}, map[string]string{"one-1-1": desc("one", "1-1"), "two-2-1": desc("two", "2-1")}
	stale := map[string]string{"one-1-1": desc("one", "1-1"), "two-2-1": desc("two", "2-1") + "%BASE%\nother\n\n", "gone-1-1": desc("gone", "1-1")}
	for name, tt := range map[string]struct {
		u     *formattest.Tree
		want  []string // the packages
		lists []string // those with lists of files
	}{
		"with lists":                   {signed(map[string][]byte{".db": database(t, "gz", false, two), ".files": database(t, "gz", true, two)}), []string{"one", "two"}, []string{"one", "two"}},
		"by the long name":             {signed(map[string][]byte{".db.tar.gz": database(t, "gz", false, one), ".files.tar.gz": database(t, "gz", true, one)}), []string{"one"}, []string{"one"}},
		"in zstd and xz":               {signed(map[string][]byte{".db": database(t, "zst", false, two), ".files": database(t, "xz", true, two)}), []string{"one", "two"}, []string{"one", "two"}},
		"without lists":                {signed(map[string][]byte{".db": database(t, "gz", false, two)}), []string{"one", "two"}, nil},
		"with lists of another time":   {signed(map[string][]byte{".db": database(t, "gz", false, two), ".files": database(t, "gz", true, stale)}), []string{"one", "two"}, []string{"one"}},
		"with a list of one package":   {signed(map[string][]byte{".db": database(t, "gz", false, two), ".files": database(t, "gz", true, one)}), []string{"one", "two"}, []string{"one"}},
		"of no packages":               {signed(map[string][]byte{".db": packed(t, "gz", make([]byte, 10240)), ".files": packed(t, "gz", make([]byte, 10240))}), nil, nil},
		"of no packages, and no bytes": {signed(map[string][]byte{".db": packed(t, "gz", nil)}), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e, files, err := tt.u.Describe(open(t, arch.Defaults()), place)
			if err != nil || e != (format.Edition{Shard: "core/os", Order: 1_700_000_000}) {
				t.Fatalf("%+v, %v", e, err)
			}
			var got, lists []string
			for _, f := range files {
				got = append(got, f.Name)
				folder := f.Name + "-" + f.Version
				text := strings.Replace(desc(f.Name, f.Version), "%PGPSIG%\naaaa\n\n", "", 1)
				if c := content(t, f.Entries[0].Data); f.Entries[0].Group != "db/x86_64" || len(c) != 1 || c[folder+"/desc"] != text {
					t.Errorf("the database would hold %q", c)
				}
				c := content(t, f.Entries[1].Data)
				if f.Entries[1].Group != "files/x86_64" || len(c) != 2 || c[folder+"/desc"] != text {
					t.Errorf("the database of lists would hold %q", c)
				}
				if strings.TrimSpace(c[folder+"/files"]) == "%FILES%\nusr/\nusr/"+folder {
					lists = append(lists, f.Name)
				} else if strings.TrimSpace(c[folder+"/files"]) != "%FILES%" {
					t.Errorf("the list of %s is %q", f.Name, c[folder+"/files"])
				}
				if f.Path != "core/os/x86_64/"+folder+"-x86_64.pkg.tar.zst" || f.Size != 100 || len(f.SHA256) != 32 || f.Slot != "core/os/"+f.Name ||
					f.Variant != "x86_64" || f.Shard != "core/os" {
					t.Errorf("%+v", f)
				}
			}
			slices.Sort(got)
			slices.Sort(lists)
			if !slices.Equal(got, tt.want) || !slices.Equal(lists, tt.lists) {
				t.Errorf("there are %q, with lists of %q", got, lists)
			}
		})
	}
}

func TestWhatIsNotSignedIsNotFollowed(t *testing.T) {
	all := map[string]string{"one-1-1": desc("one", "1-1")}
	db, lists := database(t, "gz", false, all), database(t, "gz", true, all)
	for name, tt := range map[string]struct {
		change func(*formattest.Tree)
		kind   error // nil: it is followed, without lists of files
	}{
		"no signature":                   {func(u *formattest.Tree) { delete(u.Files, place+".db.sig") }, format.ErrMalformed},
		"another key":                    {func(u *formattest.Tree) { u.Key = "others" }, format.ErrMalformed},
		"a flipped bit":                  {func(u *formattest.Tree) { u.Files[place+".db"] = flip(db) }, format.ErrMalformed},
		"the signature of the lists":     {func(u *formattest.Tree) { u.Files[place+".db.sig"] = u.Files[place+".files.sig"] }, format.ErrMalformed},
		"a flipped bit in the lists":     {func(u *formattest.Tree) { u.Files[place+".files"] = flip(lists) }, format.ErrMalformed},
		"no signature of the lists":      {func(u *formattest.Tree) { delete(u.Files, place+".files.sig") }, nil},
		"no database":                    {func(u *formattest.Tree) { delete(u.Files, place+".db") }, fs.ErrNotExist},
		"the database's as that of both": {func(u *formattest.Tree) { u.Files[place+".files.sig"] = u.Files[place+".db.sig"] }, format.ErrMalformed},
	} {
		u := signed(map[string][]byte{".db": db, ".files": lists})
		tt.change(u)
		_, files, err := u.Describe(open(t, arch.Defaults()), place)
		if !errors.Is(err, tt.kind) || err != nil && len(u.Emitted) > 0 {
			t.Errorf("%s: %d packages, %v", name, len(u.Emitted), err)
		}
		if tt.kind == nil && (len(files) != 1 || strings.Contains(string(files[0].Entries[1].Data), "usr/")) {
			t.Errorf("%s: %+v", name, files)
		}
	}
	u := signed(map[string][]byte{".db": db})
	u.Key = ""
	delete(u.Files, place+".db.sig")
	u.Time = time.Time{}
	if e, files, err := u.Describe(open(t, arch.Defaults()), place); err != nil || len(files) != 1 || e.Order != 0 {
		t.Errorf("trusted without a key: %+v, %v", e, err)
	}
}

func TestBadDatabasesAreRefused(t *testing.T) {
	good := desc("one", "1-1")
	of := func(files ...member) []byte { return packed(t, "gz", archive(t, files...)) }
	replace := func(from, to string) []byte {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not in %q", from, good)
		}
		return of(member{name: "one-1-1/desc", data: strings.Replace(good, from, to, 1)})
	}
	link := func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "x" }
	for name, data := range map[string][]byte{
		"no bytes that are a tar":       []byte("hello"),
		"half":                          database(t, "gz", false, map[string]string{"a": good})[:60],
		"in bzip2":                      []byte("BZh91AY&SY12345678"),
		"a bomb":                        packed(t, "zst", make([]byte, 40<<20)),
		"something behind zeros":        packed(t, "gz", append(make([]byte, 10240), 1)),
		"a file at the top":             of(member{name: "desc", data: good}),
		"a file too deep":               of(member{name: "a/b/desc", data: good}),
		"a file that leads upwards":     of(member{name: "../desc", data: good}),
		"a link":                        of(member{name: "one-1-1/desc", header: link}),
		"a file of another name":        of(member{name: "one-1-1/desc", data: good}, member{name: "one-1-1/depends", data: "%DEPENDS%\nx\n"}),
		"a list of files and no desc":   of(member{name: "one-1-1/files", data: "%FILES%\nx\n"}),
		"a package in two places":       of(member{name: "a-1-1/desc", data: good}, member{name: "b-1-1/desc", data: good}, member{name: "a-1-1/files", data: "%FILES%\n"}),
		"a file twice":                  of(member{name: "one-1-1/desc", data: good}, member{name: "one-1-1/desc", data: good}),
		"a desc without end":            of(member{name: "one-1-1/desc", data: good + "%X%\n" + strings.Repeat("x", 300<<10)}),
		"no section":                    of(member{name: "one-1-1/desc", data: "hello\n" + good}),
		"a section twice":               replace("%NAME%", "%NAME%\nevil\n\n%NAME%"),
		"a section within a section":    replace("%DESC%\n", "%DESC%\n%DEPENDS%\n"),
		"a list of files in the desc":   of(member{name: "one-1-1/desc", data: good + "%FILENAME%\nx\n"}),
		"no name of a file":             replace("%FILENAME%", "%X%"),
		"no name":                       replace("%NAME%", "%X%"),
		"two names":                     replace("%NAME%\n", "%NAME%\nevil\n"),
		"no size":                       replace("%CSIZE%", "%X%"),
		"no digest":                     replace("%SHA256SUM%", "%X%"),
		"a digest that is too short":    replace("abab", ""),
		"a size below zero":             replace("100", "-1"),
		"a size of nothing":             replace("100", "0"),
		"a file in another folder":      replace("one-1-1-x86_64", "../one-1-1-x86_64"),
		"a file in a folder":            replace("one-1-1-x86_64", "a/one-1-1-x86_64"),
		"a file that is hidden":         replace("one-1-1-x86_64", ".one-1-1-x86_64"),
		"a file that is a database":     replace("one-1-1-x86_64.pkg.tar.zst", "core.db"),
		"a file that is a signature":    replace(".pkg.tar.zst", ".pkg.tar.zst.sig"),
		"a file that is a sidecar":      replace(".pkg.tar.zst", ".pkg.tar.zst.asc"),
		"a name that leads upwards":     replace("%NAME%\none", "%NAME%\n../one"),
		"a version without a release":   replace("%VERSION%\n1-1", "%VERSION%\n1"),
		"a version with a slash":        replace("%VERSION%\n1-1", "%VERSION%\n1/1-1"),
		"an architecture that is none":  replace("%ARCH%\nx86_64", "%ARCH%\n../x"),
		"a carriage return":             replace("glibc\n", "glibc\r\n"),
		"a NUL":                         replace("glibc\n", "gl\x00ibc\n"),
		"more packages than there are":  of(flood(100_001 * 3)...),
		"a folder of a name of control": of(member{name: "a\x01/desc", data: good}),
	} {
		u := signed(map[string][]byte{".db": data})
		if _, _, err := u.Describe(open(t, arch.Defaults()), place); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, scope := range []string{"", "core", "../x86_64/core", "x86_64/../core", "x86_64/a b", "any/core"} {
		if _, err := open(t, arch.Defaults()).Describe(scope, "", []byte(good), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("in %q: %v", scope, err)
		}
	}
}

func flood(n int) []member {
	all := make([]member, n)
	for i := range all {
		all[i] = folder(fmt.Sprintf("f-%d-1/", i))
	}
	return all
}

// A newer upload takes the place of the upstream's package, for one architecture or for all, and an older one is refused. The
// upstream's own packages for all architectures are beside each other, one in each folder.
func TestSlotsOfAnUpstreamsPackages(t *testing.T) {
	f := open(t, arch.Defaults())
	text := strings.ReplaceAll(desc("hello", "1.0-1"), "x86_64", "any")
	x86, err := f.Describe("core/os/x86_64/core", "", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	arm, err := f.Describe("core/os/aarch64/core", "", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if x86.Path != "core/os/x86_64/hello-1.0-1-any.pkg.tar.zst" || x86.Slot != arm.Slot || x86.Variant == arm.Variant || x86.Path == arm.Path || x86.Arch != "any" {
		t.Errorf("%+v\n%+v", x86.Package, arm.Package)
	}
	for machine, variant := range map[string]string{"x86_64": x86.Variant, "any": ""} {
		upload, err := f.Parse(format.Op{Dir: "core/os"}, formattest.NewBlob(pkg{arch: machine}.build(t)), nil)
		if err != nil || upload.Slot != x86.Slot || upload.Variant != variant {
			t.Errorf("%+v, %v", upload, err)
		}
	}
}

func TestDatabasesInFrontOfAnUpstream(t *testing.T) {
	for name, tt := range map[string]struct {
		scopes []string
		groups []string
		want   []string
		kind   error
	}{
		"nothing is known":                {nil, nil, nil, nil},
		"an upload and no database":       {nil, []string{"db/any", "files/any"}, []string{"aarch64/os", "x86_64/os"}, nil},
		"a database that lists nothing":   {[]string{"core/os/x86_64/core"}, nil, []string{"x86_64/core"}, nil},
		"a database and an upload":        {[]string{"core/os/x86_64/core"}, []string{"db/aarch64", "db/any", "db/x86_64"}, []string{"aarch64/core", "x86_64/core"}, nil},
		"databases of two architectures":  {[]string{"core/os/aarch64/alarm", "core/os/x86_64/core"}, nil, []string{"aarch64/alarm", "x86_64/core"}, nil},
		"two databases of one of them":    {[]string{"core/os/x86_64/core", "core/os/x86_64/extra"}, nil, nil, format.ErrMalformed},
		"the same database, looked at so": {[]string{"core/os/x86_64/core", "core/os/x86_64/core"}, nil, []string{"x86_64/core"}, nil},
	} {
		in := groups{name: "core/os"}
		for _, g := range tt.groups {
			in.all = append(in.all, format.Group{Name: g, Count: 1})
		}
		var got []string
		err := open(t, arch.Defaults()).Index(format.Site{Repository: "repo", Behind: &format.Behind{Scopes: tt.scopes}}, in, func(f format.File) error {
			if base, ok := strings.CutSuffix(f.Path, ".db"); ok {
				got = append(got, strings.TrimPrefix(base, "core/os/"))
			}
			if scope, ok := open(t, arch.Defaults()).Scope(f.Path); !ok || len(tt.scopes) == 1 && len(tt.groups) == 0 && scope != tt.scopes[0] {
				t.Errorf("%s is of the scope %q", f.Path, scope)
			}
			return nil
		})
		if !errors.Is(err, tt.kind) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// groups are a shard that only has a name and groups.
type groups struct {
	name string
	all  []format.Group
}

func (g groups) Name() string                       { return g.name }
func (g groups) Raise(string, string, []byte) error { return nil }
func (g groups) Groups() []format.Group             { return g.all }
func (g groups) Entries(string) ([][]byte, error)   { return nil, nil }

func (g groups) List(l ...format.Listing) ([]format.Listed, error) {
	return make([]format.Listed, len(l)), nil
}

// pacman has one keyring for packages and databases: what an upstream calls a package may be one of ours with a signature.
func TestAnUpstreamsFileIsSealedUnlessItCouldBeADatabase(t *testing.T) {
	f := open(t, arch.Defaults())
	op := format.Op{Kind: format.Get, Paths: []string{"core/os/x86_64/hello-1.0-1-any.pkg.tar.zst"}}
	s, err := f.Seal(format.Site{}, op, formattest.NewBlob(pkg{arch: "any"}.build(t)))
	if err != nil || len(s.Seals) != 1 || s.Seals[0].Path != op.Paths[0]+".sig" || !s.Seals[0].Single || s.Splice != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := f.Seal(format.Site{}, format.Op{}, formattest.NewBlob(pkg{}.build(t))); err != nil || len(s.Seals) != 1 || !s.Seals[0].Single {
		t.Errorf("without a path: %+v, %v", s, err)
	}
	for name, build := range bad() {
		for _, op := range []format.Op{op, {}} {
			if !strings.Contains(name, "database") && name != "a text" {
				continue
			}
			if s, err := f.Seal(format.Site{}, op, formattest.NewBlob(build(t))); !errors.Is(err, format.ErrMalformed) || len(s.Seals) > 0 {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
	}
	if s, err := f.Seal(format.Site{}, op, formattest.NewBlob(database(t, "gz", false, map[string]string{"one-1-1": desc("one", "1-1")}))); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a database: %+v, %v", s, err)
	}
}

// What repo-add writes is described, and pacman reads what we would write of it.
func TestADatabaseOfRepoAddIsFollowedAndReadByPacman(t *testing.T) {
	m := newMachine(t, "core", "core/os/")
	built := map[string]pkg{
		"hello-1.0-1-x86_64.pkg.tar.zst": {info: "pkgdesc = A text\ndepend = beta>=1\ngroup = greeters\n"},
		"beta-2:1.0-1.1-any.pkg.tar.xz":  {name: "beta", version: "2:1.0-1.1", arch: "any", extension: "xz"},
	}
	args := []string{"core.db.tar.gz"}
	for name, p := range built {
		m.write("upstream/"+name, p.build(t))
		args = append(args, name)
	}
	cmd := exec.Command("repo-add", args...)
	cmd.Dir = filepath.Join(m.dir, "upstream")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("repo-add: %v: %s (apt-get install pacman-package-manager makepkg)", err, out)
	}
	u := &formattest.Tree{Files: map[string][]byte{}}
	for _, suffix := range []string{".db", ".files"} {
		data, err := os.ReadFile(filepath.Join(m.dir, "upstream", "core"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		u.Files[place+suffix] = data
	}
	_, files, err := u.Describe(open(t, arch.Defaults()), place)
	if err != nil || len(files) != len(built) {
		t.Fatalf("%d packages: %v", len(files), err)
	}
	databases := map[string][]byte{}
	for _, f := range files {
		name := filepath.Base(f.Path)
		data := built[name].build(t)
		blob := formattest.NewBlob(data)
		if f.Size != blob.Size() || fmt.Sprintf("%x", f.SHA256) != fmt.Sprintf("%x", blob.Digest(crypto.SHA256)) {
			t.Errorf("%s is not as it is listed", name)
		}
		databases["core.db"] = append(databases["core.db"], f.Entries[0].Data...)
		databases["core.files"] = append(databases["core.files"], f.Entries[1].Data...)
		m.write("repo/core/os/x86_64/"+name, data)
	}
	for name, data := range databases {
		m.write("repo/core/os/x86_64/"+name, packed(t, "gz", append(data, make([]byte, 1024)...)))
	}
	m.write("pacman.conf", fmt.Appendf(nil, "[options]\nArchitecture = x86_64\n[core]\nSigLevel = Never\nServer = file://%s/repo/core/os/$arch\n", m.dir))
	m.must(true, "", "-Sy")
	m.must(true, "core beta 2:1.0-1.1\ncore hello 1.0-1\n", "-Sl")
	m.must(true, "A text", "-Si", "hello")
	m.must(true, "greeters hello", "-Sg", "greeters")
	m.must(true, "", "-Fy")
	m.must(true, "hello usr/share/hello\n", "-Fl", "hello")
	m.must(true, "", "-S", "hello")
	m.must(true, "beta 2:1.0-1.1\nhello 1.0-1\n", "-Q")
}

func FuzzMirror(f *testing.F) {
	all := map[string]string{"one-1-1": desc("one", "1-1")}
	f.Add(archive(f, packages(true, all)...), []byte(desc("one", "1-1")))
	f.Add(archive(f, packages(false, all)...), []byte(desc("one", "1-1")+"%FILES%\nusr/\n"))
	f.Fuzz(func(t *testing.T, plain, stanza []byte) {
		u := signed(map[string][]byte{".db": plain, ".files": plain})
		_, files, err := u.Describe(open(t, arch.Defaults()), place)
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		if one, err := open(t, arch.Defaults()).Describe(place, "", stanza, nil); err == nil {
			files = append(files, one)
		} else if !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		for _, f := range files {
			if !fs.ValidPath(f.Path) || filepath.Dir(f.Path) != "core/os/x86_64" || !strings.Contains(f.Path, ".pkg.tar") {
				t.Errorf("the database has %q", f.Path)
			}
			if names := content(t, f.Entries[1].Data); len(names) != 2 {
				t.Errorf("the entry of %q holds %q", f.Path, names)
			}
		}
	})
}
