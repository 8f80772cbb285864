// Package tools finds and builds the programs that the tests run: the clients, the stock registry, the
// conformance suite and the linter.
//
// Each subfolder with a go.mod pins one program by a tool directive, in a module of its own, so that
// neither the product nor another tool ever decides the version of a dependency; one with a
// package-lock.json pins a program of npm in the same way, one with a requirements.txt packages of Python, and one
// with a pom.xml or a build.sbt Maven or sbt. A program is built once into a cache outside of the tree. Its place
// there is named by the hash of its pins and by the Go version: a changed pin is a new place, and a second run
// costs nothing.
package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// A Tool is one pinned program.
type Tool struct {
	Name string // the folder's name, and the program's in the cache: cosign2, crane
	Dir  string // where its pins are
	Path string // where the program is, once it is built
}

// All returns the tools that the source tree around the working directory pins, ordered by name.
func All() ([]Tool, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	var pins []string
	for _, name := range []string{"go.mod", npmLock, requirements, mavenPins, sbtPins} {
		found, err := filepath.Glob(filepath.Join(root, "integration", "tools", "*", name))
		if err != nil {
			return nil, err
		}
		pins = append(pins, found...)
	}
	slices.Sort(pins)
	var all []Tool
	for _, pin := range pins {
		tool, err := at(filepath.Dir(pin))
		if err != nil {
			return nil, err
		}
		all = append(all, tool)
	}
	return all, nil
}

// Find returns the tool of that name, built or not. It wraps fs.ErrNotExist if none is pinned.
func Find(name string) (Tool, error) {
	root, err := Root()
	if err != nil {
		return Tool{}, err
	}
	return at(filepath.Join(root, "integration", "tools", name))
}

// Root returns the top folder of the source tree around the working directory.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "integration", "tools", "tools.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of the source: %w", start, fs.ErrNotExist)
		}
	}
}

// Cache returns the folder of built programs: $HALLMARK_TOOLS, else hallmark/tools in the user's cache
// folder. It need not exist.
func Cache() (string, error) {
	if dir := os.Getenv("HALLMARK_TOOLS"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for built tools: %w; set HALLMARK_TOOLS to a folder", err)
	}
	return filepath.Join(dir, "hallmark", "tools"), nil
}

// Built tells whether the program is in the cache.
func (t Tool) Built() bool {
	info, err := os.Stat(t.Path)
	return err == nil && info.Mode().IsRegular()
}

// Build compiles the program into the cache, unless it is there. It may run twice at once: the program
// appears whole, by a rename. It fails, rather than change it, if a pin lacks something.
func (t Tool) Build(ctx context.Context) error {
	if t.Built() {
		return nil
	}
	if fromNPM(t.Dir) {
		return t.buildNPM(ctx)
	}
	if _, _, ok := jvmFiles(t.Dir); ok {
		return t.buildJVM(ctx)
	}
	place := filepath.Dir(t.Path)
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	if t.isPython() {
		return t.buildPython(ctx, place)
	}
	unfinished := t.Path + ".unfinished-" + strconv.Itoa(os.Getpid())
	defer os.Remove(unfinished)

	// "tool" is the pattern for what the tool directives of a go.mod name.
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath",
		"-ldflags=-s -w", "-o", unfinished, "tool")
	cmd.Dir = t.Dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", t.Name, t.Dir, err, out)
	}
	return os.Rename(unfinished, t.Path)
}

func at(dir string) (Tool, error) {
	name := filepath.Base(dir)
	cache, err := Cache()
	if err != nil {
		return Tool{}, err
	}
	key := sha256.New()
	fmt.Fprintln(key, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	pins, program := []string{"go.mod", "go.sum"}, name
	jvmPins, jvmProgram, fromJVM := jvmFiles(dir)
	switch {
	case fromJVM:
		pins, program = jvmPins, jvmProgram
	case fromNPM(dir):
		pins, program = npmFiles(dir)
	case (Tool{Dir: dir}).isPython():
		pins = []string{requirements}
	}
	for _, file := range pins {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			return Tool{}, fmt.Errorf("no tool named %s is pinned: %w", name, err)
		}
		if err != nil {
			return Tool{}, err
		}
		fmt.Fprintln(key, file, len(data))
		key.Write(data)
	}
	place := name + "-" + hex.EncodeToString(key.Sum(nil))[:12]
	return Tool{Name: name, Dir: dir, Path: filepath.Join(cache, place, program)}, nil
}
