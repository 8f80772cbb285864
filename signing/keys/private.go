package keys

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"hallmark/signing"
	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// A private is a private key in either of its forms.
type private struct {
	signer crypto.Signer   // nil for a key of OpenPGP
	secret *openpgp.Secret // nil for a bare key

	certificate []byte // in DER; nil for a key that stands in none
}

// ParseOpenPGP reads a secret key of OpenPGP, armored or binary, with or
// without subkeys. The passphrase opens what is encrypted and is ignored
// otherwise. What it returns, [signing.NewOpenPGPKey] takes, unless it has
// expired at now.
//
// The error for a key that cannot be used says what the key is, and is a
// [*PassphraseError] for the passphrase. ParseOpenPGP is safe to call with
// hostile data, as [Parse] is.
func ParseOpenPGP(data, passphrase []byte, now time.Time) (*openpgp.Secret, error) {
	secret, err := openpgp.ParseSecret(data, passphrase, now)
	switch {
	case errors.Is(err, openpgp.ErrNoPassphrase):
		return nil, &PassphraseError{Missing: true}
	case errors.Is(err, openpgp.ErrWrongPassphrase):
		return nil, &PassphraseError{Err: err}
	}
	return secret, err
}

// isOpenPGP reports whether a file holds a key of OpenPGP: armor or packets,
// the first bit of which is set.
func isOpenPGP(data []byte) bool {
	return bytes.Contains(data, []byte(armorPGP)) || len(data) > 0 && data[0]&0x80 != 0
}

// parse reads a key of e's family, and its certificate if there is one and e's
// key can have one.
func parse(e entry, data, passphrase []byte, now time.Time) (private, error) {
	if e.family == scheme.OpenPGP {
		if !isOpenPGP(data) {
			return private{}, errors.New("this is no key of OpenPGP, which gpg --export-secret-keys writes")
		}
		secret, err := ParseOpenPGP(data, passphrase, now)
		return private{secret: secret}, err
	}
	var certificate []byte
	if e.certified {
		var err error
		if data, certificate, err = splitCertificate(data); err != nil {
			return private{}, err
		}
	}
	signer, err := Parse(data, passphrase)
	if err != nil {
		return private{}, err
	}
	public, err := signing.NewPublicKey(signer.Public())
	if err == nil && e.family != "" && public.Family() != e.family {
		err = fmt.Errorf("the key is of kind %s where scheme says %s", public.Kind(), e.family)
	}
	return private{signer: signer, certificate: certificate}, err
}

// generatePrivate makes a new key of e's kind.
func generatePrivate(e entry, now time.Time) (private, error) {
	signer, err := generate(e.generate)
	if err != nil {
		return private{}, err
	}
	p := private{signer: signer}
	switch {
	case e.family == scheme.OpenPGP:
		secret, err := openpgp.New(signer, e.userID, now)
		return private{secret: secret}, err
	case e.certified:
		p.certificate, err = signing.NewCertificate(signer, e.repository, now)
	}
	return p, err
}

// public returns the public half.
func (p private) public() (signing.PublicKey, error) {
	switch {
	case p.secret != nil:
		return signing.NewOpenPGPPublicKey(p.secret.Certificate())
	case p.certificate != nil:
		return signing.NewCertifiedPublicKey(p.certificate)
	}
	return signing.NewPublicKey(p.signer.Public())
}

// key returns the key for a ring.
func (p private) key(e entry, now time.Time) (*signing.Key, error) {
	switch {
	case p.secret != nil:
		return signing.NewOpenPGPKey(e.name, e.purpose, p.secret, now)
	case p.certificate != nil:
		return signing.NewCertifiedKey(e.name, e.purpose, p.signer, p.certificate, now)
	}
	return signing.NewKey(e.name, e.purpose, p.signer)
}

// encode returns the key as it is stored.
func (p private) encode(passphrase []byte) ([]byte, error) {
	if p.secret != nil {
		return p.secret.Encode(passphrase)
	}
	key, err := encode(p.signer, passphrase)
	if err != nil || p.certificate == nil {
		return key, err
	}
	return append(key, pem.EncodeToMemory(&pem.Block{Type: typeCertificate, Bytes: p.certificate})...), nil
}

// encodePublic returns a public key as it is stored.
func encodePublic(k signing.PublicKey) []byte {
	switch {
	case k.Family() == scheme.OpenPGP:
		return k.Armored()
	case k.Certificate() != nil:
		return k.CertificatePEM()
	}
	return k.PEM()
}

// parsePublic reads what encodePublic returns.
func parsePublic(e entry, data []byte, now time.Time) (signing.PublicKey, error) {
	switch {
	case e.family == scheme.OpenPGP:
		return signing.ParseOpenPGP(data, now)
	case e.certified:
		return signing.ParseCertificate(data)
	}
	return signing.ParsePublicKey(data)
}
