package arch

import (
	"maps"
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the databases of each architecture that the folder has packages for or that the settings name, also those
// that list nothing, so that "pacman -Sy" finds them. A folder that never had a package has none. In front of an upstream that
// has databases in the folder, their architectures are in place of those of the settings, and databases keep their names. Two
// in one folder would have to share what is uploaded to it: the error wraps [format.ErrMalformed].
func (f *Format) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	names, err := f.databases(s, in)
	if err != nil || len(names) == 0 {
		return err
	}
	arches := slices.Sorted(maps.Keys(names))
	var listings []format.Listing
	for _, arch := range arches {
		listings = append(listings, listing(arch, databaseName, groupDatabase), listing(arch, filesName, groupFiles))
	}
	if _, err := in.List(listings...); err != nil {
		return err
	}
	for _, arch := range arches {
		for _, kind := range []string{databaseName, filesName} {
			base := path.Join(in.Name(), arch, names[arch]+kind)
			for _, file := range []string{base, base + archiveName} {
				err := emit(format.File{
					Path:     file,
					Listing:  arch + kind,
					Encoding: format.Gzip,
					Sealing:  beside(sealDatabase, scheme.Index, file),
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// databases returns the names of the databases by their architectures; none if there are neither packages nor an upstream's
// databases.
func (f *Format) databases(s format.Site, in format.Shard) (map[string]string, error) {
	names := map[string]string{}
	name := path.Base(in.Name())
	if in.Name() == "" {
		name = s.Repository
	}
	if s.Behind != nil {
		for _, scope := range s.Behind.Scopes {
			_, arch, own := splitScope(scope)
			if other, ok := names[arch]; ok && other != own {
				return nil, format.Malformedf("the upstream has two databases in the folder %.200q, %.100s and %.100s: "+
					"only one can be shown there", path.Join(in.Name(), arch), other, own)
			}
			names[arch], name = own, own
		}
	}
	groups := in.Groups()
	if len(names) == 0 && len(groups) > 0 {
		for _, arch := range f.settings.Architectures {
			names[arch] = name
		}
	}
	for _, g := range groups {
		arch := strings.TrimPrefix(strings.TrimPrefix(g.Name, groupDatabase), groupFiles)
		if _, ok := names[arch]; !ok && arch != archAny {
			names[arch] = name
		}
	}
	return names, nil
}

func listing(arch, kind, group string) format.Listing {
	return format.Listing{
		Name:      arch + kind,
		Groups:    []string{group + arch, group + archAny},
		Tail:      tail,
		Encodings: []format.Encoding{format.Gzip},
	}
}

// tail ends a tar archive.
func tail(format.Totals) []byte { return make([]byte, 1024) }
