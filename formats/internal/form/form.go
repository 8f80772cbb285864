// Package form reads forms with files in them (multipart/form-data, RFC 7578) that somebody hostile may have sent.
package form

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"hallmark/formats/format"
)

const (
	partsMost  = 2000    // of a form
	filesMost  = 16      // among them
	fieldsMost = 8 << 20 // bytes of all fields that are no files
)

// A Form is what a client has filled in.
type Form struct {
	// Fields are the texts, by their names. Of several with one name, the first is here.
	Fields map[string]string
	// Files are in their order.
	Files []*File
}

// A File is one that a form holds.
type File struct {
	Field string
	Name  string // without folders
	Size  int64  // in bytes

	blob     format.Blob
	boundary string
	part     int // its number in the form
}

// IsForm reports whether a media type is that of a form.
func IsForm(mediaType string) bool {
	media, _, err := mime.ParseMediaType(mediaType)
	return err == nil && media == "multipart/form-data"
}

// Read reads a form but for its files, of which it finds out where they are. The errors wrap [format.ErrMalformed].
func Read(mediaType string, b format.Blob) (*Form, error) {
	_, parameters, err := mime.ParseMediaType(mediaType)
	boundary := parameters["boundary"]
	if err != nil || !IsForm(mediaType) || boundary == "" {
		return nil, format.Malformedf("the upload is a %.100q, and no form (multipart/form-data)", mediaType)
	}
	if err := checkEnd(b, boundary); err != nil {
		return nil, err
	}
	f := &Form{Fields: map[string]string{}}
	left := int64(fieldsMost)
	return f, each(b, boundary, func(n int, p *multipart.Part) error {
		name := p.FormName()
		if p.FileName() != "" || p.Header.Get("Content-Type") == "application/octet-stream" {
			size, err := io.Copy(io.Discard, p)
			f.Files = append(f.Files, &File{Field: name, Name: p.FileName(), Size: size, blob: b, boundary: boundary, part: n})
			if len(f.Files) > filesMost {
				return format.Malformedf("the form has more than %d files", filesMost)
			}
			return err
		}
		data, err := io.ReadAll(io.LimitReader(p, left+1))
		if left -= int64(len(data)); left < 0 {
			return format.Malformedf("the fields of the form have more than %d bytes", fieldsMost)
		}
		if _, again := f.Fields[name]; !again {
			f.Fields[name] = string(data)
		}
		return err
	})
}

// checkEnd refuses a form without its end: one that is cut off in the head of a part reads as if there were no more.
func checkEnd(b format.Blob, boundary string) error {
	tail := make([]byte, min(b.Size(), int64(len(boundary)+8)))
	if _, err := b.ReadAt(tail, b.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	if !strings.HasSuffix(strings.TrimRight(string(tail), "\r\n"), "--"+boundary+"--") {
		return format.Malformedf("the form is cut off, or something stands behind it")
	}
	return nil
}

// Of returns the files of a field.
func (f *Form) Of(field string) []*File {
	var of []*File
	for _, file := range f.Files {
		if file.Field == field {
			of = append(of, file)
		}
	}
	return of
}

// Open returns a reader of the file. Its errors wrap [format.ErrMalformed].
func (f *File) Open() io.Reader { return &reader{file: f} }

// Text returns the bytes of a file that has at most so many.
func (f *File) Text(most int64) (string, error) {
	if f.Size > most {
		return "", format.Malformedf("the file in the field %.50q has %d bytes, and at most %d are taken", f.Field, f.Size, most)
	}
	data, err := io.ReadAll(f.Open())
	return string(data), err
}

// errFound ends a reading of the parts.
var errFound = errors.New("found")

// each calls visit for each part with its number.
func each(b format.Blob, boundary string, visit func(int, *multipart.Part) error) error {
	parts := multipart.NewReader(io.NewSectionReader(b, 0, b.Size()), boundary)
	for n := range partsMost {
		p, err := parts.NextRawPart()
		if err == io.EOF && n > 0 {
			return nil
		}
		if err == nil {
			err = visit(n, p)
		}
		if err != nil {
			return broken(err)
		}
	}
	return format.Malformedf("the form has more than %d parts", partsMost)
}

// broken says what is wrong with a form.
func broken(err error) error {
	switch {
	case errors.Is(err, errFound), errors.Is(err, format.ErrMalformed):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return format.Malformedf("the form is cut off, or has no parts")
	}
	return format.Malformedf("the form cannot be read: %.200v", strings.ToValidUTF8(err.Error(), "?"))
}

// A reader looks for its file when it is first read.
type reader struct {
	file *File
	part *multipart.Part
}

func (r *reader) Read(p []byte) (int, error) {
	if r.part == nil {
		err := each(r.file.blob, r.file.boundary, func(n int, p *multipart.Part) error {
			if n != r.file.part {
				return nil
			}
			r.part = p
			return errFound
		})
		if err != nil && !errors.Is(err, errFound) {
			return 0, err
		}
	}
	n, err := r.part.Read(p)
	if err != nil && err != io.EOF {
		err = broken(err)
	}
	return n, err
}
