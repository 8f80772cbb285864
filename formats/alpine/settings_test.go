package alpine_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"
)

func TestSettingsThatCannotBeUsedAreNamed(t *testing.T) {
	for _, tt := range []struct {
		settings alpine.Settings
		want     string
	}{
		{alpine.Settings{SignPackages: "sometimes"}, "sign_packages"},
		{alpine.Settings{Architectures: []string{"x86-64"}}, "architectures"},
		{alpine.Settings{Architectures: []string{"noarch"}}, "noarch"},
		{alpine.Settings{Architectures: []string{"x86", "x86"}}, "twice"},
	} {
		if _, err := alpine.New(tt.settings); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("the settings %+v give: %v", tt.settings, err)
		}
	}
	if _, err := alpine.New(alpine.Settings{}); err != nil {
		t.Errorf("the zero settings give: %v", err)
	}
}

func TestAPackageForAllIsListedForEach(t *testing.T) {
	h := formattest.NewHouse(t, open(t, alpine.Settings{Architectures: []string{"x86_64"}}))
	for path, a := range map[string]apk{"v3/": {name: "doc", arch: "noarch"}, "v3/armv7/": {name: "tool", arch: "armv7"}} {
		if err := h.Put(path, a.build(t)); err != nil {
			t.Fatal(err)
		}
	}
	for arch, want := range map[string]string{"x86_64": "doc", "armv7": "tool doc"} {
		data, err := h.Fetch("v3/" + arch + "/APKINDEX.tar.gz")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := readIndex(h.Trusted(), data)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e['P'])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("the index of %s lists %q, want %q", arch, got, want)
		}
		data, err = h.Fetch("v3/" + arch + "/doc-1.0-r0.apk")
		if err != nil || sha256.Sum256(data) != h.Packages()["v3/noarch/doc-1.0-r0.apk"] {
			t.Errorf("the package for all is not there for %s, or it is another: %v", arch, err)
		}
	}
	if _, err := h.Fetch("v3/noarch/APKINDEX.tar.gz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is an index of noarch: %v", err)
	}
}

// A client that updates must not fail because the last package is gone.
func TestAnIndexStaysWhenItsLastPackageGoes(t *testing.T) {
	h := formattest.NewHouse(t, open(t, alpine.Defaults()))
	if err := h.Put("", apk{arch: "riscv64"}.build(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete("riscv64/hello-1.0-r0.apk"); err != nil {
		t.Fatal(err)
	}
	data, err := h.Fetch("riscv64/APKINDEX.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := readIndex(h.Trusted(), data); err != nil || len(entries) > 0 {
		t.Errorf("the index lists %v: %v", entries, err)
	}
}

func TestSetup(t *testing.T) {
	site := format.Site{
		Repository: "alpine", Tree: formattest.Contents(nil), URL: "https://host.example/it's", KeysURL: "https://host.example/-/keys/alpine",
		Keys: format.Keys{
			{Purpose: scheme.Index, Family: scheme.RSA, File: "old.rsa.pub"}, {Purpose: scheme.Index, Family: scheme.RSA, File: "new.rsa.pub"},
			{Purpose: scheme.Package, Family: scheme.RSA, File: "new.rsa.pub"}, {Purpose: scheme.File, Family: scheme.OpenPGP, File: "files.asc"},
		},
	}
	for _, tt := range []struct {
		name   string
		shards []string
		want   []string
	}{
		{"an empty repository", nil, []string{"folder=${DIRECTORY-''}"}},
		{"packages in the root", []string{"", "edge"}, []string{"folder=${DIRECTORY-''}", "#   'edge'"}},
		{"packages in folders", []string{"edge", "v3"}, []string{"folder=${DIRECTORY-'edge'}", "#   'v3'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := site
			var shards formattest.Contents
			for _, name := range tt.shards {
				shards = append(shards, format.Contents{Shard: name})
			}
			s.Tree = shards
			text, err := open(t, alpine.Defaults()).Setup(s, "apk")
			if err != nil {
				t.Fatal(err)
			}
			want := append(tt.want, `url='https://host.example/it'\''s'`, "for key in 'old.rsa.pub' 'new.rsa.pub'; do")
			for _, part := range want {
				if !strings.Contains(string(text), part) {
					t.Errorf("%q is missing in:\n%s", part, text)
				}
			}
			cmd := exec.Command("/bin/sh", "-n")
			cmd.Stdin = bytes.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("no shell takes it: %s", out)
			}
		})
	}
	if _, err := open(t, alpine.Defaults()).Setup(site, "apt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a set-up for apt: %v", err)
	}
}

// The script is run with a folder in place of /etc/apk, and with stand-ins for the programs that it calls.
func TestTheSetupCanBeRunAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the script is for root")
	}
	text, err := open(t, alpine.Defaults()).Setup(format.Site{
		Repository: "alpine", Tree: formattest.Contents(nil), URL: "http://host.example/alpine", KeysURL: "http://host.example/keys",
		Keys: format.Keys{{Purpose: scheme.Index, Family: scheme.RSA, File: "k.rsa.pub"}},
	}, "apk")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"wget":         "#!/bin/sh\n[ \"$1 $2\" = '-q -O' ] && echo \"key of $4\" > \"$3\"\n",
		"apk":          "#!/bin/sh\necho \"apk $*\"\n",
		"repositories": "http://other.example/main",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := strings.ReplaceAll(string(text), "/etc/apk", dir)
	run := func(env ...string) {
		t.Helper()
		cmd := exec.Command("/bin/sh")
		cmd.Stdin = strings.NewReader(script)
		cmd.Env = append(env, "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "apk update\n" {
			t.Fatalf("%v: %s", err, out)
		}
	}
	check := func(file, want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, want %q: %v", file, got, want, err)
		}
	}
	run()
	run()
	check("repositories", "http://other.example/main\nhttp://host.example/alpine\n")
	check("keys/k.rsa.pub", "key of http://host.example/keys/k.rsa.pub\n")
	run("DIRECTORY=v3/main")
	check("repositories", "http://other.example/main\nhttp://host.example/alpine\nhttp://host.example/alpine/v3/main\n")
}
