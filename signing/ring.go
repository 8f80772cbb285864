// Package signing holds the private keys and makes the signatures.
//
// Every repository has a [Ring] of its own, and every [Key] in it serves one
// purpose. There is no method that signs bytes of a caller's choice: each
// scheme builds its message here, from typed and checked fields, so that a
// signature given for one thing cannot be used for another.
//
// What is signed is also verified: every signature with its public key before
// it is returned.
package signing

import (
	"errors"
	"fmt"
	"slices"

	"hallmark/signing/scheme"
)

// A Ring holds the keys of one repository. It is immutable and safe for
// concurrent use.
type Ring struct {
	repository string
	keys       []*Key
}

// NewRing returns the ring of a repository. It refuses a key that is listed
// twice, be it for one purpose or for two.
func NewRing(repository string, keys []*Key) (*Ring, error) {
	if repository == "" {
		return nil, errors.New("key ring without a repository")
	}
	r := &Ring{repository: repository, keys: slices.Clone(keys)}
	seen := map[string]*Key{}
	for _, k := range r.keys {
		fingerprint := k.public.Fingerprint()
		if other, ok := seen[fingerprint]; ok {
			return nil, fmt.Errorf("repository %q: %q (%s) and %q (%s) are the same key %s; a key is listed once and has one purpose",
				repository, other.name, other.purpose, k.name, k.purpose, fingerprint)
		}
		seen[fingerprint] = k
	}
	return r, nil
}

// CheckDistinct returns an error if two rings share a key: a signature made
// for one repository would be valid in the other.
func CheckDistinct(rings ...*Ring) error {
	type place struct {
		ring *Ring
		key  *Key
	}
	seen := map[string]place{}
	for _, r := range rings {
		for _, k := range r.keys {
			fingerprint := k.public.Fingerprint()
			if other, ok := seen[fingerprint]; ok && other.ring != r {
				return fmt.Errorf("repositories %q (key %q) and %q (key %q) share the key %s; a key belongs to one repository",
					other.ring.repository, other.key.name, r.repository, k.name, fingerprint)
			}
			seen[fingerprint] = place{r, k}
		}
	}
	return nil
}

// Repository returns the name of the repository that the keys belong to.
func (r *Ring) Repository() string { return r.repository }

// All returns all keys, in the order in which they are listed.
func (r *Ring) All() []*Key { return slices.Clone(r.keys) }

// Keys returns the keys of one purpose, in the order in which they are listed:
// the last one is the newest.
func (r *Ring) Keys(p scheme.Purpose) []*Key {
	var keys []*Key
	for _, k := range r.keys {
		if k.purpose == p {
			keys = append(keys, k)
		}
	}
	return keys
}

// imageKeys returns the keys for images, at least one: a caller that loops
// over none would take an unsigned image for a signed one.
func (r *Ring) imageKeys() ([]*Key, error) {
	keys := r.Keys(scheme.Image)
	if len(keys) == 0 {
		return nil, fmt.Errorf("repository %q has no key of purpose %q", r.repository, scheme.Image)
	}
	return keys, nil
}
