package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"hallmark/signing/internal/algorithm"
	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// ErrSignature says that a signature is not one of this key over this message.
var ErrSignature = errors.New("signature does not verify")

const (
	minRSABits = 2048
	maxRSABits = 8192

	// maxPublicKey bounds a PEM file, which for RSA 8192 has 1.5 KiB.
	maxPublicKey = 16 << 10
)

// A PublicKey verifies signatures: a bare key or a key of OpenPGP. It is
// immutable and safe for concurrent use. The zero value is invalid; it verifies
// nothing.
type PublicKey struct {
	key  crypto.PublicKey // nil for a key of OpenPGP
	kind string
	spki string // DER, of the key that signs
	x509 string // DER, of the certificate that a bare key stands in; empty: none

	certificate *openpgp.Certificate // nil for a bare key
}

// ParsePublicKey reads a bare key: a PEM file that holds one public key in PKIX form
// ("PUBLIC KEY", RFC 7468 section 13), as cosign writes it.
// The error for a key that cannot be used is an [*UnsupportedKeyError].
func ParsePublicKey(data []byte) (PublicKey, error) {
	if len(data) > maxPublicKey {
		return PublicKey{}, fmt.Errorf("public key is longer than %d bytes", maxPublicKey)
	}
	block, rest := pem.Decode(data)
	if block == nil {
		return PublicKey{}, errors.New("no PEM block")
	}
	if block.Type != "PUBLIC KEY" {
		return PublicKey{}, fmt.Errorf("PEM block is a %q, not a \"PUBLIC KEY\"", block.Type)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return PublicKey{}, errors.New("data after the public key")
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(block.Bytes, &spki); err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	if name, ok := algorithm.Name(spki.Algorithm); !ok {
		return PublicKey{}, &UnsupportedKeyError{Kind: name}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	return NewPublicKey(key)
}

// NewPublicKey returns the bare PublicKey of an [*ecdsa.PublicKey], an
// [*rsa.PublicKey] or an [ed25519.PublicKey], and keeps no reference to it.
// The error for a key that cannot be used is an [*UnsupportedKeyError].
func NewPublicKey(key crypto.PublicKey) (PublicKey, error) {
	kind, err := kindOf(key)
	if err != nil {
		return PublicKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	// The caller may change what its pointer points to.
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, err
	}
	return PublicKey{key: parsed, kind: kind, spki: string(der)}, nil
}

// Family returns the family of the key; see [scheme.Family].
func (k PublicKey) Family() scheme.Family {
	switch {
	case k.certificate != nil:
		return scheme.OpenPGP
	case strings.HasPrefix(k.kind, "rsa"):
		return scheme.RSA
	case k.kind == "ed25519":
		return scheme.Ed25519
	case k.kind != "":
		return scheme.ECDSA
	}
	return ""
}

// Kind returns "p224", "p256", "p384", "p521", "ed25519", or "rsa" and the
// number of bits of the modulus. For a key of OpenPGP it is the kind of the key
// or subkey that signs.
func (k PublicKey) Kind() string { return k.kind }

// Fingerprint returns what people compare. For a bare key it is [PublicKey.ID];
// for a key of OpenPGP it is the fingerprint of the primary key (version 4, RFC
// 9580 section 5.5.4.2), 40 upper-case hex digits.
func (k PublicKey) Fingerprint() string {
	if k.certificate != nil {
		return k.certificate.Fingerprint()
	}
	return k.ID()
}

// ID returns what logs keep of every key: "sha256:" and the SHA-256 in hex of
// the DER-encoded SubjectPublicKeyInfo of the key that signs, which for a key
// of OpenPGP may be a subkey. Bare keys are equal if and only if their IDs are.
func (k PublicKey) ID() string {
	sum := sha256.Sum256([]byte(k.spki))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PEM returns a bare key in PKIX form ("PUBLIC KEY"), as cosign, openssl and
// apk read it, and nil for a key of OpenPGP.
func (k PublicKey) PEM() []byte {
	if k.certificate != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte(k.spki)})
}

// Equal reports whether both are the same key, of the same family.
func (k PublicKey) Equal(other PublicKey) bool {
	return k.spki == other.spki && k.Fingerprint() == other.Fingerprint()
}

// Verify returns nil if sig is the bare key's signature over message, else an
// error that wraps [ErrSignature]. Keys of OpenPGP verify by [VerifyOpenPGP].
//
// ECDSA signatures are in ASN.1 form, those of RSA are PKCS #1 v1.5; both are
// over the message's SHA-256, whatever the curve or the size, since that is
// what cosign verifies when it is given nothing but a key. Ed25519 is the pure
// variant.
func (k PublicKey) Verify(message, sig []byte) error {
	digest := sha256.Sum256(message)
	ok := false
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, digest[:], sig)
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) == nil
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, message, sig)
	}
	if !ok {
		return fmt.Errorf("key %s: %w", k.Fingerprint(), ErrSignature)
	}
	return nil
}

// An UnsupportedKeyError says that a key is of a kind that cannot sign here.
type UnsupportedKeyError struct {
	Kind string // what the key is, such as "DSA" or "RSA 1024"
}

// Error names the key's kind and the kinds that work.
func (e *UnsupportedKeyError) Error() string {
	return fmt.Sprintf("a key of kind %s is not supported; use p224, p256, p384, p521, RSA 2048 to 8192 or Ed25519", e.Kind)
}

// CheckRSASize returns an [*UnsupportedKeyError] unless a modulus of so many
// bits is supported.
func CheckRSASize(bits int) error {
	if bits < minRSABits || bits > maxRSABits {
		return &UnsupportedKeyError{Kind: fmt.Sprintf("RSA %d", bits)}
	}
	return nil
}

func kindOf(key crypto.PublicKey) (string, error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return curveKind(key)
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return "", errors.New("empty RSA key")
		}
		bits := key.N.BitLen()
		return fmt.Sprintf("rsa%d", bits), CheckRSASize(bits)
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return "", fmt.Errorf("key of %d bytes is no Ed25519 key", len(key))
		}
		return "ed25519", nil
	default:
		return "", &UnsupportedKeyError{Kind: strings.TrimPrefix(fmt.Sprintf("%T", key), "*")}
	}
}

func curveKind(key *ecdsa.PublicKey) (string, error) {
	if key == nil || key.Curve == nil {
		return "", errors.New("empty ECDSA key")
	}
	// Compared by identity: a curve of another making may bear any name.
	switch key.Curve {
	case elliptic.P224():
		return "p224", nil
	case elliptic.P256():
		return "p256", nil
	case elliptic.P384():
		return "p384", nil
	case elliptic.P521():
		return "p521", nil
	}
	return "", &UnsupportedKeyError{Kind: "ECDSA " + key.Curve.Params().Name}
}
