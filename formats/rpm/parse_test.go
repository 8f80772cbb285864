package rpm_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
	"hallmark/formats/rpm"
)

// withFiles returns a package with files of some paths.
func withFiles(dirs []string, names []string, indexes ...uint32) rpmfiletest.Package {
	n := len(names)
	return rpmfiletest.New("files", "1", "1", "noarch").With(
		rpmfiletest.Texts(rpmfile.DirNames, dirs...),
		rpmfiletest.Texts(rpmfile.BaseNames, names...),
		rpmfiletest.Numbers(rpmfile.DirIndexes, indexes...),
		rpmfiletest.Shorts(rpmfile.FileModes, make([]uint16, n)...),
		rpmfiletest.Numbers(rpmfile.FileFlags, make([]uint32, n)...),
	)
}

// malformed returns uploads that are refused, by what is wrong with them.
func malformed() map[string]formattest.Upload {
	hello := pkg("hello", "1", "x86_64")
	with := func(entries ...rpmfiletest.Entry) formattest.Upload {
		return formattest.Upload{Path: "dir/", Body: hello.With(entries...).Bytes()}
	}
	files := func(p rpmfiletest.Package) formattest.Upload { return formattest.Upload{Path: "dir/", Body: p.Bytes()} }
	signed := hello
	signed.Signature = []rpmfiletest.Entry{rpmfiletest.Bytes(rpmfile.SigRSA, []byte("this is no signature at all"))}
	damaged := hello.Bytes()
	damaged[len(damaged)-1] ^= 1
	return map[string]formattest.Upload{
		"another name in the URL":         {Path: "hi-1-1.x86_64.rpm", Body: hello.Bytes()},
		"another version in the URL":      {Path: "hello-2-1.x86_64.rpm", Body: hello.Bytes()},
		"another architecture in the URL": {Path: "hello-1-1.noarch.rpm", Body: hello.Bytes()},
		"another extension in the URL":    {Path: "hello-1-1.x86_64.deb", Body: hello.Bytes()},
		"a directory with a space":        {Path: "a b/hello-1-1.x86_64.rpm", Body: hello.Bytes()},
		"a directory like a package":      {Path: "a.rpm/hello-1-1.x86_64.rpm", Body: hello.Bytes()},
		"a hidden directory":              {Path: ".a/hello-1-1.x86_64.rpm", Body: hello.Bytes()},
		"one bit of the payload flipped":  {Path: "hello-1-1.x86_64.rpm", Body: damaged},
		"a signature that is none":        files(signed),
		"no name":                         files(hello.Less(rpmfile.Name)),
		"no architecture":                 files(hello.Less(rpmfile.Arch)),
		"an empty release":                with(rpmfiletest.Text(rpmfile.Release, "")),
		"a newline in the name":           with(rpmfiletest.Text(rpmfile.Name, "hello\nworld")),
		"a slash in the name":             with(rpmfiletest.Text(rpmfile.Name, "../hello")),
		"a name that is hidden":           with(rpmfiletest.Text(rpmfile.Name, ".hello")),
		"a name that is an option":        with(rpmfiletest.Text(rpmfile.Name, "-hello")),
		"a dash in the version":           with(rpmfiletest.Text(rpmfile.Version, "1-2")),
		"a colon in the release":          with(rpmfiletest.Text(rpmfile.Release, "1:2")),
		"a name that is too long":         with(rpmfiletest.Text(rpmfile.Name, strings.Repeat("x", 240))),
		"an architecture with a dot":      with(rpmfiletest.Text(rpmfile.Arch, "x86.rpm")),
		"a binary package for src":        with(rpmfiletest.Text(rpmfile.Arch, "src")),
		"a number for a name":             with(rpmfiletest.Numbers(rpmfile.Name, 1)),
		"a text for an epoch":             with(rpmfiletest.Text(rpmfile.Epoch, "1")),
		"two epochs":                      with(rpmfiletest.Numbers(rpmfile.Epoch, 1, 2)),
		"a delta":                         with(rpmfiletest.Text(rpmfile.PayloadFormat, "drpm")),
		"a newline in a requirement":      with(rpmfiletest.Texts(rpmfile.RequireName, "a\n", "bash")),
		"an empty requirement":            with(rpmfiletest.Texts(rpmfile.RequireName, "", "bash")),
		"a newline in a version":          with(rpmfiletest.Texts(rpmfile.RequireVersion, "1\n", "1")),
		"more requirements than versions": with(rpmfiletest.Texts(rpmfile.RequireName, "a", "b", "c")),
		"provisions without flags":        files(hello.Less(rpmfile.ProvideFlags)),
		"a changelog without texts":       files(hello.Less(rpmfile.ChangelogText)),
		"a file with a newline":           files(withFiles([]string{"/"}, []string{"a\nb"}, 0)),
		"a file with dots in its path":    files(withFiles([]string{"/usr/../etc/"}, []string{"passwd"}, 0)),
		"a file that ends in dots":        files(withFiles([]string{"/usr/"}, []string{".."}, 0)),
		"a file in a relative directory":  files(withFiles([]string{"usr/"}, []string{"a"}, 0)),
		"a file in no directory":          files(withFiles([]string{"/"}, []string{"a"}, 1)),
		"a file that is there twice":      files(withFiles([]string{"/a/", "/"}, []string{"b", "c", "a/b"}, 0, 1, 1)),
		"a file of a source in a folder":  files(source("a", "1").With(rpmfiletest.Texts(rpmfile.DirNames, "/etc/"))),
		"fewer modes than files":          with(rpmfiletest.Shorts(rpmfile.FileModes, 1)),
		"fewer directories than files":    with(rpmfiletest.Numbers(rpmfile.DirIndexes, 1)),
		"two lists of files":              with(rpmfiletest.Texts(rpmfile.OldFileNames, "/a", "/b")),
		"a path that fills the disk":      files(long()),
		"something else than a package":   {Path: "a.rpm", Body: []byte("!<arch>\ndebian-binary   ")},
		"nothing":                         {Path: "a.rpm"},
	}
}

// long returns a package of some kilobytes of which the paths would take gigabytes.
func long() rpmfiletest.Package {
	const n = 20_000
	names := slices.Repeat([]string{"a"}, n)
	return withFiles([]string{"/" + strings.Repeat("x", 100_000) + "/"}, names, make([]uint32, n)...)
}

func TestIdentity(t *testing.T) {
	partial := source("hello", "1").With(rpmfiletest.Numbers(rpmfile.NoSource, 0))
	partial.Source = true
	for _, tt := range []struct {
		name string
		op   format.Op
		data []byte
		want format.Package
	}{
		{"a package of the top", format.Op{Name: "hello-1-1.x86_64.rpm"}, pkg("hello", "1", "x86_64").Bytes(),
			format.Package{Path: "hello-1-1.x86_64.rpm", Name: "hello", Version: "1-1", Arch: "x86_64"}},
		{"a package of a directory, without a name", format.Op{Dir: "el9/x86_64"}, pkg("hello", "1", "x86_64").Bytes(),
			format.Package{Path: "el9/x86_64/hello-1-1.x86_64.rpm", Shard: "el9/x86_64", Name: "hello", Version: "1-1", Arch: "x86_64"}},
		{"a package with an epoch", format.Op{}, pkg("hello", "1", "noarch").With(rpmfiletest.Numbers(rpmfile.Epoch, 3)).Bytes(),
			format.Package{Path: "hello-1-1.noarch.rpm", Name: "hello", Version: "3:1-1", Arch: "noarch"}},
		{"a name and a version with all that they may have", format.Op{}, pkg("g++_a.b-1", "1~rc1^git_2+b.3", "noarch").Bytes(),
			format.Package{Path: "g++_a.b-1-1~rc1^git_2+b.3-1.noarch.rpm", Name: "g++_a.b-1", Version: "1~rc1^git_2+b.3-1", Arch: "noarch"}},
		{"a source package", format.Op{Name: "hello-1-1.src.rpm"}, source("hello", "1").Bytes(),
			format.Package{Path: "hello-1-1.src.rpm", Name: "hello", Version: "1-1", Arch: "src"}},
		{"a source package without its sources", format.Op{Name: "hello-1-1.nosrc.rpm"}, partial.Bytes(),
			format.Package{Path: "hello-1-1.nosrc.rpm", Name: "hello", Version: "1-1", Arch: "src"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := open(t).Parse(tt.op, formattest.NewBlob(tt.data), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Path != tt.want.Path || got.Shard != tt.want.Shard || got.Name != tt.want.Name || got.Version != tt.want.Version ||
				got.Arch != tt.want.Arch || got.Slot != "" || got.Overwrites {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestMalformedPackagesAreRefusedForTheirFault(t *testing.T) {
	for name, want := range map[string]string{
		"another architecture in the URL": "hello-1-1.x86_64.rpm",
		"a slash in the name":             `"../hello"`,
		"a delta":                         "drpm",
		"a file that is there twice":      `"/a/b" is in the package twice`,
		"a file with dots in its path":    "has . or .. in it",
		"a path that fills the disk":      "MiB",
		"a signature that is none":        "no OpenPGP signature",
		"one bit of the payload flipped":  "digest of the payload",
	} {
		u := malformed()[name]
		f := open(t)
		op, err := f.Route(format.Request{Method: "PUT", Path: u.Path})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Parse(op, formattest.NewBlob(u.Body), nil)
		if !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", name, err, want)
		}
	}
}

func TestThePayloadIsReadOnce(t *testing.T) {
	p := pkg("hello", "1", "x86_64")
	p.Payload = bytes.Repeat([]byte("payload "), 1<<17)
	b := formattest.NewBlob(p.Bytes())
	if _, err := open(t).Parse(format.Op{}, b, nil); err != nil {
		t.Fatal(err)
	}
	first := b.Read()
	if first < b.Size()-8 || first > b.Size()+100 {
		t.Errorf("of %d bytes, %d are read", b.Size(), first)
	}
	if _, err := open(t).Parse(format.Op{}, b, []format.Signature{}); err != nil {
		t.Fatal(err)
	}
	if again := b.Read() - first; again > 64<<10 {
		t.Errorf("in the second run, %d bytes of a package are read", again)
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range []rpmfiletest.Package{pkg("hello", "1", "x86_64"), source("a", "1"), misleading()} {
		f.Add(p.Bytes())
	}
	for _, u := range malformed() {
		if len(u.Body) < 4096 {
			f.Add(u.Body)
		}
	}
	format_, err := rpm.New(rpm.Defaults())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := formattest.NewBlob(data)
		// With signatures, digests of the payload are not compared, so that more gets through.
		p, err := format_.Parse(format.Op{Dir: "d"}, b, []format.Signature{{}})
		if err != nil {
			if !errors.Is(err, format.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if op, err := format_.Route(format.Request{Method: "PUT", Path: p.Path}); err != nil || op.Dir != "d" {
			t.Fatalf("the path %q of a package cannot be uploaded to: %v", p.Path, err)
		}
		for _, e := range p.Entries {
			checkXML(t, e.Data)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const n = 40
	names, indexes := make([]string, n), make([]uint32, n)
	for i := range names {
		names[i], indexes[i] = strings.Repeat("x", 12)+string(rune('A'+i)), uint32(i%4)
	}
	p := withFiles([]string{"/usr/bin/", "/usr/share/doc/hello/", "/etc/hello/", "/usr/lib64/hello/"}, names, indexes...)
	p.Payload = make([]byte, 20<<10)
	blob := formattest.NewBlob(p.Bytes())
	f := open(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Parse(format.Op{}, blob, nil); err != nil {
			b.Fatal(err)
		}
	}
}
