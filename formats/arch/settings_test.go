package arch_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/arch"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestSettingsThatCannotBeUsedAreNamed(t *testing.T) {
	for _, tt := range []struct {
		arches []string
		want   string
	}{
		{[]string{"x86-64"}, "architectures"}, {[]string{"any"}, "any"}, {[]string{"i686", "i686"}, "twice"},
	} {
		if _, err := arch.New(arch.Settings{Architectures: tt.arches}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("the architectures %q give: %v", tt.arches, err)
		}
	}
	if _, err := arch.New(arch.Settings{}); err != nil {
		t.Errorf("the zero settings give: %v", err)
	}
}

func names(t *testing.T, h *formattest.House, database string) []string {
	t.Helper()
	data, err := h.Fetch(database)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := readDatabase(data, "desc")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for folder := range packages {
		all = append(all, strings.TrimSuffix(folder, "/"))
	}
	slices.Sort(all)
	return all
}

func TestTheNewestVersionOfANameIsListed(t *testing.T) {
	h := formattest.NewHouse(t, open(t, arch.Defaults()))
	for _, tt := range []struct {
		pkg      pkg
		conflict bool
		want     []string
	}{
		{pkg{version: "1.0-1"}, false, []string{"hello-1.0-1"}},
		{pkg{version: "1.0-2"}, false, []string{"hello-1.0-2"}},
		{pkg{version: "1.0-1"}, true, []string{"hello-1.0-2"}},
		{pkg{name: "other", version: "0.1-1"}, false, []string{"hello-1.0-2", "other-0.1-1"}},
		{pkg{version: "9-1", arch: "aarch64"}, false, []string{"hello-1.0-2", "other-0.1-1"}},
		{pkg{version: "1:0.5-1"}, false, []string{"hello-1:0.5-1", "other-0.1-1"}},
	} {
		if err := h.Put("x.pkg.tar.zst", tt.pkg.build(t)); errors.Is(err, formattest.ErrConflict) != tt.conflict || (err == nil) == tt.conflict {
			t.Fatalf("the upload of %+v gives: %v", tt.pkg, err)
		}
		if got := names(t, h, "x86_64/conformance.test.db"); !slices.Equal(got, tt.want) {
			t.Errorf("after %+v, the database lists %q, want %q", tt.pkg, got, tt.want)
		}
	}
	if _, err := h.Fetch("x86_64/hello-1.0-2-x86_64.pkg.tar.zst"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the older package is still there: %v", err)
	}
}

func TestAPackageForAllIsListedForEach(t *testing.T) {
	h := formattest.NewHouse(t, open(t, arch.Settings{Architectures: []string{"x86_64"}}))
	for _, p := range []pkg{{name: "doc", arch: "any"}, {name: "tool", arch: "armv7h"}} {
		if err := h.Put("a/extra/x.pkg.tar.zst", p.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	for arch, want := range map[string][]string{"x86_64": {"doc-1.0-1"}, "armv7h": {"doc-1.0-1", "tool-1.0-1"}} {
		if got := names(t, h, "a/extra/"+arch+"/extra.db"); !slices.Equal(got, want) {
			t.Errorf("the database of %s lists %q, want %q", arch, got, want)
		}
		data, err := h.Fetch("a/extra/" + arch + "/doc-1.0-1-any.pkg.tar.zst")
		if err != nil || !bytes.Equal(data, pkg{name: "doc", arch: "any"}.build(t)) {
			t.Errorf("the package for all is not there for %s: %v", arch, err)
		}
	}
	if _, err := h.Fetch("a/extra/any/extra.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a database of any: %v", err)
	}
}

func TestTheTwoNamesOfADatabaseAreOneFile(t *testing.T) {
	h := formattest.NewHouse(t, open(t, arch.Defaults()))
	if err := h.Put("x.pkg.tar.zst", pkg{}.build(t)); err != nil {
		t.Fatal(err)
	}
	indexes := h.Indexes()
	for _, name := range []string{"x86_64/conformance.test.db", "x86_64/conformance.test.files"} {
		if indexes[name] == nil || !bytes.Equal(indexes[name], indexes[name+".tar.gz"]) || indexes[name+".tar.gz.sig"] == nil {
			t.Errorf("%s is not the same as %s.tar.gz, or that has no signature", name, name)
		}
	}
}

func testSite() format.Site {
	return format.Site{
		Repository: "arch", Tree: formattest.Contents(nil), URL: "https://host.example/it's", KeysURL: "https://host.example/-/keys/arch",
		Keys: format.Keys{
			{Purpose: scheme.Index, Family: scheme.OpenPGP, Fingerprint: "AAAA"}, {Purpose: scheme.Index, Family: scheme.OpenPGP, Fingerprint: "BBBB"},
			{Purpose: scheme.Package, Family: scheme.OpenPGP, Fingerprint: "BBBB"}, {Purpose: scheme.File, Family: scheme.OpenPGP, Fingerprint: "CCCC"},
		},
	}
}

func TestSetup(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shards []string
		want   []string
	}{
		{"an empty repository", nil, []string{"folder=${DIRECTORY-''}"}},
		{"packages in the root", []string{"", "extra"}, []string{"folder=${DIRECTORY-''}", "#   'extra'"}},
		{"packages in folders", []string{"core", "extra"}, []string{"folder=${DIRECTORY-'core'}", "#   'extra'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSite()
			var shards formattest.Contents
			for _, name := range tt.shards {
				shards = append(shards, format.Contents{Shard: name})
			}
			s.Tree = shards
			text, err := open(t, arch.Defaults()).Setup(s, "pacman")
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range append(tt.want, `url='https://host.example/it'\''s'`, "for print in 'AAAA' 'BBBB'; do") {
				if !strings.Contains(string(text), part) {
					t.Errorf("%q is missing in:\n%s", part, text)
				}
			}
		})
	}
	if _, err := open(t, arch.Defaults()).Setup(testSite(), "apt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a set-up for apt: %v", err)
	}
}

// The script is run with a folder in place of /etc, and with stand-ins for the programs that it calls.
func TestTheSetupCanBeRunAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the script is for root")
	}
	text, err := open(t, arch.Defaults()).Setup(testSite(), "pacman")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pacman.d/gnupg"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"curl":        "#!/bin/sh\n[ \"$1 $2\" = '-fsS -o' ] && echo \"$4\" > \"$3\"\n",
		"pacman":      "#!/bin/sh\necho \"pacman $*\"\n",
		"pacman-key":  "#!/bin/sh\nif [ \"$1\" = --add ]; then set -- --add \"$(cat \"$2\")\"; fi; echo \"pacman-key $*\"\n[ \"$1\" != --init ] || touch " + dir + "/pacman.d/gnupg/trustdb.gpg\n",
		"pacman.conf": "[options]\nArchitecture = auto\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.ReplaceAll(string(text), "/etc/", dir+"/")
	run := func(want string, env ...string) {
		t.Helper()
		cmd := exec.Command("/bin/sh")
		cmd.Stdin = strings.NewReader(script)
		cmd.Env = append(env, "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Fatalf("%v: %s", err, out)
		}
	}
	const keys = "pacman-key --add https://host.example/-/keys/arch/openpgp.asc\npacman-key --lsign-key AAAA\npacman-key --lsign-key BBBB\npacman -Sy\n"
	run("pacman-key --init\n" + keys)
	run(keys)
	run(keys, "DIRECTORY=a/extra")
	const want = "[options]\nArchitecture = auto\n\n[arch]\nSigLevel = Required TrustedOnly\nServer = https://host.example/it's/$arch\n" +
		"\n[extra]\nSigLevel = Required TrustedOnly\nServer = https://host.example/it's/a/extra/$arch\n"
	if got, err := os.ReadFile(filepath.Join(dir, "pacman.conf")); err != nil || string(got) != want {
		t.Errorf("pacman.conf is %q, want %q: %v", got, want, err)
	}
}
