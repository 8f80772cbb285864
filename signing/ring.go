// Package signing holds the private keys and makes the signatures.
//
// Every repository has a [Ring] of its own, and every [Key] in it serves one
// purpose, so that a signature given for one thing cannot be used for another.
// Images are signed by methods that build the message here, from typed and
// checked fields. Indexes, packages and files are bytes, and [Ring.Sign] signs
// them with keys that sign nothing else.
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
	shared     bool // see SharingIndex
}

// NewRing returns the ring of a repository. It refuses a key that is listed
// twice, be it for one purpose or for two, as a bare key or as a key or subkey
// of OpenPGP.
func NewRing(repository string, keys []*Key) (*Ring, error) {
	if repository == "" {
		return nil, errors.New("key ring without a repository")
	}
	r := &Ring{repository: repository, keys: slices.Clone(keys)}
	seen := map[string]int{}
	for i, k := range r.keys {
		for _, material := range k.public.material() {
			if at, ok := seen[material]; ok && at != i {
				other := r.keys[at]
				return nil, fmt.Errorf("repository %q: %q (%s) and %q (%s) are the same key %s; a key is listed once and has one purpose",
					repository, other.name, other.purpose, k.name, k.purpose, k.public.Fingerprint())
			}
			seen[material] = i
		}
	}
	return r, nil
}

// CheckDistinct returns an error if two rings share a key, a subkey of OpenPGP
// included: a signature made for one repository would be valid in the other.
func CheckDistinct(rings ...*Ring) error {
	type place struct {
		ring *Ring
		key  *Key
	}
	seen := map[string]place{}
	for _, r := range rings {
		for _, k := range r.keys {
			for _, material := range k.public.material() {
				if other, ok := seen[material]; ok && other.ring.repository != r.repository {
					return fmt.Errorf("repositories %q (key %q) and %q (key %q) share the key %s; a key belongs to one repository",
						other.ring.repository, other.key.name, r.repository, k.name, k.public.Fingerprint())
				}
				seen[material] = place{r, k}
			}
		}
	}
	return nil
}

// SharingIndex returns a ring with the same keys in which those of purpose
// index also serve purpose package, as long as there is no key of purpose
// package. It is for formats whose clients keep one keyring for both, where
// separate keys would separate nothing. Nobody else gets one: in a ring as
// [NewRing] returns it, packages cannot be signed with the index's keys.
func (r *Ring) SharingIndex() *Ring {
	shared := *r
	shared.shared = true
	return &shared
}

// Oldest returns a ring with the first key of each purpose and family alone. It
// is for signatures that clients refuse if they do not know all of their keys.
func (r *Ring) Oldest() *Ring {
	oldest := *r
	oldest.keys = nil
	for _, k := range r.keys {
		if !slices.ContainsFunc(oldest.keys, func(o *Key) bool {
			return o.purpose == k.purpose && o.public.Family() == k.public.Family()
		}) {
			oldest.keys = append(oldest.keys, k)
		}
	}
	return &oldest
}

// Repository returns the name of the repository that the keys belong to.
func (r *Ring) Repository() string { return r.repository }

// All returns all keys, in the order in which they are listed.
func (r *Ring) All() []*Key { return slices.Clone(r.keys) }

// Keys returns the keys that sign for one purpose, in the order in which they
// are listed: the last one is the newest. See also [Ring.SharingIndex].
func (r *Ring) Keys(p scheme.Purpose) []*Key {
	var keys []*Key
	for _, k := range r.keys {
		if k.purpose == p {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 && p == scheme.Package && r.shared {
		return r.Keys(scheme.Index)
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
