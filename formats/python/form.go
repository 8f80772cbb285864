package python

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"golang.org/x/crypto/blake2b"

	"hallmark/formats/format"
)

const (
	partsMost  = 2000    // of a form: each classifier is one
	fieldsMost = 8 << 20 // bytes of all fields but the file
)

// A form is an upload as PyPI takes it (docs.pypi.org/api/upload).
type form struct {
	blob     format.Blob
	boundary string
	fields   map[string]string // the first of each name
	file     string            // the name of the file
	contents int               // how many there are
}

// readForm reads the fields of a form.
func readForm(mediaType string, b format.Blob) (*form, error) {
	media, parameters, err := mime.ParseMediaType(mediaType)
	if err != nil || media != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, format.Malformedf("the upload is a %.100q and no form (multipart/form-data): send it with twine or uv, "+
			"or put the file to %s/PROJECT/FILE", mediaType, root)
	}
	f := &form{blob: b, boundary: parameters["boundary"], fields: map[string]string{}}
	left := fieldsMost
	return f, f.each(func(p *multipart.Part) error {
		name := p.FormName()
		if name == "content" {
			f.contents++
			f.file = p.FileName()
			_, err := io.Copy(io.Discard, p)
			return err
		}
		data, err := io.ReadAll(io.LimitReader(p, int64(left)+1))
		if err != nil {
			return err
		}
		if left -= len(data); left < 0 {
			return format.Malformedf("the fields of the form have more than %d bytes", fieldsMost)
		}
		if _, again := f.fields[name]; !again {
			f.fields[name] = string(data)
		}
		return nil
	})
}

// errEnough ends a reading of the parts.
var errEnough = errors.New("enough")

// each calls visit for each part.
func (f *form) each(visit func(*multipart.Part) error) error {
	parts := multipart.NewReader(io.NewSectionReader(f.blob, 0, f.blob.Size()), f.boundary)
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if err == io.EOF && n > 0 {
			return nil
		}
		if n == partsMost {
			return format.Malformedf("the form has more than %d parts", partsMost)
		}
		if err == nil {
			err = visit(p)
		}
		if err == errEnough {
			return nil
		}
		if err != nil {
			return brokenForm(err)
		}
	}
}

// brokenForm says what is wrong with a form.
func brokenForm(err error) error {
	if errors.Is(err, format.ErrMalformed) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return format.Malformedf("the form is cut off, or has no parts")
	}
	return format.Malformedf("the form cannot be read: %.200v", strings.ToValidUTF8(err.Error(), "?"))
}

// check looks at what the form says of itself.
func (f *form) check() error {
	kind := map[bool]string{true: "bdist_wheel", false: "sdist"}[isWheel(f.file)]
	switch action := f.fields[":action"]; {
	case action != "file_upload":
		return format.Malformedf("the form's field :action is %.50q, and only file_upload is known here", action)
	case f.fields["protocol_version"] != "1":
		return format.Malformedf("the form is of the protocol %.20q, and only 1 is known here", f.fields["protocol_version"])
	case f.contents != 1:
		return format.Malformedf("the form has %d files in the field content, and must have one", f.contents)
	case f.fields["filetype"] != kind:
		return format.Malformedf("the form says that %.200q is a %.50q, and it is a %s by its name", f.file, f.fields["filetype"], kind)
	}
	return nil
}

// content returns the file. Reading its end fails if its digests are not those of the form.
func (f *form) content() (io.Reader, error) {
	c := &content{form: f}
	for _, digest := range []struct {
		field string
		size  int
		make  func() hash.Hash
	}{
		{"sha256_digest", sha256.Size, sha256.New},
		{"blake2_256_digest", blake2b.Size256, newBLAKE2},
		{"md5_digest", md5.Size, md5.New},
	} {
		text := f.fields[digest.field]
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
	form   *form
	part   *multipart.Part
	claims []claim
}

func (c *content) Read(p []byte) (int, error) {
	if c.part == nil {
		err := c.form.each(func(p *multipart.Part) error {
			if p.FormName() != "content" {
				return nil
			}
			c.part = p
			return errEnough
		})
		if err != nil {
			return 0, err
		}
	}
	n, err := c.part.Read(p)
	for _, claim := range c.claims {
		claim.hash.Write(p[:n])
	}
	switch {
	case err == io.EOF:
		for _, claim := range c.claims {
			if got := claim.hash.Sum(nil); !bytes.Equal(got, claim.sum) {
				return n, format.Malformedf("the file's %s is %x, and the form says %x: it was changed on the way, upload it again",
					strings.TrimSuffix(claim.field, "_digest"), got, claim.sum)
			}
		}
	case err != nil:
		err = brokenForm(err)
	}
	return n, err
}
