package debian_test

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"

	"github.com/google/go-cmp/cmp"
)

func TestDebBecomesAStanza(t *testing.T) {
	f := open(t, nil)
	for _, suffix := range []string{"", ".gz", ".xz", ".zst"} {
		body := deb{control: controlOf("libhello", "1:2.0-1+b1", "amd64", "Source: hello (1:2.0-1)\nX-Unknown: ü kept\n"), suffix: suffix}.build(t)
		got := accepted(t, f, "stable/main/", body)
		want := format.Package{
			Path: "pool/stable/main/h/hello/libhello_2.0-1+b1_amd64.deb",
			Name: "libhello", Version: "1:2.0-1+b1", Arch: "amd64", Shard: "stable",
			Entries: []format.Entry{{Group: "main/amd64", Data: fmt.Appendf(nil, `Package: libhello
Version: 1:2.0-1+b1
Architecture: amd64
Maintainer: Ann <ann@example.org>
Source: hello (1:2.0-1)
X-Unknown: ü kept
Description: a greeting
 that is long
 .
 and friendly
Filename: pool/stable/main/h/hello/libhello_2.0-1+b1_amd64.deb
Size: %d
SHA256: %x

`, len(body), blobOf(body).Digest(crypto.SHA256))}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", suffix, diff)
		}
	}
}

func TestPoolPathIsThatOfTheSource(t *testing.T) {
	f := open(t, nil)
	for _, tt := range []struct{ name, source, want string }{
		{"hello", "", "pool/stable/main/h/hello/hello_1.0_amd64.deb"},
		{"libhello", "", "pool/stable/main/libh/libhello/libhello_1.0_amd64.deb"},
		{"lib", "", "pool/stable/main/l/lib/lib_1.0_amd64.deb"},
		{"7zip", "", "pool/stable/main/7/7zip/7zip_1.0_amd64.deb"},
		{"hello", "libgreet", "pool/stable/main/libg/libgreet/hello_1.0_amd64.deb"},
		{"hello", "greet (2.0)", "pool/stable/main/g/greet/hello_1.0_amd64.deb"},
	} {
		more := ""
		if tt.source != "" {
			more = "Source: " + tt.source + "\n"
		}
		p := accepted(t, f, "stable/main/", deb{control: controlOf(tt.name, "1.0", "amd64", more), suffix: ".gz"}.build(t))
		if p.Path != tt.want {
			t.Errorf("%s of %q is at %s", tt.name, tt.source, p.Path)
		}
	}
}

func TestNameInTheURLMayNotLie(t *testing.T) {
	f := open(t, nil)
	body := deb{control: controlOf("hello", "1:2.0-1", "amd64", ""), suffix: ".gz"}.build(t)
	for _, name := range []string{"hello_2.0-1_amd64.deb", "hello_1:2.0-1_amd64.deb", "hello_1%3a2.0-1_amd64.deb", "hello.deb", "what_you_want.deb", "x.deb", ""} {
		if _, err := put(f, "stable/main/"+name, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"world_2.0-1_amd64.deb", "hello_2.0-2_amd64.deb", "hello_2:2.0-1_amd64.deb", "hello_2.0-1_arm64.deb", "hello_2.0-1_all.deb"} {
		if _, err := put(f, "stable/main/"+name, body); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPackagesOfDputWait(t *testing.T) {
	f := open(t, nil)
	body := deb{control: controlOf("hello", "1.0", "all", ""), suffix: ".gz"}.build(t)
	p := accepted(t, f, "stable/main/incoming/hello_1.0_all.deb", body)
	if !p.Waits || p.Set != "stable/main/incoming" || len(p.Entries) != 1 || p.Path != "pool/stable/main/h/hello/hello_1.0_all.deb" {
		t.Errorf("%+v", p)
	}
}

func TestWhatIsNoPackageIsMalformed(t *testing.T) {
	f := open(t, nil)
	control := pack(t, ".gz", tarOf(t, file{"./control", controlOf("hello", "1.0", "amd64", "")}))
	data := pack(t, ".xz", tarOf(t, file{"./usr/bin/hello", "hello"}))
	version := file{"debian-binary", "2.0\n"}
	controlMember, dataMember := file{"control.tar.gz", string(control)}, file{"data.tar.xz", string(data)}
	withControl := func(files ...file) []byte {
		return arOf(version, file{"control.tar.gz", string(pack(t, ".gz", tarOf(t, files...)))}, dataMember)
	}
	good := arOf(version, controlMember, dataMember)
	accepted(t, f, "stable/main/a.deb", good)
	accepted(t, f, "stable/main/a.deb", arOf(version, controlMember, dataMember, file{"_gpgorigin", "x"}))
	for name, body := range map[string][]byte{
		"nothing":                          nil,
		"text":                             []byte("hello"),
		"a package that is cut off":        good[:len(good)-10],
		"a package with something behind":  append(bytes.Clone(good), '\n'),
		"no members":                       arOf(),
		"no data":                          arOf(version, controlMember),
		"no version":                       arOf(controlMember, dataMember, file{"_gpgorigin", "x"}),
		"the old version of the format":    arOf(file{"debian-binary", "0.939000\n"}, controlMember, dataMember),
		"another version of the format":    arOf(file{"debian-binary", "3.0\n"}, controlMember, dataMember),
		"data before control":              arOf(version, dataMember, controlMember),
		"control twice":                    arOf(version, controlMember, controlMember, dataMember),
		"control in two compressions":      arOf(version, controlMember, file{"control.tar.xz", string(data)}, dataMember),
		"a member that nobody knows":       arOf(version, controlMember, dataMember, file{"_evil", "x"}),
		"a member before control":          arOf(version, file{"_gpgorigin", "x"}, controlMember, dataMember),
		"two signatures":                   arOf(version, controlMember, dataMember, file{"_gpgorigin", "x"}, file{"_gpgmaint", "x"}),
		"an empty signature":               arOf(version, controlMember, dataMember, file{"_gpgorigin", ""}),
		"a huge signature":                 arOf(version, controlMember, dataMember, file{"_gpgorigin", strings.Repeat("x", 100<<10)}),
		"an archive of another name":       arOf(version, file{"control.zip", string(control)}, dataMember),
		"control that is not as it says":   arOf(version, file{"control.tar.xz", string(control)}, dataMember),
		"control that says it is plain":    arOf(version, file{"control.tar", string(control)}, dataMember),
		"control in bzip2":                 arOf(version, file{"control.tar.bz2", "BZh91AY&SY1234567"}, dataMember),
		"data that is not as it says":      arOf(version, controlMember, file{"data.tar.gz", string(data)}),
		"data that is empty":               arOf(version, controlMember, file{"data.tar.gz", ""}),
		"control that is too large":        arOf(version, file{"control.tar", strings.Repeat("\x00", 5<<20)}, dataMember),
		"control that is broken":           arOf(version, file{"control.tar.gz", string(control[:len(control)-5])}, dataMember),
		"control with something behind":    arOf(version, file{"control.tar.gz", string(control) + "more"}, dataMember),
		"no file control":                  withControl(file{"./md5sums", "x"}),
		"a folder control":                 withControl(file{"./control/", ""}),
		"two files control":                withControl(file{"./control", controlOf("hello", "1.0", "amd64", "")}, file{"control", controlOf("hello", "1.0", "amd64", "")}),
		"a control file that leads upward": withControl(file{"./control", controlOf("hello", "1.0", "amd64", "")}, file{"../control", "x"}),
		"a control file that is huge":      withControl(file{"./control", strings.Repeat("A: 1\n", 300_000)}),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := put(f, "stable/main/a.deb", body); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

func TestControlFilesThatLieAreMalformed(t *testing.T) {
	f := open(t, nil)
	good := controlOf("hello", "1.0", "amd64", "")
	for name, control := range map[string]string{
		"nothing":                         "",
		"a second stanza":                 good + "\n" + controlOf("evil", "1.0", "amd64", ""),
		"a field twice":                   controlOf("hello", "1.0", "amd64", "Version: 2.0\n"),
		"a field twice in two cases":      controlOf("hello", "1.0", "amd64", "VERSION: 2.0\n"),
		"a Filename":                      controlOf("hello", "1.0", "amd64", "Filename: pool/evil.deb\n"),
		"a filename":                      controlOf("hello", "1.0", "amd64", "filename: pool/evil.deb\n"),
		"a Size":                          controlOf("hello", "1.0", "amd64", "Size: 1\n"),
		"a SHA256":                        controlOf("hello", "1.0", "amd64", "SHA256: 00\n"),
		"a SHA512":                        controlOf("hello", "1.0", "amd64", "SHA512: 00\n"),
		"an MD5sum":                       controlOf("hello", "1.0", "amd64", "MD5sum: 00\n"),
		"a Description-md5":               controlOf("hello", "1.0", "amd64", "Description-md5: 00\n"),
		"a Status":                        controlOf("hello", "1.0", "amd64", "Status: install ok installed\n"),
		"no Package":                      strings.Replace(good, "Package:", "Packet:", 1),
		"no Version":                      strings.Replace(good, "Version:", "Verse:", 1),
		"no Architecture":                 strings.Replace(good, "Architecture:", "Arc:", 1),
		"a name with a slash":             controlOf("../hello", "1.0", "amd64", ""),
		"a name in capitals":              controlOf("Hello", "1.0", "amd64", ""),
		"a name of one letter":            controlOf("h", "1.0", "amd64", ""),
		"a name with an underscore":       controlOf("he_llo", "1.0", "amd64", ""),
		"a name over two lines":           controlOf("hello\n world", "1.0", "amd64", ""),
		"a name that is too long":         controlOf(strings.Repeat("h", 300), "1.0", "amd64", ""),
		"a version with a slash":          controlOf("hello", "1.0/../2", "amd64", ""),
		"a version without a digit first": controlOf("hello", "v1.0", "amd64", ""),
		"a version with a space":          controlOf("hello", "1.0 2", "amd64", ""),
		"a version with an empty epoch":   controlOf("hello", ":1.0", "amd64", ""),
		"a version with two epochs":       controlOf("hello", "1:2:3", "amd64", ""),
		"a version with an empty end":     controlOf("hello", "1.0-", "amd64", ""),
		"an architecture with a slash":    controlOf("hello", "1.0", "amd64/x", ""),
		"an architecture in capitals":     controlOf("hello", "1.0", "AMD64", ""),
		"two architectures":               controlOf("hello", "1.0", "amd64 arm64", ""),
		"any architecture":                controlOf("hello", "1.0", "any", ""),
		"the architecture source":         controlOf("hello", "1.0", "source", ""),
		"an architecture with a wildcard": controlOf("hello", "1.0", "linux-any", ""),
		"a Source with a slash":           controlOf("hello", "1.0", "amd64", "Source: ../../evil\n"),
		"a Source that is empty":          controlOf("hello", "1.0", "amd64", "Source:\n"),
		"a Source with half a version":    controlOf("hello", "1.0", "amd64", "Source: hello (1.0\n"),
		"a NUL":                           controlOf("hello", "1.0", "amd64", "Section: a\x00b\n"),
		"a carriage return":               strings.ReplaceAll(good, "\n", "\r\n"),
		"a comment":                       "# hello\n" + good,
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := put(f, "stable/main/a.deb", deb{control: control, suffix: ".gz"}.build(t)); !errors.Is(err, format.ErrMalformed) {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// dpkg-deb's own packages are taken, in every compression that it has.
func TestPackagesOfDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Fatal("dpkg-deb is not installed: apt-get install dpkg")
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"DEBIAN/control":  controlOf("hello", "1.0", "amd64", ""),
		"usr/bin/hello":   "#!/bin/sh\n",
		"DEBIAN/postinst": "#!/bin/sh\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, "tree", filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "tree", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t, nil)
	for _, options := range []string{"-Zgzip", "-Zxz", "-Zxz -z9", "-Zzstd", "-Zzstd -z19", "-Znone", "-Zgzip --uniform-compression", "-Znone --no-uniform-compression"} {
		to := filepath.Join(root, "hello.deb")
		args := append(strings.Fields(options), "--root-owner-group", "--build", filepath.Join(root, "tree"), to)
		if out, err := exec.Command("dpkg-deb", args...).CombinedOutput(); err != nil {
			t.Fatalf("dpkg-deb %s: %v\n%s", options, err, out)
		}
		body, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		if p := accepted(t, f, "stable/main/hello.deb", body); p.Name != "hello" {
			t.Errorf("%s: %+v", options, p)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	f := open(b, nil)
	for _, suffix := range []string{"", ".gz", ".xz", ".zst"} {
		body := deb{control: controlOf("hello", "1.0", "amd64", "Depends: libc6 (>= 2.34), libgreet1 (>= 1.0), init-system-helpers\nSection: misc\nPriority: optional\nInstalled-Size: 100\n"), suffix: suffix}.build(b)
		op, err := f.Route(format.Request{Method: "PUT", Path: "stable/main/hello_1.0_amd64.deb"})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("control.tar"+suffix, func(b *testing.B) {
			b.ReportAllocs()
			blob := digested{blobOf(body), blobOf(body).Digest(crypto.SHA256)}
			for b.Loop() {
				if _, err := f.Parse(op, blob, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// digested is a blob whose digest is known, as that of a spooled file is.
type digested struct {
	blob
	sum []byte
}

func (d digested) Digest(crypto.Hash) []byte { return d.sum }

func FuzzParseDeb(f *testing.F) {
	format1 := open(f, nil)
	for _, suffix := range []string{"", ".gz", ".xz", ".zst"} {
		f.Add(deb{control: controlOf("hello", "1.0", "amd64", ""), suffix: suffix, signed: []byte("abc")}.build(f))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := put(format1, "stable/main/", body)
		checkParsed(t, p, err)
		if err == nil && tarball.Sniff(body) != tarball.None {
			t.Errorf("%.20q is a package", body)
		}
	})
}

// FuzzParseControl comes to the control file without a compression in between.
func FuzzParseControl(f *testing.F) {
	format1 := open(f, nil)
	f.Add(controlOf("hello", "1:1.0-1~a+b", "all", "Source: greet (1.0)\n"))
	f.Fuzz(func(t *testing.T, control string) {
		p, err := put(format1, "stable/main/", deb{control: control}.build(t))
		checkParsed(t, p, err)
	})
}

// checkParsed checks what holds for everything that anybody can send.
func checkParsed(t *testing.T, p format.Package, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, format.ErrMalformed) {
			t.Errorf("a fault of the file was taken for one of ours: %v", err)
		}
		return
	}
	if !p.Unlisted && (!strings.HasPrefix(p.Path, "pool/stable/main/") || strings.Contains("/"+p.Path+"/", "/../") || filepath.Clean(p.Path) != p.Path) {
		t.Errorf("the path is %q", p.Path)
	}
	for _, e := range p.Entries {
		// One stanza, whose last lines are ours.
		if !bytes.HasSuffix(e.Data, []byte("\n\n")) || bytes.Contains(e.Data[:len(e.Data)-1], []byte("\n\n")) || bytes.ContainsAny(e.Data, "\r\x00") {
			t.Errorf("the entry is %q", e.Data)
		}
		if n := bytes.Count(bytes.ToLower(append([]byte("\n"), e.Data...)), []byte("\nfilename:")); n != 1 && p.Arch != "source" {
			t.Errorf("the entry has %d Filenames: %q", n, e.Data)
		}
	}
}
