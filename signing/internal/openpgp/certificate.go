// Package openpgp holds keys and signatures of OpenPGP (RFC 9580), as far as
// the clients of package repositories take them: version 4, with RSA, EdDSA on
// Curve25519 and ECDSA on NIST's curves.
//
// Keys are read and signatures are verified by
// github.com/ProtonMail/go-crypto; signatures are written here, from a digest
// and any crypto.Signer. So each signature is verified by other code than that
// which made it.
package openpgp

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// ErrExpired says that a key, or the only one that could sign, has expired.
var ErrExpired = errors.New("the key has expired")

// A Certificate is a transferable public key (RFC 9580 section 10.1) that can
// sign. It is immutable and safe for concurrent use.
type Certificate struct {
	binary  []byte
	primary key
	signer  key   // makes the signatures: the newest signing subkey, or the primary key
	signers []key // whose signatures count
	expires time.Time
	userID  string
	// material is of all keys that can make any signature, the primary first.
	material []Material
}

// A key is a primary key or a subkey that can sign.
type key struct {
	packet  *packet.PublicKey
	public  crypto.PublicKey
	kind    string
	expires time.Time // zero: never
}

// ParseCertificate reads one public key, armored or binary. Of several keys
// that can sign, the one that signs is chosen as gpg does: the newest subkey
// that is valid at now, otherwise the primary key. A key that has expired is
// read; see [Certificate.Expires].
//
// The error for a key of a kind that does not work is an [*UnsupportedError].
// Hostile data costs bounded time and memory.
func ParseCertificate(data []byte, now time.Time) (*Certificate, error) {
	body, kind, err := dearmor(data, MaxKey)
	if err != nil {
		return nil, err
	}
	if kind != "" && kind != armorPublic {
		return nil, fmt.Errorf("the armor is a %.100q, not a %q", kind, armorPublic)
	}
	packets, err := split(body)
	if err != nil {
		return nil, err
	}
	if len(packets) == 0 || packets[0].Tag != tagPublicKey {
		return nil, errors.New("the file does not begin with a public key")
	}
	return newCertificate(packets, now)
}

// newCertificate reads public packets.
func newCertificate(packets []*raw, now time.Time) (*Certificate, error) {
	packets, err := essential(packets)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, p := range packets {
		if err := p.Serialize(&b); err != nil {
			return nil, err
		}
	}
	entity, err := pgp.ReadEntity(packet.NewReader(bytes.NewReader(b.Bytes())))
	if err != nil {
		return nil, fmt.Errorf("OpenPGP key: %w", err)
	}
	c := &Certificate{binary: b.Bytes()}
	if err := c.inspect(entity, now); err != nil {
		return nil, fmt.Errorf("OpenPGP key %X: %w", entity.PrimaryKey.Fingerprint, err)
	}
	return c, nil
}

// essential returns the packets that make up a certificate, without those that
// are for a keyring of gpg's own. It refuses a second key, and a primary key
// that go-crypto would skip or take for broken without saying why.
func essential(packets []*raw) ([]*raw, error) {
	var kept []*raw
	keys := 0
	for i, p := range packets {
		switch p.Tag {
		case tagPublicKey, tagPublicSubkey:
			if i > 0 && p.Tag == tagPublicKey {
				return nil, errors.New("there is more than one key in the file; one is expected")
			}
			if keys++; keys > maxKeys {
				return nil, fmt.Errorf("more than %d subkeys", maxKeys-1)
			}
			if i == 0 {
				if err := checkHead(p.Contents); err != nil {
					return nil, err
				}
			}
		case tagSignature, tagUserID, tagUserAttribute:
		default:
			continue
		}
		kept = append(kept, p)
	}
	return kept, nil
}

// checkHead looks at version and algorithm of a key's packet.
func checkHead(body []byte) error {
	if len(body) < 6 {
		return errors.New("the key is truncated")
	}
	switch version := body[0]; {
	case version > 4:
		return &UnsupportedError{What: fmt.Sprintf("a key of version %d", version), Why: newStyle}
	case version < 4:
		return &UnsupportedError{What: fmt.Sprintf("a key of version %d", version), Why: "it is older than 1998"}
	}
	return algorithmError(packet.PublicKeyAlgorithm(body[5]))
}

// policy has no memory of its own, so that every use makes another.
func policy() *packet.Config {
	return &packet.Config{
		// An old key without flags may do what its algorithm can, as in gpg.
		InsecureAllowAllKeyFlagsWhenMissing: true,
		// apt and rpm no longer take SHA-1 either.
		RejectHashAlgorithms: map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true},
	}
}

var (
	errRevoked    = errors.New("the key is revoked")
	errNoSelfSig  = errors.New("the key has no user ID with a valid self-signature; one over SHA-1, which apt and rpm no longer take, is renewed by: gpg --cert-digest-algo SHA256 --quick-set-expire FINGERPRINT never")
	errCannotSign = errors.New("neither the key nor a subkey of it can sign: each of them lacks the flag, is revoked, or is not bound by a valid signature")
)

func (c *Certificate) inspect(e *pgp.Entity, now time.Time) error {
	self, identity, err := c.inspectPrimary(e)
	if err != nil {
		return err
	}
	c.userID = identity.Name
	primary := self.FlagSign || !self.FlagsValid
	if primary {
		c.signer = c.primary
		c.signers = append(c.signers, c.primary)
	}
	var refused error
	for i := range e.Subkeys {
		s := &e.Subkeys[i]
		if s.PublicKey.PubKeyAlgo.CanSign() {
			c.material = append(c.material, material(s.PublicKey))
		}
		k, ok, err := signingSubkey(s)
		if err != nil {
			refused = err
		}
		if !ok {
			continue
		}
		c.signers = append(c.signers, k)
		if c.prefers(k, now) {
			c.signer = k
		}
	}
	switch {
	case len(c.signers) > 0:
	case refused != nil:
		return refused
	default:
		return errCannotSign
	}
	c.expires = earlier(c.primary.expires, c.signer.expires)
	return nil
}

// inspectPrimary fills in the primary key, and returns the self-signature that
// says what it is for.
func (c *Certificate) inspectPrimary(e *pgp.Entity) (*packet.Signature, *pgp.Identity, error) {
	public, kind, err := publicKey(e.PrimaryKey)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range e.Revocations {
		if e.PrimaryKey.VerifyRevocationSignature(r.Packet) == nil {
			return nil, nil, errRevoked
		}
	}
	self, identity := primaryIdentity(e)
	if self == nil {
		return nil, nil, errNoSelfSig
	}
	c.primary = key{packet: e.PrimaryKey, public: public, kind: kind, expires: expiry(e.PrimaryKey, self)}
	if direct, err := e.LatestValidDirectSignature(time.Time{}, policy()); err == nil {
		c.primary.expires = earlier(c.primary.expires, expiry(e.PrimaryKey, direct))
	}
	c.material = append(c.material, material(e.PrimaryKey))
	return self, identity, nil
}

// primaryIdentity returns the user ID that speaks for the key: the newest of
// those marked as primary, or of all. go-crypto's own choice depends on the
// order of a map where two were made in the same second.
func primaryIdentity(e *pgp.Entity) (*packet.Signature, *pgp.Identity) {
	var self *packet.Signature
	var identity *pgp.Identity
	marked := func(s *packet.Signature) bool { return s.IsPrimaryId != nil && *s.IsPrimaryId }
	for _, name := range sortedNames(e.Identities) {
		id := e.Identities[name]
		// Without a date, so that a key that has expired can be told from a bad one.
		sig, err := id.Verify(time.Time{}, policy())
		if err != nil {
			continue
		}
		better := self == nil || marked(sig) && !marked(self) ||
			marked(sig) == marked(self) && sig.CreationTime.After(self.CreationTime)
		if better {
			self, identity = sig, id
		}
	}
	return self, identity
}

func sortedNames(ids map[string]*pgp.Identity) []string {
	var names []string
	for name := range ids {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// signingSubkey returns a subkey that can sign. It is not ok if the subkey is
// for something else or was revoked; the error says that it could sign, and
// that it is of a kind that does not work. That the subkey agrees to be one
// (RFC 9580 section 5.2.1.10) go-crypto checks with the binding.
func signingSubkey(s *pgp.Subkey) (k key, ok bool, err error) {
	if !s.PublicKey.PubKeyAlgo.CanSign() {
		return key{}, false, nil
	}
	binding, err := s.Verify(time.Time{}, policy())
	if err != nil || !binding.FlagsValid || !binding.FlagSign {
		return key{}, false, nil
	}
	if inner := binding.EmbeddedSignature; inner == nil || policy().RejectHashAlgorithm(inner.Hash) {
		return key{}, false, nil
	}
	public, kind, err := publicKey(s.PublicKey)
	if err != nil {
		return key{}, false, fmt.Errorf("subkey %X: %w", s.PublicKey.Fingerprint, err)
	}
	return key{packet: s.PublicKey, public: public, kind: kind, expires: expiry(s.PublicKey, binding)}, true, nil
}

// prefers reports whether the subkey k is to sign rather than the key chosen
// so far: valid ones come before expired ones, subkeys before the primary key,
// newer ones before older ones.
func (c *Certificate) prefers(k key, now time.Time) bool {
	chosen := c.signer
	if chosen.packet == nil {
		return true
	}
	if a, b := k.expired(now), chosen.expired(now); a != b {
		return b
	}
	return !chosen.packet.IsSubkey || k.packet.CreationTime.After(chosen.packet.CreationTime)
}

func (k key) expired(now time.Time) bool { return !k.expires.IsZero() && !now.Before(k.expires) }

// expiry returns when a key ends by a self-signature, or zero.
func expiry(pk *packet.PublicKey, sig *packet.Signature) time.Time {
	end := func(from time.Time, seconds *uint32) time.Time {
		if seconds == nil || *seconds == 0 {
			return time.Time{}
		}
		return from.Add(time.Duration(*seconds) * time.Second).UTC()
	}
	return earlier(end(pk.CreationTime, sig.KeyLifetimeSecs), end(sig.CreationTime, sig.SigLifetimeSecs))
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Binary returns the transferable public key: the primary key, user IDs,
// subkeys and all signatures on them.
func (c *Certificate) Binary() []byte { return bytes.Clone(c.binary) }

// Armor returns public keys in ASCII armor with a checksum: one block with all
// of them, since apt reads but the first block of a file.
func Armor(all ...*Certificate) []byte {
	var body []byte
	for _, c := range all {
		body = append(body, c.binary...)
	}
	return enarmor(armorPublic, body)
}

// Fingerprint returns the fingerprint of the primary key: 40 upper-case hex
// digits.
func (c *Certificate) Fingerprint() string { return c.primary.fingerprint() }

// Signer returns the fingerprint of the key or subkey that signs.
func (c *Certificate) Signer() string { return c.signer.fingerprint() }

// SignerKey returns the key that signs, in the form of the standard library.
func (c *Certificate) SignerKey() crypto.PublicKey { return c.signer.public }

func (k key) fingerprint() string { return strings.ToUpper(hex.EncodeToString(k.packet.Fingerprint)) }

// Kind returns the kind of the key that signs: "p256", "p384", "p521",
// "ed25519", or "rsa" and the bits of the modulus.
func (c *Certificate) Kind() string { return c.signer.kind }

// PrimaryKind returns the kind of the primary key, which clients must be able
// to read as well.
func (c *Certificate) PrimaryKind() string { return c.primary.kind }

// Hash returns the hash of the signatures.
func (c *Certificate) Hash() crypto.Hash { return hashOf(c.signer.kind) }

// UserID returns the primary user ID.
func (c *Certificate) UserID() string { return c.userID }

// Created returns when the key that signs was made.
func (c *Certificate) Created() time.Time { return c.signer.packet.CreationTime.UTC() }

// Expires returns when the key can no longer sign; zero means never.
func (c *Certificate) Expires() time.Time { return c.expires }

// Material returns what the keys are made of that can make any signature, the
// primary key's first.
func (c *Certificate) Material() []Material { return slices.Clone(c.material) }
