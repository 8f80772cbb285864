package alpine

import (
	"fmt"
	"path"
	"slices"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits an APKINDEX.tar.gz for each architecture that the folder has packages for or that the settings name, also one
// that lists nothing, so that "apk update" finds it. A folder that never had a package has none. In front of an upstream that
// has indexes in the folder, their architectures are in place of those of the settings: there is no empty index for one that
// nobody has looked for yet.
//
// The compressed index is one gzip member, which is what apk 3 demands, behind that of the signatures.
func (f *Format) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	arches := f.architectures(s.Behind, in.Groups())
	listings := make([]format.Listing, 0, len(arches))
	for _, arch := range arches {
		listings = append(listings, format.Listing{
			Name:      arch,
			Groups:    []string{arch, noarch},
			Head:      head,
			Tail:      tail,
			Encodings: []format.Encoding{format.Gzip},
		})
	}
	if _, err := in.List(listings...); err != nil {
		return err
	}
	for _, arch := range arches {
		err := emit(format.File{
			Path:     path.Join(in.Name(), arch, indexName),
			Listing:  arch,
			Encoding: format.Gzip,
			Sealing:  f.sealing(scheme.Index, nil, 0),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// architectures returns those that have an index, in their order.
func (f *Format) architectures(behind *format.Behind, groups []format.Group) []string {
	var arches []string
	switch {
	case behind != nil && len(behind.Scopes) > 0:
		for _, scope := range behind.Scopes {
			_, arch := splitScope(scope)
			arches = append(arches, arch)
		}
	case len(groups) > 0:
		arches = slices.Clone(f.settings.Architectures)
	}
	for _, g := range groups {
		if g.Name != noarch {
			arches = append(arches, g.Name)
		}
	}
	slices.Sort(arches)
	return slices.Compact(arches)
}

// head returns the header of the only entry of the archive. It is written by hand (POSIX.1-2001, ustar), since its
// length must not change with the size that it names: at most 8 GiB, which is far beyond what an apk can load.
func head(t format.Totals) []byte {
	h := make([]byte, block)
	copy(h, "APKINDEX")
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", t.Bytes))
	h[156] = '0'
	copy(h[257:], "ustar\x0000")
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// tail pads the entry and ends the archive.
func tail(t format.Totals) []byte {
	return make([]byte, (block-t.Bytes%block)%block+2*block)
}
