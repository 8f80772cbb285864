package attacks

import (
	"archive/tar"
	"bytes"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the ledger is looked at from outside
)

// Rule: what is not what it says it is gets 400 and one sentence, and leaves nothing behind: no file, no line of an index,
// no signature, no bytes.

// An upload is a file and where it is put.
type upload struct {
	path string // below the host
	body []byte
}

// badInput are uploads that are refused, by format and by what is wrong with them.
func badInput() map[string]map[string]upload {
	debian := func(body []byte) upload { return upload{"/debian/stable/main/hello_1.0_amd64.deb", body} }
	control := func(lines string) upload { return debian(deb{more: lines}.build()) }
	alpine := func(p apk) upload { return upload{"/alpine/", p.build()} }
	arch := func(p pkg) upload { return upload{"/arch/", p.build()} }
	redhat := func(tags ...rpmTag) upload { return upload{"/rpm/", rpm{tags: tags}.build()} }
	cut := func(u upload) upload { return upload{u.path, u.body[:len(u.body)*2/3]} }
	flipped := func(u upload) upload {
		body := bytes.Clone(u.body)
		body[len(body)-20] ^= 1
		return upload{u.path, body}
	}
	member := func(name string) []part { return []part{{name: name, data: "x"}} }
	return map[string]map[string]upload{
		"debian": {
			"nothing":                          debian(nil),
			"a text":                           debian([]byte("hello")),
			"a package of another format":      debian(apk{}.build()),
			"one that is cut off":              cut(debian(deb{noise: 5000}.build())),
			"one with more behind it":          debian(append(deb{}.build(), "more!\n"...)),
			"another name in the URL":          {"/debian/stable/main/goodbye_1.0_amd64.deb", deb{}.build()},
			"another version in the URL":       {"/debian/stable/main/hello_2.0_amd64.deb", deb{}.build()},
			"another architecture in the URL":  {"/debian/stable/main/hello_1.0_arm64.deb", deb{}.build()},
			"another extension in the URL":     {"/debian/stable/main/hello_1.0_amd64.rpm", deb{}.build()},
			"a NUL in a field":                 control("Section: a\x00b\n"),
			"a carriage return in a field":     control("Section: a\rFilename: pool/evil.deb\n"),
			"a line that ends the stanza":      control("Section: a\n\nPackage: evil\n"),
			"a field twice":                    control("Version: 2.0\n"),
			"a field of the index":             control("Filename: pool/evil.deb\n"),
			"a checksum of its own":            control("SHA256: " + strings.Repeat("0", 64) + "\n"),
			"a name that leads upwards":        {"/debian/stable/main/", deb{name: "../hello"}.build()},
			"a version that leads upwards":     {"/debian/stable/main/", deb{version: "1/../../2"}.build()},
			"an architecture that is none":     {"/debian/stable/main/", deb{arch: "amd64/.."}.build()},
			"a source that leads upwards":      control("Source: ../../evil\n"),
			"a control file twice":             debian(deb{control: []part{{name: "control", data: "Package: a\n"}, {name: "./control", data: "Package: b\n"}}}.build()),
			"a control file that is a link":    debian(deb{control: []part{{name: "control", data: "/etc/passwd", kind: tar.TypeSymlink}}}.build()),
			"a control archive that is a bomb": debian(deb{control: []part{{name: "control", data: strings.Repeat("\x00", 40<<20)}}}.build()),
			"a member twice":                   debian(append(deb{}.build(), arOf(member("data.tar")...)[8:]...)),
			"a member that leads upwards":      debian(append(deb{}.build(), arOf(member("../evil")...)[8:]...)),
			"a .dsc that is a Release": {"/debian/stable/main/hello_1.0.dsc", []byte("Origin: Hallmark\nSuite: stable\nCodename: stable\n" +
				"Date: Tue, 03 Feb 2026 04:05:06 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n " + strings.Repeat("0", 64) + " 0 main/binary-amd64/Packages\n")},
			"a .changes of files that nobody sent": {"/debian/stable/main/incoming/world_1.0_amd64.changes", changesOf("world", "world_1.0_amd64.deb", []byte("x"))},
			"a distribution that leads upwards":    {"/debian/../main/hello_1.0_amd64.deb", deb{}.build()},
			"a distribution that leads up, quoted": {"/debian/%2e%2e/main/hello_1.0_amd64.deb", deb{}.build()},
			"a component with a newline":           {"/debian/stable/ma%0ain/hello_1.0_amd64.deb", deb{}.build()},
			"a component with a slash in it":       {"/debian/stable/ma%2fin/hello_1.0_amd64.deb", deb{}.build()},
		},
		"alpine": {
			"nothing":                          {"/alpine/hello-1.0-r0.apk", nil},
			"a text":                           {"/alpine/hello-1.0-r0.apk", []byte("hello")},
			"a package of another format":      {"/alpine/hello-1.0-r0.apk", deb{}.build()},
			"one that is cut off":              cut(alpine(apk{})),
			"one bit flipped":                  flipped(alpine(apk{})),
			"another name in the URL":          {"/alpine/goodbye-1.0-r0.apk", apk{}.build()},
			"another version in the URL":       {"/alpine/hello-2.0-r0.apk", apk{}.build()},
			"another architecture in the URL":  {"/alpine/aarch64/hello-1.0-r0.apk", apk{}.build()},
			"another extension in the URL":     {"/alpine/hello-1.0-r0.deb", apk{}.build()},
			"a NUL in a field":                 alpine(apk{more: "pkgdesc = a\x00b\n"}),
			"a carriage return in a field":     alpine(apk{more: "pkgdesc = a\rP:evil\n"}),
			"a field twice":                    alpine(apk{more: "pkgname = evil\n"}),
			"a name that leads upwards":        alpine(apk{name: "../hello"}),
			"a version that leads upwards":     alpine(apk{version: "1/../2-r0"}),
			"an architecture that is none":     alpine(apk{arch: "../x"}),
			"an index among its control files": alpine(apk{control: []part{{name: "APKINDEX", data: "P:evil\n\n"}}}),
			"a control file twice":             alpine(apk{control: []part{{name: ".PKGINFO", data: "pkgname = evil\n"}}}),
			"data that leads upwards":          alpine(apk{data: member("usr/../../etc/passwd")}),
			"data with an absolute name":       alpine(apk{data: member("/etc/passwd")}),
			"data with a file twice":           alpine(apk{data: append(member("a"), member("a")...)}),
			"a control archive that is a bomb": alpine(apk{control: []part{{name: ".post-install", data: strings.Repeat("\x00", 40<<20)}}}),
			"a folder with a newline":          {"/alpine/a%0ab/hello-1.0-r0.apk", apk{}.build()},
			"a folder that leads upwards":      {"/alpine/a/../hello-1.0-r0.apk", apk{}.build()},
		},
		"arch": {
			"nothing":                         {"/arch/hello-1.0-1-x86_64.pkg.tar.zst", nil},
			"a text":                          {"/arch/hello-1.0-1-x86_64.pkg.tar.zst", []byte("hello")},
			"a package of another format":     {"/arch/hello-1.0-1-x86_64.pkg.tar.zst", rpm{}.build()},
			"one that is cut off":             cut(arch(pkg{files: []part{{name: "usr/noise", data: noiseOf(5000)}}})),
			"one with more behind it":         {"/arch/", append(pkg{}.build(), "more"...)},
			"another name in the URL":         {"/arch/goodbye-1.0-1-x86_64.pkg.tar.zst", pkg{}.build()},
			"another architecture in the URL": {"/arch/hello-1.0-1-aarch64.pkg.tar.zst", pkg{}.build()},
			"another extension in the URL":    {"/arch/hello-1.0-1-x86_64.pkg.tar.xz", pkg{}.build()},
			"a NUL in a field":                arch(pkg{more: "pkgdesc = a\x00b\n"}),
			"a carriage return in a field":    arch(pkg{more: "pkgdesc = a\rb\n"}),
			"a section in a field":            arch(pkg{more: "depend = %FILENAME%\n"}),
			"a field twice":                   arch(pkg{more: "pkgname = evil\n"}),
			"a name that leads upwards":       arch(pkg{name: "../hello"}),
			"a version that leads upwards":    arch(pkg{version: "1/../2-1"}),
			"an architecture that is none":    arch(pkg{arch: "../x"}),
			"a .PKGINFO twice":                arch(pkg{files: []part{{name: ".PKGINFO", data: "pkgname = evil\n"}}}),
			"a .PKGINFO that is a link":       {"/arch/", zstdOf(tarOf(true, part{name: ".PKGINFO", data: "/etc/passwd", kind: tar.TypeSymlink}))},
			"a database's file":               arch(pkg{files: []part{{name: "evil-1.0-1/desc", data: "%NAME%\nevil\n"}}}),
			"a file that leads upwards":       arch(pkg{files: member("usr/../../x")}),
			"a file with an absolute name":    arch(pkg{files: member("/etc/passwd")}),
			"a file twice":                    arch(pkg{files: append(member("a"), member("a")...)}),
			"a bomb":                          {"/arch/", zstdOf(slices.Concat(tarOf(false, part{name: ".PKGINFO", data: strings.Repeat("\x00", 200<<20)})))},
			"a folder with a newline":         {"/arch/a%0ab/hello-1.0-1-x86_64.pkg.tar.zst", pkg{}.build()},
		},
		"rpm": {
			"nothing":                         {"/rpm/hello-1.0-1.x86_64.rpm", nil},
			"a text":                          {"/rpm/hello-1.0-1.x86_64.rpm", []byte("hello")},
			"a package of another format":     {"/rpm/hello-1.0-1.x86_64.rpm", pkg{}.build()},
			"one that is cut off":             cut(redhat()),
			"one bit flipped":                 flipped(redhat()),
			"one with more behind it":         {"/rpm/", append(rpm{}.build(), 0)},
			"another name in the URL":         {"/rpm/goodbye-1.0-1.x86_64.rpm", rpm{}.build()},
			"another architecture in the URL": {"/rpm/hello-1.0-1.noarch.rpm", rpm{}.build()},
			"another extension in the URL":    {"/rpm/hello-1.0-1.x86_64.deb", rpm{}.build()},
			"a newline in the name":           redhat(rpmText(rpmName, "hello\nevil")),
			"a name that leads upwards":       redhat(rpmText(rpmName, "../hello")),
			"an architecture that is none":    redhat(rpmText(rpmArch, "../x")),
			"two names":                       redhat(rpmTexts(rpmName, "hello", "evil")),
			"a list without its other half":   redhat(rpmTexts(rpmRequireName, "a", "b"), rpmTexts(rpmRequireVersion, "1")),
			"another digest of the payload":   redhat(rpmTexts(rpmPayloadSum, strings.Repeat("0", 64))),
			"a file that leads upwards":       redhat(rpmTexts(rpmDirNames, "/usr/../etc/"), rpmTexts(rpmBaseNames, "passwd"), rpmNumbers(rpmDirIndexes, 0)),
			"a file in no folder":             redhat(rpmTexts(rpmDirNames, "/usr/"), rpmTexts(rpmBaseNames, "passwd"), rpmNumbers(rpmDirIndexes, 7)),
			"a header that is a bomb":         redhat(bombFiles()...),
			"a folder with a newline":         {"/rpm/a%0ab/hello-1.0-1.x86_64.rpm", rpm{}.build()},
		},
		"raw": {
			"a path that leads upwards":         {"/raw/a/../b", []byte("x")},
			"a path that leads upwards, quoted": {"/raw/a/%2e%2e/b", []byte("x")},
			"a path out of the repository":      {"/raw/%2e%2e/debian/b", []byte("x")},
			"a path with a dot":                 {"/raw/a/./b", []byte("x")},
			"two slashes":                       {"/raw/a//b", []byte("x")},
			"a slash that is quoted":            {"/raw/a%2fb", []byte("x")},
			"a NUL":                             {"/raw/a%00b", []byte("x")},
			"a newline":                         {"/raw/a%0ab", []byte("x")},
			"a half quote":                      {"/raw/a%4", []byte("x")},
			"no UTF-8":                          {"/raw/a%ff", []byte("x")},
			"a path without end":                {"/raw/" + strings.Repeat("a", 3000), []byte("x")},
			"a folder":                          {"/raw/a/", []byte("x")},
		},
	}
}

// bombFiles are some kilobytes of a header of which the paths would take gigabytes.
func bombFiles() []rpmTag {
	const n = 20_000
	return []rpmTag{
		rpmTexts(rpmDirNames, "/"+strings.Repeat("x", 100_000)+"/"), rpmTexts(rpmBaseNames, slices.Repeat([]string{"a"}, n)...),
		rpmNumbers(rpmDirIndexes, make([]uint32, n)...),
	}
}

// changesOf returns a .changes that names one file.
func changesOf(source, file string, content []byte) []byte {
	return []byte(changesText(source, fmt.Sprintf(" %s %d %s\n", hexOf(content), len(content), file),
		fmt.Sprintf(" %032x %d misc optional %s\n", 0, len(content), file)))
}

// goodInput is for each format what is taken, beside what is not.
var goodInput = map[string]upload{
	"debian": {"/debian/stable/main/", deb{}.build()}, "alpine": {"/alpine/", apk{}.build()},
	"arch": {"/arch/", pkg{}.build()}, "rpm": {"/rpm/", rpm{}.build()}, "raw": {"/raw/a/c", []byte("c")},
}

func TestBadInputLeavesNothingBehind(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian", "alpine", "arch", "rpm", "raw"}})
	for format, uploads := range badInput() {
		t.Run(format, func(t *testing.T) {
			// Before there is an index, and after.
			for _, when := range []string{"first", "later"} {
				for what, u := range uploads {
					t.Run(when+", "+what, func(t *testing.T) {
						before := d.traces(t, format)
						w := d.api.do(t, http.MethodPut, u.path, u.body)
						if w.plainly(t, 400); w.status != http.StatusBadRequest && w.status != http.StatusMethodNotAllowed {
							t.Errorf("%s: %d %s", w.line, w.status, w.body)
						}
						d.leftNothing(t, format, before)
					})
				}
				if when == "first" {
					d.put(t, goodInput[format].path, goodInput[format].body)
				}
			}
		})
	}
}

// traces are all that an upload could leave behind.
type traces struct {
	tree       map[string]string
	blobs      []string
	signatures int
}

func (d *depot) traces(t *testing.T, repository string) traces {
	t.Helper()
	return traces{d.tree(t, repository), d.blobs(t), d.count(t, "signatures")}
}

// leftNothing fails the test if anything has changed.
func (d *depot) leftNothing(t *testing.T, repository string, before traces) {
	t.Helper()
	after := d.traces(t, repository)
	if !maps.Equal(before.tree, after.tree) {
		t.Errorf("the repository was\n%v\nand is\n%v", before.tree, after.tree)
	}
	if !slices.Equal(before.blobs, after.blobs) {
		t.Errorf("there were %d blobs and are %d", len(before.blobs), len(after.blobs))
	}
	if before.signatures != after.signatures {
		t.Errorf("%d signatures were made", after.signatures-before.signatures)
	}
}

// ledger opens the database beside the server.
func (d *depot) ledger(t *testing.T, mode string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.proxy.Data, "ledger.db")+"?mode="+mode+"&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// count returns how many rows a table of the ledger has.
func (d *depot) count(t *testing.T, table string) (n int) {
	t.Helper()
	db := d.ledger(t, "ro")
	defer db.Close()
	if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
