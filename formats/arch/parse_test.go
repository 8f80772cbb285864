package arch_test

import (
	"archive/tar"
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/format"
	"hallmark/formats/formattest"

	"github.com/google/go-cmp/cmp"
)

func parse(tb testing.TB, op format.Op, data []byte) (format.Package, error) {
	tb.Helper()
	return open(tb, arch.Defaults()).Parse(op, formattest.NewBlob(data), nil)
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	for name, build := range bad() {
		t.Run(name, func(t *testing.T) {
			p, err := parse(t, format.Op{}, build(t))
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("the package is taken as %+v, or the error is another: %v", p, err)
			}
			t.Log(err)
		})
	}
}

// entry returns the files of an entry of a database.
func entry(t *testing.T, data []byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	r := tar.NewReader(bytes.NewReader(append(bytes.Clone(data), make([]byte, 1024)...)))
	for {
		h, err := r.Next()
		if err != nil {
			return all
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		all[h.Name] = b.String()
	}
}

func TestAnEntryHasTheSectionsOfRepoAddInItsOrder(t *testing.T) {
	body := pkg{name: "zlib", version: "1:1.3-2", arch: "any", info: "pkgbase = zlib\npkgdesc = A   compression\tlibrary\nurl = https://zlib.net/\n" +
		"packager = A <a@example.org>\nlicense = Zlib\nlicense = MIT\ngroup = base\nreplaces = z\nconflict = zz\nprovides = libz.so=1-64\n" +
		"depend = glibc\ndepend = sh>=5\noptdepend = x: for y\nmakedepend = gcc\ncheckdepend = true\nbackup = etc/z\nxdata = pkgtype=pkg\nempty =\nno assignment\n",
		files: []member{{name: ".INSTALL", data: "post_install() { :; }\n"}, folder("usr/"), {name: "usr/b", data: "b"}, {name: "usr/a", data: "a"}, folder("usr/a.d/")},
	}.build(t)
	f := open(t, arch.Defaults())
	sig := []byte("signature")
	p, err := f.Parse(format.Op{Dir: "extra"}, formattest.NewBlob(body), []format.Signature{{Seal: "package", Value: sig}})
	if err != nil {
		t.Fatal(err)
	}
	want := format.Package{Path: "extra/any/zlib-1:1.3-2-any.pkg.tar.zst", Name: "zlib", Version: "1:1.3-2", Arch: "any", Slot: "extra/zlib", Shard: "extra"}
	entries := p.Entries
	p.Entries = nil
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	desc := fmt.Sprintf("%%FILENAME%%\nzlib-1:1.3-2-any.pkg.tar.zst\n\n%%NAME%%\nzlib\n\n%%BASE%%\nzlib\n\n%%VERSION%%\n1:1.3-2\n\n"+
		"%%DESC%%\nA compression library\n\n%%GROUPS%%\nbase\n\n%%CSIZE%%\n%d\n\n%%ISIZE%%\n100\n\n%%SHA256SUM%%\n%x\n\n%%PGPSIG%%\n%s\n\n"+
		"%%URL%%\nhttps://zlib.net/\n\n%%LICENSE%%\nZlib\nMIT\n\n%%ARCH%%\nany\n\n%%BUILDDATE%%\n1700000000\n\n%%PACKAGER%%\nA <a@example.org>\n\n"+
		"%%REPLACES%%\nz\n\n%%CONFLICTS%%\nzz\n\n%%PROVIDES%%\nlibz.so=1-64\n\n%%DEPENDS%%\nglibc\nsh>=5\n\n%%OPTDEPENDS%%\nx: for y\n\n"+
		"%%MAKEDEPENDS%%\ngcc\n\n%%CHECKDEPENDS%%\ntrue\n\n", len(body), formattest.NewBlob(body).Digest(crypto.SHA256), base64.StdEncoding.EncodeToString(sig))
	for i, wanted := range []map[string]string{
		{"zlib-1:1.3-2/desc": desc},
		{"zlib-1:1.3-2/desc": desc, "zlib-1:1.3-2/files": "%FILES%\nusr/\nusr/a\nusr/a.d/\nusr/b\n"},
	} {
		if group := []string{"db/any", "files/any"}[i]; entries[i].Group != group || len(entries[i].Data)%512 != 0 {
			t.Errorf("the entry %d is one of %q, of %d bytes", i, entries[i].Group, len(entries[i].Data))
		}
		if diff := cmp.Diff(wanted, entry(t, entries[i].Data)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALongSignatureIsLeftOut(t *testing.T) {
	for size, want := range map[int]bool{16384: true, 16385: false} {
		sigs := []format.Signature{{Seal: "package", Value: make([]byte, size)}}
		p, err := open(t, arch.Defaults()).Parse(format.Op{}, formattest.NewBlob(pkg{}.build(t)), sigs)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(p.Entries[0].Data, []byte("%PGPSIG%")); got != want {
			t.Errorf("a signature of %d bytes is in the database: %t", size, got)
		}
	}
}

// The archives are nfpm's and bsdtar's, which is makepkg's. repo-add says what a database holds of them.
func TestTheDatabaseIsThatOfRepoAdd(t *testing.T) {
	for name, debian := range map[string]string{"repo-add": "pacman-package-manager", "bsdtar": "libarchive-tools"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed: apt-get install %s", name, debian)
		}
	}
	dir := t.TempDir()
	command := func(text string) {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-ec", text)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", text, out)
		}
	}
	for _, file := range []string{"hello-1.2.3-1-x86_64.pkg.tar.zst", "hello-doc-1.2.3-1-any.pkg.tar.zst"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("long/", 40)
	command(`mkdir -p made/usr/share/` + long + `; cd made
		printf 'pkgname = made\npkgbase = made\npkgver = 1:2.0-1\npkgdesc = Made by  hand\nsize = 5\narch = x86_64\ndepend = hello\n' > .PKGINFO
		echo '#mtree' > .MTREE; echo x > .INSTALL
		echo hello > usr/share/` + long + `file; echo hello > "usr/share/Főtanúsítvány"; ln -s share usr/link; ln usr/share/` + long + `file usr/hard
		touch -d '2020-01-02 03:04:05.678' usr/hard
		bsdtar -cnf - .MTREE .PKGINFO .INSTALL usr usr/* usr/share/* | gzip > ../made-1:2.0-1-x86_64.pkg.tar.gz`)
	command(`LC_ALL=C.UTF-8 repo-add -q x.db.tar.gz *.pkg.tar.*; mkdir theirs; tar -xf x.files.tar.gz -C theirs`)
	md5 := regexp.MustCompile(`%MD5SUM%\n.*\n\n`)
	for file, folder := range map[string]string{
		"hello-1.2.3-1-x86_64.pkg.tar.zst": "hello-1.2.3-1", "hello-doc-1.2.3-1-any.pkg.tar.zst": "hello-doc-1.2.3-1",
		"made-1:2.0-1-x86_64.pkg.tar.gz": "made-1:2.0-1",
	} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			p, err := parse(t, format.Op{Name: file}, data)
			if err != nil {
				t.Fatal(err)
			}
			ours := entry(t, p.Entries[1].Data)
			for _, name := range []string{"desc", "files"} {
				theirs, err := os.ReadFile(filepath.Join(dir, "theirs", folder, name))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(md5.ReplaceAllString(string(theirs), ""), ours[folder+"/"+name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func TestTheURLOfAnUploadMustAgree(t *testing.T) {
	x86, all := pkg{}, pkg{arch: "any"}
	for _, tt := range []struct {
		name string
		op   format.Op
		pkg  pkg
		path string // "": refused
	}{
		{"the root", format.Op{}, x86, "x86_64/hello-1.0-1-x86_64.pkg.tar.zst"},
		{"a folder", format.Op{Dir: "a/extra"}, x86, "a/extra/x86_64/hello-1.0-1-x86_64.pkg.tar.zst"},
		{"the folder that it will be served in", format.Op{Dir: "extra/x86_64"}, x86, "extra/x86_64/hello-1.0-1-x86_64.pkg.tar.zst"},
		{"another architecture", format.Op{Dir: "extra/aarch64"}, x86, ""},
		{"the folder of packages for all", format.Op{Dir: "any"}, x86, ""},
		{"an architecture for a package for all", format.Op{Dir: "extra/x86_64"}, all, "extra/any/hello-1.0-1-any.pkg.tar.zst"},
		{"a database called local", format.Op{Dir: "local"}, x86, ""},
		{"a database called options", format.Op{Dir: "a/options/x86_64"}, x86, ""},
		{"its name", format.Op{Name: "hello-1.0-1-x86_64.pkg.tar.zst"}, x86, "x86_64/hello-1.0-1-x86_64.pkg.tar.zst"},
		{"a name that says nothing", format.Op{Name: "out.pkg.tar.zst"}, x86, "x86_64/hello-1.0-1-x86_64.pkg.tar.zst"},
		{"another compression", format.Op{Name: "hello-1.0-1-x86_64.pkg.tar.xz"}, x86, ""},
		{"the name of another", format.Op{Name: "hullo-1.0-1-x86_64.pkg.tar.zst"}, x86, ""},
		{"the name of another release", format.Op{Name: "hello-1.0-2-x86_64.pkg.tar.zst"}, x86, ""},
		{"the name of another architecture", format.Op{Name: "hello-1.0-1-any.pkg.tar.zst"}, x86, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parse(t, tt.op, tt.pkg.build(t))
			if tt.path == "" {
				if !errors.Is(err, format.ErrMalformed) {
					t.Errorf("the package is kept as %q: %v", p.Path, err)
				}
				return
			}
			if err != nil || p.Path != tt.path {
				t.Errorf("the package is kept as %q, want %q: %v", p.Path, tt.path, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	arches := open(f, arch.Defaults())
	for _, build := range bad() {
		if b := build(f); len(b) < 8<<10 {
			f.Add(b)
		}
	}
	for _, extension := range []string{"zst", "xz", "gz"} {
		f.Add(pkg{extension: extension}.build(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, arches, data) })
}

// FuzzArchive compresses its input, since hardly any mutation of compressed bytes can be unpacked.
func FuzzArchive(f *testing.F) {
	arches := open(f, arch.Defaults())
	info := ustar(".PKGINFO", "pkgname = a\npkgver = 1-1\narch = any\n", '0')
	for _, entries := range hidden() {
		if len(entries) < 8<<10 {
			f.Add(append(bytes.Clone(info), entries...))
		}
	}
	f.Add(append(bytes.Clone(info), ustar("usr/x", "content", '0')...))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, arches, packed(t, "gz", append(bytes.Clone(data), make([]byte, 1024)...)))
	})
}

func check(t *testing.T, f *arch.Format, data []byte) {
	blob := formattest.NewBlob(data)
	p, err := f.Parse(format.Op{}, blob, nil)
	if err != nil {
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("another error: %v", err)
		}
		return
	}
	if found := forgiving(data); len(found) > 0 {
		t.Errorf("the package passes for a database with %q", found)
	}
	if text := entry(t, p.Entries[0].Data)[p.Name+"-"+p.Version+"/desc"]; !strings.HasSuffix(text, "\n\n") {
		t.Errorf("the entry does not end: %q", text)
	}
	if s, err := f.Seal(format.Site{}, format.Op{}, blob); err != nil || s.Seals[0].Path != p.Path+".sig" {
		t.Errorf("the package is %q and its seal %+v: %v", p.Path, s.Seals, err)
	}
}

func BenchmarkParse(b *testing.B) {
	f := open(b, arch.Defaults())
	for _, extension := range []string{"zst", "xz", "gz"} {
		for _, files := range []int{1, 1000} {
			p := pkg{extension: extension}
			for i := range files {
				p.files = append(p.files, member{name: fmt.Sprintf("usr/share/%d", i), data: strings.Repeat(fmt.Sprint("content ", i), 400)})
			}
			body := p.build(b)
			b.Run(fmt.Sprintf("%s/files=%d", extension, files), func(b *testing.B) {
				b.ReportMetric(float64(len(body)), "packed-B")
				for b.Loop() {
					if _, err := f.Parse(format.Op{}, formattest.NewBlob(body), nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
