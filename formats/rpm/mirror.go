package rpm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/tarball"
	"hallmark/signing/scheme"
)

// The most bytes that files of an upstream's index may have, packed and unpacked.
const (
	maxRepomd   = 16 << 20
	maxPacked   = 1 << 30
	maxUnpacked = 8 << 30
)

// The contexts of stanzas.
const (
	contextPackage = "package" // the elements of one package in primary, filelists and other, one behind the other
	contextExtra   = "extra"   // a <data> of repomd.xml
)

// groupExtra is the group of the <data> elements of an upstream's repomd.xml that are not ours to make.
const groupExtra = "extra"

var _ format.Mirror = (*Format)(nil)

// Scope implements [format.Mirror]. A scope is a directory with a repodata.
func (f *Format) Scope(p string) (string, bool) {
	dir, name := path.Split(p)
	dir = strings.TrimSuffix(dir, "/")
	switch parent, last := path.Split(dir); {
	case name == "":
		return "", false
	case last == repodata:
		dir = strings.TrimSuffix(parent, "/")
	case name != mirrorlist && !(dir != "" && strings.HasSuffix(name, repoExtension)):
		return "", false
	}
	return dir, isDirectory(dir)
}

// Follow implements [format.Mirror]. It reads repomd.xml and its signature, and the three files of metadata at once: what
// they say of a package is one stanza. SQLite's, those of zchunk and deltas are left out: they say the same again.
func (f *Format) Follow(u format.Upstream, scope string) (format.Edition, error) {
	if !isDirectory(scope) {
		return format.Edition{}, format.NotFoundf("%.200q cannot be a directory of packages", scope)
	}
	text, err := readRepomd(u, path.Join(scope, repodata, repomd))
	if err != nil {
		return format.Edition{}, err
	}
	index, err := parseRepomd(text)
	if err != nil {
		return format.Edition{}, in("the repomd.xml of the upstream is broken", err)
	}
	for _, element := range index.extra {
		if err := u.Emit(contextExtra, contextExtra, element); err != nil {
			return format.Edition{}, err
		}
	}
	e := format.Edition{Shard: scope, Order: index.order}
	all := sha256.New()
	for _, kind := range [...]string{primary, filelists, other} {
		all.Write(index.files[kind].digest)
	}
	if u.Known(contextPackage, all.Sum(nil)) {
		return e, nil
	}
	return e, emitPackages(u, scope, index)
}

// readRepomd returns a repomd.xml that is signed.
func readRepomd(u format.Upstream, p string) ([]byte, error) {
	text, err := readSmall(u, p)
	if err != nil {
		return nil, err
	}
	signature, err := readSmall(u, p+".asc")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	_, err = u.Verify(scheme.OpenPGPArmored, bytes.NewReader(text), signature)
	return text, err
}

func readSmall(u format.Upstream, p string) ([]byte, error) {
	b, err := u.Fetch(p, format.Wanted{Limit: maxRepomd})
	if err != nil {
		return nil, err
	}
	data := make([]byte, b.Size())
	_, err = io.ReadFull(io.NewSectionReader(b, 0, b.Size()), data)
	return data, err
}

// emitPackages emits a stanza for each package.
func emitPackages(u format.Upstream, scope string, index *repomdIndex) error {
	var readers [3]*elements
	for i, kind := range [...]string{primary, filelists, other} {
		file := index.files[kind]
		b, err := u.Fetch(path.Join(scope, file.href), format.Wanted{Limit: maxPacked, SHA256: file.digest, Size: file.size})
		if errors.Is(err, fs.ErrNotExist) {
			return format.Malformedf("the upstream has no %.200q, which its repomd.xml names", file.href)
		}
		if err != nil {
			return err
		}
		unpacked, err := tarball.Decompress(io.NewSectionReader(b, 0, b.Size()), maxUnpacked)
		if err != nil {
			return in("the "+kind+" of the upstream is broken", err)
		}
		unpacked = tarball.Ahead(unpacked)
		defer unpacked.Close()
		readers[i] = newElements(kind, unpacked)
	}
	others := [...]*byID{{elements: readers[1]}, {elements: readers[2]}}
	var stanza []byte
	for {
		element, err := readers[0].next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		stanza = append(stanza[:0], element...)
		id, err := primaryID(element)
		if err != nil {
			return err
		}
		for _, other := range others {
			if stanza, err = other.append(stanza, id); err != nil {
				return err
			}
		}
		if err := u.Emit(contextPackage, contextPackage, stanza); err != nil {
			return err
		}
	}
	for _, other := range others {
		if err := other.end(); err != nil {
			return err
		}
	}
	return nil
}

// in puts a line of context before what is wrong with a file. Errors of reading it stay as they are.
func in(context string, err error) error {
	if errors.Is(err, format.ErrMalformed) {
		return format.Malformedf("%s: %v", context, err)
	}
	return err
}
