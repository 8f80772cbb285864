package keys

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// A Spec is one entry under keys in the configuration. Exactly one of Generate
// and Key is set.
type Spec struct {
	// Purpose is what the key signs.
	Purpose scheme.Purpose
	// Scheme is the family of a key for packages, indexes or files: openpgp,
	// ecdsa or rsa. Empty, it is any bare key, as images want it.
	Scheme string
	// UID is the user ID of a key of OpenPGP that is generated; "Hallmark" and
	// the repository's name if it is empty.
	UID string
	// Generate is the kind of a key that the store keeps, and makes if it is
	// not there: one of [Kinds].
	Generate string
	// Key is "file:" and the path of a key that somebody else keeps.
	Key string
	// Certificate says that the key, which is of family rsa, stands in an X.509
	// certificate. One that is generated is made with the key. A file that
	// somebody else keeps has it behind the private key, in PEM.
	Certificate bool
}

// Kinds returns the kinds of keys of a family that can be generated; of bare
// keys of any family, if it is empty.
func Kinds(f scheme.Family) []string {
	switch f {
	case scheme.OpenPGP:
		return []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"}
	case scheme.RSA:
		return []string{"rsa2048", "rsa3072", "rsa4096"}
	case scheme.ECDSA:
		return []string{"p256", "p384", "p521"}
	case "":
		return []string{"p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"}
	}
	return nil
}

// An entry is a Spec that was checked, with the place of its key.
type entry struct {
	repository string
	name       string
	purpose    scheme.Purpose
	family     scheme.Family // "" for any bare key
	path       string
	generate   string // "" for a key that is not the store's
	userID     string
	certified  bool // it stands in an X.509 certificate
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
		e := spec.entry(repository)
		if spec.Generate != "" {
			stem := e.stem()
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

// entry returns the entry of a spec that was checked, without name and path.
func (spec Spec) entry(repository string) entry {
	e := entry{
		repository: repository, purpose: spec.Purpose, family: scheme.Family(spec.Scheme), generate: spec.Generate, userID: spec.UID,
		certified: spec.Certificate,
	}
	if e.userID == "" {
		e.userID = "Hallmark " + repository
	}
	return e
}

// stem returns the name of the first key of a purpose and a kind.
func (e entry) stem() string {
	if e.family == scheme.OpenPGP {
		return string(e.purpose) + "-openpgp-" + e.generate
	}
	return string(e.purpose) + "-" + e.generate
}

func (spec Spec) check() error {
	path, isFile := strings.CutPrefix(spec.Key, "file:")
	if err := spec.checkScheme(); err != nil {
		return err
	}
	kinds := Kinds(scheme.Family(spec.Scheme))
	switch {
	case (spec.Generate == "") == (spec.Key == ""):
		return errors.New("exactly one of generate and key must be set")
	case spec.Generate != "" && !slices.Contains(kinds, spec.Generate):
		return fmt.Errorf("cannot generate a %q; the kinds are %s", spec.Generate, strings.Join(kinds, ", "))
	case spec.Key != "" && (!isFile || path == ""):
		return fmt.Errorf("key is %q; it must be \"file:\" and a path", spec.Key)
	}
	return nil
}

func (spec Spec) checkScheme() error {
	family := scheme.Family(spec.Scheme)
	switch {
	case !spec.Purpose.Valid():
		return fmt.Errorf("unknown purpose %q", spec.Purpose)
	case (spec.Scheme != "" || spec.UID != "") && !inPackages(spec.Purpose):
		return fmt.Errorf("scheme and uid: %w for keys of purpose %q", errors.ErrUnsupported, spec.Purpose)
	case spec.Scheme != "" && family != scheme.OpenPGP && family != scheme.ECDSA && family != scheme.RSA:
		return fmt.Errorf("unknown scheme %q; it is openpgp, ecdsa or rsa", spec.Scheme)
	case spec.Certificate && family != scheme.RSA:
		return fmt.Errorf("X.509 certificates: %w for keys of scheme %q", errors.ErrUnsupported, spec.Scheme)
	case spec.UID == "":
		return nil
	case family != scheme.OpenPGP || spec.Generate == "":
		return errors.New("uid is for keys of OpenPGP that are generated")
	}
	return openpgp.CheckUserID(spec.UID)
}

// inPackages reports whether keys of a purpose are for package repositories,
// and so of one of several families.
func inPackages(p scheme.Purpose) bool {
	return p == scheme.Index || p == scheme.Package || p == scheme.File || p == scheme.NPM
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
func (e entry) publicPath() string {
	path := strings.TrimSuffix(e.path, ".key")
	switch {
	case e.family == scheme.OpenPGP:
		return path + ".asc"
	case e.certified:
		return path + ".crt"
	}
	return path + ".pub"
}
