package python

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"golang.org/x/crypto/blake2b"

	"hallmark/formats/format"
	"hallmark/formats/internal/form"
)

// An upload is a form as PyPI takes it (docs.pypi.org/api/upload).
type upload struct {
	fields  map[string]string
	content *form.File
}

// readUpload reads a form, and looks at what it says of itself.
func readUpload(mediaType string, b format.Blob) (*upload, error) {
	if !form.IsForm(mediaType) {
		return nil, format.Malformedf("the upload is a %.100q and no form (multipart/form-data): send it with twine or uv, "+
			"or put the file to %s/PROJECT/FILE", mediaType, root)
	}
	read, err := form.Read(mediaType, b)
	if err != nil {
		return nil, err
	}
	files := read.Of("content")
	if len(files) != 1 {
		return nil, format.Malformedf("the form has %d files in the field content, and must have one", len(files))
	}
	u := &upload{read.Fields, files[0]}
	for _, signature := range read.Of(fieldSignature) { // twine sends it as a file
		if u.fields[fieldSignature], err = signature.Text(signatureMost); err != nil {
			return nil, err
		}
	}
	kind := map[bool]string{true: "bdist_wheel", false: "sdist"}[isWheel(u.content.Name)]
	switch action := u.fields[":action"]; {
	case action != "file_upload":
		return nil, format.Malformedf("the form's field :action is %.50q, and only file_upload is known here", action)
	case u.fields["protocol_version"] != "1":
		return nil, format.Malformedf("the form is of the protocol %.20q, and only 1 is known here", u.fields["protocol_version"])
	case u.fields["filetype"] != kind:
		return nil, format.Malformedf("the form says that %.200q is a %.50q, and it is a %s by its name", u.content.Name, u.fields["filetype"], kind)
	}
	return u, nil
}

// body returns the file. Reading its end fails if its digests are not those of the form.
func (u *upload) body() (io.Reader, error) {
	c := &content{r: u.content.Open()}
	for _, digest := range []struct {
		field string
		size  int
		make  func() hash.Hash
	}{
		{"sha256_digest", sha256.Size, sha256.New},
		{"blake2_256_digest", blake2b.Size256, newBLAKE2},
		{"md5_digest", md5.Size, md5.New},
	} {
		text := u.fields[digest.field]
		if text == "" {
			continue
		}
		sum, err := hex.DecodeString(text)
		if err != nil || len(sum) != digest.size {
			return nil, format.Malformedf("the form's %s is %.140q, which is no such digest in hex", digest.field, text)
		}
		c.claims = append(c.claims, claim{digest.field, sum, digest.make()})
	}
	return c, nil
}

func newBLAKE2() hash.Hash {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic(err) // only for a key, which there is not
	}
	return h
}

// A claim is a digest that the form names.
type claim struct {
	field string
	sum   []byte
	hash  hash.Hash
}

// content reads the file of a form.
type content struct {
	r      io.Reader
	claims []claim
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for _, claim := range c.claims {
		claim.hash.Write(p[:n])
	}
	if err != io.EOF {
		return n, err
	}
	for _, claim := range c.claims {
		if got := claim.hash.Sum(nil); !bytes.Equal(got, claim.sum) {
			return n, format.Malformedf("the file's %s is %x, and the form says %x: it was changed on the way, upload it again",
				strings.TrimSuffix(claim.field, "_digest"), got, claim.sum)
		}
	}
	return n, io.EOF
}
