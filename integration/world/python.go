package world

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
)

// A Python is a machine with pip, uv and twine. What they install goes to a folder of the installer's own.
type Python struct {
	*Machine
	launcher string
}

// NewPython returns a machine.
func NewPython(t T) *Python {
	t.Helper()
	return &Python{NewMachine(t), Tool(t, "python")}
}

// Installers are the names of those that [Python.Install] knows.
var Installers = []string{"pip", "uv"}

// Install has an installer bring what is required, such as "hello==1.0", to its folder, and returns what it says.
func (p *Python) Install(t T, installer, requirement string) (string, error) {
	t.Helper()
	target := "/app/" + installer
	if installer == "uv" {
		return p.Command(filepath.Join(filepath.Dir(p.launcher), "lib", "bin", "uv"), "--no-cache").Try(t,
			"pip", "install", "--python", "/usr/bin/python3", "--upgrade", "--target", target, requirement)
	}
	return p.Command(p.launcher, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir").Try(t,
		"install", "--upgrade", "--target", target, requirement)
}

// Installed returns the version of a module that [PythonPackage] built and an installer has installed; empty: none.
func (p *Python) Installed(t T, installer, module string) string {
	t.Helper()
	out, _ := p.Command("env", "PYTHONPATH=/app/"+installer, "/usr/bin/python3", "-B", "-c").Try(t,
		"import "+module+"; print("+module+".VERSION, end='')")
	if strings.Contains(out, "Error") {
		return ""
	}
	return out
}

// Uploaders are the names of those that [Python.Upload] knows.
var Uploaders = []string{"twine 4", "twine 7", "uv"}

// Upload uploads files of the machine, as somebody does who wants to know what is wrong.
func (p *Python) Upload(t T, uploader, address string, files ...string) (string, error) {
	t.Helper()
	twine := []string{"upload", "--verbose", "--disable-progress-bar", "--username", "user", "--password", "password", "--repository-url", address}
	switch uploader {
	case "uv":
		return p.Command(filepath.Join(filepath.Dir(p.launcher), "lib", "bin", "uv"), "--no-cache").Try(t,
			append([]string{"publish", "--username", "user", "--password", "password", "--publish-url", address}, files...)...)
	case "twine 4":
		return p.Command(Installed(t, "twine", "/usr/bin/twine")).Try(t, append(twine, files...)...)
	}
	return p.Command(p.launcher, "-m", "twine").Try(t, append(twine, files...)...)
}

// A PythonPackage is built without a builder of Python's own.
type PythonPackage struct {
	Name, Version string // Name in its normal form
	Metadata      string // more lines of the metadata
	File          string // empty: what a builder would call the file
}

func (p PythonPackage) base() string { return strings.ReplaceAll(p.Name, "-", "_") + "-" + p.Version }

func (p PythonPackage) metadata() string {
	return "Metadata-Version: 2.1\nName: " + p.Name + "\nVersion: " + p.Version + "\n" + p.Metadata + "\n"
}

// Wheel builds a wheel with one module, which has a VERSION, and returns its path.
func (p PythonPackage) Wheel(t T) string {
	t.Helper()
	info := p.base() + ".dist-info/"
	members := [][2]string{
		{strings.ReplaceAll(p.Name, "-", "_") + ".py", "VERSION = '" + p.Version + "'\n"},
		{info + "METADATA", p.metadata()},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	var record strings.Builder
	for _, m := range members {
		sum := sha256.Sum256([]byte(m[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", m[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(m[1]))
	}
	members = append(members, [2]string{info + "RECORD", record.String() + info + "RECORD,,\n"})
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m[0])
		if err == nil {
			_, err = f.Write([]byte(m[1]))
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	name := p.File
	if name == "" {
		name = p.base() + "-py3-none-any.whl"
	}
	return file(t, name, b.String())
}

// Source builds a source distribution that nothing can be built of, and returns its path.
func (p PythonPackage) Source(t T) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	var err error
	for _, m := range [][2]string{{"PKG-INFO", p.metadata()}, {"pyproject.toml", "[build-system]\nrequires = []\n"}} {
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: p.base() + "/" + m[0], Mode: 0o644, Size: int64(len(m[1])), Typeflag: tar.TypeReg})
		}
		if err == nil {
			_, err = w.Write([]byte(m[1]))
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return file(t, p.base()+".tar.gz", b.String())
}
