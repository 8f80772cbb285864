package signing

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"hallmark/signing/scheme"
)

// Signed is what the keys of one purpose have signed in one scheme.
type Signed struct {
	// Document is what is served: for the schemes of OpenPGP the signatures of
	// all keys in one armor, in one clear-signed text, or one after the other.
	// Other schemes have no form for more than one key, and no Document.
	Document []byte
	// Signatures are those of each key, in the order of [Ring.Keys]: the last
	// one is of the newest key.
	Signatures []Signature
}

// A Signature is one key's signature in a [Signed].
type Signature struct {
	Name string    // of the key, as in [Key.Name]
	Key  PublicKey // of the key
	// Value is, by scheme: one packet of OpenPGP, the number of RSA as long as
	// its modulus, the two numbers of ECDSA in ASN.1, or a Sigstore bundle in JSON.
	Value []byte
	// MessageDigest is the digest of the message, and ValueDigest that of
	// Value, or of the signature inside a bundle: "sha256:<hex>".
	MessageDigest, ValueDigest string
}

// Sign signs a message with every key of a purpose that can sign in the scheme.
// It returns at least one signature or an error, and all of them or none; every
// signature was verified with its public key.
//
// The purpose is index, package, file or npm; images have methods of their own.
// Keys of purpose npm sign in [scheme.ECDSASHA256] alone, and besides them only
// those of purpose package do.
//
// Whoever calls Sign answers for what it signs: a key of one purpose signs
// nothing for another, save as [Ring.SharingIndex] says.
//
// The time at stands in signatures of OpenPGP, to the second; a key that is
// newer puts its own there. The error wraps [ErrExpired] if a key or its X.509
// certificate has expired by then. With keys of the standard library, equal arguments give equal bytes.
//
// The message must be known by SHA-256 and the hashes of [Ring.Hashes],
// SHA-1 for [scheme.RSASHA1], and be [Bytes] to be clear-signed.
func (r *Ring) Sign(p scheme.Purpose, s scheme.Scheme, m Message, at time.Time) (*Signed, error) {
	keys, err := r.signers(p, s)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := k.public.checkX509(at); err != nil {
			return nil, fmt.Errorf("repository %q: key %q: %w", r.repository, k.name, err)
		}
	}
	signed, err := signAll(keys, s, m, at)
	if err != nil {
		return nil, fmt.Errorf("repository %q: sign in scheme %s: %w", r.repository, s, err)
	}
	sum, err := digest(m, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	for i := range signed.Signatures {
		signed.Signatures[i].MessageDigest = "sha256:" + hex.EncodeToString(sum)
	}
	return signed, nil
}

// signers returns the keys of a purpose and a scheme, at least one: a caller
// that loops over none would take something unsigned for signed.
func (r *Ring) signers(p scheme.Purpose, s scheme.Scheme) ([]*Key, error) {
	if !signsIn(p, s) {
		return nil, fmt.Errorf("repository %q: keys of purpose %q do not sign in scheme %q: %w", r.repository, p, s, errors.ErrUnsupported)
	}
	family := s.Family()
	if family == "" {
		return nil, fmt.Errorf("repository %q: scheme %q: %w", r.repository, s, errors.ErrUnsupported)
	}
	keys := slices.DeleteFunc(r.Keys(p), func(k *Key) bool { return k.public.Family() != family })
	if len(keys) == 0 {
		return nil, fmt.Errorf("repository %q has no %s key of purpose %q", r.repository, family, p)
	}
	return keys, nil
}

// signsIn reports whether keys of a purpose may sign in a scheme. A bare ECDSA
// signature says nothing of what it is for, so what makes one makes little else.
func signsIn(p scheme.Purpose, s scheme.Scheme) bool {
	switch p {
	case scheme.Index, scheme.File:
		return s != scheme.ECDSASHA256
	case scheme.Package:
		return true
	case scheme.NPM:
		return s == scheme.ECDSASHA256
	}
	return false
}

func signAll(keys []*Key, s scheme.Scheme, m Message, at time.Time) (*Signed, error) {
	switch s {
	case scheme.OpenPGPClearsigned:
		return signText(keys, m, at)
	case scheme.OpenPGPArmored, scheme.OpenPGPBinary:
		return signDetached(keys, s, m, at)
	case scheme.RSASHA256:
		return signEach(keys, func(k *Key) (value, sig []byte, err error) { return signRSA(k, crypto.SHA256, m) })
	case scheme.RSASHA1:
		return signEach(keys, func(k *Key) (value, sig []byte, err error) { return signRSA(k, crypto.SHA1, m) })
	case scheme.BlobBundle:
		return signEach(keys, func(k *Key) (value, sig []byte, err error) { return signBlob(k, m) })
	case scheme.ECDSASHA256:
		return signEach(keys, func(k *Key) (value, sig []byte, err error) { return signBare(k, m) })
	}
	return nil, errors.ErrUnsupported
}

// signEach makes a signature with each key, of which sign returns what is
// served and the signature in it.
func signEach(keys []*Key, sign func(*Key) (value, sig []byte, err error)) (*Signed, error) {
	signed := &Signed{}
	for _, k := range keys {
		value, sig, err := sign(k)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k.name, err)
		}
		signed.add(k, value, sig)
	}
	return signed, nil
}

func (s *Signed) add(k *Key, value, sig []byte) {
	sum := sha256.Sum256(sig)
	s.Signatures = append(s.Signatures, Signature{
		Name: k.name, Key: k.public, Value: value, ValueDigest: "sha256:" + hex.EncodeToString(sum[:]),
	})
}

// Hashes returns the hashes by which a message must be known to be signed with
// the keys of these purposes: SHA-256, and SHA-384 or SHA-512 for keys of
// OpenPGP on p384 or p521. It names SHA-1 never: who wants signatures over it
// knows.
func (r *Ring) Hashes(purposes ...scheme.Purpose) []crypto.Hash {
	hashes := []crypto.Hash{crypto.SHA256}
	for _, p := range purposes {
		for _, k := range r.Keys(p) {
			if k.openpgp == nil {
				continue
			}
			if h := k.openpgp.Certificate().Hash(); !slices.Contains(hashes, h) {
				hashes = append(hashes, h)
			}
		}
	}
	slices.Sort(hashes)
	return hashes
}
