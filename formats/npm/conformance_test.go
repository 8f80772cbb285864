package npm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/npm"
	"hallmark/signing/scheme"
)

func TestConformance(t *testing.T) { formattest.Run(t, subject(t)) }

func FuzzUpload(f *testing.F) { formattest.Fuzz(f, subject(f)) }

func FuzzMirror(f *testing.F) { formattest.FuzzMirror(f, subject(f)) }

func open(tb testing.TB) *npm.Format {
	f, err := npm.New(npm.Defaults())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// pack makes a tarball as npm does.
func pack(tb testing.TB, files ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i+1 < len(files); i += 2 {
		err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func manifest(name, version, more string) string {
	return fmt.Sprintf(`{"name": %q, "version": %q, "description": "of %s"%s}`, name, version, name, more)
}

func tarballPath(name, version string) string {
	return name + "/-/" + name[strings.Index(name, "/")+1:] + "-" + version + ".tgz"
}

func upload(tb testing.TB, name, version string) formattest.Upload {
	return formattest.Upload{
		Path: tarballPath(name, version),
		Body: pack(tb, "package/package.json", manifest(name, version, ""), "package/index.js", "module.exports = '"+name+version+"'\n"),
	}
}

// publish is what npm sends.
func publish(tb testing.TB, name, version string, tarball []byte, change func(doc, manifest map[string]any)) formattest.Upload {
	tb.Helper()
	short, full := sha1.Sum(tarball), sha512.Sum512(tarball)
	m := map[string]any{"name": name, "version": version, "dist": map[string]any{
		"integrity": "sha512-" + base64.StdEncoding.EncodeToString(full[:]), "shasum": hex.EncodeToString(short[:]),
		"tarball": "http://elsewhere/" + name,
	}}
	doc := map[string]any{
		"_id": name, "name": name, "dist-tags": map[string]any{"latest": version}, "versions": map[string]any{version: m}, "access": nil,
		"_attachments": map[string]any{name + "-" + version + ".tgz": map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball), "length": len(tarball),
		}},
	}
	if change != nil {
		change(doc, m)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		tb.Fatal(err)
	}
	return formattest.Upload{Path: name, Type: "application/json", Body: body}
}

// bundle is what "npm publish --provenance" adds, as far as anybody reads it here.
func bundle(tarball []byte) string {
	statement := fmt.Sprintf(`{"predicateType": "https://slsa.dev/provenance/v1", "subject": [{"digest": {"sha512": "%x"}}]}`, sha512.Sum512(tarball))
	return `{"dsseEnvelope": {"payload": "` + base64.StdEncoding.EncodeToString([]byte(statement)) + `"}}`
}

func attach(doc map[string]any, name, data string) {
	doc["_attachments"].(map[string]any)[name] = map[string]any{"content_type": "application/vnd.dev.sigstore.bundle.v0.3+json", "data": data}
}

func subject(tb testing.TB) formattest.Subject {
	named := func(path, name, version, more string) formattest.Upload {
		return formattest.Upload{Path: path, Body: pack(tb, "package/package.json", manifest(name, version, more))}
	}
	big := pack(tb, "package/package.json", manifest("big", "1.0.0", ""), "package/noise", noise(200_000))
	built := pack(tb, "package/package.json", manifest("@team/two", "0.2.0", ""))
	envelope := func(change func(doc, manifest map[string]any)) formattest.Upload {
		return publish(tb, "evil", "1.0.0", pack(tb, "package/package.json", manifest("evil", "1.0.0", "")), change)
	}
	known := &names{all: map[string]bool{"one": true, "@team/two": true, "big": true, "gone": true}}
	return formattest.Subject{
		Format:   open(tb),
		Versions: []string{"1.0.0", "1.1.0-beta.2"},
		Archs:    []string{""},
		Upload: func(tb testing.TB, name, version, _ string) formattest.Upload {
			known.add("@team/" + name)
			return upload(tb, "@team/"+name, version)
		},
		Extra: []formattest.Upload{
			publish(tb, "one", "1.0.0", pack(tb, "package/package.json", manifest("one", "1.0.0", `, "scripts": {"install": "make"}`)), nil),
			publish(tb, "@team/two", "0.1.0", pack(tb, "two/package.json", manifest("@team/two", "0.1.0", "")), nil),
			publish(tb, "big", "1.0.0", big, nil),
			publish(tb, "@team/two", "0.2.0", built, func(doc, _ map[string]any) { attach(doc, "@team/two-0.2.0.sigstore", bundle(built)) }),
			upload(tb, "one", "2.0.0"),
			{Path: "-/package/one/dist-tags/next", Body: []byte(`"2.0.0"`)},
			{Path: "one", Body: []byte(`{"name":"one","versions":{"1.0.0":{"deprecated":"use 2 <&> \u0001"},"2.0.0":{}}}`)},
			upload(tb, "one", "3.0.0"),
			{Method: "DELETE", Path: "one/-/one-3.0.0.tgz/-rev/1-0"},
			upload(tb, "gone", "1.0.0"),
			{Method: "DELETE", Path: "gone/-rev/1-0"},
		},
		Malformed: map[string]formattest.Upload{
			"another name":            named("a/-/a-1.0.0.tgz", "b", "1.0.0", ""),
			"another version":         named("a/-/a-1.0.0.tgz", "a", "1.0.1", ""),
			"a scope in its name":     named("a/-/a-1.0.0.tgz", "@a/a", "1.0.0", ""),
			"no version":              named("a/-/a-1.0.0.tgz", "a", "", ""),
			"a name twice":            named("a/-/a-1.0.0.tgz", "a", "1.0.0", `, "name": "b"`),
			"a number for a name":     {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/package.json", `{"name": 1, "version": "1.0.0"}`)},
			"no package.json":         {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/index.js", "")},
			"a deep package.json":     {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/a/package.json", manifest("a", "1.0.0", ""))},
			"two of them":             {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/package.json", manifest("a", "1.0.0", ""), "x/package.json", manifest("a", "1.0.0", ""))},
			"a path that climbs":      {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/package.json", manifest("a", "1.0.0", ""), "package/../../x", "")},
			"a list for a manifest":   {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/package.json", `["a"]`)},
			"deep JSON":               {Path: "a/-/a-1.0.0.tgz", Body: pack(tb, "package/package.json", strings.Repeat(`{"a":`, 10_000)+"1"+strings.Repeat("}", 10_000))},
			"no tarball":              {Path: "a/-/a-1.0.0.tgz", Body: []byte("PK\x03\x04")},
			"a tag that is a range":   {Path: "-/package/one/dist-tags/next", Body: []byte(`"^1.0.0"`)},
			"a tag without quotes":    {Path: "-/package/one/dist-tags/next", Body: []byte(`1.0.0`)},
			"an empty request":        {Path: "evil", Body: []byte(`{}`)},
			"another name, in JSON":   envelope(func(doc, _ map[string]any) { doc["name"] = "one" }),
			"another name of version": envelope(func(_, m map[string]any) { m["name"] = "one" }),
			"another version, inside": envelope(func(_, m map[string]any) { m["version"] = "1.0.1" }),
			"another integrity": envelope(func(_, m map[string]any) {
				m["dist"].(map[string]any)["integrity"] = "sha512-" + base64.StdEncoding.EncodeToString(make([]byte, 64))
			}),
			"another shasum": envelope(func(_, m map[string]any) { m["dist"].(map[string]any)["shasum"] = strings.Repeat("0", 40) }),
			"no base64": envelope(func(doc, _ map[string]any) {
				doc["_attachments"] = map[string]any{"evil-1.0.0.tgz": map[string]any{"data": "====" + noise(100_000)}}
			}),
			"an attachment of nothing": envelope(func(doc, _ map[string]any) { doc["versions"] = map[string]any{} }),
			"a tag of no version":      envelope(func(doc, _ map[string]any) { doc["dist-tags"] = map[string]any{"latest": "newest"} }),
			"a tag like a version":     envelope(func(doc, _ map[string]any) { doc["dist-tags"] = map[string]any{"1.x": "1.0.0"} }),
			"a reference of its own":   {Path: "evil", Body: []byte(`{"name":"evil","x":"\u0000ref 0"}`)},
			"a member twice":           {Path: "evil", Body: []byte(`{"name":"evil","name":"evil","dist-tags":{"latest":"1.0.0"}}`)},
			"provenance of another":    envelope(func(doc, _ map[string]any) { attach(doc, "evil-1.0.0.sigstore", bundle(built)) }),
			"provenance of nothing":    envelope(func(doc, _ map[string]any) { attach(doc, "evil-2.0.0.sigstore", bundle(built)) }),
			"provenance of no kind":    envelope(func(doc, _ map[string]any) { attach(doc, "evil-1.0.0.sigstore", "{}") }),
			"half a request":           {Path: "evil", Body: []byte(`{"name":"ev`)},
		},
		Client:   known.install,
		Unsigned: func(p string) bool { return !strings.HasSuffix(p, ".tgz") },
		Aside:    func(p string) bool { return strings.Contains(p, "/dist-tags/") },
	}
}

func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	return b.String()
}

type packument struct {
	Name     string
	Tags     map[string]string `json:"dist-tags"`
	Versions map[string]struct {
		Name, Version, Deprecated string
		HasInstallScript          bool
		Dist                      struct {
			Integrity, Shasum, Tarball string
			Signatures                 []struct{ KeyID, Sig string }
		}
	}
	Time map[string]string
}

// names are those of packages that a client has been told to install: nothing lists them in front of an upstream.
type names struct {
	mu  sync.Mutex
	all map[string]bool
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all[name] = true
}

func (n *names) sorted() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.all))
}

// install verifies the registry's signatures of packages as "npm audit signatures" does, and compares each tarball with its
// integrity. A package that there is not is none.
func (n *names) install(r formattest.Repository) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	for _, name := range n.sorted() {
		data, err := r.Fetch(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var p packument
		if err := json.Unmarshal(data, &p); err != nil {
			return nil, err
		}
		for version, v := range p.Versions {
			if v.Name != name || v.Version != version || len(v.Dist.Signatures) == 0 {
				return nil, fmt.Errorf("the packument of %s says %q %q of %q", name, v.Name, v.Version, version)
			}
			good := 0
			for _, s := range v.Dist.Signatures {
				sig, err := base64.StdEncoding.DecodeString(s.Sig)
				if err != nil {
					return nil, err
				}
				file, known := keyFile(r.Trusted, s.KeyID)
				if !known {
					continue // npm is given the keys by the registry, all of them
				}
				if err := r.Trusted.ECDSA(file, []byte(name+"@"+version+":"+v.Dist.Integrity), sig); err != nil {
					return nil, err
				}
				good++
			}
			if good == 0 {
				return nil, fmt.Errorf("%s@%s: no signature by a known key: %w", name, version, formattest.ErrSignature)
			}
			at := tarballPath(name, version)
			if !strings.HasSuffix(v.Dist.Tarball, "/"+at) || !strings.HasPrefix(v.Dist.Tarball, "http") {
				return nil, fmt.Errorf("%s is said to be at %q", at, v.Dist.Tarball)
			}
			tarball, err := r.Fetch(at)
			if err != nil {
				return nil, err
			}
			full := sha512.Sum512(tarball)
			if v.Dist.Integrity != "sha512-"+base64.StdEncoding.EncodeToString(full[:]) {
				return nil, fmt.Errorf("%s is not the tarball that was signed", at)
			}
			all[at] = sha256.Sum256(tarball)
		}
	}
	return all, nil
}

// keyFile returns the name of the key that npm would take for a signature.
func keyFile(trusted formattest.Trusted, id string) (file string, ok bool) {
	for _, key := range trusted.Keys() {
		sum, err := hex.DecodeString(strings.TrimPrefix(key.Fingerprint, "sha256:"))
		if key.Purpose == scheme.NPM && err == nil && id == "SHA256:"+base64.RawStdEncoding.EncodeToString(sum) {
			return key.File, true
		}
	}
	return "", false
}

var _ format.Unwrapper = (*npm.Format)(nil)
