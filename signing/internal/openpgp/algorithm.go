package openpgp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The sizes of RSA keys that every client takes.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// An UnsupportedError says that an OpenPGP key is of a kind that the clients
// of package repositories do not take.
type UnsupportedError struct {
	What string // what the key is, such as "a DSA key"
	Why  string // who does not take it, or what to do; may be empty
}

// Error names the key's kind and the kinds that work.
func (e *UnsupportedError) Error() string {
	text := e.What + " is not supported"
	if e.Why != "" {
		text += " (" + e.Why + ")"
	}
	return text + "; use an OpenPGP key of version 4 with RSA 2048 to 4096, Ed25519 as EdDSA (algorithm 22), p256, p384 or p521"
}

// newStyle is why keys of RFC 9580 do not work yet.
const newStyle = "gpg, apt, dnf and rpm of today refuse it"

// algorithmError returns why a key of an algorithm cannot sign, or nil.
func algorithmError(algo packet.PublicKeyAlgorithm) error {
	switch algo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA:
		return nil
	case packet.PubKeyAlgoDSA:
		return &UnsupportedError{What: "a DSA key"}
	case packet.PubKeyAlgoEd25519:
		return &UnsupportedError{What: "a new-style Ed25519 key (algorithm 27)", Why: newStyle}
	case packet.PubKeyAlgoEd448:
		return &UnsupportedError{What: "an Ed448 key (algorithm 28)", Why: newStyle}
	default:
		return &UnsupportedError{What: fmt.Sprintf("a key of algorithm %d", algo)}
	}
}

// publicKey returns a key in the form of the standard library, and its kind:
// "p256", "p384", "p521", "ed25519", or "rsa" and the bits of the modulus.
// The error for a key that cannot sign here is an [*UnsupportedError].
func publicKey(pk *packet.PublicKey) (crypto.PublicKey, string, error) {
	if err := algorithmError(pk.PubKeyAlgo); err != nil {
		return nil, "", err
	}
	switch key := pk.PublicKey.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits < minRSABits || bits > maxRSABits {
			return nil, "", &UnsupportedError{What: fmt.Sprintf("an RSA key of %d bits", bits)}
		}
		return key, fmt.Sprintf("rsa%d", bits), nil
	case *pgpecdsa.PublicKey:
		return ellipticKey(pk, key)
	case *eddsa.PublicKey:
		point := key.MarshalPoint()
		if name, err := pk.Curve(); err != nil || name != packet.Curve25519 || len(point) != 1+ed25519.PublicKeySize {
			return nil, "", &UnsupportedError{What: fmt.Sprintf("an EdDSA key on the curve %s", name)}
		}
		return ed25519.PublicKey(point[1:]), "ed25519", nil
	}
	return nil, "", &UnsupportedError{What: fmt.Sprintf("a key of algorithm %d", pk.PubKeyAlgo)}
}

func ellipticKey(pk *packet.PublicKey, key *pgpecdsa.PublicKey) (crypto.PublicKey, string, error) {
	name, err := pk.Curve()
	if err != nil {
		return nil, "", &UnsupportedError{What: "an ECDSA key on an unknown curve"}
	}
	var curve elliptic.Curve
	var kind string
	switch name {
	case packet.CurveNistP256:
		curve, kind = elliptic.P256(), "p256"
	case packet.CurveNistP384:
		curve, kind = elliptic.P384(), "p384"
	case packet.CurveNistP521:
		curve, kind = elliptic.P521(), "p521"
	default:
		return nil, "", &UnsupportedError{What: fmt.Sprintf("an ECDSA key on the curve %s", name)}
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, key.MarshalPoint())
	if err != nil {
		return nil, "", fmt.Errorf("ECDSA key: %w", err)
	}
	return public, kind, nil
}

// hashOf returns the hash of a key's signatures. RFC 9580 section 9.5 and
// NIST want one as strong as the curve, and gpg refuses a weaker one.
func hashOf(kind string) crypto.Hash {
	switch kind {
	case "p384":
		return crypto.SHA384
	case "p521":
		return crypto.SHA512
	}
	return crypto.SHA256
}

// hashID returns the number of a hash in RFC 9580 section 9.5 and its name in
// the header of a clear-signed text.
func hashID(h crypto.Hash) (id byte, name string) {
	switch h {
	case crypto.SHA384:
		return 9, "SHA384"
	case crypto.SHA512:
		return 10, "SHA512"
	}
	return 8, "SHA256"
}

// A Material is the numbers of a public key, whatever they are used for: the
// same for a primary key, a subkey and a bare key.
type Material struct {
	Key   crypto.PublicKey // nil if it is of a kind that cannot sign here
	Other string           // tells a key without Key from others
}

func material(pk *packet.PublicKey) Material {
	if key, _, err := publicKey(pk); err == nil {
		return Material{Key: key}
	}
	sum := sha256.Sum256(publicBody(pk)[5:]) // after version and date
	return Material{Other: "openpgp:" + hex.EncodeToString(sum[:])}
}
