package world

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// An APKReader is a client in miniature that checks what apk 2 and apk 3 check. It reads the repositories
// and keys of its machine in /etc/apk, and unpacks files to it. It runs no scripts, solves no dependencies, and
// compares versions by their numbers alone.
type APKReader struct {
	*Machine
	listed    map[string][]apkEntry // by repository, from the last index of it that was good
	installed map[string]apkInstalled
}

type apkInstalled struct {
	version string
	files   []string
}

// NewAPKReader returns a reader without repositories and without keys.
func NewAPKReader(t T) *APKReader {
	t.Helper()
	Installed(t, "wget", "wget") // the set-up text fetches keys by it
	a := &APKReader{NewMachine(t), make(map[string][]apkEntry), make(map[string]apkInstalled)}
	a.mustSetup(t, apkMachine+apkStandIn)
	return a
}

// A set-up text looks for apk and runs it in the end. What it would do there, Refresh does.
const apkStandIn = `printf '#!/bin/sh\ntest "$1" = update\n' > /usr/local/bin/apk
chmod +x /usr/local/bin/apk
`

// Refresh fetches and checks the index of each repository.
func (a *APKReader) Refresh(t T) error {
	t.Helper()
	repositories, err := a.repositories(t)
	if err != nil {
		return err
	}
	for _, repository := range repositories {
		file, err := fetch(t, repository+"/APKINDEX.tar.gz")
		if err != nil {
			return err
		}
		entries, err := readAPKIndex(file, a.key(t))
		if err != nil {
			return fmt.Errorf("%s: %w", repository, err)
		}
		a.listed[repository] = entries
	}
	return nil
}

// Install fetches a package, compares it with the index, and unpacks it.
func (a *APKReader) Install(t T, name, version string) error {
	t.Helper()
	repository, e, err := a.find(t, name, version)
	if err != nil {
		return err
	}
	if a.installed[name].version == e.version {
		return nil
	}
	address := repository + "/" + e.name + "-" + e.version + ".apk"
	file, err := fetch(t, address)
	if err != nil {
		return err
	}
	if int64(len(file)) != e.size {
		return distrusted("%s has %d bytes, and the index says %d", address, len(file), e.size)
	}
	p, err := readAPK(file)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if p.control != e.control || p.name != e.name || p.version != e.version {
		return distrusted("%s is not the package that the index describes", address)
	}
	root := a.Root(t)
	defer root.Close()
	a.forget(root, name)
	files, err := unpack(root, p.data)
	a.installed[name] = apkInstalled{e.version, files}
	return err
}

// InstallFile installs a package from a file, which must have a signature inside by a key of the machine.
func (a *APKReader) InstallFile(t T, file []byte) error {
	t.Helper()
	if err := signedAPK(file, a.key(t)); err != nil {
		return err
	}
	p, err := readAPK(file)
	if err != nil {
		return err
	}
	root := a.Root(t)
	defer root.Close()
	a.forget(root, p.name)
	files, err := unpack(root, p.data)
	a.installed[p.name] = apkInstalled{p.version, files}
	return err
}

// Remove removes a package's files.
func (a *APKReader) Remove(t T, name string) error {
	t.Helper()
	if _, ok := a.installed[name]; !ok {
		return fmt.Errorf("%s is not installed", name)
	}
	root := a.Root(t)
	defer root.Close()
	a.forget(root, name)
	return nil
}

// Installed returns what Install has kept in mind.
func (a *APKReader) Installed(_ T, name string) string { return a.installed[name].version }

func (a *APKReader) forget(root *os.Root, name string) {
	for _, file := range a.installed[name].files {
		root.Remove(file)
	}
	delete(a.installed, name)
}

// repositories returns the folders of /etc/apk/repositories for this computer's architecture.
func (a *APKReader) repositories(t T) ([]string, error) {
	t.Helper()
	root := a.Root(t)
	defer root.Close()
	text, err := root.ReadFile("etc/apk/repositories")
	if err != nil {
		return nil, err
	}
	var folders []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.ContainsAny(line, " @") {
			return nil, fmt.Errorf("the line %q of /etc/apk/repositories is not a plain address", line)
		}
		folders = append(folders, strings.TrimRight(line, "/")+"/"+archOf(runtime.GOARCH, Alpine))
	}
	if folders == nil {
		return nil, errors.New("there is no line in /etc/apk/repositories")
	}
	return folders, nil
}

// key returns a reader of /etc/apk/keys.
func (a *APKReader) key(t T) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		root := a.Root(t)
		defer root.Close()
		keys, err := root.OpenRoot("etc/apk/keys")
		if err != nil {
			return nil, err
		}
		defer keys.Close()
		return keys.ReadFile(name)
	}
}

// find returns where a version of a package is listed, the newest if version is empty.
func (a *APKReader) find(t T, name, version string) (repository string, best apkEntry, err error) {
	t.Helper()
	repositories, err := a.repositories(t)
	if err != nil {
		return "", best, err
	}
	for _, from := range repositories {
		for _, e := range a.listed[from] {
			fits := e.name == name && (version == "" || e.version == version)
			if fits && (repository == "" || newerAPK(e.version, best.version)) {
				repository, best = from, e
			}
		}
	}
	if repository == "" {
		return "", best, fmt.Errorf("no repository lists %s %s", name, version)
	}
	return repository, best, nil
}

// newerAPK tells whether version a is after b: by the numbers in them, one after another.
func newerAPK(a, b string) bool {
	split := func(version string) []string {
		return strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	}
	as, bs := split(a), split(b)
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return x > y
		}
	}
	return len(as) > len(bs)
}

// unpack writes the files of an archive and returns their names.
func unpack(root *os.Root, archive []byte) ([]string, error) {
	var files []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return files, err
		}
		if header.Typeflag != tar.TypeReg {
			continue // a folder, or something that no package of ours has
		}
		name := path.Clean(header.Name)
		data, err := io.ReadAll(r)
		if err != nil {
			return files, err
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return files, err
		}
		if err := root.WriteFile(name, data, fs.FileMode(header.Mode)&fs.ModePerm); err != nil {
			return files, err
		}
		files = append(files, name)
	}
}

// fetch gets a file of at most 256 MiB.
func fetch(t T, address string) ([]byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	w, err := sender.Do(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", address, w.Status)
	}
	return io.ReadAll(io.LimitReader(w.Body, maxAPKMember))
}
