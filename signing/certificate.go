package signing

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"hallmark/signing/internal/openpgp"
)

// ParseOpenPGP reads one public key of OpenPGP, armored or binary. Of several
// keys in it that can sign, the one that signs is chosen as gpg does: the
// newest subkey that is valid at now, otherwise the primary key. A key that
// has expired is read, and one that is revoked is not.
//
// It is safe to call with hostile data.
func ParseOpenPGP(data []byte, now time.Time) (PublicKey, error) {
	c, err := openpgp.ParseCertificate(data, now)
	if err != nil {
		return PublicKey{}, err
	}
	return NewOpenPGPPublicKey(c)
}

// NewOpenPGPPublicKey returns the PublicKey of a certificate; see
// [ParseOpenPGP].
func NewOpenPGPPublicKey(c *openpgp.Certificate) (PublicKey, error) {
	spki, err := x509.MarshalPKIXPublicKey(c.SignerKey())
	if err != nil {
		return PublicKey{}, fmt.Errorf("OpenPGP key %s: %w", c.Fingerprint(), err)
	}
	return PublicKey{kind: c.Kind(), spki: string(spki), certificate: c}, nil
}

// Armored returns a key of OpenPGP in ASCII armor with a checksum, and nil for
// a bare key. User IDs, subkeys and all signatures on them are in it.
func (k PublicKey) Armored() []byte {
	if k.certificate == nil {
		return nil
	}
	return openpgp.Armor(k.certificate)
}

// Binary returns a key of OpenPGP as bare packets, as gpgv and debsig-verify
// read them, and nil for a bare key. Several of them, one after the other, are
// a keyring.
func (k PublicKey) Binary() []byte {
	if k.certificate == nil {
		return nil
	}
	return k.certificate.Binary()
}

// ArmoredKeyring returns keys of OpenPGP in one armor: apt reads but the first
// of a file. It is nil without any; bare keys are left out.
func ArmoredKeyring(keys ...PublicKey) []byte {
	var all []*openpgp.Certificate
	for _, k := range keys {
		if k.certificate != nil {
			all = append(all, k.certificate)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return openpgp.Armor(all...)
}

// PrimaryKind returns the kind of an OpenPGP key's primary key, which a client
// must be able to read even if a subkey of another kind signs. For a bare key
// it is its [PublicKey.Kind].
func (k PublicKey) PrimaryKind() string {
	if k.certificate == nil {
		return k.kind
	}
	return k.certificate.PrimaryKind()
}

// SigningFingerprint returns the fingerprint of the OpenPGP key or subkey that
// signs, 40 upper-case hex digits, of which the last 16 are its key ID. It is
// empty for a bare key.
func (k PublicKey) SigningFingerprint() string {
	if k.certificate == nil {
		return ""
	}
	return k.certificate.Signer()
}

// UserID returns the primary user ID of a key of OpenPGP.
func (k PublicKey) UserID() string {
	if k.certificate == nil {
		return ""
	}
	return k.certificate.UserID()
}

// Expires returns when the key can no longer sign. It is zero for a key that
// does not expire, as bare keys without an X.509 certificate do not.
func (k PublicKey) Expires() time.Time {
	if k.certificate != nil {
		return k.certificate.Expires()
	}
	if c := k.parsedX509(); c != nil {
		return c.NotAfter
	}
	return time.Time{}
}

// material returns what two keys share exactly if a signature of one could pass
// for one of the other: it is the same for a bare key, a primary key and a
// subkey that are the same numbers.
func (k PublicKey) material() []string {
	if k.certificate == nil {
		return []string{k.ID()}
	}
	var all []string
	for _, m := range k.certificate.Material() {
		id := m.Other
		if spki, err := x509.MarshalPKIXPublicKey(m.Key); err == nil {
			sum := sha256.Sum256(spki)
			id = "sha256:" + hex.EncodeToString(sum[:])
		}
		all = append(all, id)
	}
	return all
}
