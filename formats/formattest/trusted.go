package formattest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrSignature says that a signature is none by a key that the client trusts.
var ErrSignature = errors.New("no good signature by a trusted key")

// Trusted is the keyring of a client in miniature. It has no keys of sidecars, as a package manager's has none. OpenPGP is
// verified by github.com/ProtonMail/go-crypto, which is not what signs.
type Trusted struct {
	keys []private
	now  time.Time
}

// Keys returns the public keys.
func (t Trusted) Keys() format.Keys { return keyring{keys: t.keys}.public() }

// Armored verifies a detached OpenPGP signature in ASCII armor. A bare one is refused.
func (t Trusted) Armored(message, signature []byte) error {
	_, err := t.signed(scheme.OpenPGPArmored, message, signature)
	return err
}

// Binary verifies a detached OpenPGP signature that is bare packets. One in armor is refused.
func (t Trusted) Binary(message, signature []byte) error {
	_, err := t.signed(scheme.OpenPGPBinary, message, signature)
	return err
}

// EveryBinary verifies a detached OpenPGP signature that is bare packets, and refuses it unless each of them is a good one by
// a key that is trusted. That is the rule of pacman (check_pgp_helper of libalpm's signing.c), and of rpm.
func (t Trusted) EveryBinary(message, signature []byte) error {
	packets := packet.NewOpaqueReader(bytes.NewReader(signature))
	for n := 0; ; n++ {
		p, err := packets.Next()
		if err == io.EOF && n > 0 {
			return nil
		}
		if err != nil {
			return asErrSignature(err)
		}
		var one bytes.Buffer
		if err := p.Serialize(&one); err != nil {
			return asErrSignature(err)
		}
		if err := t.Binary(message, one.Bytes()); err != nil {
			return err
		}
	}
}

// Clearsigned verifies a text in the frame of RFC 9580 section 7 and returns the text, with LF at the end of each line and no
// white space before it. Nothing may stand around the frame.
func (t Trusted) Clearsigned(document []byte) ([]byte, error) {
	block, rest := clearsign.Decode(document)
	framed := bytes.HasPrefix(document, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n"))
	if block == nil || !framed || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("the document is not a clear-signed text and nothing else: %w", ErrSignature)
	}
	if _, err := block.VerifySignature(t.entities(), t.config()); err != nil {
		return nil, asErrSignature(err)
	}
	// What was signed ends its lines with CR LF, and the last one with nothing.
	return append(bytes.ReplaceAll(block.Bytes, []byte("\r\n"), []byte("\n")), '\n'), nil
}

// RSA verifies a PKCS #1 v1.5 signature in one of the RSA schemes by the key of a file name.
func (t Trusted) RSA(file string, s scheme.Scheme, message, signature []byte) error {
	for _, key := range t.keys {
		if key.rsa == nil || key.File != file {
			continue
		}
		h, sum := rsaDigest(s, message)
		return asErrSignature(rsa.VerifyPKCS1v15(key.rsa, h, sum, signature))
	}
	return fmt.Errorf("there is no key %q: %w", file, ErrSignature)
}

// ECDSA verifies a signature in scheme [scheme.ECDSASHA256] by the key of a file name.
func (t Trusted) ECDSA(file string, message, signature []byte) error {
	sum := sha256.Sum256(message)
	for _, key := range t.keys {
		if key.ecdsa != nil && key.File == file && ecdsa.VerifyASN1(key.ecdsa, sum[:], signature) {
			return nil
		}
	}
	return fmt.Errorf("the key %q has not made it: %w", file, ErrSignature)
}

// Certificates returns the X.509 certificates of the keys that have one, the newest last.
func (t Trusted) Certificates() []*x509.Certificate {
	var all []*x509.Certificate
	for _, key := range t.keys {
		if key.Certificate != nil {
			all = append(all, must(x509.ParseCertificate(key.Certificate)))
		}
	}
	return all
}

// signed verifies a detached signature by any key, and returns when it was made as far as it says so.
func (t Trusted) signed(s scheme.Scheme, message, signature []byte) (time.Time, error) {
	var packets io.Reader = bytes.NewReader(signature)
	switch armored := bytes.HasPrefix(signature, []byte("-----")); {
	case s == scheme.RSASHA1 || s == scheme.RSASHA256:
		err := fmt.Errorf("there is no key: %w", ErrSignature)
		for _, key := range t.keys {
			if err = t.RSA(key.File, s, message, signature); err == nil {
				break
			}
		}
		return time.Time{}, err
	case s == scheme.ECDSASHA256:
		err := fmt.Errorf("there is no key: %w", ErrSignature)
		for _, key := range t.keys {
			if err = t.ECDSA(key.File, message, signature); err == nil {
				break
			}
		}
		return time.Time{}, err
	case s == scheme.OpenPGPBinary && armored:
		return time.Time{}, fmt.Errorf("the signature is in armor: %w", ErrSignature)
	case s == scheme.OpenPGPArmored:
		block, err := armor.Decode(packets)
		if err != nil || block.Type != openpgp.SignatureType {
			return time.Time{}, fmt.Errorf("the signature is not in armor: %w", ErrSignature)
		}
		packets = block.Body
	case s != scheme.OpenPGPBinary:
		return time.Time{}, fmt.Errorf("there are no detached signatures in the scheme %q: %w", s, ErrSignature)
	}
	made, _, err := openpgp.VerifyDetachedSignature(t.entities(), bytes.NewReader(message), packets, t.config())
	if err != nil {
		return time.Time{}, asErrSignature(err)
	}
	return made.CreationTime, nil
}

func (t Trusted) entities() openpgp.EntityList {
	var list openpgp.EntityList
	for _, key := range t.keys {
		if key.openpgp != nil {
			list = append(list, key.openpgp)
		}
	}
	return list
}

func (t Trusted) config() *packet.Config {
	return &packet.Config{Time: func() time.Time { return t.now }}
}

func asErrSignature(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

// of returns the keyring of a client that trusts the keys of some sets.
func (k keyring) of(now time.Time, sets ...int) Trusted {
	t := Trusted{now: now}
	for _, key := range k.keys {
		for _, set := range sets {
			if key.set == set && key.Purpose != scheme.File {
				t.keys = append(t.keys, key)
			}
		}
	}
	return t
}

func rsaDigest(s scheme.Scheme, message []byte) (crypto.Hash, []byte) {
	if s == scheme.RSASHA1 {
		sum := sha1.Sum(message)
		return crypto.SHA1, sum[:]
	}
	sum := sha256.Sum256(message)
	return crypto.SHA256, sum[:]
}
