package signing

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// A Key is a private key with a name and one purpose. It signs only through
// the methods of its [Ring], which build the message themselves.
// It is immutable and safe for concurrent use if its signer is; those of the
// standard library are.
//
// It is either a bare key, or a key of OpenPGP.
type Key struct {
	name    string
	purpose scheme.Purpose
	public  PublicKey
	signer  crypto.Signer   // nil for a key of OpenPGP
	openpgp *openpgp.Secret // nil for a bare key
}

// NewKey returns a bare key that signs with s; see also [NewOpenPGPKey]. The name is for people: it stands in
// errors and lists.
//
// s is called with a nil source of randomness: the signers of crypto/ecdsa,
// crypto/rsa and crypto/ed25519 then sign deterministically, and one that
// needs randomness must bring its own.
//
// The error for a key that cannot be used is an [*UnsupportedKeyError].
func NewKey(name string, p scheme.Purpose, s crypto.Signer) (*Key, error) {
	if name == "" {
		return nil, errors.New("key without a name")
	}
	if !p.Valid() {
		return nil, fmt.Errorf("key %q: unknown purpose %q", name, p)
	}
	if s == nil {
		return nil, fmt.Errorf("key %q: no private key", name)
	}
	public, err := NewPublicKey(s.Public())
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	return &Key{name: name, purpose: p, signer: s, public: public}, nil
}

// Name returns the name of the key, for people.
func (k *Key) Name() string { return k.name }

// Purpose returns the one purpose of the key.
func (k *Key) Purpose() scheme.Purpose { return k.purpose }

// Public returns the public half of the key.
func (k *Key) Public() PublicKey { return k.public }

// sign returns a signature of a bare key that [PublicKey.Verify] accepts. For keys of the
// standard library it is the same every time: ECDSA nonces are derived from
// key and message (RFC 6979), so that signing an image again, here or on
// another machine, makes the same bytes.
//
// It is not exported, and its callers build the message from typed fields:
// whoever could choose the message could have anything signed.
func (k *Key) sign(message []byte) ([]byte, error) {
	if k.signer == nil {
		return nil, fmt.Errorf("key %q: %w", k.name, errors.ErrUnsupported)
	}
	var sig []byte
	var err error
	if k.public.Kind() == "ed25519" {
		sig, err = k.signer.Sign(nil, message, &ed25519.Options{})
	} else {
		digest := sha256.Sum256(message)
		sig, err = k.signer.Sign(nil, digest[:], crypto.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", k.name, err)
	}
	// A faulty signature must not leave: clients would refuse the image, and
	// one made by a fault in RSA or ECDSA arithmetic can reveal the key.
	if err := k.public.Verify(message, sig); err != nil {
		return nil, fmt.Errorf("key %q: the signature just made is faulty: %w", k.name, err)
	}
	return sig, nil
}
