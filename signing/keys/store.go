// Package keys is where private keys live: in files.
package keys

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

// A Spec is one entry under keys in the configuration. Exactly one of Generate
// and Key is set.
type Spec struct {
	// Purpose is what the key signs.
	Purpose scheme.Purpose
	// Scheme and UID are for OpenPGP keys, of which there are none yet.
	Scheme string
	UID    string
	// Generate is the kind of a key that the store keeps, and makes if it is
	// not there: one of [Kinds].
	Generate string
	// Key is "file:" and the path of a key that somebody else keeps.
	Key string
}

// A Store keeps the keys of all repositories in one folder, and reads those
// that are elsewhere. It is safe for concurrent use, also by several
// processes with the same folder.
//
// The keys of a repository are in a folder of its name: PURPOSE-KIND.key and,
// beside it, the public half in PURPOSE-KIND.pub. A second key of the same
// purpose and kind is PURPOSE-KIND-2.
//
// A file that starts with ".new-" is left from a crash and may be removed.
type Store struct {
	dir        string
	passphrase []byte
}

// Open returns the store in the folder dir, which need not exist. It touches
// no file. With a passphrase, keys are stored encrypted as cosign does;
// without, in plain PKCS #8. The passphrase also opens keys that are brought
// along.
func Open(dir string, passphrase []byte) *Store {
	return &Store{dir: dir, passphrase: bytes.Clone(passphrase)}
}

// Ring returns the keys of a repository in the order of specs, and the paths
// of the files of those that it had to generate. A generated key is durable
// before Ring returns, also with an error. Of several calls at once, in several
// processes too, one generates a key and all return it.
//
// Errors name the repository and the file. A file that others can read is
// refused, and so is a key whose public half is there while the private one is
// not: a lost key must not be replaced silently.
func (s *Store) Ring(repository string, specs []Spec) (ring *signing.Ring, generated []string, err error) {
	entries, err := s.entries(repository, specs)
	if err != nil {
		return nil, nil, err
	}
	keys := make([]*signing.Key, 0, len(entries))
	for _, e := range entries {
		signer, made, err := s.signer(e)
		if made {
			generated = append(generated, e.path)
		}
		if err != nil {
			return nil, generated, e.error(err)
		}
		key, err := signing.NewKey(e.name, e.purpose, signer)
		if err != nil {
			return nil, generated, e.error(err)
		}
		keys = append(keys, key)
	}
	ring, err = signing.NewRing(repository, keys)
	return ring, generated, err
}

// Public is the public half of a key, with what is needed to list it.
type Public struct {
	Name    string // as in [signing.Key.Name]
	Purpose scheme.Purpose
	Path    string // of the file with the private half
	Key     signing.PublicKey
}

// Public returns the public halves of a repository's keys in the order of
// specs. It generates nothing: the error wraps [fs.ErrNotExist] if a key is
// not there. It needs the passphrase only for encrypted keys that are not in
// the store.
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

// An entry is a Spec that was checked, with the place of its key.
type entry struct {
	repository string
	name       string
	purpose    scheme.Purpose
	path       string
	generate   string // "" for a key that is not the store's
}

func (e entry) error(err error) error {
	return fmt.Errorf("repository %q: key %s: %w", e.repository, e.path, err)
}

func (s *Store) entries(repository string, specs []Spec) ([]entry, error) {
	dir, err := s.folder(repository)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	entries := make([]entry, 0, len(specs))
	for i, spec := range specs {
		if err := spec.check(); err != nil {
			return nil, fmt.Errorf("repository %q: key %d: %w", repository, i+1, err)
		}
		e := entry{repository: repository, purpose: spec.Purpose, generate: spec.Generate}
		if spec.Generate != "" {
			stem := string(spec.Purpose) + "-" + spec.Generate
			count[stem]++
			e.name = numbered(stem, count[stem])
			e.path = filepath.Join(dir, e.name+".key")
		} else {
			e.path = strings.TrimPrefix(spec.Key, "file:")
			e.name = e.path
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (spec Spec) check() error {
	path, isFile := strings.CutPrefix(spec.Key, "file:")
	switch {
	case !spec.Purpose.Valid():
		return fmt.Errorf("unknown purpose %q", spec.Purpose)
	case spec.Scheme != "" || spec.UID != "":
		return fmt.Errorf("scheme and uid: %w for keys of purpose %q", errors.ErrUnsupported, spec.Purpose)
	case (spec.Generate == "") == (spec.Key == ""):
		return errors.New("exactly one of generate and key must be set")
	case spec.Generate != "" && !slices.Contains(Kinds(), spec.Generate):
		return fmt.Errorf("cannot generate a %q; the kinds are %s", spec.Generate, strings.Join(Kinds(), ", "))
	case spec.Key != "" && (!isFile || path == ""):
		return fmt.Errorf("key is %q; it must be \"file:\" and a path", spec.Key)
	}
	return nil
}

// repositoryPattern admits what can be the name of a folder everywhere.
var repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// folder returns the folder of a repository's keys.
func (s *Store) folder(repository string) (string, error) {
	if !repositoryPattern.MatchString(repository) {
		return "", fmt.Errorf("invalid repository name %q", repository)
	}
	return filepath.Join(s.dir, repository), nil
}

// numbered returns the name of the n-th key of the same purpose and kind.
func numbered(stem string, n int) string {
	if n == 1 {
		return stem
	}
	return fmt.Sprintf("%s-%d", stem, n)
}

// publicPath returns the path of the public half of a stored key.
func publicPath(path string) string { return strings.TrimSuffix(path, ".key") + ".pub" }

// signer loads the private key of e, and generates it if it is the store's and
// not there.
func (s *Store) signer(e entry) (signer crypto.Signer, generated bool, err error) {
	signer, err = s.load(e.path)
	if errors.Is(err, fs.ErrNotExist) && e.generate != "" {
		signer, generated, err = s.generate(e)
	}
	if err != nil || e.generate == "" {
		return signer, generated, err
	}
	public, err := signing.NewPublicKey(signer.Public())
	if err != nil {
		return nil, generated, err
	}
	if public.Kind() != e.generate {
		return nil, generated, fmt.Errorf("the file holds a key of kind %s where generate says %s", public.Kind(), e.generate)
	}
	return signer, generated, createPublic(e.path, public)
}

// generate makes the key of e, or returns that of a process that was faster.
func (s *Store) generate(e entry) (signer crypto.Signer, generated bool, err error) {
	if _, err := os.Stat(publicPath(e.path)); err == nil {
		// The private half is always written first: it is there by now, or it
		// was lost.
		signer, err := s.load(e.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("the private key is gone, while its public half is there; restore it, or remove %s to have a new key generated: %w", publicPath(e.path), err)
		}
		return signer, false, err
	}
	if signer, err = generate(e.generate); err != nil {
		return nil, false, err
	}
	err = s.createPrivate(e.path, signer)
	if errors.Is(err, fs.ErrExist) {
		signer, err = s.load(e.path)
		return signer, false, err
	}
	return signer, err == nil, err
}

// load reads a private key.
func (s *Store) load(path string) (crypto.Signer, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	// The key first: of a public key that others can read, it should be said
	// that it is public.
	signer, err := Parse(data, s.passphrase)
	if err != nil {
		return nil, err
	}
	return signer, checkMode(path, mode)
}

func (s *Store) public(e entry) (signing.PublicKey, error) {
	if e.generate != "" {
		data, _, err := readFile(publicPath(e.path))
		if err == nil {
			return signing.ParsePublicKey(data)
		}
		// A crash may have come between the two files.
		if !errors.Is(err, fs.ErrNotExist) {
			return signing.PublicKey{}, err
		}
	}
	signer, err := s.load(e.path)
	if err != nil {
		return signing.PublicKey{}, err
	}
	return signing.NewPublicKey(signer.Public())
}

// createPrivate stores a private key. The error wraps [fs.ErrExist] if there
// is one at that path.
func (s *Store) createPrivate(path string, signer crypto.Signer) error {
	data, err := encode(signer, s.passphrase)
	if err != nil {
		return err
	}
	if err := createDir(filepath.Dir(path)); err != nil {
		return err
	}
	return createFile(path, data, 0o600)
}

// createPublic stores the public half beside the private key at path. If there
// is one, it must be the same.
func createPublic(path string, public signing.PublicKey) error {
	err := createFileIfMissing(publicPath(path), public.PEM())
	if err != nil {
		return err
	}
	return checkPublic(path, public)
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

// checkPublic returns an error unless the public half beside path is that of
// this key. The error wraps [fs.ErrNotExist] if there is none.
func checkPublic(path string, public signing.PublicKey) error {
	data, _, err := readFile(publicPath(path))
	if err != nil {
		return err
	}
	stored, err := signing.ParsePublicKey(data)
	if err != nil {
		return fmt.Errorf("%s: %w", publicPath(path), err)
	}
	if !stored.Equal(public) {
		return fmt.Errorf("%s is the public half of another key, %s; remove it if that key is no longer in use", publicPath(path), stored.Fingerprint())
	}
	return nil
}
