package npm

import (
	"archive/tar"
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/strictjson"
	"hallmark/formats/internal/tarball"
)

// Limits of a tarball.
const (
	unpackedMost = 8 << 30
	filesMost    = 200_000
	manifestMost = 4 << 20
)

// A content is what is read of a tarball.
type content struct {
	manifest   strictjson.Object // package.json
	files      int
	unpacked   int64 // bytes
	shrinkwrap bool  // it has an npm-shrinkwrap.json
	gyp        bool  // it has a binding.gyp, which npm builds although no script says so
}

// readTarball reads a tarball to its end. All that is in it is below one folder, most often "package", which npm leaves out.
func readTarball(b format.Blob) (content, error) {
	var c content
	head := make([]byte, 14)
	if n, err := b.ReadAt(head, 0); err != nil && err != io.EOF {
		return c, err
	} else if tarball.Sniff(head[:n]) != tarball.Gzip {
		return c, format.Malformedf("it is no tarball that npm packs, which are compressed with gzip")
	}
	d, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), unpackedMost)
	if err != nil {
		return c, err
	}
	defer d.Close()
	err = tarball.Walk(d, tarball.Limits{Entries: filesMost, Size: unpackedMost}, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		c.files++
		c.unpacked += h.Size
		folder, name := path.Split(h.Name)
		if strings.Count(folder, "/") != 1 {
			return nil
		}
		switch name {
		case "npm-shrinkwrap.json":
			c.shrinkwrap = true
		case "binding.gyp":
			c.gyp = true
		case "package.json":
			return c.readManifest(h, r)
		}
		return nil
	})
	if err == nil && c.manifest == nil {
		err = format.Malformedf("the tarball has no package/package.json")
	}
	return c, err
}

func (c *content) readManifest(h *tar.Header, r io.Reader) error {
	if c.manifest != nil {
		return format.Malformedf("the tarball has a second package.json, %.200q: which one counts would depend on the client", h.Name)
	}
	if h.Size > manifestMost {
		return format.Malformedf("package.json has %d bytes, at most %d are read", h.Size, manifestMost)
	}
	data, err := io.ReadAll(io.LimitReader(r, manifestMost))
	if err != nil {
		return err
	}
	if c.manifest, err = strictjson.Parse(bytes.TrimPrefix(data, []byte("\ufeff"))); err != nil {
		return format.Malformedf("package.json: %s", err)
	}
	if c.manifest == nil {
		return format.Malformedf("package.json is empty")
	}
	return nil
}

// short are the members of a manifest that npm needs to install, which stand in the short form of a packument.
var short = []string{
	"name", "version", "dependencies", "optionalDependencies", "devDependencies", "bundleDependencies", "bundledDependencies",
	"peerDependencies", "peerDependenciesMeta", "acceptDependencies", "bin", "directories", "engines", "os", "cpu", "libc",
}

// A release is a version, as packuments say it.
type release struct {
	name, version, deprecated string
	content
	shasum, integrity string
	signatures        []signature
	attestations      json.RawMessage // where its provenance is
}

// A signature is one of dist.signatures.
type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// dist is what a packument says of a tarball.
type dist struct {
	Integrity    string          `json:"integrity,omitempty"`
	Shasum       string          `json:"shasum,omitempty"`
	Tarball      string          `json:"tarball"`
	FileCount    int             `json:"fileCount,omitempty"`
	UnpackedSize int64           `json:"unpackedSize,omitempty"`
	Attestations json.RawMessage `json:"attestations,omitempty"`
	Signatures   []signature     `json:"signatures"`
}

// here stands for the repository's address while JSON is made: what JSON escapes would not be it any more.
const here = "hallmark:here"

// dist returns the value of "dist".
func (r *release) dist() ([]byte, error) {
	data, err := json.Marshal(dist{
		Integrity: r.integrity, Shasum: r.shasum, Tarball: here + "/" + tarballPath(r.name, r.version),
		FileCount: r.files, UnpackedSize: r.unpacked, Attestations: r.attestations, Signatures: r.signatures,
	})
	return bytes.ReplaceAll(data, []byte(`"`+here+"/"), []byte(`"`+format.Here+"/")), err
}

// full returns the manifest with what the registry adds to it.
func (r *release) full() ([]byte, error) {
	var o object
	for _, m := range r.manifest {
		switch {
		case strings.HasPrefix(m.Name, "_"), m.Name == "dist", m.Name == "deprecated", m.Name == "readme":
			continue // these are the registry's to say
		}
		o.raw(m.Name, r.value(m))
	}
	o.text("_id", r.name+"@"+r.version)
	return r.finish(&o, r.shrinkwrap, "_hasShrinkwrap")
}

// install returns the short form.
func (r *release) install() ([]byte, error) {
	var o object
	for _, name := range short {
		if value, ok := r.manifest.Get(name); ok {
			o.raw(name, r.value(strictjson.Member{Name: name, Value: value}))
		}
	}
	if r.installs() {
		o.raw("hasInstallScript", []byte("true"))
	}
	return r.finish(&o, r.shrinkwrap, "hasShrinkwrap")
}

// value returns the value of a member of the manifest. A program that has the name of the package may stand in "bin" without
// it, but not in a packument.
func (r *release) value(m strictjson.Member) json.RawMessage {
	var program string
	if m.Name != "bin" || json.Unmarshal(m.Value, &program) != nil {
		return m.Value
	}
	data, err := json.Marshal(map[string]string{path.Base(r.name): program})
	if err != nil {
		return m.Value
	}
	return data
}

func (r *release) finish(o *object, shrinkwrap bool, name string) ([]byte, error) {
	if shrinkwrap {
		o.raw(name, []byte("true"))
	}
	if r.deprecated != "" {
		o.text("deprecated", r.deprecated)
	}
	d, err := r.dist()
	if err != nil {
		return nil, err
	}
	o.raw("dist", d)
	return o.bytes()
}

// installs reports whether npm runs a script when it installs the package.
func (r *release) installs() bool {
	scripts, err := r.manifest.Object("scripts")
	if err != nil {
		return false
	}
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if _, ok := scripts.Get(name); ok {
			return true
		}
	}
	return r.gyp
}

// An object is JSON that is being written.
type object struct {
	b   bytes.Buffer
	err error
}

func (o *object) raw(name string, value []byte) {
	quoted, err := json.Marshal(name)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.b.WriteByte("{,"[min(o.b.Len(), 1)])
	o.b.Write(quoted)
	o.b.WriteByte(':')
	// Compact refuses what is no JSON, such as the mark of the address.
	if bytes.Contains(value, []byte(format.Here)) {
		o.b.Write(value)
	} else if err := json.Compact(&o.b, value); err != nil && o.err == nil {
		o.err = err
	}
}

func (o *object) text(name, value string) {
	quoted, err := json.Marshal(value)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.raw(name, quoted)
}

func (o *object) bytes() ([]byte, error) {
	o.b.WriteByte('}')
	return o.b.Bytes(), o.err
}

// keyID returns the name of a key as npm has it: "SHA256:" and the digest of its SubjectPublicKeyInfo in base64.
func keyID(fingerprint string) (string, error) {
	sum, err := hex.DecodeString(strings.TrimPrefix(fingerprint, "sha256:"))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum), err
}

// digests returns what packuments say of the bytes of a tarball.
func digests(b format.Blob) (shasum, integrity string) {
	return hex.EncodeToString(b.Digest(crypto.SHA1)), integrityOf(b.Digest(crypto.SHA512))
}
