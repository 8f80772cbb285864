package alpine_test

import (
	"archive/tar"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/format"
	"hallmark/formats/formattest"

	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, op format.Op, data []byte) (format.Package, error) {
	t.Helper()
	return open(t, alpine.Defaults()).Parse(op, formattest.NewBlob(data), nil)
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	for name, build := range bad() {
		t.Run(name, func(t *testing.T) {
			p, err := parse(t, format.Op{}, build(t))
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("the package is taken as %+v, or the error is another: %v", p, err)
			}
			if _, err := open(t, alpine.Settings{SignPackages: "always"}).Seal(format.Site{}, format.Op{}, formattest.NewBlob(build(t))); err != nil &&
				!errors.Is(err, format.ErrMalformed) {
				t.Errorf("sealing it gives another error: %v", err)
			}
			t.Log(err)
		})
	}
}

func TestThePackagesOfNFPMAreTaken(t *testing.T) {
	for _, tt := range []struct{ file, path, entry string }{
		{"hello_1.2.3-r1_x86_64.apk", "x86_64/hello-1.2.3-r1.apk", "P:hello\nV:1.2.3-r1\nA:x86_64\nS:621\nI:21\nT:Says hello\n" +
			"U:https://example.org/hello\nL:MIT\nm:Ada Example <ada@example.org>\nD:so:libc.musl-x86_64.so.1 foo>=1.2\np:cmd:hello=1.2.3\n\n"},
		{"hello-doc_1.2.3-r1_noarch.apk", "noarch/hello-doc-1.2.3-r1.apk", "P:hello-doc\nV:1.2.3-r1\nA:noarch\nS:333\nI:0\nT:Says hello\n" +
			"U:https://example.org/hello\nL:MIT\nm:Ada Example <ada@example.org>\n\n"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := parse(t, format.Op{Dir: "v3", Name: tt.file}, data)
			if err != nil {
				t.Fatal(err)
			}
			checksum, entry, _ := strings.Cut(string(p.Entries[0].Data), "\n")
			if p.Path != "v3/"+tt.path || p.Shard != "v3" {
				t.Errorf("it is kept as %q in %q", p.Path, p.Shard)
			}
			if diff := cmp.Diff(tt.entry, entry); diff != "" {
				t.Error(diff)
			}
			raw, _, err := members(data)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha1.Sum(raw[0])
			if want := "C:Q1" + base64.StdEncoding.EncodeToString(sum[:]); checksum != want {
				t.Errorf("the checksum is %q, want %q", checksum, want)
			}
		})
	}
}

func TestAnEntryHasTheFieldsOfApkIndexInItsOrder(t *testing.T) {
	a := apk{name: "zlib", version: "1.3.1-r2", info: "maintainer = A <a@example.org>\nlicense = Zlib\nbuilddate = 1700000000\nsize = 110592\n" +
		"provider_priority = 7\nreplaces = zlib-ng\ncommit = 0123abc\norigin = zlib\nurl = https://zlib.net/\npkgdesc = A compression library\n" +
		"install_if = a=1 b\nprovides = so:libz.so.1=1.3.1\nprovides = pc:zlib=1.3.1\ndepend = so:libc.musl-x86_64.so.1\ndepend = !old\n" +
		"triggers = /x\nunknown = value\nno assignment\n"}
	p, err := parse(t, format.Op{}, a.build(t))
	if err != nil {
		t.Fatal(err)
	}
	_, entry, _ := strings.Cut(string(p.Entries[0].Data), "\n")
	want := fmt.Sprintf("P:zlib\nV:1.3.1-r2\nA:x86_64\nS:%d\nI:110592\nT:A compression library\nU:https://zlib.net/\nL:Zlib\no:zlib\n"+
		"m:A <a@example.org>\nt:1700000000\nc:0123abc\nk:7\nD:so:libc.musl-x86_64.so.1 !old\np:so:libz.so.1=1.3.1 pc:zlib=1.3.1\ni:a=1 b\n\n",
		len(a.build(t)))
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Error(diff)
	}
}

func TestWhatBuildToolsWriteIsTaken(t *testing.T) {
	extended := func(h *tar.Header) {
		h.Format = tar.FormatPAX
		h.PAXRecords = map[string]string{"mtime": "1700000000.5", "atime": "0", "APK-TOOLS.checksum.SHA1": "00"}
	}
	for name, a := range map[string]apk{
		"scripts":                          {control: []member{{name: ".pre-install", data: "#!/bin/sh\n"}, {name: ".trigger", data: "#!/bin/sh\n"}}},
		"the recipe of melange":            {control: []member{{name: ".melange.yaml", data: "package:\n"}}},
		"extended headers of abuild":       {control: []member{{name: ".post-install", data: "x", header: extended}}, data: []member{{name: "a", data: "x", header: extended}}},
		"data without files":               {data: []member{}},
		"data that is not even an end":     {rawData: packed(t, nil)},
		"links and folders in the data":    {data: []member{{name: "usr/", header: func(h *tar.Header) { h.Typeflag = tar.TypeDir }}, {name: "usr/b", header: func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "/bin/x" }}}},
		"a tab in a description":           {info: "pkgdesc = a\tb\n"},
		"a description of many lines":      {info: "pkgdesc = a\n  and = more\n  pkgname = no\n"},
		"a version with all its parts":     {version: "1.2.3a_rc2_git20240101~0af-r12"},
		"a name that looks like a version": {name: "gtk-3.0"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(t, format.Op{}, a.build(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheURLOfAnUploadMustAgree(t *testing.T) {
	x86, all := apk{}, apk{arch: "noarch"}
	for _, tt := range []struct {
		name string
		op   format.Op
		apk  apk
		path string // "": refused
	}{
		{"the root", format.Op{}, x86, "x86_64/hello-1.0-r0.apk"},
		{"a folder", format.Op{Dir: "v3/main"}, x86, "v3/main/x86_64/hello-1.0-r0.apk"},
		{"the folder that it will be served in", format.Op{Dir: "v3/main/x86_64"}, x86, "v3/main/x86_64/hello-1.0-r0.apk"},
		{"only its architecture", format.Op{Dir: "x86_64"}, x86, "x86_64/hello-1.0-r0.apk"},
		{"another architecture", format.Op{Dir: "v3/aarch64"}, x86, ""},
		{"the folder of packages for all", format.Op{Dir: "noarch"}, x86, ""},
		{"an architecture for a package for all", format.Op{Dir: "v3/aarch64"}, all, "v3/noarch/hello-1.0-r0.apk"},
		{"a folder that is like an architecture", format.Op{Dir: "x86_65"}, x86, "x86_65/x86_64/hello-1.0-r0.apk"},
		{"an architecture above a folder", format.Op{Dir: "aarch64/main"}, x86, "aarch64/main/x86_64/hello-1.0-r0.apk"},
		{"its name", format.Op{Name: "hello-1.0-r0.apk"}, x86, "x86_64/hello-1.0-r0.apk"},
		{"its name by nfpm", format.Op{Name: "hello_1.0-r0_x86_64.apk"}, x86, "x86_64/hello-1.0-r0.apk"},
		{"a name that says nothing", format.Op{Name: "out.apk"}, x86, "x86_64/hello-1.0-r0.apk"},
		{"the name of another", format.Op{Name: "hullo-1.0-r0.apk"}, x86, ""},
		{"the name of another version", format.Op{Name: "hello-1.0-r1.apk"}, x86, ""},
		{"the name of another by nfpm", format.Op{Name: "hullo_1.0-r0_x86_64.apk"}, x86, ""},
		{"the name of another architecture by nfpm", format.Op{Name: "hello_1.0-r0_aarch64.apk"}, x86, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parse(t, tt.op, tt.apk.build(t))
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

// With signatures, Parse reads bytes that it has seen before but for what stands in front of them.
func TestThePackageIsComparedOnceMoreWhenItIsSealed(t *testing.T) {
	f := open(t, alpine.Defaults())
	data := apk{}.build(t)
	sigs := []format.Signature{{Seal: "rsa256", Key: "a.rsa.pub", Value: []byte("x")}}
	if _, err := f.Parse(format.Op{}, formattest.NewBlob(data), sigs); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][]byte{data[:len(data)-1], append(data[:len(data):len(data)], 0)} {
		if _, err := f.Parse(format.Op{}, formattest.NewBlob(change), sigs); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%d bytes in place of %d are accepted: %v", len(change), len(data), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	format3, err := alpine.New(alpine.Settings{SignPackages: "always", Architectures: []string{"x86_64"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, build := range bad() {
		if b := build(f); len(b) < 8<<10 {
			f.Add(b)
		}
	}
	f.Add(apk{control: []member{{name: ".trigger", data: "x"}}, info: "depend = a b\n"}.build(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		blob := formattest.NewBlob(data)
		p, err := format3.Parse(format.Op{}, blob, nil)
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		if n := strings.Count(string(p.Entries[0].Data), "\n\n"); n != 1 {
			t.Errorf("the entry ends %d times: %q", n, p.Entries[0].Data)
		}
		s, err := format3.Seal(format.Site{}, format.Op{}, blob)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := members(data); err != nil {
			t.Errorf("what is taken cannot be taken apart: %v", err)
		}
		if m := s.Seals[0].Message[0]; m.Offset < 0 || m.Offset+m.Size > int64(len(data)) {
			t.Errorf("the message is %+v of %d", m, len(data))
		}
	})
}

// FuzzControl packs its input as a control member, since hardly any mutation of compressed bytes can be unpacked.
func FuzzControl(f *testing.F) {
	f.Add(archive(f, false, member{name: ".PKGINFO", data: "pkgname = a\npkgver = 1\narch = x86_64\n"}))
	f.Add(ustar("APKINDEX", "P:a\n"))
	f.Fuzz(func(t *testing.T, control []byte) {
		data := packed(t, archive(t, true))
		_, err := parse(t, format.Op{}, append(packed(t, control), data...))
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Errorf("another error: %v", err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, files := range []int{1, 1000} {
		var data []member
		for i := range files {
			data = append(data, member{name: fmt.Sprintf("usr/share/%d", i), data: strings.Repeat("content ", 500)})
		}
		body := apk{data: data}.build(b)
		f := open(b, alpine.Defaults())
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := f.Parse(format.Op{}, formattest.NewBlob(body), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
