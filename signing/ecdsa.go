package signing

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
)

// signECDSA makes a signature over a SHA-256 in ASN.1 form (RFC 3279 section
// 2.2.3). Keys of the standard library make the same one every time (RFC 6979).
func signECDSA(k *Key, sum []byte) ([]byte, error) {
	sig, err := k.signer.Sign(nil, sum, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if err := verifyECDSA(k.public, sum, sig); err != nil {
		return nil, fmt.Errorf("the signature just made is faulty: %w", err)
	}
	return sig, nil
}

// signBare makes a signature in scheme [scheme.ECDSASHA256].
func signBare(k *Key, m Message) (value, sig []byte, err error) {
	sum, err := digest(m, crypto.SHA256)
	if err != nil {
		return nil, nil, err
	}
	sig, err = signECDSA(k, sum)
	return sig, sig, err
}

// VerifyECDSA returns nil if sig is the key's signature over a message in
// scheme [scheme.ECDSASHA256]. An error for the signature wraps [ErrSignature].
func VerifyECDSA(pub PublicKey, m Message, sig []byte) error {
	sum, err := digest(m, crypto.SHA256)
	if err != nil {
		return err
	}
	return verifyECDSA(pub, sum, sig)
}

func verifyECDSA(pub PublicKey, sum, sig []byte) error {
	key, ok := pub.key.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(key, sum, sig) {
		return fmt.Errorf("key %s: %w", pub.Fingerprint(), ErrSignature)
	}
	return nil
}
