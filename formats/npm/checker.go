package npm

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"io"
	"strings"

	"hallmark/formats/format"
)

// algorithms are those of Subresource Integrity (w3.org/TR/SRI) and the one that npm had before, the strongest first.
var algorithms = []struct {
	name string
	open func() hash.Hash
}{
	{"sha512", sha512.New}, {"sha384", sha512.New384}, {"sha256", sha256.New}, {"sha1", sha1.New},
}

// Check returns a writer for all bytes of a tarball that has an integrity, such as "sha512-z4PhNX7vuL3xVChQ…".
func (f *Format) Check(check string) (io.WriteCloser, error) {
	c, err := parseCheck(check)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A check compares what is written with a digest.
type check struct {
	hash.Hash
	text string
	want []byte
}

func parseCheck(text string) (*check, error) {
	name, sum, _ := strings.Cut(text, "-")
	for _, a := range algorithms {
		if a.name != name {
			continue
		}
		h := a.open()
		want, err := base64.StdEncoding.Strict().DecodeString(sum)
		if err != nil || len(want) != h.Size() {
			break
		}
		return &check{h, text, want}, nil
	}
	return nil, format.Malformedf("%.200q is no digest of a tarball", text)
}

// Close compares.
func (c *check) Close() error {
	if !bytes.Equal(c.Sum(nil), c.want) {
		return format.Malformedf("the tarball is not the one of which the packument says %s", c.text)
	}
	return nil
}
