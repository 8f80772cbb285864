// Package keys is where private keys live: in files.
package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

// A Store keeps the keys of all repositories in one folder, and reads those
// that are elsewhere. It is safe for concurrent use, also by several
// processes with the same folder.
//
// The keys of a repository are in a folder of its name: PURPOSE-KIND.key and,
// beside it, the public half in PURPOSE-KIND.pub. Keys of OpenPGP are in
// PURPOSE-openpgp-KIND.key and PURPOSE-openpgp-KIND.asc. The X.509 certificate of
// a key is in PURPOSE-KIND.key behind the private half, and alone in
// PURPOSE-KIND.crt. A second key of the same purpose and kind is PURPOSE-KIND-2.
//
// A file that starts with ".new-" is left from a crash and may be removed.
type Store struct {
	dir        string
	passphrase []byte
	now        func() time.Time
	fixed      bool // nothing is generated
}

// Open returns the store in the folder dir, which need not exist. It touches
// no file. With a passphrase, keys are stored encrypted as cosign does, and
// those of OpenPGP as gpg does; without, in plain PKCS #8 or plain armor. The
// passphrase also opens keys that are brought along.
func Open(dir string, passphrase []byte) *Store {
	return &Store{dir: dir, passphrase: bytes.Clone(passphrase), now: time.Now}
}

// Fixed returns the same store as one that generates nothing: a key that is not
// there is an error that wraps [fs.ErrNotExist].
func (s *Store) Fixed() *Store {
	fixed := *s
	fixed.fixed = true
	return &fixed
}

// Ring returns the keys of a repository in the order of specs, and the paths
// of the files of those that it had to generate. A generated key is durable
// before Ring returns, also with an error. Of several calls at once, in several
// processes too, one generates a key and all return it.
//
// Errors name the repository and the file. A file that others can read is
// refused, and so is a key whose public half is there while the private one is
// not: a lost key must not be replaced silently. The error wraps
// [signing.ErrExpired] for a key of OpenPGP or an X.509 certificate that has
// expired.
func (s *Store) Ring(repository string, specs []Spec) (ring *signing.Ring, generated []string, err error) {
	rings, generated, err := s.Rings(map[string][]Spec{repository: specs})
	return rings[repository], generated, err
}

// Rings returns the rings of several repositories, each as [Store.Ring] does,
// in the order of their names. What is there is read first: where any of it
// cannot be used, nothing is generated. What is lacking is generated on all
// processors at once, since RSA takes long. With an error there are no rings.
func (s *Store) Rings(specs map[string][]Spec) (rings map[string]*signing.Ring, generated []string, err error) {
	var all []entry
	names := slices.Sorted(maps.Keys(specs))
	for _, name := range names {
		entries, err := s.entries(name, specs[name])
		if err != nil {
			return nil, nil, err
		}
		all = append(all, entries...)
	}
	keys := make([]*signing.Key, len(all))
	made := make([]bool, len(all))
	errs := make([]error, len(all))
	each := func(s *Store, open func(i int) bool) {
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, e := range all {
			if open(i) {
				group.Go(func() error {
					keys[i], made[i], errs[i] = s.key(e)
					return nil
				})
			}
		}
		_ = group.Wait()
	}
	each(s.Fixed(), func(int) bool { return true })
	lacking := func(i int) bool { return !s.fixed && all[i].generate != "" && errors.Is(errs[i], fs.ErrNotExist) }
	for i, e := range all {
		if errs[i] != nil && !lacking(i) {
			return nil, nil, e.error(errs[i])
		}
	}
	each(s, lacking)
	for i, e := range all {
		if made[i] {
			generated = append(generated, e.path)
		}
	}
	for i, e := range all {
		if errs[i] != nil {
			return nil, generated, e.error(errs[i])
		}
	}
	rings = make(map[string]*signing.Ring, len(names))
	for _, name := range names {
		mine := keys[:len(specs[name])]
		keys = keys[len(mine):]
		if rings[name], err = signing.NewRing(name, mine); err != nil {
			return nil, generated, err
		}
	}
	return rings, generated, nil
}

// key returns the key of e, and generates it if it is the store's and not
// there.
func (s *Store) key(e entry) (k *signing.Key, generated bool, err error) {
	p, generated, err := s.private(e)
	if err != nil {
		return nil, generated, err
	}
	k, err = p.key(e, s.now())
	return k, generated, err
}

// Public is the public half of a key, with what is needed to list it.
type Public struct {
	Name    string // as in [signing.Key.Name]
	Purpose scheme.Purpose
	Path    string // of the file with the private half
	Key     signing.PublicKey
}

// Public returns the public halves of a repository's keys in the order of
// specs, those that have expired too. It generates nothing: the error wraps
// [fs.ErrNotExist] if a key is not there. It needs the passphrase only for
// encrypted keys that are not in the store.
func (s *Store) Public(repository string, specs []Spec) ([]Public, error) {
	entries, err := s.entries(repository, specs)
	if err != nil {
		return nil, err
	}
	list := make([]Public, 0, len(entries))
	for _, e := range entries {
		key, err := s.public(e)
		if err != nil {
			return nil, e.error(err)
		}
		list = append(list, Public{Name: e.name, Purpose: e.purpose, Path: e.path, Key: key})
	}
	return list, nil
}

func (s *Store) public(e entry) (signing.PublicKey, error) {
	if e.generate != "" {
		data, _, err := readFile(e.publicPath())
		if err == nil {
			return parsePublic(e, data, s.now())
		}
		// A crash may have come between the two files.
		if !errors.Is(err, fs.ErrNotExist) {
			return signing.PublicKey{}, err
		}
	}
	p, err := s.load(e)
	if err != nil {
		return signing.PublicKey{}, err
	}
	return p.public()
}

// private loads the private key of e, and generates it if it is the store's
// and not there.
func (s *Store) private(e entry) (p private, generated bool, err error) {
	p, err = s.load(e)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case missing && s.fixed:
		err = fmt.Errorf("there is no such key of purpose %s: %w", e.purpose, err)
	case missing && e.generate != "":
		p, generated, err = s.generate(e)
	}
	if err != nil || e.generate == "" {
		return p, generated, err
	}
	public, err := p.public()
	if err != nil {
		return private{}, generated, err
	}
	if public.Kind() != e.generate {
		return private{}, generated, fmt.Errorf("the file holds a key of kind %s where generate says %s", public.Kind(), e.generate)
	}
	return p, generated, s.createPublic(e, public)
}

// generate makes the key of e, or returns that of a process that was faster.
func (s *Store) generate(e entry) (p private, generated bool, err error) {
	if _, err := os.Stat(e.publicPath()); err == nil {
		// The private half is always written first: it is there by now, or it
		// was lost.
		p, err := s.load(e)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("the private key is gone, while its public half is there; restore it, or remove %s to have a new key generated: %w", e.publicPath(), err)
		}
		return p, false, err
	}
	if p, err = generatePrivate(e, s.now()); err != nil {
		return private{}, false, err
	}
	err = s.createPrivate(e.path, p)
	if errors.Is(err, fs.ErrExist) {
		p, err = s.load(e)
		return p, false, err
	}
	return p, err == nil, err
}

// load reads the private key of e.
func (s *Store) load(e entry) (private, error) {
	data, mode, err := readFile(e.path)
	if err != nil {
		return private{}, err
	}
	// The key first: of a public key that others can read, it should be said
	// that it is public.
	p, err := parse(e, data, s.passphrase, s.now())
	if err == nil && e.certified && p.certificate == nil {
		err = errors.New("there is no X.509 certificate behind the private key; proxy keys import makes a copy of the key that has one")
	}
	if err != nil {
		return private{}, err
	}
	return p, checkMode(e.path, mode)
}

// createPrivate stores a private key. The error wraps [fs.ErrExist] if there
// is one at that path.
func (s *Store) createPrivate(path string, p private) error {
	data, err := p.encode(s.passphrase)
	if err != nil {
		return err
	}
	if err := createDir(filepath.Dir(path)); err != nil {
		return err
	}
	return createFile(path, data, 0o600)
}

// createPublic stores the public half beside the private key of e. If there is
// one, it must be the same.
func (s *Store) createPublic(e entry, public signing.PublicKey) error {
	err := createFileIfMissing(e.publicPath(), encodePublic(public))
	if err != nil {
		return err
	}
	return s.checkPublic(e, public)
}

func createFileIfMissing(path string, data []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	err := createFile(path, data, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// checkPublic returns an error unless the public half beside the private key
// of e is that of this key, as it is now: a key of OpenPGP may get another end
// or another user ID. The error wraps [fs.ErrNotExist] if there is none.
func (s *Store) checkPublic(e entry, public signing.PublicKey) error {
	path := e.publicPath()
	data, _, err := readFile(path)
	if err != nil {
		return err
	}
	stored, err := parsePublic(e, data, s.now())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !stored.Equal(public) {
		return fmt.Errorf("%s is the public half of another key, %s; remove it if that key is no longer in use", path, stored.Fingerprint())
	}
	if !bytes.Equal(encodePublic(stored), encodePublic(public)) {
		return fmt.Errorf("%s is the public half of this key at another time; remove it to have it written again", path)
	}
	return nil
}
