package arch

import (
	"path"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// The seals of a package and of a database.
const (
	sealPackage  = "package"
	sealDatabase = "database"
)

// Seal wishes a detached signature beside the package, which is not changed. One of an upstream, which no Parse has read, is
// read to its end: if it could pass for a database, so would it with our signature.
func (f *Format) Seal(_ format.Site, op format.Op, b format.Blob) (format.Sealing, error) {
	if op.Kind == format.Get {
		if _, err := readContents(b); err != nil {
			return format.Sealing{}, err
		}
		if len(op.Paths) > 0 {
			return beside(sealPackage, scheme.Package, op.Paths[0]), nil
		}
	}
	info, err := readInfo(b)
	if err != nil {
		return format.Sealing{}, err
	}
	dir, file, err := info.place(op, b)
	if err != nil {
		return format.Sealing{}, err
	}
	return beside(sealPackage, scheme.Package, path.Join(dir, info.arch(), file)), nil
}

// beside returns the wish for a detached signature of a file. pacman takes no armor, and refuses a file unless it knows the
// keys of all its signatures (check_pgp_helper of libalpm's signing.c): one key signs alone.
func beside(name string, p scheme.Purpose, file string) format.Sealing {
	return format.Sealing{Seals: []format.Seal{{
		Name: name, Scheme: scheme.OpenPGPBinary, Purpose: p, Path: file + signature, Single: true,
	}}}
}
