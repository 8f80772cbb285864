package openpgp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// What a file of several keys may hold: Debian's has 60 KiB.
const (
	MaxKeyring        = 4 << 20 // bytes
	maxKeyringPackets = 20_000
)

// ParseKeyring reads public keys one after the other, armored or binary. Those
// that cannot be used are left out, and unused says why.
func ParseKeyring(data []byte, now time.Time) (all []*Certificate, unused []error, err error) {
	body, kind, err := dearmor(data, MaxKeyring)
	if err != nil {
		return nil, nil, err
	}
	if kind != "" && kind != armorPublic {
		return nil, nil, fmt.Errorf("the armor is a %.100q, not a %q", kind, armorPublic)
	}
	packets, err := splitUpTo(body, maxKeyringPackets)
	if err != nil {
		return nil, nil, err
	}
	if len(packets) == 0 || packets[0].Tag != tagPublicKey {
		return nil, nil, errors.New("the file does not begin with a public key")
	}
	for len(packets) > 0 {
		end := 1 + slices.IndexFunc(packets[1:], func(p *raw) bool { return p.Tag == tagPublicKey })
		if end == 0 {
			end = len(packets)
		}
		c, err := newCertificate(packets[:end], now)
		if err == nil && c.primary.expired(now) {
			err = fmt.Errorf("OpenPGP key %s: %w on %s", c.Fingerprint(), ErrExpired, c.primary.expires.Format(time.DateOnly))
		}
		if err != nil {
			unused = append(unused, err)
		} else {
			all = append(all, c)
		}
		packets = packets[end:]
	}
	return all, unused, nil
}

// skew is how far the clock of whoever signs may be ahead of ours.
const skew = time.Hour

// VerifyAny returns when the newest of those signatures was made that is by one
// of the keys and verifies. Others may stand beside it, whatever they are. The
// error wraps [ErrNoSignature] or [ErrSignature] if there is none. State is as
// for [Certificate.Verify].
//
// A signature counts as there, and only if neither it nor its key has expired
// at now, and if it was not made after now.
func VerifyAny(all []*Certificate, t Type, state func(crypto.Hash) (hash.Hash, error), signatures []*packet.Signature, now time.Time) (made time.Time, err error) {
	for _, sig := range signatures {
		for _, c := range all {
			for _, k := range c.signers {
				if !sig.CheckKeyIdOrFingerprint(k.packet) {
					continue
				}
				fault := c.verifyNow(k, t, state, sig, now)
				switch {
				case fault != nil && err == nil:
					err = fmt.Errorf("key %s: %w", k.fingerprint(), fault)
				case fault == nil && sig.CreationTime.After(made):
					made = sig.CreationTime.UTC()
				}
			}
		}
	}
	switch {
	case !made.IsZero():
		return made, nil
	case err != nil:
		return made, err
	case len(signatures) == 0:
		return made, fmt.Errorf("%w: there is none that can be read", ErrNoSignature)
	}
	return made, &strangerError{issuers(signatures)}
}

// A strangerError says that none of the signatures is by a key that was asked
// for. It wraps ErrNoSignature.
type strangerError struct{ issuers []string }

func (e *strangerError) Error() string {
	return "it is signed by " + strings.Join(e.issuers, " and ") + ", which is not among the keys"
}

func (e *strangerError) Unwrap() error { return ErrNoSignature }

// Hashes returns the hashes that signatures are over, of those that count.
func Hashes(signatures []*packet.Signature) []crypto.Hash {
	var hashes []crypto.Hash
	for _, sig := range signatures {
		switch sig.Hash {
		case crypto.SHA256, crypto.SHA384, crypto.SHA512:
			if !slices.Contains(hashes, sig.Hash) {
				hashes = append(hashes, sig.Hash)
			}
		}
	}
	return hashes
}

func (c *Certificate) verifyNow(k key, t Type, state func(crypto.Hash) (hash.Hash, error), sig *packet.Signature, now time.Time) error {
	switch {
	case k.expired(now) || c.primary.expired(now):
		return fmt.Errorf("%w: %w on %s", ErrSignature, ErrExpired, earlier(k.expires, c.primary.expires).Format(time.DateOnly))
	case sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs != 0 && !now.Before(sig.CreationTime.Add(time.Duration(*sig.SigLifetimeSecs)*time.Second)):
		return fmt.Errorf("%w: it has expired", ErrSignature)
	case sig.CreationTime.After(now.Add(skew)):
		return fmt.Errorf("%w: it is from the future, of %s", ErrSignature, sig.CreationTime.UTC().Format(time.DateTime))
	}
	return c.verify(k, t, state, sig)
}

// issuers returns the fingerprints, or else the IDs, of the keys that signatures say they are by.
func issuers(signatures []*packet.Signature) []string {
	var names []string
	for _, sig := range signatures {
		name := "a key that it does not name"
		switch {
		case len(sig.IssuerFingerprint) > 0:
			name = fmt.Sprintf("key %X", sig.IssuerFingerprint)
		case sig.IssuerKeyId != nil:
			name = fmt.Sprintf("key %016X", *sig.IssuerKeyId)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// ArmoredKeyrings cuts a file into its blocks of armor that hold public keys. A
// binary file is one block.
func ArmoredKeyrings(data []byte) [][]byte {
	const end = "-----END " + armorPublic + "-----"
	if len(data) > 0 && data[0]&0x80 != 0 {
		return [][]byte{data}
	}
	var blocks [][]byte
	for {
		i := bytes.Index(data, []byte(end))
		if i < 0 {
			return blocks
		}
		blocks = append(blocks, append(bytes.Clone(data[:i]), end+"\n"...))
		data = data[i+len(end):]
	}
}
