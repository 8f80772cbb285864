package world

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Kind is a kind of package, as nfpm names it.
type Kind string

// The kinds that nfpm makes.
const (
	Deb    Kind = "deb"
	RPM    Kind = "rpm"
	Alpine Kind = "apk"
	Arch   Kind = "archlinux"
)

// A Package is what a package of any kind is made from.
type Package struct {
	Name        string
	Version     string            // without a release, which is 1
	Arch        string            // as Go names it, this computer's if empty; all for every one
	Description string            // one line if empty
	Depends     []string          // in the words of the kind
	Files       map[string]string // absolute path to text; without any, /opt/<name>/version has the version
}

// A Built package is a file.
type Built struct {
	Path    string // where it lies, under the name that the kind's own tools would give it
	Name    string
	Version string // as the kind's package manager tells it: 1.0.0-1, and 1.0.0-r1 for apk
	Arch    string // in the kind's words: amd64, x86_64, noarch
}

// File returns the file's name without its folder.
func (b Built) File() string { return filepath.Base(b.Path) }

// Bytes returns the file's contents.
func (b Built) Bytes(t T) []byte {
	t.Helper()
	data, err := os.ReadFile(b.Path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return data
}

// Build makes the package with nfpm, unsigned. Two builds need not be the same bytes.
func (p Package) Build(t T, kind Kind) Built {
	t.Helper()
	dir := t.TempDir()
	if p.Files == nil {
		p.Files = map[string]string{"/opt/" + p.Name + "/version": p.Version + "\n"}
	}
	type content struct {
		Source      string `json:"src"`
		Destination string `json:"dst"`
	}
	var contents []content
	for path, text := range p.Files {
		source := filepath.Join(dir, fmt.Sprintf("content%d", len(contents)))
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		contents = append(contents, content{source, path})
	}
	built := Built{Name: p.Name, Version: p.Version + "-1", Arch: archOf(p.Arch, kind)}
	if kind == Alpine {
		built.Version = p.Version + "-r1"
	}
	built.Path = filepath.Join(dir, built.name(kind))
	config, err := json.Marshal(map[string]any{ // which is YAML
		"name":        p.Name,
		"version":     p.Version,
		"release":     "1",
		"arch":        built.Arch,
		"platform":    "linux",
		"maintainer":  "Test <test@example.org>",
		"description": orElse(p.Description, "A package for a test."),
		"homepage":    "https://example.org",
		"license":     "MIT",
		"depends":     p.Depends,
		"contents":    contents,
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	Command{Path: Tool(t, "nfpm"), Dir: dir}.Run(t, "package",
		"--config", file(t, p.Name+".yml", string(config)), "--packager", string(kind), "--target", built.Path)
	return built
}

// name returns the name that the kind's own tools give to a package.
func (b Built) name(kind Kind) string {
	switch kind {
	case Deb:
		return b.Name + "_" + b.Version + "_" + b.Arch + ".deb"
	case RPM:
		return b.Name + "-" + b.Version + "." + b.Arch + ".rpm"
	case Alpine:
		return b.Name + "-" + b.Version + ".apk"
	}
	return b.Name + "-" + b.Version + "-" + b.Arch + ".pkg.tar.zst"
}

// archOf returns a kind's word for an architecture. It must be told to nfpm, too, which takes "all" for an
// architecture of that name where apk is concerned.
func archOf(arch string, kind Kind) string {
	arch = orElse(arch, runtime.GOARCH)
	if kind == Deb {
		return arch
	}
	word := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}[arch]
	if kind == Arch && arch == "all" {
		return "any"
	}
	return orElse(word, arch)
}

func orElse(s, otherwise string) string {
	if strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}
