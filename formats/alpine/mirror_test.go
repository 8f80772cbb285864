package alpine_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/formats/alpine"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestScopes(t *testing.T) {
	f := open(t, alpine.Defaults())
	for p, want := range map[string]string{
		"x86_64/APKINDEX.tar.gz":             "x86_64",
		"v3.20/main/aarch64/APKINDEX.tar.gz": "v3.20/main/aarch64",
		"edge/x86/hello-1.0-r0.apk":          "edge/x86",
		"edge/x86/hello-1.0-r0.apk.asc":      "edge/x86",
	} {
		if got, ok := f.Scope(p); !ok || got != want {
			t.Errorf("the scope of %s is %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{
		"", "APKINDEX.tar.gz", "hello-1.0-r0.apk", "noarch/hello-1.0-r0.apk", "noarch/APKINDEX.tar.gz", "v3.20/APKINDEX.tar.gz",
		"x86_64/other", "a b/x86_64/APKINDEX.tar.gz", "../x86_64/APKINDEX.tar.gz", "x.apk/x86_64/APKINDEX.tar.gz",
	} {
		if got, ok := f.Scope(p); ok {
			t.Errorf("the scope of %q is %q", p, got)
		}
	}
}

// A listed is a package of an upstream's index, and its record.
type listed struct {
	file   []byte
	record string
}

func list(tb testing.TB, a apk) listed {
	tb.Helper()
	file := a.build(tb)
	p, err := open(tb, alpine.Defaults()).Parse(format.Op{}, formattest.NewBlob(file), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return listed{file, string(p.Entries[0].Data)}
}

// index returns a member with an index of records, as "apk index" makes it.
func index(tb testing.TB, records ...string) []byte {
	tb.Helper()
	return packed(tb, archive(tb, true, member{name: "DESCRIPTION", data: "v3"}, member{name: "APKINDEX", data: strings.Join(records, "")}))
}

const place = "v3/main/x86_64"

// signed returns an upstream with an index behind a member of signatures, by their kinds.
func signed(tb testing.TB, index []byte, signatures map[string]scheme.Scheme) *formattest.Tree {
	tb.Helper()
	u := &formattest.Tree{Key: "they"}
	for kind, s := range signatures {
		index = append(packed(tb, archive(tb, false, member{name: ".SIGN." + kind + ".they.rsa.pub", data: string(u.Sign("they", s, index))})), index...)
		break
	}
	u.Files = map[string][]byte{place + "/APKINDEX.tar.gz": index}
	return u
}

var good = map[string]scheme.Scheme{"RSA256": scheme.RSASHA256}

func TestAnIndexIsFollowed(t *testing.T) {
	hello, doc := list(t, apk{info: "depend = so:libc.musl-x86_64.so.1\n"}), list(t, apk{name: "doc", arch: "noarch"})
	// What we do not write, apk index and mkndx do.
	record := strings.Replace(hello.record, "\n\n", "\nr:other\n\n", 1)
	e, files, err := signed(t, index(t, record, "\n", doc.record), good).Describe(open(t, alpine.Defaults()), place)
	if err != nil || e != (format.Edition{Shard: "v3/main"}) {
		t.Fatalf("%+v, %v", e, err)
	}
	if len(files) != 2 {
		t.Fatalf("%d files", len(files))
	}
	for i, want := range []struct{ path, arch, record string }{
		{place + "/hello-1.0-r0.apk", "x86_64", record}, {place + "/doc-1.0-r0.apk", "noarch", doc.record},
	} {
		f := files[i]
		if f.Path != want.path || f.Arch != want.arch || f.Variant != "x86_64" || f.Shard != "v3/main" || len(f.Entries) != 1 ||
			f.Entries[0].Group != "x86_64" || string(f.Entries[0].Data) != want.record || f.SHA256 != nil {
			t.Errorf("%+v", f)
		}
		if scope, ok := open(t, alpine.Defaults()).Scope(f.Path); !ok || scope != place {
			t.Errorf("%s is of the scope %q", f.Path, scope)
		}
	}
	if files[0].Size != int64(len(hello.file)) {
		t.Errorf("its size is %d, want %d", files[0].Size, len(hello.file))
	}
}

// An upload of the version for all architectures has no place beside an upstream's for one, nor the other way round; the
// upstream's own, one for each folder, are beside each other.
func TestSlotsOfAnUpstreamsPackages(t *testing.T) {
	f := open(t, alpine.Defaults())
	doc := list(t, apk{name: "doc", arch: "noarch"})
	upload, err := f.Parse(format.Op{Dir: "v3/main"}, formattest.NewBlob(doc.file), nil)
	if err != nil {
		t.Fatal(err)
	}
	x86, err := f.Describe("v3/main/x86_64", "", []byte(doc.record), nil)
	if err != nil {
		t.Fatal(err)
	}
	arm, err := f.Describe("v3/main/aarch64", "", []byte(doc.record), nil)
	if err != nil {
		t.Fatal(err)
	}
	if upload.Slot != x86.Slot || x86.Slot != arm.Slot || upload.Variant != "" || x86.Variant == arm.Variant || x86.Path == arm.Path {
		t.Errorf("%+v\n%+v\n%+v", upload, x86.Package, arm.Package)
	}
}

func TestSignaturesOfAnIndex(t *testing.T) {
	plain := index(t, list(t, apk{}).record)
	weak := map[string]scheme.Scheme{"RSA": scheme.RSASHA1}
	none := packed(t, archive(t, false, member{name: ".SIGN.RSA256.they.rsa.pub", data: "x"}))
	for name, tt := range map[string]struct {
		u    *formattest.Tree
		sha1 bool
		want string // empty: it is followed
	}{
		"over SHA-256":                     {u: signed(t, plain, good)},
		"over SHA-1":                       {u: signed(t, plain, weak), want: "set sha1 to true"},
		"over SHA-1, where that is enough": {u: signed(t, plain, weak), sha1: true},
		"over SHA-512":                     {u: signed(t, plain, map[string]scheme.Scheme{"RSA512": scheme.RSASHA256}), want: "not signed"},
		"over SHA-256, and called SHA-1":   {u: signed(t, plain, map[string]scheme.Scheme{"RSA": scheme.RSASHA256}), sha1: true, want: "not signed"},
		"none":                             {u: signed(t, plain, nil), want: "not signed"},
		"of another index":                 {u: signed(t, slices.Concat(none, plain), nil), want: "not signed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := alpine.Defaults()
			s.SHA1 = tt.sha1
			_, files, err := tt.u.Describe(open(t, s), place)
			if tt.want == "" && (err != nil || len(files) != 1) || tt.want != "" && (!errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%d files, %v", len(files), err)
			}
			tt.u.Key = "others"
			if _, err := open(t, s).Follow(tt.u, place); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("by another key: %v", err)
			}
			tt.u.Key = ""
			if _, files, err := tt.u.Describe(open(t, s), place); err != nil || len(files) != 1 {
				t.Errorf("trusted without a key: %d files, %v", len(files), err)
			}
		})
	}
	if _, err := open(t, alpine.Defaults()).Follow(&formattest.Tree{}, place); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no index: %v", err)
	}
}

func TestBadIndexesAreRefused(t *testing.T) {
	record := list(t, apk{}).record
	replace := func(from, to string) []byte {
		if !strings.Contains(record, from) {
			t.Fatalf("%q is not in %q", from, record)
		}
		return index(t, strings.Replace(record, from, to, 1))
	}
	files := func(files ...member) []byte { return packed(t, archive(t, true, files...)) }
	flood := archive(t, false, member{name: "APKINDEX", data: strings.Repeat("P:a\n\n", 600_000)})
	for name, data := range map[string][]byte{
		"no bytes":                          nil,
		"no gzip":                           []byte("hello"),
		"cut off":                           index(t, record)[:50],
		"a second member":                   slices.Concat(index(t, record), index(t, record)),
		"bytes behind it":                   append(index(t, record), 0),
		"no APKINDEX":                       files(member{name: "DESCRIPTION", data: "x"}),
		"two APKINDEX":                      files(member{name: "APKINDEX", data: record}, member{name: "APKINDEX", data: record}),
		"two by another name":               files(member{name: "APKINDEX", data: record}, member{name: "./APKINDEX", data: record}),
		"another file":                      files(member{name: "APKINDEX", data: record}, member{name: "evil", data: "x"}),
		"a file that leads upwards":         files(member{name: "../APKINDEX", data: record}),
		"a last line without end":           index(t, strings.TrimRight(record, "\n")),
		"a line without end":                index(t, "D:"+strings.Repeat("x", 1<<20)),
		"a record without end":              index(t, strings.Repeat("D:"+strings.Repeat("x", 50_000)+"\n", 20)),
		"records without end":               packed(t, flood),
		"zeros without end":                 packed(t, make([]byte, 600<<20)),
		"a field that is none":              replace("P:", "X:hello\nP:"),
		"a line that is none":               replace("P:", "hello\nP:"),
		"a name twice":                      replace("P:", "P:evil\nP:"),
		"no name":                           replace("P:hello\n", ""),
		"no checksum":                       replace("C:", "U:"),
		"no size":                           replace("S:", "I:"),
		"no architecture":                   replace("A:x86_64\n", ""),
		"another architecture":              replace("A:x86_64", "A:aarch64"),
		"a name that leads upwards":         replace("P:hello", "P:../hello"),
		"a name with a slash":               replace("P:hello", "P:a/b"),
		"a version that is none":            replace("V:1.0-r0", "V:../1"),
		"a carriage return":                 replace("P:hello\n", "P:hello\r\n"),
		"a NUL":                             replace("T:", "T:\x00"),
		"a size below zero":                 replace("S:", "S:-"),
		"a size of nothing":                 replace("S:", "S:0\nI:"),
		"a checksum of something else":      replace("C:Q1", "C:Q2"),
		"a checksum that is too short":      replace("C:Q1", "C:Q1AAAA\nc:"),
		"an index in a member of signature": packed(t, archive(t, false, member{name: ".SIGN.RSA256.x", data: "x"}, member{name: "APKINDEX", data: record})),
		"signatures without end":            bytes.Repeat(packed(t, archive(t, false, member{name: ".SIGN.RSA256.x", data: "x"})), 20),
		"a signature without end":           packed(t, archive(t, false, member{name: ".SIGN.RSA256.x", data: strings.Repeat("x", 1<<20)})),
	} {
		u := signed(t, data, nil)
		u.Key = ""
		if _, _, err := u.Describe(open(t, alpine.Defaults()), place); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, scope := range []string{"", "x86_64/../..", "../x86_64", "noarch", "a b/x86_64"} {
		if _, err := open(t, alpine.Defaults()).Describe(scope, "", []byte(record), nil); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("in %q: %v", scope, err)
		}
	}
}

// check writes a package to a checker in pieces.
func check(tb testing.TB, sum string, file []byte, piece int) error {
	tb.Helper()
	w, err := open(tb, alpine.Defaults()).Check(sum)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(file, piece) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

func checksum(record string) string {
	for line := range strings.Lines(record) {
		if sum, ok := strings.CutPrefix(line, "C:"); ok {
			return strings.TrimSpace(sum)
		}
	}
	return ""
}

func TestAPackageIsCheckedByItsControlMember(t *testing.T) {
	noise := make([]byte, 100_000)
	rnd := rand.NewChaCha8([32]byte{})
	_, _ = io.ReadFull(rnd, noise)
	big := list(t, apk{data: []member{{name: "usr/share/noise", data: string(noise)}},
		control: []member{{name: ".post-install", data: fmt.Sprintf("%x", noise[:20_000])}}})
	signature := packed(t, archive(t, false, member{name: ".SIGN.RSA.x", data: "anybody's"}))
	sum := checksum(big.record)
	other := checksum(list(t, apk{name: "other"}).record)
	for name, tt := range map[string]struct {
		sum  string
		file []byte
		good bool
	}{
		"itself":                   {sum, big.file, true},
		"with a signature":         {sum, slices.Concat(signature, big.file), true},
		"with another package":     {sum, list(t, apk{}).file, false},
		"with the sum of another":  {other, big.file, false},
		"cut off":                  {sum, big.file[:len(big.file)-1], false},
		"cut off behind control":   {sum, big.file[:len(big.file)-len(big.file)/2], false},
		"with a byte behind it":    {sum, append(slices.Clone(big.file), 0), false},
		"with a member behind it":  {sum, slices.Concat(big.file, signature), false},
		"nothing":                  {sum, nil, false},
		"a text":                   {sum, []byte("hello"), false},
		"signatures without end":   {sum, bytes.Repeat(signature, 100), false},
		"a checksum that is none":  {"Q1", big.file, false},
		"a checksum of SHA-256":    {"Q2" + sum[2:], big.file, false},
		"a checksum of the data":   {"Q1" + base64.StdEncoding.EncodeToString(sha1.New().Sum(nil)), big.file, false},
		"a signature without file": {sum, signature, false},
	} {
		for _, piece := range []int{1000, 1 << 20} {
			if err := check(t, tt.sum, tt.file, piece); (err == nil) != tt.good || err != nil && !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%s, in pieces of %d: %v", name, piece, err)
			}
		}
	}
	if err := check(t, sum, big.file, 1); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
	for bit := 0; bit < 8*len(big.file); bit += 8009 {
		flipped := slices.Clone(big.file)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := check(t, sum, flipped, 4096); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("with bit %d flipped: %v", bit, err)
		}
	}
}

// A checker of a package of some gigabytes keeps nothing of it.
func TestACheckerNeedsLittleMemory(t *testing.T) {
	for name, begin := range map[string][]byte{"a package": list(t, apk{}).file, "nonsense": []byte("nonsense")} {
		w, err := open(t, alpine.Defaults()).Check(checksum(list(t, apk{}).record))
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 64<<10)
		_, _ = w.Write(begin)
		for range 200 {
			_, _ = w.Write(zeros)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = w.Write(zeros) }); n > 0 {
			t.Errorf("%s: %v allocations for each piece", name, n)
		}
		if err := w.Close(); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An index of an architecture that nobody has looked for would say that the upstream has nothing for it.
func TestIndexesInFrontOfAnUpstream(t *testing.T) {
	for name, tt := range map[string]struct {
		behind *format.Behind
		groups []format.Group
		want   []string
	}{
		"nothing is known":               {&format.Behind{}, nil, nil},
		"an upload and no index":         {&format.Behind{}, []format.Group{{Name: "noarch", Count: 1}}, []string{"aarch64", "x86_64"}},
		"an index that lists nothing":    {&format.Behind{Scopes: []string{"v3/x86_64"}}, nil, []string{"x86_64"}},
		"an index and one of an upload":  {&format.Behind{Scopes: []string{"v3/x86_64"}}, []format.Group{{Name: "armv7", Count: 1}, {Name: "noarch"}}, []string{"armv7", "x86_64"}},
		"two indexes":                    {&format.Behind{Scopes: []string{"v3/riscv64", "v3/x86_64"}}, []format.Group{{Name: "x86_64"}}, []string{"riscv64", "x86_64"}},
		"no upstream, and a package":     {nil, []format.Group{{Name: "x86"}}, []string{"aarch64", "x86", "x86_64"}},
		"no upstream, and never package": {nil, nil, nil},
	} {
		var got []string
		err := open(t, alpine.Defaults()).Index(format.Site{Date: time.Unix(0, 0), Behind: tt.behind}, groups{"v3", tt.groups}, func(f format.File) error {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(f.Path, "v3/"), "/APKINDEX.tar.gz"))
			return nil
		})
		if err != nil || !slices.Equal(got, tt.want) {
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

func TestAnUpstreamsPackageIsNotSealed(t *testing.T) {
	f := open(t, alpine.Settings{SignPackages: "always"})
	s, err := f.Seal(format.Site{}, format.Op{Kind: format.Get, Paths: []string{"x86_64/hello-1.0-r0.apk"}}, formattest.NewBlob(apk{}.build(t)))
	if err != nil || len(s.Seals) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzMirror(f *testing.F) {
	p := list(f, apk{})
	f.Add(index(f, p.record), p.file)
	f.Add(signed(f, index(f, p.record), good).Files[place+"/APKINDEX.tar.gz"], slices.Concat(packed(f, nil), p.file))
	f.Fuzz(func(t *testing.T, data, file []byte) {
		u := signed(t, data, nil)
		u.Key = ""
		_, files, err := u.Describe(open(t, alpine.Defaults()), place)
		if err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Fatal(err)
		}
		for _, f := range files {
			if !fs.ValidPath(f.Path) || !strings.HasPrefix(f.Path, place+"/") || strings.Count(f.Path, "/") != 3 {
				t.Errorf("the index has %q", f.Path)
			}
		}
		if err := check(t, checksum(p.record), file, 1000); err != nil && !errors.Is(err, format.ErrMalformed) {
			t.Error(err)
		}
	})
}
