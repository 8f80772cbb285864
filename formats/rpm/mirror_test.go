package rpm_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestScopesAreDirectoriesWithMetadata(t *testing.T) {
	f := open(t)
	for p, want := range map[string]string{
		"repodata/repomd.xml": "", "repodata/repomd.xml.asc": "", "el9/x86_64/repodata/repomd.xml": "el9/x86_64", "el9/repodata/0-primary.xml.gz": "el9", "el9/mirrorlist": "el9",
	} {
		if got, ok := f.Scope(p); !ok || got != want {
			t.Errorf("the scope of %s is %q, %t", p, got, ok)
		}
	}
	for _, p := range []string{"", "el9/", "repodata/", "el9/hello-1-1.noarch.rpm", "../repodata/repomd.xml", "el9/repomd.xml"} {
		if got, ok := f.Scope(p); ok {
			t.Errorf("the scope of %q is %q", p, got)
		}
	}
}

// A listedPackage is the elements of one package, as createrepo_c writes them.
type listedPackage struct{ primary, filelists, other string }

func listedOf(name string, id byte) listedPackage {
	sum := strings.Repeat(fmt.Sprintf("%02x", id), 32)
	list := fmt.Sprintf(`<package pkgid="%s" name="%s" arch="noarch"><version epoch="0" ver="1.0" rel="1"/>`, sum, name)
	return listedPackage{
		primary: fmt.Sprintf("<package type=\"rpm\">\n  <name>%s</name>\n  <arch>noarch</arch>\n  <version epoch=\"2\" ver=\"1.0\" rel=\"1\"/>\n"+
			"  <checksum type=\"sha256\" pkgid=\"YES\">%s</checksum>\n  <summary>a  &lt;greeting&gt;</summary>\n  <size package=\"4\" installed=\"5\" archive=\"6\"/>\n"+
			"  <location href=\"Packages/%s-1.0-1.noarch.rpm\"/>\n  <format>\n    <rpm:license>MIT</rpm:license>\n  </format>\n</package>", name, sum, name),
		filelists: list + "<file>/usr/bin/" + name + "</file></package>",
		other:     list + `<changelog author="Ann" date="1">first</changelog></package>`,
	}
}

// A directory is what the repodata of an upstream is made of.
type directory struct {
	primary, filelists, other string // plain
	pack                      string // how they are packed: "", gz, xz, zst
	revision                  string // a whole element; empty: that of revision 7
	extra                     string // more elements
	kinds                     map[string]string
}

const common, lists = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">`, `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<%s xmlns="http://linux.duke.edu/metadata/%s" packages="2">`

// directoryOf returns the metadata of packages. Those of the lists may stand in another order.
func directoryOf(packages []listedPackage, inLists ...listedPackage) directory {
	if inLists == nil {
		inLists = packages
	}
	d := directory{primary: common, filelists: fmt.Sprintf(lists, "filelists", "filelists"), other: fmt.Sprintf(lists, "otherdata", "other")}
	for _, p := range packages {
		d.primary += "\n" + p.primary
	}
	for _, p := range inLists {
		d.filelists += "\n" + p.filelists
		d.other += "\n" + p.other
	}
	d.primary, d.filelists, d.other = d.primary+"\n</metadata>\n", d.filelists+"\n</filelists>\n", d.other+"\n</otherdata>"
	return d
}

// data returns the element by which repomd.xml names a file.
func data(kind, href, content string) string {
	return fmt.Sprintf("  <data type=\"%s\">\n    <checksum type=\"sha256\">%x</checksum>\n    <location href=\"%s\"/>\n    <timestamp>1700000000</timestamp>\n    <size>%d</size>\n  </data>\n",
		kind, sha256.Sum256([]byte(content)), href, len(content))
}

// tree returns an upstream with the directory el9, signed.
func (d directory) tree(t testing.TB) *formattest.Tree {
	u := &formattest.Tree{Key: "they", Files: map[string][]byte{}}
	repomd := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">` + "\n"
	if d.revision == "" {
		d.revision = "<revision>7</revision>"
	}
	repomd += d.revision + "\n"
	for kind, plain := range map[string]string{"primary": d.primary, "filelists": d.filelists, "other": d.other} {
		if packed := packedAs(t, d.pack, plain); plain != "" {
			href := "repodata/" + kind + ".xml." + d.pack
			repomd += data(kind, href, packed)
			u.Files["el9/"+href] = []byte(packed)
		}
	}
	for kind, content := range d.kinds {
		repomd += data(kind, "repodata/"+kind+".xml", content)
		u.Files["el9/repodata/"+kind+".xml"] = []byte(content)
	}
	repomd += d.extra + "</repomd>\n"
	sign(u, repomd)
	return u
}

func sign(u *formattest.Tree, repomd string) {
	u.Files["el9/repodata/repomd.xml"] = []byte(repomd)
	u.Files["el9/repodata/repomd.xml.asc"] = u.Sign("they", scheme.OpenPGPArmored, []byte(repomd))
}

func packedAs(t testing.TB, pack, plain string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch pack {
	case "gz":
		w = gzip.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	case "zst":
		w, err = zstd.NewWriter(&b)
	default:
		return plain
	}
	if err == nil {
		_, err = io.WriteString(w, plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestADirectoryIsFollowed(t *testing.T) {
	one, two := listedOf("one", 1), listedOf("two", 2)
	both := []listedPackage{one, two}
	with := func(change func(*directory)) directory { d := directoryOf(both); change(&d); return d }
	for name, tt := range map[string]struct {
		directory
		order int64
	}{
		"plain":                           {directoryOf(both), 7},
		"in gz":                           {with(func(d *directory) { d.pack = "gz" }), 7},
		"in xz":                           {with(func(d *directory) { d.pack = "xz" }), 7},
		"in zstd":                         {with(func(d *directory) { d.pack = "zst" }), 7},
		"the lists in another order":      {directoryOf(both, two, one), 7},
		"the newest file tells the order": {with(func(d *directory) { d.revision = "<revision>main</revision>" }), 1_700_000_000},
		"without a revision":              {with(func(d *directory) { d.revision = "<tags><distro>x</distro></tags>" }), 1_700_000_000},
		"with what says the same again": {with(func(d *directory) {
			d.kinds = map[string]string{"primary_db": "x", "other_zck": "x", "filelists-ext": "x", "prestodelta": "x"}
		}), 7},
		"with attributes in another order": {with(func(d *directory) {
			d.filelists = strings.ReplaceAll(d.filelists, `xmlns="http://linux.duke.edu/metadata/filelists" packages="2"`, `packages="2" xmlns="http://linux.duke.edu/metadata/filelists"`)
		}), 7},
		"with a comment before the root": {with(func(d *directory) {
			d.other = strings.Replace(d.other, "<otherdata", "<!-- by hand -->\n<otherdata", 1)
		}), 7},
		"without a line end between packages": {with(func(d *directory) { d.primary = strings.ReplaceAll(d.primary, "</package>\n", "</package>") }), 7},
	} {
		t.Run(name, func(t *testing.T) {
			u := tt.tree(t)
			e, files, err := u.Describe(open(t), "el9")
			if err != nil || e != (format.Edition{Shard: "el9", Order: tt.order}) || len(files) != 2 {
				t.Fatalf("%+v, %d files, %v", e, len(files), err)
			}
			for i, want := range both {
				f, name := files[i], []string{"one", "two"}[i]
				if f.Path != "el9/Packages/"+name+"-1.0-1.noarch.rpm" || f.Name != name || f.Version != "2:1.0-1" || f.Arch != "noarch" || f.Shard != "el9" || f.Size != 4 ||
					!bytes.Equal(f.SHA256, bytes.Repeat([]byte{byte(i + 1)}, 32)) || f.Source != "" || f.Now {
					t.Errorf("it lists %+v", f)
				}
				for j, entry := range []format.Entry{
					{Group: "primary", Data: []byte(want.primary + "\n")}, {Group: "filelists", Data: []byte(want.filelists + "\n")}, {Group: "other", Data: []byte(want.other + "\n")},
				} {
					if len(f.Entries) != 3 || f.Entries[j].Group != entry.Group || !bytes.Equal(f.Entries[j].Data, entry.Data) {
						t.Errorf("%s stands in our index as %+v", name, f.Entries)
					}
				}
			}
			if len(u.Fetched) != 5 {
				t.Errorf("it fetches %q", u.Fetched)
			}
		})
	}
	empty := directory{primary: `<metadata xmlns="http://linux.duke.edu/metadata/common" packages="0"/>`, filelists: `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="0"></filelists>`,
		other: `<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="0"/>` + "\n"}
	if _, files, err := empty.tree(t).Describe(open(t), "el9"); err != nil || len(files) != 0 {
		t.Errorf("of no packages: %+v, %v", files, err)
	}
}

// Groups of packages and notices of updates stand in our repomd.xml, and come with the edition.
func TestOtherMetadataIsKeptAsItIs(t *testing.T) {
	d := directoryOf([]listedPackage{listedOf("one", 1)})
	d.kinds = map[string]string{"group": "<comps/>"}
	_, files, err := d.tree(t).Describe(open(t), "el9")
	if err != nil || len(files) != 2 {
		t.Fatalf("%+v, %v", files, err)
	}
	f, sum := files[0], sha256.Sum256([]byte("<comps/>"))
	if f.Path != fmt.Sprintf("el9/repodata/%x-group.xml", sum) || f.Source != "el9/repodata/group.xml" || !bytes.Equal(f.SHA256, sum[:]) || f.Size != 8 || !f.Now || f.Shard != "el9" {
		t.Errorf("it is %+v", f)
	}
	want := fmt.Sprintf("  <data type=\"group\">\n    <checksum type=\"sha256\">%x</checksum>\n    <location href=\"repodata/%x-group.xml\"/>\n    <timestamp>1700000000</timestamp>\n    <size>8</size>\n  </data>\n", sum, sum)
	if len(f.Entries) != 1 || f.Entries[0].Group != "extra" || string(f.Entries[0].Data) != want {
		t.Errorf("it stands in our repomd.xml as\n%s", f.Entries[0].Data)
	}
}

func TestADirectoryIsFollowedIfItIsSigned(t *testing.T) {
	const repomd, list = "el9/repodata/repomd.xml", "el9/repodata/filelists.xml."
	for name, tt := range map[string]struct {
		change func(*formattest.Tree)
		kind   error
	}{
		"as it is":      {func(*formattest.Tree) {}, nil},
		"no key":        {func(u *formattest.Tree) { u.Key = ""; delete(u.Files, repomd+".asc") }, nil},
		"another key":   {func(u *formattest.Tree) { u.Key = "others" }, format.ErrMalformed},
		"no signature":  {func(u *formattest.Tree) { delete(u.Files, repomd+".asc") }, format.ErrMalformed},
		"a flipped bit": {func(u *formattest.Tree) { u.Files[repomd][len(u.Files[repomd])-1] ^= 1 }, format.ErrMalformed},
		"the signature of another": {func(u *formattest.Tree) {
			u.Files[repomd+".asc"] = u.Sign("they", scheme.OpenPGPArmored, []byte("other"))
		}, format.ErrMalformed},
		"no repomd.xml":            {func(u *formattest.Tree) { delete(u.Files, repomd) }, fs.ErrNotExist},
		"metadata that is another": {func(u *formattest.Tree) { u.Files[list][100] ^= 1 }, format.ErrMalformed},
		"metadata that is gone":    {func(u *formattest.Tree) { delete(u.Files, list) }, format.ErrMalformed},
	} {
		u := directoryOf([]listedPackage{listedOf("one", 1)}).tree(t)
		tt.change(u)
		_, files, err := u.Describe(open(t), "el9")
		if !errors.Is(err, tt.kind) || (err == nil) != (len(files) == 1) || err != nil && len(u.Emitted) > 0 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
		if tt.kind == format.ErrMalformed && errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is taken for absent: %v", name, err)
		}
	}
}

func TestBadRepomdOfAnUpstreamIsRefused(t *testing.T) {
	good := directoryOf([]listedPackage{listedOf("one", 1)})
	text := string(good.tree(t).Files["el9/repodata/repomd.xml"])
	for name, change := range map[string]func(string) string{
		"no XML":       func(string) string { return "hello" },
		"half":         func(s string) string { return s[:len(s)/2] },
		"nothing":      func(string) string { return "" },
		"another root": func(s string) string { return strings.ReplaceAll(s, "repomd", "metalink") },
		"a document type": func(s string) string {
			return strings.Replace(s, "<repomd", `<!DOCTYPE x [<!ENTITY e "x">]><repomd`, 1)
		},
		"an instruction": func(s string) string {
			return strings.Replace(s, "<revision>", `<?xml-stylesheet href="x"?><revision>`, 1)
		},
		"another encoding": func(s string) string { return strings.Replace(s, "UTF-8", "UTF-7", 1) },
		"no primary":       func(s string) string { return strings.Replace(s, `"primary"`, `"secondary"`, 1) },
		"primary twice": func(s string) string {
			return strings.Replace(s, "</repomd>", data("primary", "repodata/x", "x")+"</repomd>", 1)
		},
		"a digest of another kind": func(s string) string { return strings.ReplaceAll(s, `type="sha256"`, `type="sha"`) },
		"no digest":                func(s string) string { return strings.ReplaceAll(s, "checksum", "digest") },
		"a digest that is short":   func(s string) string { return strings.ReplaceAll(s, "</checksum>", "x</checksum>") },
		"two places":               func(s string) string { return strings.ReplaceAll(s, "<location", `<location href="a"/><location`) },
		"a place upwards":          func(s string) string { return strings.ReplaceAll(s, "repodata/", "../repodata/") },
		"a place elsewhere":        func(s string) string { return strings.ReplaceAll(s, "repodata/", "https://example.com/") },
		"a place from the root":    func(s string) string { return strings.ReplaceAll(s, "repodata/", "/repodata/") },
		"a size that is none":      func(s string) string { return strings.ReplaceAll(s, "<size>", "<size>-") },
	} {
		u := good.tree(t)
		other := change(text)
		if other == text {
			t.Fatalf("%s: nothing is changed", name)
		}
		sign(u, other)
		if _, err := open(t).Follow(u, "el9"); !errors.Is(err, format.ErrMalformed) || len(u.Emitted) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, scope := range []string{"../el9", "el9/..", "/el9", "el9/"} {
		if _, err := open(t).Follow(good.tree(t), scope); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the directory %q: %v", scope, err)
		}
	}
}

func TestBadMetadataOfAnUpstreamIsRefused(t *testing.T) {
	one, two := listedOf("one", 1), listedOf("two", 2)
	good := directoryOf([]listedPackage{one, two})
	for name, change := range map[string]func(*directory){
		"no XML":                     func(d *directory) { d.primary = "hello" },
		"half":                       func(d *directory) { d.primary = d.primary[:len(d.primary)-200] },
		"nothing":                    func(d *directory) { d.other = " " },
		"something behind the root":  func(d *directory) { d.primary += "<x/>" },
		"something between packages": func(d *directory) { d.primary = strings.Replace(d.primary, "</package>\n", "</package>\n<evil/>", 1) },
		"a comment between packages": func(d *directory) {
			d.primary = strings.Replace(d.primary, "</package>\n", "</package>\n<!-- x -->", 1)
		},
		"an instruction before the root": func(d *directory) { d.primary = strings.Replace(d.primary, "<metadata", "<?php x?><metadata", 1) },
		"a document type":                func(d *directory) { d.primary = strings.Replace(d.primary, "<metadata", "<!DOCTYPE x><metadata", 1) },
		"a base at the root": func(d *directory) {
			d.primary = strings.Replace(d.primary, "<metadata", `<metadata xml:base="https://example.com/"`, 1)
		},
		"another namespace at the root": func(d *directory) { d.primary = strings.Replace(d.primary, "metadata/common", "metadata/other", 1) },
		"no namespace at the root": func(d *directory) {
			d.filelists = strings.Replace(d.filelists, `xmlns="http://linux.duke.edu/metadata/filelists"`, "", 1)
		},
		"more namespaces at the root": func(d *directory) {
			d.filelists = strings.Replace(d.filelists, "<filelists", `<filelists xmlns:x="x"`, 1)
		},
		"another encoding":                func(d *directory) { d.other = strings.Replace(d.other, "UTF-8", "ISO-8859-1", 1) },
		"a package without a checksum":    func(d *directory) { d.primary = strings.Replace(d.primary, "checksum", "x", 2) },
		"a package that a list lacks":     func(d *directory) { d.filelists = strings.Replace(d.filelists, one.filelists, "", 1) },
		"a package that a list alone has": func(d *directory) { d.primary = strings.Replace(d.primary, two.primary, "", 1) },
		"a package twice in a list":       func(d *directory) { d.other = strings.Replace(d.other, one.other, one.other+one.other, 1) },
		"what is packed is cut off":       func(d *directory) { d.primary = packedAs(t, "gz", d.primary)[:100] },
		"what is packed has junk behind":  func(d *directory) { d.primary = packedAs(t, "zst", d.primary) + "junk" },
	} {
		d := good
		change(&d)
		if d.primary == good.primary && d.filelists == good.filelists && d.other == good.other {
			t.Fatalf("%s: nothing is changed", name)
		}
		if _, _, err := d.tree(t).Describe(open(t), "el9"); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadPackagesOfAnUpstreamAreRefused(t *testing.T) {
	one := listedOf("one", 1)
	good := one.primary + one.filelists + one.other
	group := strings.TrimSpace(data("group", "repodata/comps.xml", "x"))
	f := open(t)
	for context, stanza := range map[string]string{"package": good, "extra": group} {
		if _, err := f.Describe("el9", context, []byte(stanza), nil); err != nil {
			t.Fatalf("a good stanza of %s: %v", context, err)
		}
	}
	for name, tt := range map[string]struct{ scope, context, stanza, from, to string }{
		"another type":                  {"el9", "package", good, `type="rpm"`, `type="patch"`},
		"no name":                       {"el9", "package", good, "<name>one</name>", ""},
		"two names":                     {"el9", "package", good, "<name>", "<name>two</name><name>"},
		"a name that is empty":          {"el9", "package", good, "<name>one<", "<name><"},
		"a name with a line end":        {"el9", "package", good, "<name>one", "<name>one&#10;"},
		"no version":                    {"el9", "package", good, `ver="1.0" `, ""},
		"no release":                    {"el9", "package", good, ` rel="1"`, ""},
		"no architecture":               {"el9", "package", good, "<arch>noarch</arch>", ""},
		"two checksums":                 {"el9", "package", good, "<checksum", `<checksum type="sha256">x</checksum><checksum`},
		"a weak checksum":               {"el9", "package", good, `"sha256"`, `"md5"`},
		"a checksum that is short":      {"el9", "package", good, "0101", ""},
		"a size below zero":             {"el9", "package", good, `package="4"`, `package="-4"`},
		"no place":                      {"el9", "package", good, "location", "place"},
		"a place upwards":               {"el9", "package", good, "Packages/", "../Packages/"},
		"a place upwards within":        {"el9", "package", good, "Packages/", "Packages/../../"},
		"a place that is not clean":     {"el9", "package", good, "Packages/", "Packages//"},
		"a place from the root":         {"el9", "package", good, "Packages/", "/Packages/"},
		"a place elsewhere":             {"el9", "package", good, "Packages/", "https://example.com/"},
		"a place of no package":         {"el9", "package", good, ".noarch.rpm", ".noarch.xml"},
		"a base of the place":           {"el9", "package", good, "<location", `<location xml:base="https://example.com/"`},
		"a namespace of its own":        {"el9", "package", good, "<format>", `<format xmlns:rpm="x">`},
		"another namespace":             {"el9", "package", good, "rpm:license", "evil:license"},
		"an attribute twice":            {"el9", "package", good, `type="rpm"`, `type="rpm" type="rpm"`},
		"a comment":                     {"el9", "package", good, "<format>", "<!-- </package> --><format>"},
		"raw text":                      {"el9", "package", good, "a  &lt;greeting&gt;", "<![CDATA[x]]>"},
		"an entity that nobody knows":   {"el9", "package", good, "&lt;", "&evil;"},
		"a tag that is not closed":      {"el9", "package", good, "</format>", ""},
		"another package in a list":     {"el9", "package", one.primary + listedOf("two", 1).filelists + one.other, "", ""},
		"another checksum in a list":    {"el9", "package", one.primary + one.filelists + listedOf("one", 2).other, "", ""},
		"a list that is missing":        {"el9", "package", one.primary + one.filelists, "", ""},
		"something behind":              {"el9", "package", good + "<x/>", "", ""},
		"a fourth element":              {"el9", "package", good + one.other, "", ""},
		"another directory":             {"../el9", "package", good, "", ""},
		"a context that nobody knows":   {"el9", "packages", good, "", ""},
		"metadata of no type":           {"el9", "extra", group, `type="group"`, `type=""`},
		"metadata of a type with lines": {"el9", "extra", group, `type="group"`, "type=\"gr&#10;oup\""},
		"metadata elsewhere":            {"el9", "extra", group, "repodata/", "https://example.com/"},
		"metadata upwards":              {"el9", "extra", group, "repodata/", "../../"},
		"metadata of a weak checksum":   {"el9", "extra", group, `"sha256"`, `"sha1"`},
		"metadata of two elements":      {"el9", "extra", group + group, "", ""},
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
