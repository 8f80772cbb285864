package rpm

import (
	"crypto"
	"encoding/hex"
	"path"

	"hallmark/formats/format"
	"hallmark/formats/internal/rpmfile"
)

// The groups of a shard, which is a directory. A package has an entry in each: its element of the metadata of that name.
const (
	primary   = "primary"
	filelists = "filelists"
	other     = "other"
)

// Parse reads a package's headers and compares all its digests and sizes. The identity is the directory of the upload and
// the name that rpm gives the file: name-version-release.arch.rpm, where the arch of a source package is src.
//
// The payload is read in small pieces, and in the first run alone, which has no signatures, not even an empty list of
// them: what signing replaces stands before the main header.
func (f *Format) Parse(op format.Op, b format.Blob, sigs []format.Signature) (format.Package, error) {
	file, err := rpmfile.Read(b, b.Size())
	if err != nil {
		return format.Package{}, err
	}
	if err := file.CheckHeader(); err != nil {
		return format.Package{}, err
	}
	if _, err := file.Signed(); err != nil {
		return format.Package{}, err
	}
	id, err := identify(file)
	if err != nil {
		return format.Package{}, err
	}
	name := id.fileName()
	if op.Name != "" && op.Name != name {
		return format.Package{}, format.Malformedf("the header says that this package is %.300q, and the URL that it is %.300q: "+
			"upload it under the name that the header says, or to the directory", name, op.Name)
	}
	if sigs == nil {
		if err := file.CheckPayload(b); err != nil {
			return format.Package{}, err
		}
	}
	m, err := describe(file, id, hex.EncodeToString(b.Digest(crypto.SHA256)))
	if err != nil {
		return format.Package{}, err
	}
	entries := make([]format.Entry, 0, 3)
	for _, group := range []struct {
		name  string
		write func(*document)
	}{{filelists, m.filelists}, {other, m.other}, {primary, m.primary}} {
		d := document{limit: entryLimit}
		group.write(&d)
		if d.overflow {
			return format.Package{}, format.Malformedf("the header of %.300q says too much: more than %d MiB in the %s metadata",
				name, entryLimit>>20, group.name)
		}
		entries = append(entries, format.Entry{Group: group.name, Data: d.bytes})
	}
	return format.Package{
		Path:    path.Join(op.Dir, name),
		Name:    id.name,
		Version: id.evr(),
		Arch:    id.arch,
		Shard:   op.Dir,
		Entries: entries,
	}, nil
}
