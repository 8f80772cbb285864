package signing

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// ErrExpired says that a key of OpenPGP, or the X.509 certificate of a key, has
// expired.
var ErrExpired = openpgp.ErrExpired

// NewOpenPGPKey returns a key that signs with an OpenPGP key, for one of the
// purposes index, package and file. The name is for people: it stands in errors
// and lists. The error wraps [ErrExpired] if the key has expired at now.
//
// Package hallmark/signing/keys reads and generates secrets.
func NewOpenPGPKey(name string, p scheme.Purpose, secret *openpgp.Secret, now time.Time) (*Key, error) {
	if name == "" {
		return nil, errors.New("key without a name")
	}
	switch p {
	case scheme.Index, scheme.Package, scheme.File:
	default:
		return nil, fmt.Errorf("key %q: OpenPGP keys of purpose %q: %w", name, p, errors.ErrUnsupported)
	}
	if secret == nil {
		return nil, fmt.Errorf("key %q: no private key", name)
	}
	public, err := NewOpenPGPPublicKey(secret.Certificate())
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	if end := public.Expires(); !end.IsZero() && !now.Before(end) {
		return nil, fmt.Errorf("key %q: OpenPGP key %s: %w on %s; extend it with gpg --quick-set-expire, or use another key",
			name, public.Fingerprint(), ErrExpired, end.Format(time.DateOnly))
	}
	return &Key{name: name, purpose: p, public: public, openpgp: secret}, nil
}

// signText makes one clear-signed text with the signatures of all keys.
func signText(keys []*Key, m Message, at time.Time) (*Signed, error) {
	text, ok := m.(Bytes)
	if !ok {
		return nil, fmt.Errorf("clear-sign a %T: %w", m, errors.ErrUnsupported)
	}
	secrets := make([]*openpgp.Secret, 0, len(keys))
	for _, k := range keys {
		secrets = append(secrets, k.openpgp)
	}
	document, packets, err := openpgp.Clearsign(secrets, text, at)
	if err != nil {
		return nil, err
	}
	signed := &Signed{Document: document}
	for i, k := range keys {
		if _, err := VerifyClearsigned(k.public, document); err != nil {
			return nil, fmt.Errorf("key %q: the signature just made is faulty: %w", k.name, err)
		}
		signed.add(k, packets[i], packets[i])
	}
	return signed, nil
}

// signDetached makes detached signatures, which all go into one file.
func signDetached(keys []*Key, s scheme.Scheme, m Message, at time.Time) (*Signed, error) {
	signed, err := signEach(keys, func(k *Key) (value, sig []byte, err error) {
		h, err := m.State(k.openpgp.Certificate().Hash())
		if err != nil {
			return nil, nil, err
		}
		if sig, err = k.openpgp.Sign(openpgp.BinaryDocument, h, at); err != nil {
			return nil, nil, err
		}
		if err := VerifyOpenPGP(k.public, m, sig); err != nil {
			return nil, nil, fmt.Errorf("the signature just made is faulty: %w", err)
		}
		return sig, sig, nil
	})
	if err != nil {
		return nil, err
	}
	var packets [][]byte
	for _, sig := range signed.Signatures {
		packets = append(packets, sig.Value)
	}
	signed.Document = bytes.Join(packets, nil)
	if s == scheme.OpenPGPArmored {
		signed.Document = openpgp.ArmorSignature(signed.Document)
	}
	return signed, nil
}

// VerifyOpenPGP returns nil if sig, armored or binary, is a detached signature
// over a message by a key of OpenPGP. Signatures by other keys may stand beside
// it. The key must have been valid at the time that the signature names; what
// time it is now does not matter. An error for the signature wraps
// [ErrSignature].
func VerifyOpenPGP(pub PublicKey, m Message, sig []byte) error {
	if pub.certificate == nil {
		return fmt.Errorf("key %s is not of OpenPGP: %w", pub.Fingerprint(), ErrSignature)
	}
	signatures, err := openpgp.ParseSignatures(sig)
	if err != nil {
		return fmt.Errorf("OpenPGP signature: %w", err)
	}
	return asErrSignature(pub, pub.certificate.Verify(openpgp.BinaryDocument, m.State, signatures))
}

// VerifyClearsigned returns the text of a clear-signed document, with LF at the
// end of each line and no other white space there, if a key of OpenPGP has
// signed it; see [VerifyOpenPGP]. A document that holds anything else, before
// or after, is refused.
func VerifyClearsigned(pub PublicKey, document []byte) (text []byte, err error) {
	if pub.certificate == nil {
		return nil, fmt.Errorf("key %s is not of OpenPGP: %w", pub.Fingerprint(), ErrSignature)
	}
	text, state, signatures, err := openpgp.ParseClearsigned(document)
	if err != nil {
		return nil, fmt.Errorf("clear-signed text: %w", err)
	}
	if err := pub.certificate.Verify(openpgp.TextDocument, state, signatures); err != nil {
		return nil, asErrSignature(pub, err)
	}
	return text, nil
}

func asErrSignature(pub PublicKey, err error) error {
	if errors.Is(err, openpgp.ErrSignature) || errors.Is(err, openpgp.ErrNoSignature) {
		return fmt.Errorf("key %s: %w: %w", pub.Fingerprint(), ErrSignature, err)
	}
	return err
}
