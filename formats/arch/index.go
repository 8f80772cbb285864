package arch

import (
	"path"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// Index emits the databases of each architecture that the folder has packages for or that the settings name, also those
// that list nothing, so that "pacman -Sy" finds them. A folder that never had a package has none.
func (f *Format) Index(s format.Site, in format.Shard, emit func(format.File) error) error {
	arches := f.architectures(in.Groups())
	if len(arches) == 0 {
		return nil
	}
	var listings []format.Listing
	for _, arch := range arches {
		listings = append(listings, listing(arch, databaseName, groupDatabase), listing(arch, filesName, groupFiles))
	}
	if _, err := in.List(listings...); err != nil {
		return err
	}
	for _, arch := range arches {
		for _, kind := range []string{databaseName, filesName} {
			base := path.Join(in.Name(), arch, database(in.Name(), s.Repository)+kind)
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

// database returns the name of a folder's databases.
func database(folder, repository string) string {
	if folder == "" {
		return repository
	}
	return path.Base(folder)
}

// architectures returns those that have databases, in their order; none if there are no groups.
func (f *Format) architectures(groups []format.Group) []string {
	if len(groups) == 0 {
		return nil
	}
	arches := slices.Clone(f.settings.Architectures)
	for _, g := range groups {
		arch := strings.TrimPrefix(strings.TrimPrefix(g.Name, groupDatabase), groupFiles)
		if arch != archAny && !slices.Contains(arches, arch) {
			arches = append(arches, arch)
		}
	}
	slices.Sort(arches)
	return arches
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
