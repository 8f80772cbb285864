package signing

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// A Keyring is public keys of somebody else, whose signature by any of them
// counts. It is immutable and safe for concurrent use.
//
// It is stricter than [VerifyOpenPGP] is with keys of our own: a signature
// counts only if neither it nor its key has expired by now, and more lenient in
// that signatures beside one that counts may be whatever they like.
type Keyring struct {
	certificates []*openpgp.Certificate
	bare         []PublicKey
	unused       []error
}

// maxBareKeys bounds the PEM blocks of a keyring: each is tried.
const maxBareKeys = 64

// ParseKeyring reads public keys: certificates of OpenPGP, armored or binary,
// or bare keys as [ParsePublicKey] takes them, one after the other. Those that
// have expired at now or cannot be used are left out; the error says why if
// none is left.
func ParseKeyring(data []byte, now time.Time) (*Keyring, error) {
	if len(data) > openpgp.MaxKeyring {
		return nil, fmt.Errorf("longer than %d bytes", openpgp.MaxKeyring)
	}
	k := &Keyring{}
	for _, block := range openpgp.ArmoredKeyrings(data) {
		all, unused, err := openpgp.ParseKeyring(block, now)
		if err != nil {
			return nil, err
		}
		k.certificates = append(k.certificates, all...)
		k.unused = append(k.unused, unused...)
	}
	if len(k.certificates)+len(k.unused) == 0 {
		if err := k.parseBare(data); err != nil {
			return nil, err
		}
	}
	switch {
	case len(k.certificates)+len(k.bare) > 0:
		return k, nil
	case len(k.unused) > 0:
		return nil, fmt.Errorf("none of the keys can be used: %w", k.unused[0])
	}
	return nil, errors.New("there is no public key of OpenPGP and no PEM block \"PUBLIC KEY\" in the file")
}

func (k *Keyring) parseBare(data []byte) error {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil
		}
		public, err := ParsePublicKey(pem.EncodeToMemory(block))
		if err != nil {
			k.unused = append(k.unused, err)
		} else if k.bare = append(k.bare, public); len(k.bare) > maxBareKeys {
			return fmt.Errorf("more than %d keys", maxBareKeys)
		}
	}
}

// Unused says why keys were left out.
func (k *Keyring) Unused() []error { return slices.Clone(k.unused) }

// Fingerprints returns those of the keys; see [PublicKey.Fingerprint].
func (k *Keyring) Fingerprints() []string {
	var all []string
	for _, c := range k.certificates {
		all = append(all, c.Fingerprint())
	}
	for _, b := range k.bare {
		all = append(all, b.Fingerprint())
	}
	return all
}

// Armored returns the keys of OpenPGP in one armor, and nil if there are none.
func (k *Keyring) Armored() []byte {
	if len(k.certificates) == 0 {
		return nil
	}
	return openpgp.Armor(k.certificates...)
}

// Verify returns when a detached signature over a message was made, if it is by
// one of the keys: in the schemes of OpenPGP, armored or binary, or in
// [scheme.RSASHA256], [scheme.RSASHA1] or [scheme.ECDSASHA256], of which the
// time is zero. The error
// wraps [ErrSignature] if no signature counts; it names who signed, as far as
// the signature tells. The message is read to its end, or not at all.
func (k *Keyring) Verify(s scheme.Scheme, message io.Reader, sig []byte, now time.Time) (made time.Time, err error) {
	switch s {
	case scheme.OpenPGPArmored, scheme.OpenPGPBinary:
		return k.verifyOpenPGP(message, sig, now)
	case scheme.RSASHA256, scheme.RSASHA1, scheme.ECDSASHA256:
		return time.Time{}, k.verifyBare(s, message, sig)
	}
	return time.Time{}, fmt.Errorf("verify scheme %q: %w", s, errors.ErrUnsupported)
}

func (k *Keyring) verifyOpenPGP(message io.Reader, sig []byte, now time.Time) (made time.Time, err error) {
	signatures, err := openpgp.ParseSignatures(sig)
	if err != nil {
		return made, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	hashed, err := ReadHashed(message, openpgp.Hashes(signatures)...)
	if err != nil {
		return made, err
	}
	return k.asErrSignature(openpgp.VerifyAny(k.certificates, openpgp.BinaryDocument, hashed.State, signatures, now))
}

// asErrSignature makes errors for signatures wrap [ErrSignature].
func (k *Keyring) asErrSignature(made time.Time, err error) (time.Time, error) {
	if errors.Is(err, openpgp.ErrSignature) || errors.Is(err, openpgp.ErrNoSignature) {
		err = fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return made, err
}

func (k *Keyring) verifyBare(s scheme.Scheme, message io.Reader, sig []byte) error {
	h := crypto.SHA256
	if s == scheme.RSASHA1 {
		h = crypto.SHA1
	}
	hashed, err := ReadHashed(message, h)
	if err != nil {
		return err
	}
	for _, public := range k.bare {
		if s == scheme.ECDSASHA256 {
			err = VerifyECDSA(public, hashed, sig)
		} else {
			err = VerifyRSA(public, s, hashed, sig)
		}
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w by any of the %d keys", ErrSignature, len(k.bare))
}

// Cleartext returns the text of a clear-signed document as [VerifyClearsigned]
// does, and when the signature was made; see [Keyring.Verify].
func (k *Keyring) Cleartext(document []byte, now time.Time) (text []byte, made time.Time, err error) {
	text, state, signatures, err := openpgp.ParseClearsigned(document)
	if err != nil {
		return nil, made, fmt.Errorf("%w: clear-signed text: %w", ErrSignature, err)
	}
	if made, err = k.asErrSignature(openpgp.VerifyAny(k.certificates, openpgp.TextDocument, state, signatures, now)); err != nil {
		return nil, made, err
	}
	return text, made, nil
}

// UnverifiedCleartext returns the text of a clear-signed document that nobody
// vouches for. A document that holds anything else is refused all the same.
func UnverifiedCleartext(document []byte) ([]byte, error) {
	text, _, _, err := openpgp.ParseClearsigned(document)
	if err != nil {
		return nil, fmt.Errorf("clear-signed text: %w", err)
	}
	return text, nil
}
