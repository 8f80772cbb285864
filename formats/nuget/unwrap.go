package nuget

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"

	"hallmark/formats/format"
)

// Unwrap takes the package out of the form in which clients push it (RFC 7578): the only file in it, whatever its name.
func (*Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	_, parameters, err := mime.ParseMediaType(r.Type)
	if err != nil || parameters["boundary"] == "" {
		return nil, format.Malformedf("the request says that it is a form, and not what stands between its parts (Content-Type: multipart/form-data; boundary=…)")
	}
	open := func() *multipart.Reader {
		return multipart.NewReader(io.NewSectionReader(b, 0, b.Size()), parameters["boundary"])
	}
	count := 0
	for form := open(); ; count++ {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			_, err = io.Copy(io.Discard, part)
		}
		if err != nil {
			return nil, format.Malformedf("the form of the upload is damaged or cut off")
		}
		if count == 1 {
			return nil, format.Malformedf("the form of the upload has more than one file: push one package at a time")
		}
	}
	if count == 0 {
		return nil, format.Malformedf("the form of the upload has no package in it")
	}
	part, err := open().NextRawPart()
	if err != nil {
		return nil, err
	}
	return []format.Change{{Op: format.Op{Kind: format.Put}, Body: part}}, nil
}
