package formattest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// A tinyMirror is a tiny that stands in front of others. Each field, if it is set, stands for one of its methods and may
// break it.
type tinyMirror struct {
	tiny
	follow   func(format.Upstream, string) (format.Edition, error)
	describe func(format.Foreign, error) (format.Foreign, error)
}

var _ format.Mirror = (*tinyMirror)(nil)

func (f *tinyMirror) Scope(p string) (string, bool) {
	dir, name := path.Split(p)
	return strings.TrimSuffix(dir, "/"), strings.HasPrefix(name, "MANIFEST") || name == "INDEX.gz"
}

func (f *tinyMirror) Follow(u format.Upstream, scope string) (format.Edition, error) {
	if f.follow != nil {
		return f.follow(u, scope)
	}
	return followTiny(u, scope)
}

func followTiny(u format.Upstream, scope string) (format.Edition, error) {
	manifest, err := fetchManifest(u, scope)
	if err != nil {
		return format.Edition{}, err
	}
	var at, size int64
	var sum string
	if _, err := fmt.Sscanf(string(manifest), "MANIFEST of "+scope+" at %d: %s %d\n", &at, &sum, &size); err != nil || at < 0 || size < 0 {
		return format.Edition{}, format.Malformedf("MANIFEST is no manifest")
	}
	digest, err := hex.DecodeString(sum)
	if err != nil || len(digest) != 32 {
		return format.Edition{}, format.Malformedf("MANIFEST has the digest %.100q", sum)
	}
	e := format.Edition{Shard: scope, Order: at}
	if u.Known("INDEX", digest) {
		return e, nil
	}
	return e, emitTiny(u, scope, digest, size)
}

func fetchManifest(u format.Upstream, scope string) ([]byte, error) {
	document, err := readTinyFile(u, scope+"/MANIFEST.signed")
	if err == nil {
		return u.Cleartext(document)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	manifest, err := readTinyFile(u, scope+"/MANIFEST")
	if err != nil {
		return nil, err
	}
	signature, err := readTinyFile(u, scope+"/MANIFEST.asc")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, err = u.Verify(scheme.OpenPGPArmored, bytes.NewReader(manifest), signature)
	return manifest, err
}

func readTinyFile(u format.Upstream, p string) ([]byte, error) {
	b, err := u.Fetch(p, format.Wanted{Limit: 1 << 20})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}

func emitTiny(u format.Upstream, scope string, digest []byte, size int64) error {
	b, err := u.Fetch(scope+"/INDEX.gz", format.Wanted{Limit: 1 << 20, SHA256: digest, Size: size})
	if errors.Is(err, fs.ErrNotExist) {
		return format.Malformedf("MANIFEST names an INDEX.gz that is not there")
	}
	if err != nil {
		return err
	}
	var list []byte
	z, err := gzip.NewReader(io.NewSectionReader(b, 0, b.Size()))
	if err == nil {
		list, err = io.ReadAll(io.LimitReader(z, 1<<20))
	}
	if err != nil {
		return format.Malformedf("INDEX.gz cannot be unpacked: %v", err)
	}
	_, list, _ = bytes.Cut(list, []byte("\n"))
	for line := range bytes.Lines(list) {
		if err := u.Emit("INDEX", "", line); err != nil {
			return err
		}
	}
	return nil
}

func (f *tinyMirror) Describe(scope, _ string, line []byte, _ []format.Signature) (format.Foreign, error) {
	foreign, err := describeTiny(scope, line)
	if f.describe != nil {
		return f.describe(foreign, err)
	}
	return foreign, err
}

func describeTiny(scope string, line []byte) (format.Foreign, error) {
	var file, sum string
	var size int64
	if _, err := fmt.Sscanf(string(line), "%s %d %s\n", &file, &size, &sum); err != nil {
		return format.Foreign{}, format.Malformedf("this is no line of an INDEX")
	}
	digest, err := hex.DecodeString(sum)
	name, version, ok := strings.Cut(strings.TrimSuffix(file, ".tiny"), "_")
	if err != nil || len(digest) != 32 || !ok || size < 0 || name == "" || len(file) > 100 || !strings.HasSuffix(file, ".tiny") ||
		strings.Trim(file, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" || strings.HasPrefix(scope, "..") ||
		string(line) != fmt.Sprintf("%s %d %x\n", file, size, digest) {
		return format.Foreign{}, format.Malformedf("the line %.100q names no package", line)
	}
	return format.Foreign{
		Package: format.Package{
			Path: path.Join(scope, file), Name: name, Version: version, Arch: scope, Shard: scope,
			Entries: []format.Entry{{Group: "packages", Data: bytes.Clone(line)}},
		},
		Size: size, SHA256: digest,
	}, nil
}

// unasked is an upstream by which a mirror does less than it must.
type unasked struct{ format.Upstream }

// Cleartext returns the text without a look at the signature.
func (unasked) Cleartext(document []byte) ([]byte, error) {
	return (&upstream{}).Cleartext(document)
}

// Verify is content with everything.
func (unasked) Verify(scheme.Scheme, io.Reader, []byte) (time.Time, error) { return time.Time{}, nil }

// A careless upstream fetches without the digest that is wanted.
type careless struct{ format.Upstream }

func (c careless) Fetch(p string, want format.Wanted) (format.Blob, error) {
	want.SHA256, want.Size = nil, 0
	return c.Upstream.Fetch(p, want)
}
