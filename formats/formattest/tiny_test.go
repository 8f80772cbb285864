package formattest

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// A tiny is a format that keeps its contract. Each field, if it is set, stands for one of its methods and may break it.
//
// A package is
//
//	TINY <name> <version> <architecture> <length>\n
//	<length bytes>
//
// and, when it is sealed, a line of base64 behind it. It is served at <architecture>/<name>_<version>.tiny, and one for the
// architecture "any" cannot be beside others. A folder has INDEX.gz, whose lines are names, sizes and digests; MANIFEST names
// the digest of INDEX, and is signed as MANIFEST.signed and MANIFEST.asc by all keys, as MANIFEST.sig by the oldest.
type tiny struct {
	spec  func(format.Spec) format.Spec
	route func(format.Request) (format.Op, error)
	parse func(format.Op, format.Blob, []format.Signature, format.Package, error) (format.Package, error)
	seal  func(format.Op, format.Blob, format.Keys, format.Sealing, error) (format.Sealing, error)
	index func(format.Site, format.Shard, func(format.File) error) error
	emit  func(format.File) format.File
	setup func(format.Site, string) ([]byte, error)
}

func (f *tiny) Spec() format.Spec {
	kinds := []string{"rsa2048", "ed25519"}
	spec := format.Spec{
		Title: "Tiny packages",
		Keys: []format.KeyUse{
			{Purpose: scheme.Index, Family: scheme.OpenPGP, Generate: "rsa2048", Kinds: kinds, Refused: "there are two"},
			{Purpose: scheme.Package, Family: scheme.OpenPGP, Shared: true, Kinds: kinds, Refused: "there are two"},
		},
		Clients: []string{"tiny"},
		Compare: strings.Compare,
	}
	if f.spec != nil {
		return f.spec(spec)
	}
	return spec
}

func (f *tiny) Route(r format.Request) (format.Op, error) {
	if f.route != nil {
		return f.route(r)
	}
	return routeTiny(r)
}

func routeTiny(r format.Request) (format.Op, error) {
	dir, name := path.Split(r.Path)
	switch {
	case r.Method == "GET" && name == "":
		return format.Op{Kind: format.List, Paths: []string{r.Path}}, nil
	case r.Method == "GET":
		return format.Op{Kind: format.Get, Paths: []string{r.Path}}, nil
	case r.Method == "DELETE" && strings.HasSuffix(name, ".tiny"):
		return format.Op{Kind: format.Delete, Paths: []string{r.Path}}, nil
	case r.Method == "PUT" && strings.HasSuffix(name, ".tiny"):
		return format.Op{Kind: format.Put, Dir: strings.TrimSuffix(dir, "/"), Name: name}, nil
	}
	return format.Op{}, format.NotAllowedf("only files that end in .tiny are put and deleted")
}

// readTiny returns a package's fields, and where its signature begins.
func readTiny(b format.Blob) (name, version, arch string, end int64, err error) {
	if b.Size() > 1<<20 {
		return "", "", "", 0, format.Malformedf("the package is too large")
	}
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return "", "", "", 0, err
	}
	head, rest, ok := bytes.Cut(data, []byte("\n"))
	fields := strings.Split(string(head), " ")
	if !ok || len(fields) != 5 || fields[0] != "TINY" {
		return "", "", "", 0, format.Malformedf("the package has no head")
	}
	for _, field := range fields[1:4] {
		if field == "" || strings.Trim(field, "abcdefghijklmnopqrstuvwxyz0123456789.") != "" || strings.Trim(field, ".") == "" {
			return "", "", "", 0, format.Malformedf("the field %.50q has other characters than letters, digits and dots", field)
		}
	}
	length, err := strconv.Atoi(fields[4])
	if err != nil || strconv.Itoa(length) != fields[4] || length < 0 || length > len(rest) {
		return "", "", "", 0, format.Malformedf("the package is truncated")
	}
	if trailer := string(rest[length:]); trailer != "" {
		_, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(trailer, "\n"))
		if err != nil || len(trailer)%4 != 1 || len(trailer) == 1 {
			return "", "", "", 0, format.Malformedf("there is something behind the package")
		}
	}
	return fields[1], fields[2], fields[3], int64(len(head) + 1 + length), nil
}

func (f *tiny) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	p, err := parseTiny(op, b)
	if f.parse != nil {
		return f.parse(op, b, sigs, p, err)
	}
	return p, err
}

func parseTiny(op format.Op, b format.Blob) (format.Package, error) {
	name, version, arch, _, err := readTiny(b)
	if err != nil {
		return format.Package{}, err
	}
	file := name + "_" + version + ".tiny"
	if op.Dir != arch || op.Name != file {
		return format.Package{}, format.Malformedf("put this package to %s/%s", arch, file)
	}
	line := fmt.Appendf(nil, "%s %d %x\n", file, b.Size(), b.Digest(crypto.SHA256))
	variant := arch
	if arch == "any" {
		variant = ""
	}
	return format.Package{
		Path: arch + "/" + file, Name: name, Version: version, Arch: arch, Slot: name, Variant: variant, Shard: arch,
		Entries: []format.Entry{{Group: "packages", Data: line}},
	}, nil
}

func (f *tiny) Seal(site format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	s, err := sealTiny(b)
	if f.seal != nil {
		return f.seal(op, b, site.Keys, s, err)
	}
	return s, err
}

func sealTiny(b format.Blob) (format.Sealing, error) {
	_, _, _, end, err := readTiny(b)
	if err != nil {
		return format.Sealing{}, err
	}
	return format.Sealing{
		Seals: []format.Seal{{
			Name: "trailer", Scheme: scheme.OpenPGPBinary, Purpose: scheme.Package, Message: []format.Section{{Size: end}}, Single: true,
		}},
		Splice: func(sigs []format.Signature) ([]format.Patch, error) {
			trailer := base64.StdEncoding.EncodeToString(sigs[0].Value) + "\n"
			return []format.Patch{{Section: format.Section{Offset: end, Size: b.Size() - end}, Data: []byte(trailer)}}, nil
		},
	}, nil
}

func (f *tiny) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	if f.emit != nil {
		to := emit
		emit = func(file format.File) error { return to(f.emit(file)) }
	}
	if f.index != nil {
		return f.index(s, in, emit)
	}
	return indexTiny(s, in, emit)
}

func indexTiny(s format.Site, in format.Shard, emit func(format.File) error) error {
	listed, err := in.List(format.Listing{
		Name: "INDEX", Groups: []string{"packages"}, Encodings: []format.Encoding{format.Gzip},
		Head: func(t format.Totals) []byte { return fmt.Appendf(nil, "%d packages\n", t.Count) },
	})
	if err != nil {
		return err
	}
	sum := listed[0].Files[format.Gzip].Digests[crypto.SHA256]
	byHash := fmt.Sprintf("%s/by-hash/%x", in.Name(), sum)
	manifest := fmt.Appendf(nil, "MANIFEST of %s at %d: %x %d\n", in.Name(), s.Date.Unix(), sum, listed[0].Files[format.Gzip].Size)
	for _, file := range []format.File{
		{Path: in.Name() + "/INDEX.gz", Listing: "INDEX", Encoding: format.Gzip},
		{Path: byHash, Listing: "INDEX", Encoding: format.Gzip, Lasting: true},
		{Path: in.Name() + "/MANIFEST", Data: manifest, Sealing: format.Sealing{
			Seals: []format.Seal{
				{Name: "signed", Scheme: scheme.OpenPGPClearsigned, Purpose: scheme.Index, Path: in.Name() + "/MANIFEST.signed"},
				{Name: "asc", Scheme: scheme.OpenPGPArmored, Purpose: scheme.Index, Path: in.Name() + "/MANIFEST.asc"},
				{Name: "sig", Scheme: scheme.OpenPGPBinary, Purpose: scheme.Index, Path: in.Name() + "/MANIFEST.sig", Single: true},
			},
		}},
	} {
		if err := emit(file); err != nil {
			return err
		}
	}
	return nil
}

func (f *tiny) Render(format.Site, format.Op) (format.Document, error) {
	return format.Document{}, format.NotFoundf("there are no documents")
}

func (f *tiny) Setup(s format.Site, client string) ([]byte, error) {
	if client != "tiny" {
		return nil, format.NotFoundf("there is one client, tiny")
	}
	if f.setup != nil {
		return f.setup(s, client)
	}
	return []byte("# Uses the repository.\ntiny add '" + s.URL + "' '" + s.KeysURL + "'\n"), nil
}

// tinySubject returns a subject for which all checks pass if f keeps the contract.
func tinySubject(f *tiny) Subject {
	return Subject{
		Format: f,
		Upload: func(_ testing.TB, name, version, arch string) Upload {
			content := strings.Repeat(name, 3)
			return Upload{
				Path: arch + "/" + name + "_" + version + ".tiny",
				Body: fmt.Appendf(nil, "TINY %s %s %s %d\n%s", name, version, arch, len(content), content),
			}
		},
		Versions:  []string{"1.0", "1.1"},
		Archs:     []string{"one", "two"},
		Malformed: map[string]Upload{"the wrong name": {Path: "one/other_1.0.tiny", Body: []byte("TINY name 1.0 one 0\n")}},
		Client:    tinyClient{}.run,
		Verify:    verifyTiny,
	}
}

// A tinyClient is a client in miniature, which may leave something out.
type tinyClient struct {
	takesUnsigned, takesAnyIndex, takesAnyPackage, seesOneFolder, detached bool
	knowsAll                                                               bool // it refuses signatures by keys that it does not know
}

func (c tinyClient) run(r Repository) (map[string][sha256.Size]byte, error) {
	found := map[string][sha256.Size]byte{}
	for _, arch := range []string{"one", "two"} {
		if c.seesOneFolder && arch == "two" {
			continue
		}
		manifest, err := c.manifest(r, arch)
		if err != nil {
			return nil, err
		}
		if err := c.follow(r, arch, manifest, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (c tinyClient) manifest(r Repository, arch string) ([]byte, error) {
	if c.takesUnsigned {
		return r.Fetch(arch + "/MANIFEST")
	}
	if !c.detached && !c.knowsAll {
		document, err := r.Fetch(arch + "/MANIFEST.signed")
		if err != nil {
			return nil, err
		}
		return r.Trusted.Clearsigned(document)
	}
	manifest, err := r.Fetch(arch + "/MANIFEST")
	if err != nil {
		return nil, err
	}
	name, check := "/MANIFEST.asc", r.Trusted.Armored
	if c.knowsAll {
		name, check = "/MANIFEST.sig", r.Trusted.EveryBinary
	}
	signature, err := r.Fetch(arch + name)
	if err != nil {
		return nil, err
	}
	return manifest, check(manifest, signature)
}

func (c tinyClient) follow(r Repository, arch string, manifest []byte, found map[string][sha256.Size]byte) error {
	data, err := r.Fetch(arch + "/INDEX.gz")
	if err != nil {
		return err
	}
	var at, indexSize int64
	var want string
	if _, err := fmt.Sscanf(string(manifest), "MANIFEST of "+arch+" at %d: %s %d\n", &at, &want, &indexSize); err != nil {
		return err
	}
	if fmt.Sprintf("%x", sha256.Sum256(data)) != want && !c.takesAnyIndex {
		return errors.New("INDEX is not the one that was signed")
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	list, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
		var file, sum string
		var size int
		if _, err := fmt.Sscanf(line, "%s %d %s", &file, &size, &sum); err != nil {
			return err
		}
		data, err := r.Fetch(arch + "/" + file)
		if err != nil {
			return err
		}
		got := sha256.Sum256(data)
		if fmt.Sprintf("%x", got) != sum && !c.takesAnyPackage {
			return fmt.Errorf("%s is not the one that was signed", file)
		}
		found[arch+"/"+file] = got
	}
	return nil
}

func verifyTiny(r Repository, p string) error {
	data, err := r.Fetch(p)
	if err != nil {
		return err
	}
	_, _, _, end, err := readTiny(NewBlob(data))
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(data[end:])))
	if err != nil {
		return err
	}
	return r.Trusted.EveryBinary(data[:end], signature)
}
