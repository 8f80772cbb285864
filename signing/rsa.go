package signing

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"

	"hallmark/signing/scheme"
)

// signRSA makes a signature of RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2), which
// is the same every time.
func signRSA(k *Key, h crypto.Hash, m Message) (value, sig []byte, err error) {
	sum, err := digest(m, h)
	if err != nil {
		return nil, nil, err
	}
	if sig, err = k.signer.Sign(nil, sum, h); err != nil {
		return nil, nil, err
	}
	if err := verifyRSA(k.public, h, sum, sig); err != nil {
		return nil, nil, fmt.Errorf("the signature just made is faulty: %w", err)
	}
	return sig, sig, nil
}

// VerifyRSA returns nil if sig is the key's signature over a message in scheme
// [scheme.RSASHA256] or [scheme.RSASHA1]. An error for the signature wraps
// [ErrSignature].
func VerifyRSA(pub PublicKey, s scheme.Scheme, m Message, sig []byte) error {
	var h crypto.Hash
	switch s {
	case scheme.RSASHA256:
		h = crypto.SHA256
	case scheme.RSASHA1:
		h = crypto.SHA1
	default:
		return fmt.Errorf("scheme %q: %w", s, errors.ErrUnsupported)
	}
	sum, err := digest(m, h)
	if err != nil {
		return err
	}
	return verifyRSA(pub, h, sum, sig)
}

func verifyRSA(pub PublicKey, h crypto.Hash, sum, sig []byte) error {
	key, ok := pub.key.(*rsa.PublicKey)
	if !ok || rsa.VerifyPKCS1v15(key, h, sum, sig) != nil {
		return fmt.Errorf("key %s: %w", pub.Fingerprint(), ErrSignature)
	}
	return nil
}
