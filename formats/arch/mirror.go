package arch

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// What an upstream's databases may be like.
const (
	databaseMost      = 128 << 20 // bytes of a database
	databaseHolds     = 1 << 30   // bytes that it unpacks to
	listsMost         = 512 << 20 // the same of a database with lists of files
	listsHold         = 8 << 30
	databaseSignature = 64 << 10
)

// Scope returns the place of a database without its suffix: [dir/]<arch>/<name>. The folder above the database stands for
// an architecture, as in "Server = …/$arch", so that an upstream's address is that of a folder above.
//
// There is none for packages: nothing in their paths says in which database they are.
func (f *Format) Scope(p string) (string, bool) {
	dir, name := path.Split(p)
	name = strings.TrimSuffix(strings.TrimSuffix(name, signature), archiveName)
	base, ok := strings.CutSuffix(name, databaseName)
	if !ok {
		base, ok = strings.CutSuffix(name, filesName)
	}
	dir, arch := path.Split(strings.TrimSuffix(dir, "/"))
	if !ok || !folderForm.MatchString(base) || !isArch(arch) || arch == archAny || checkUpload(dir, "") != nil {
		return "", false
	}
	return path.Join(dir, arch, base), true
}

// splitScope takes a scope apart.
func splitScope(scope string) (dir, arch, name string) {
	dir, name = path.Split(scope)
	dir, arch = path.Split(strings.TrimSuffix(dir, "/"))
	return strings.TrimSuffix(dir, "/"), arch, name
}

// Follow emits the packages of a database: each the sections of its desc, and those of its list of files where the database
// with such lists, by its own signature, has the same desc. Databases that were not made at one time thus lack lists, and
// never have wrong ones. Its order is the time of the database's signature.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	db, sig, err := fetch(u, scope+databaseName, databaseMost)
	if err != nil {
		return format.Edition{}, err
	}
	at, err := u.Verify(scheme.OpenPGPBinary, io.NewSectionReader(db, 0, db.Size()), sig)
	if err != nil {
		return format.Edition{}, err
	}
	dir, _, _ := splitScope(scope)
	edition := format.Edition{Shard: dir}
	if !at.IsZero() {
		edition.Order = at.Unix()
	}
	lists, err := fetchLists(u, scope)
	if err != nil {
		return format.Edition{}, err
	}
	return edition, emitPackages(u, db, lists)
}

// fetch returns a database, by its short or its long name, with its signature, which is nil if there is none.
func fetch(u format.Upstream, name string, limit int64) (db format.Blob, sig []byte, err error) {
	db, err = u.Fetch(name, format.Wanted{Limit: limit})
	if errors.Is(err, fs.ErrNotExist) {
		name += archiveName
		db, err = u.Fetch(name, format.Wanted{Limit: limit})
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := u.Fetch(name+signature, format.Wanted{Limit: databaseSignature})
	if errors.Is(err, fs.ErrNotExist) {
		return db, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	sig, err = io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return db, sig, err
}

// fetchLists returns the database with lists of files, or nil if there is none that is signed. One with a signature that is
// not good is an error: it may be half of a newer one.
func fetchLists(u format.Upstream, scope string) (format.Blob, error) {
	lists, sig, err := fetch(u, scope+filesName, listsMost)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = u.Verify(scheme.OpenPGPBinary, io.NewSectionReader(lists, 0, lists.Size()), sig)
	if len(sig) == 0 && errors.Is(err, format.ErrMalformed) {
		return nil, nil
	}
	return lists, err
}

// emitPackages reads the database twice, since no order of the packages can be relied on and the lists of files do not fit
// into memory: of each package, only a digest is kept.
func emitPackages(u format.Upstream, db, lists format.Blob) error {
	missing := map[string][sha256.Size]byte{} // by their folders: the digest of the desc
	err := eachPackage(db, databaseHolds, func(p listed) error {
		missing[p.folder] = sha256.Sum256(p.desc)
		return nil
	})
	if err != nil {
		return err
	}
	emit := func(p listed) error {
		delete(missing, p.folder)
		return u.Emit(databaseName, "", p.stanza())
	}
	if lists != nil {
		err := eachPackage(lists, listsHold, func(p listed) error {
			if sum, ok := missing[p.folder]; !ok || sum != sha256.Sum256(p.desc) {
				return nil
			}
			return emit(p)
		})
		if err != nil {
			return err
		}
	}
	return eachPackage(db, databaseHolds, func(p listed) error {
		if _, ok := missing[p.folder]; !ok {
			return nil
		}
		p.files = nil
		return emit(p)
	})
}
