package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

// Generate makes one more key for a repository, whatever keys it has, and
// returns the path of its file. Once it returns, the key is durable. It is in
// use from the next start on, if the configuration lists as many keys of its
// purpose and kind.
func (s *Store) Generate(repository string, p scheme.Purpose, kind string) (path string, err error) {
	if err := (Spec{Purpose: p, Generate: kind}).check(); err != nil {
		return "", err
	}
	dir, err := s.folder(repository)
	if err != nil {
		return "", err
	}
	signer, err := generate(kind)
	if err != nil {
		return "", err
	}
	public, err := signing.NewPublicKey(signer.Public())
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		path := filepath.Join(dir, numbered(string(p)+"-"+kind, n)+".key")
		// The place of a lost key stays empty, so that it can be restored.
		if _, err := os.Stat(publicPath(path)); err == nil {
			continue
		}
		err := s.createPrivate(path, signer)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = createPublic(path, public)
		}
		return path, err
	}
}

// Import stores a private key that [Parse] can read, and returns the path of
// its file: it takes the place of a key that "generate:" and its kind would
// make. The passphrase opens what r holds; the file is encrypted with the
// store's own. Once Import returns, the key is durable.
//
// It overwrites nothing: the error wraps [fs.ErrExist] if the repository has a
// key of this purpose and kind.
func (s *Store) Import(repository string, p scheme.Purpose, r io.Reader, passphrase []byte) (path string, err error) {
	if !p.Valid() {
		return "", fmt.Errorf("unknown purpose %q", p)
	}
	dir, err := s.folder(repository)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return "", err
	}
	signer, err := Parse(data, passphrase)
	if err != nil {
		return "", err
	}
	public, err := signing.NewPublicKey(signer.Public())
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, string(p)+"-"+public.Kind()+".key")
	if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("repository %q: key %s: %w", repository, path, fs.ErrExist)
	}
	// Where the private half was lost, this may be the key that comes back,
	// and no other.
	if err := checkPublic(path, public); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := s.createPrivate(path, signer); err != nil {
		return "", err
	}
	return path, createPublic(path, public)
}

// ExportPublic returns the public half of the key of that name (see
// [Public.Name]) in PEM form. The error wraps [fs.ErrNotExist] if no key in
// specs has the name.
func (s *Store) ExportPublic(repository string, specs []Spec, name string) ([]byte, error) {
	e, err := s.find(repository, specs, name)
	if err != nil {
		return nil, err
	}
	public, err := s.public(e)
	if err != nil {
		return nil, e.error(err)
	}
	return public.PEM(), nil
}

// ExportPrivate returns the private key of that name in PEM form: encrypted as
// cosign does if the store has a passphrase, otherwise in plain PKCS #8.
// The error wraps [fs.ErrNotExist] if no key in specs has the name, or if it is
// not there; none is generated.
func (s *Store) ExportPrivate(repository string, specs []Spec, name string) ([]byte, error) {
	e, err := s.find(repository, specs, name)
	if err != nil {
		return nil, err
	}
	signer, err := s.load(e.path)
	if err != nil {
		return nil, e.error(err)
	}
	return encode(signer, s.passphrase)
}

func (s *Store) find(repository string, specs []Spec, name string) (entry, error) {
	entries, err := s.entries(repository, specs)
	if err != nil {
		return entry{}, err
	}
	i := slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
	if i < 0 {
		var names []string
		for _, e := range entries {
			names = append(names, e.name)
		}
		return entry{}, fmt.Errorf("repository %q has no key %q; it has %s: %w", repository, name, strings.Join(names, ", "), fs.ErrNotExist)
	}
	return entries[i], nil
}
