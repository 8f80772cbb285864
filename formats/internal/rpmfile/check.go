package rpmfile

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"hallmark/formats/format"
)

// bufferSize is how much of a payload is read at once.
const bufferSize = 64 << 10

// CheckHeader compares the digests of the main header, and the size of what follows the signature header. It reads
// nothing. Each of the digests that are there must agree, and there must be one.
func (f *File) CheckHeader() error {
	found := false
	for _, d := range []struct {
		tag  Tag
		name string
		sum  func([]byte) string
	}{
		{SigSHA256, "SHA-256", func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }},
		{SigSHA1, "SHA-1", func(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) }},
	} {
		if !f.Signature.Has(d.tag) {
			continue
		}
		want, err := f.Signature.String(d.tag)
		if err != nil {
			return err
		}
		if d.sum(f.header) != strings.ToLower(want) {
			return format.Malformedf("the %s of the header is not the one that the .rpm names: it was damaged on its way", d.name)
		}
		found = true
	}
	if !found && !f.Signature.Has(SigMD5) {
		return format.Malformedf("this .rpm has no digest of its header: build it with a newer rpm")
	}
	for _, tag := range []Tag{SigSize, SigLongSize} {
		if !f.Signature.Has(tag) {
			continue
		}
		want, err := f.Signature.Number(tag)
		if err != nil {
			return err
		}
		if got := uint64(f.Size - f.HeaderOffset); got != want {
			return format.Malformedf("this .rpm has %d bytes behind its signature header and says %d: it was damaged on its way", got, want)
		}
	}
	return nil
}

// CheckPayload reads the payload once and compares its digests: that of the header, and the MD5 of header and payload.
// Either is enough if there is no other. A package from before rpm 4.14 has nothing but MD5, which finds accidents but no
// intent; what clients go by is the SHA-256 in a signed index.
func (f *File) CheckPayload(r io.ReaderAt) error {
	want, digest, err := f.payloadDigest()
	if err != nil {
		return err
	}
	wantMD5, err := f.Signature.Bytes(SigMD5)
	if err != nil {
		return err
	}
	var sums []io.Writer
	if digest != nil {
		sums = append(sums, digest)
	}
	both := md5.New()
	if wantMD5 != nil {
		both.Write(f.header)
		sums = append(sums, both)
	}
	if len(sums) == 0 {
		return format.Malformedf("this .rpm has no digest of its payload: build it with a newer rpm")
	}
	payload := io.NewSectionReader(r, f.PayloadOffset, f.Size-f.PayloadOffset)
	buffer := make([]byte, min(bufferSize, payload.Size()+1))
	// The section alone would offer a way around the buffer.
	n, err := io.CopyBuffer(io.MultiWriter(sums...), struct{ io.Reader }{payload}, buffer)
	if err != nil {
		return err
	}
	if n != payload.Size() {
		return io.ErrUnexpectedEOF
	}
	if digest != nil && hex.EncodeToString(digest.Sum(nil)) != want {
		return format.Malformedf("the digest of the payload is not the one that the header names: this .rpm was damaged on its way")
	}
	if wantMD5 != nil && !bytes.Equal(both.Sum(nil), wantMD5) {
		return format.Malformedf("the MD5 of header and payload is not the one that the .rpm names: it was damaged on its way")
	}
	return nil
}

// payloadDigest returns the digest of the payload as the header names it, and what computes it; nil if the header has
// none.
func (f *File) payloadDigest() (string, hash.Hash, error) {
	if !f.Header.Has(PayloadDigest) {
		return "", nil, nil
	}
	digests, err := f.Header.Strings(PayloadDigest)
	if err != nil {
		return "", nil, err
	}
	algorithm, err := f.Header.Number(PayloadDigestAlgo)
	if err != nil {
		return "", nil, err
	}
	if len(digests) != 1 {
		return "", nil, format.Malformedf("the header has %d digests of the payload, where one must be", len(digests))
	}
	for _, h := range []struct {
		id   uint64
		open func() hash.Hash
	}{{8, sha256.New}, {9, sha512.New384}, {10, sha512.New}} {
		if h.id == algorithm {
			return strings.ToLower(digests[0]), h.open(), nil
		}
	}
	return "", nil, format.Malformedf("the digest of the payload is of the unknown kind %d; 8 (SHA-256), 9 and 10 are known", algorithm)
}
