package debian_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"testing"

	"hallmark/formats/debian"
	"hallmark/formats/format"
)

// A blob is an uploaded file in memory. It has the digest that Spec asks for, and no other.
type blob struct{ *bytes.Reader }

func (b blob) Digest(h crypto.Hash) []byte {
	if h != crypto.SHA256 {
		panic(fmt.Sprintf("asked for a %v", h))
	}
	hash := sha256.New()
	if _, err := bytes.NewReader(b.all()).WriteTo(hash); err != nil {
		panic(err)
	}
	return hash.Sum(nil)
}

func (b blob) all() []byte {
	data := make([]byte, b.Size())
	if _, err := b.ReadAt(data, 0); err != nil && len(data) > 0 {
		panic(err)
	}
	return data
}

func blobOf[T []byte | string](data T) blob { return blob{bytes.NewReader([]byte(data))} }

// put routes and parses an upload.
func put[T []byte | string](f *debian.Format, path string, body T) (format.Package, error) {
	op, err := f.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		return format.Package{}, err
	}
	return f.Parse(op, blobOf(body), nil)
}

// accepted is put for an upload that is taken.
func accepted[T []byte | string](t testing.TB, f *debian.Format, path string, body T) format.Package {
	t.Helper()
	p, err := put(f, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
