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
	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// Generate makes one more key for a repository, whatever keys it has, of the
// purpose, scheme, kind and user ID of spec. It returns the spec that lets the
// key sign wherever it stands among others. Once it returns, the key is durable.
func (s *Store) Generate(repository string, spec Spec) (Spec, error) {
	if err := spec.check(); err != nil {
		return Spec{}, err
	}
	if spec.Generate == "" {
		return Spec{}, errors.New("a kind of key to generate is missing")
	}
	dir, err := s.folder(repository)
	if err != nil {
		return Spec{}, err
	}
	e := spec.entry(repository)
	p, err := generatePrivate(e, s.now())
	if err != nil {
		return Spec{}, err
	}
	public, err := p.public()
	if err != nil {
		return Spec{}, err
	}
	for n := 1; ; n++ {
		e.path = filepath.Join(dir, numbered(e.stem(), n)+".key")
		// The place of a lost key stays empty, so that it can be restored.
		if _, err := os.Stat(e.publicPath()); err == nil {
			continue
		}
		err := s.createPrivate(e.path, p)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = s.createPublic(e, public)
		}
		return Spec{Purpose: spec.Purpose, Scheme: spec.Scheme, Key: "file:" + e.path, Certificate: spec.Certificate}, err
	}
}

// Import stores a private key that [Parse] or [ParseOpenPGP] can read, and
// returns the spec that lets it sign. Its file takes the place of a key that
// "generate:" and its kind would make. The passphrase opens what r holds; the
// file is encrypted with the store's own. Once Import returns, the key is
// durable.
//
// Of spec, Purpose counts and Certificate: a key without an X.509 certificate
// gets one, and one that comes with it keeps it.
//
// It overwrites nothing: the error wraps [fs.ErrExist] if the repository has a
// key of this purpose and kind.
func (s *Store) Import(repository string, spec Spec, r io.Reader, passphrase []byte) (Spec, error) {
	p := spec.Purpose
	if !p.Valid() {
		return Spec{}, fmt.Errorf("unknown purpose %q", p)
	}
	dir, err := s.folder(repository)
	if err != nil {
		return Spec{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, openpgp.MaxKey+1))
	if err != nil {
		return Spec{}, err
	}
	e := entry{repository: repository, purpose: p, certified: spec.Certificate}
	if isOpenPGP(data) && inPackages(p) && !e.certified {
		e.family = scheme.OpenPGP
	}
	key, err := parse(e, data, passphrase, s.now())
	if err == nil && e.certified && key.certificate == nil && key.signer != nil {
		key.certificate, err = signing.NewCertificate(key.signer, repository, s.now())
	}
	if err != nil {
		return Spec{}, err
	}
	public, err := key.public()
	if err != nil {
		return Spec{}, err
	}
	// What cannot sign should not come in, either.
	if _, err := key.key(entry{name: public.Fingerprint(), purpose: p}, s.now()); err != nil {
		return Spec{}, err
	}
	e.generate = public.Kind()
	e.path = filepath.Join(dir, e.stem()+".key")
	if _, err := os.Stat(e.path); err == nil {
		return Spec{}, fmt.Errorf("repository %q: key %s: %w", repository, e.path, fs.ErrExist)
	}
	// Where the private half was lost, this may be the key that comes back,
	// and no other.
	if err := s.checkPublic(e, public); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Spec{}, err
	}
	if err := s.createPrivate(e.path, key); err != nil {
		return Spec{}, err
	}
	made := Spec{Purpose: p, Key: "file:" + e.path, Certificate: spec.Certificate}
	if f := public.Family(); inPackages(p) && f != scheme.Ed25519 { // no scheme of packages is for bare Ed25519
		made.Scheme = string(f)
	}
	return made, s.createPublic(e, public)
}

// ExportPublic returns the public half of the key of that name (see
// [Public.Name]), in PEM form (its X.509 certificate, if it has one) or, for a key of OpenPGP, in armor. The error wraps [fs.ErrNotExist] if no key in
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
	return encodePublic(public), nil
}

// ExportPrivate returns the private key of that name as [Open] says that keys
// are stored: encrypted if the store has a passphrase. The error wraps [fs.ErrNotExist] if no key in specs has the name, or if it is
// not there; none is generated.
func (s *Store) ExportPrivate(repository string, specs []Spec, name string) ([]byte, error) {
	e, err := s.find(repository, specs, name)
	if err != nil {
		return nil, err
	}
	p, err := s.load(e)
	if err != nil {
		return nil, e.error(err)
	}
	return p.encode(s.passphrase)
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
