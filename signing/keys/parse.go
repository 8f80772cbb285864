package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"hallmark/signing"
	"hallmark/signing/internal/algorithm"
)

// maxFile bounds a key file. An encrypted RSA key of 8192 bits has 9 KiB.
const maxFile = 64 << 10

// The types of the PEM blocks that hold private keys (RFC 7468, RFC 5915,
// RFC 8017, and cosign's pkg/cosign/keys.go).
const (
	typePKCS8          = "PRIVATE KEY"
	typeEncryptedPKCS8 = "ENCRYPTED PRIVATE KEY"
	typeSEC1           = "EC PRIVATE KEY"
	typePKCS1          = "RSA PRIVATE KEY"
	typeDSA            = "DSA PRIVATE KEY"
	typeSigstore       = "ENCRYPTED SIGSTORE PRIVATE KEY"
	typeCosign         = "ENCRYPTED COSIGN PRIVATE KEY" // cosign before 2.0
	typeCertificate    = "CERTIFICATE"
)

// armorPGP begins the armor of OpenPGP.
const armorPGP = "-----BEGIN PGP "

const knownForms = "the forms that can be read are cosign's encrypted keys, PKCS #8, SEC 1 and PKCS #1, in PEM"

// A PassphraseError says that a private key is encrypted and that the
// passphrase does not open it.
type PassphraseError struct {
	Missing bool  // no passphrase was given
	Err     error // why the key does not open; nil if none was given
}

// Error says where the passphrase comes from.
func (e *PassphraseError) Error() string {
	if e.Missing {
		return "the key is encrypted and there is no passphrase: set HALLMARK_KEY_PASSPHRASE or passphrase_file"
	}
	return fmt.Sprintf("the key does not open with the passphrase of HALLMARK_KEY_PASSPHRASE or passphrase_file: %v", e.Err)
}

// Unwrap returns e.Err.
func (e *PassphraseError) Unwrap() error { return e.Err }

// Parse reads a private key from a PEM file: one that cosign encrypted,
// PKCS #8 (encrypted by PBES2, too), SEC 1 for elliptic curves, or PKCS #1 for
// RSA. What it returns, [signing.NewKey] takes.
//
// The passphrase opens what is encrypted and is ignored otherwise. A key that
// cosign encrypted with the empty passphrase opens without one.
//
// The error for a key that cannot be used says what the key is: a
// [*signing.UnsupportedKeyError] for its kind, a [*PassphraseError] for the
// passphrase. Parse is safe to call with hostile data: sizes, and the cost
// that a file may ask for to derive a key from the passphrase, are bounded.
func Parse(data, passphrase []byte) (crypto.Signer, error) {
	block, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the key is encrypted in OpenSSL's traditional way, which does not detect a wrong passphrase; convert it with: openssl pkcs8 -topk8 -in FILE")
	}
	switch block.Type {
	case typePKCS8:
		return parsePKCS8(block.Bytes)
	case typeSEC1:
		return parseSEC1(block.Bytes)
	case typePKCS1:
		return parsePKCS1(block.Bytes)
	case typeEncryptedPKCS8:
		return parseEncryptedPKCS8(block.Bytes, passphrase)
	case typeSigstore, typeCosign:
		return parseCosign(block.Bytes, passphrase)
	case typeDSA:
		return nil, &signing.UnsupportedKeyError{Kind: "DSA"}
	case "OPENSSH PRIVATE KEY":
		return nil, errors.New("this is a private key of OpenSSH; " + knownForms)
	case typeCertificate:
		return nil, errors.New("this is a certificate, which holds a public key; signing needs the private one")
	}
	if strings.HasSuffix(block.Type, "PUBLIC KEY") {
		return nil, errors.New("this is a public key; signing needs the private one")
	}
	return nil, fmt.Errorf("the PEM block is a %.100q; %s", block.Type, knownForms)
}

// decodePEM returns the one PEM block of data that is not parameters, which
// openssl writes before EC and DSA keys.
func decodePEM(data []byte) (*pem.Block, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("longer than %d bytes: no key file", maxFile)
	}
	// The checksum line of OpenPGP's armor keeps it from being PEM.
	if bytes.Contains(data, []byte(armorPGP)) {
		return nil, errors.New("this is a key of OpenPGP, which signs packages, indexes and files with scheme: openpgp; " + knownForms)
	}
	block, rest := pem.Decode(data)
	for block != nil && strings.HasSuffix(block.Type, " PARAMETERS") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("there is no PEM block; " + knownForms)
	}
	if second, _ := pem.Decode(rest); second != nil {
		return nil, errors.New("there is more than one PEM block; one key is expected")
	}
	return block, nil
}

// splitCertificate takes the one X.509 certificate out of a PEM file that holds
// more than that. The certificate is nil if there is none.
func splitCertificate(data []byte) (key, certificate []byte, err error) {
	if len(data) > maxFile {
		return data, nil, nil // Parse refuses it
	}
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && key == nil:
			return data, nil, nil
		case block == nil:
			return key, certificate, nil
		case block.Type != typeCertificate:
			key = append(key, pem.EncodeToMemory(block)...)
		case certificate != nil:
			return nil, nil, errors.New("there is more than one certificate; that of the key is expected, and those of authorities cannot be used here")
		default:
			certificate = block.Bytes
		}
	}
}

// parsePKCS8 reads OneAsymmetricKey of RFC 5958. It looks at the algorithm
// before crypto/x509 does, whose errors do not name it.
func parsePKCS8(der []byte) (crypto.Signer, error) {
	var info struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("PKCS #8: %w", err)
	}
	if name, ok := algorithm.Name(info.Algorithm); !ok {
		return nil, &signing.UnsupportedKeyError{Kind: name}
	}
	if algorithm.IsRSA(info.Algorithm) {
		return parsePKCS1(info.PrivateKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	return checked(key)
}

// parseSEC1 reads ECPrivateKey of RFC 5915.
func parseSEC1(der []byte) (crypto.Signer, error) {
	var info struct {
		Version    int
		PrivateKey []byte
		Parameters asn1.RawValue `asn1:"optional"` // [0] and a curve inside
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("SEC 1: %w", err)
	}
	var curve asn1.RawValue
	if info.Parameters.Class == asn1.ClassContextSpecific && info.Parameters.Tag == 0 {
		if _, err := asn1.Unmarshal(info.Parameters.Bytes, &curve); err != nil {
			return nil, fmt.Errorf("SEC 1: %w", err)
		}
	}
	if name, ok := algorithm.Name(algorithm.EC(curve)); !ok {
		return nil, &signing.UnsupportedKeyError{Kind: name}
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, err
	}
	return checked(key)
}

// parsePKCS1 reads RSAPrivateKey of RFC 8017, appendix A.1.2. It looks at the
// size first: checking a huge modulus takes long.
func parsePKCS1(der []byte) (crypto.Signer, error) {
	var info struct {
		Version int
		N       *big.Int
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("PKCS #1: %w", err)
	}
	if err := signing.CheckRSASize(info.N.BitLen()); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, err
	}
	return checked(key)
}

func parseEncryptedPKCS8(der, passphrase []byte) (crypto.Signer, error) {
	if len(passphrase) == 0 {
		return nil, &PassphraseError{Missing: true}
	}
	plain, err := decryptPBES2(der, passphrase)
	if err != nil {
		return nil, err
	}
	return parsePKCS8(plain)
}

// parseCosign reads what cosign encrypts: PKCS #8 in a secretbox whose key
// scrypt derives. The package encrypted takes no other parameters of scrypt
// than the three that it writes, so a file cannot ask for more.
func parseCosign(box, passphrase []byte) (crypto.Signer, error) {
	plain, err := encrypted.Decrypt(box, passphrase)
	if err != nil && len(passphrase) == 0 {
		return nil, &PassphraseError{Missing: true}
	}
	if err != nil {
		return nil, &PassphraseError{Err: err}
	}
	return parsePKCS8(plain)
}

// checked returns key as a signer if [signing.NewKey] would take it.
func checked(key any) (crypto.Signer, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, &signing.UnsupportedKeyError{Kind: fmt.Sprintf("%T", key)}
	}
	if _, err := signing.NewPublicKey(signer.Public()); err != nil {
		return nil, err
	}
	return signer, nil
}
