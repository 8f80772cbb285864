package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"
)

// What a file may ask for to derive a key. Each bound is far above what openssl
// asks for by default, and takes a few seconds at the most.
const (
	maxPBKDF2Iterations = 10_000_000
	maxScryptCost       = 1 << 21 // N*r*p; the memory is 128*N*r, thus 256 MiB
)

const reencrypt = "convert the file with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE"

// errWrongPassphrase is found by the padding and by the structure inside,
// since PBES2 authenticates nothing.
var errWrongPassphrase = errors.New("it is wrong, or the file is damaged")

// decryptPBES2 opens EncryptedPrivateKeyInfo of RFC 5958 that is encrypted
// with PBES2 of RFC 8018 (section 6.2): AES in CBC mode, with a key from
// PBKDF2 or scrypt (RFC 7914). That is what openssl writes since 1.1.0.
//
// It exists because the libraries for it panic on a short initialisation
// vector, bound no cost, or take an unknown curve inside for a wrong
// passphrase.
func decryptPBES2(der, passphrase []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	if oid := info.Algorithm.Algorithm.String(); oid != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("encrypted PKCS #8: algorithm %s is not PBES2; %s", oid, reencrypt)
	}
	var params struct {
		KDF    pkix.AlgorithmIdentifier
		Cipher pkix.AlgorithmIdentifier
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	size, iv, err := cbcParameters(params.Cipher)
	if err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	if len(info.Data) == 0 || len(info.Data)%aes.BlockSize != 0 {
		return nil, errors.New("encrypted PKCS #8: not a whole number of blocks")
	}
	key, err := deriveKey(params.KDF, passphrase, size)
	if err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	aesBlock, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(info.Data))
	cipher.NewCBCDecrypter(aesBlock, iv).CryptBlocks(plain, info.Data)
	plain, ok := unpad(plain)
	// One wrong passphrase in 256 leaves padding that looks right.
	if !ok || !isSequence(plain) {
		return nil, &PassphraseError{Err: errWrongPassphrase}
	}
	return plain, nil
}

// cbcParameters returns the size of the key and the initialisation vector.
func cbcParameters(id pkix.AlgorithmIdentifier) (size int, iv []byte, err error) {
	switch oid := id.Algorithm.String(); oid {
	case "2.16.840.1.101.3.4.1.2":
		size = 16
	case "2.16.840.1.101.3.4.1.22":
		size = 24
	case "2.16.840.1.101.3.4.1.42":
		size = 32
	default:
		return 0, nil, fmt.Errorf("cipher %s is not AES-CBC; %s", oid, reencrypt)
	}
	if _, err := asn1.Unmarshal(id.Parameters.FullBytes, &iv); err != nil {
		return 0, nil, err
	}
	if len(iv) != aes.BlockSize {
		return 0, nil, fmt.Errorf("initialisation vector of %d bytes", len(iv))
	}
	return size, iv, nil
}

func deriveKey(id pkix.AlgorithmIdentifier, passphrase []byte, size int) ([]byte, error) {
	switch oid := id.Algorithm.String(); oid {
	case "1.2.840.113549.1.5.12":
		return derivePBKDF2(id.Parameters.FullBytes, passphrase, size)
	case "1.3.6.1.4.1.11591.4.11":
		return deriveScrypt(id.Parameters.FullBytes, passphrase, size)
	default:
		return nil, fmt.Errorf("key derivation %s is neither PBKDF2 nor scrypt", oid)
	}
}

func derivePBKDF2(der, passphrase []byte, size int) ([]byte, error) {
	var params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &params); err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	if params.Iterations < 1 || params.Iterations > maxPBKDF2Iterations {
		return nil, fmt.Errorf("PBKDF2: %d iterations; at most %d are allowed", params.Iterations, maxPBKDF2Iterations)
	}
	if params.KeyLength != 0 && params.KeyLength != size {
		return nil, fmt.Errorf("PBKDF2: key of %d bytes for a cipher that takes %d", params.KeyLength, size)
	}
	prf, err := pseudorandomFunction(params.PRF)
	if err != nil {
		return nil, err
	}
	return pbkdf2.Key(prf, string(passphrase), params.Salt, params.Iterations, size)
}

// pseudorandomFunction returns the hash function of an HMAC (RFC 8018,
// appendix B.1). HMAC-SHA-1 is the default where none is named.
func pseudorandomFunction(id pkix.AlgorithmIdentifier) (func() hash.Hash, error) {
	switch oid := id.Algorithm.String(); oid {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.8":
		return sha256.New224, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	default:
		return nil, fmt.Errorf("PBKDF2: unknown pseudorandom function %s", oid)
	}
}

func deriveScrypt(der, passphrase []byte, size int) ([]byte, error) {
	var params struct {
		Salt      []byte
		N, R, P   int
		KeyLength int `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &params); err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	// Divided rather than multiplied: the product may overflow.
	n, r, p := params.N, params.R, params.P
	if n < 2 || r < 1 || p < 1 || n > maxScryptCost/r/p {
		return nil, fmt.Errorf("scrypt: N=%d, r=%d, p=%d; the product may be %d at most", n, r, p, maxScryptCost)
	}
	if params.KeyLength != 0 && params.KeyLength != size {
		return nil, fmt.Errorf("scrypt: key of %d bytes for a cipher that takes %d", params.KeyLength, size)
	}
	return scrypt.Key(passphrase, params.Salt, n, r, p, size)
}

// unpad removes the padding of RFC 8018, section 6.1.1. Its timing is of no
// use to anyone: who can time this has the file and may try at home.
func unpad(data []byte) ([]byte, bool) {
	n := int(data[len(data)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, false
	}
	body, padding := data[:len(data)-n], data[len(data)-n:]
	return body, bytes.Equal(padding, bytes.Repeat([]byte{byte(n)}, n))
}

func isSequence(der []byte) bool {
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(der, &value)
	return err == nil && len(rest) == 0 && value.Class == asn1.ClassUniversal && value.Tag == asn1.TagSequence
}
