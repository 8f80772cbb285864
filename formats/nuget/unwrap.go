package nuget

import (
	"hallmark/formats/format"
	"hallmark/formats/internal/form"
)

// Unwrap takes the package out of the form in which clients push it: the only file in it, whatever its name.
func (*Format) Unwrap(r format.Request, b format.Blob) ([]format.Change, error) {
	f, err := form.Read(r.Type, b)
	if err != nil {
		return nil, err
	}
	if len(f.Files) != 1 {
		return nil, format.Malformedf("the form of the upload has %d files: push one package at a time", len(f.Files))
	}
	return []format.Change{{Op: format.Op{Kind: format.Put}, Body: f.Files[0].Open()}}, nil
}
