package raw

import (
	"path"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The names of the index files of a folder.
const (
	sums          = "SHA256SUMS"
	sumsSignature = "SHA256SUMS.asc"
)

// group is the only group of a shard, which is a folder.
const group = "files"

// Index emits SHA256SUMS with its signature, or nothing for a folder without files.
func (f *Format) Index(_ format.Site, in format.Shard, emit func(format.File) error) error {
	count := 0
	for _, g := range in.Groups() {
		count += g.Count
	}
	if count == 0 {
		return nil
	}
	if _, err := in.List(format.Listing{
		Name:      sums,
		Groups:    []string{group},
		Encodings: []format.Encoding{format.Plain},
	}); err != nil {
		return err
	}
	return emit(format.File{
		Path:     path.Join(in.Name(), sums),
		Listing:  sums,
		Encoding: format.Plain,
		Sealing: format.Sealing{Seals: []format.Seal{{
			Name:    "signature",
			Scheme:  scheme.OpenPGPArmored,
			Purpose: scheme.Index,
			Path:    path.Join(in.Name(), sumsSignature),
		}}},
	})
}
