// Package algorithm names the algorithms of keys by their object identifiers,
// also of those that Go cannot use, so that an error can say what a key is.
package algorithm

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

const (
	rsaEncryption = "1.2.840.113549.1.1.1"
	ecPublicKey   = "1.2.840.10045.2.1"
)

// Name returns the name of the algorithm of a key, and whether keys of it can
// sign here. Elliptic curves are named by the curve. What has no name here is
// named by its object identifier. The size of an RSA key is not looked at.
//
// The identifiers are those of RFC 3279, RFC 5480, RFC 5639, RFC 8410, SEC 2
// and NIST's registry.
func Name(id pkix.AlgorithmIdentifier) (name string, supported bool) {
	switch oid := id.Algorithm.String(); oid {
	case rsaEncryption:
		return "RSA", true
	case "1.3.101.112":
		return "ed25519", true
	case ecPublicKey:
		return curve(id.Parameters)
	case "1.2.840.10040.4.1":
		return "DSA", false
	case "1.2.840.113549.1.1.10":
		return "RSA-PSS", false
	case "1.2.840.113549.1.3.1", "1.2.840.10046.2.1":
		return "Diffie-Hellman", false
	case "1.3.101.110":
		return "X25519", false
	case "1.3.101.111":
		return "X448", false
	case "1.3.101.113":
		return "Ed448", false
	case "2.16.840.1.101.3.4.3.17":
		return "ML-DSA-44", false
	case "2.16.840.1.101.3.4.3.18":
		return "ML-DSA-65", false
	case "2.16.840.1.101.3.4.3.19":
		return "ML-DSA-87", false
	default:
		return "algorithm " + oid, false
	}
}

// IsRSA reports whether id is that of a plain RSA key.
func IsRSA(id pkix.AlgorithmIdentifier) bool { return id.Algorithm.String() == rsaEncryption }

// EC returns the identifier of an elliptic curve key with these curve
// parameters, for formats that hold the parameters alone.
func EC(parameters asn1.RawValue) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
		Parameters: parameters,
	}
}

// curve names an elliptic curve by ECParameters (RFC 5480, section 2.1.1).
func curve(parameters asn1.RawValue) (name string, supported bool) {
	if parameters.Class == asn1.ClassUniversal && parameters.Tag == asn1.TagSequence {
		return "elliptic curve with explicit parameters", false
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(parameters.FullBytes, &oid); err != nil {
		return "elliptic curve without a name", false
	}
	switch oid := oid.String(); oid {
	case "1.3.132.0.33":
		return "p224", true
	case "1.2.840.10045.3.1.7":
		return "p256", true
	case "1.3.132.0.34":
		return "p384", true
	case "1.3.132.0.35":
		return "p521", true
	case "1.2.840.10045.3.1.1":
		return "P-192 (" + oid + ")", false
	case "1.3.132.0.10":
		return "secp256k1 (" + oid + ")", false
	case "1.3.36.3.3.2.8.1.1.7":
		return "brainpoolP256r1 (" + oid + ")", false
	case "1.3.36.3.3.2.8.1.1.11":
		return "brainpoolP384r1 (" + oid + ")", false
	case "1.3.36.3.3.2.8.1.1.13":
		return "brainpoolP512r1 (" + oid + ")", false
	case "1.2.156.10197.1.301":
		return "SM2 (" + oid + ")", false
	default:
		return "elliptic curve " + oid, false
	}
}
