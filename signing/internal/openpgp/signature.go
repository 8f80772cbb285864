package openpgp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Type is what a signature says about what was hashed (RFC 9580 section
// 5.2.1).
type Type byte

// The types of signatures of messages.
const (
	BinaryDocument Type = 0x00
	TextDocument   Type = 0x01

	positiveCertification Type = 0x13
)

// The types of subpackets (RFC 9580 section 5.2.3.7).
const (
	subpacketCreation         = 2
	subpacketPreferredCiphers = 11
	subpacketIssuer           = 16
	subpacketPreferredHashes  = 21
	subpacketPrimaryUserID    = 25
	subpacketKeyFlags         = 27
	subpacketFingerprint      = 33
)

// Sign returns a signature packet of version 4 (RFC 9580 section 5.2.3) over
// what h has hashed, by the hash of [Certificate.Hash]; h is written to. The
// time is that of at, in seconds, or that of the key if it is later: no client
// takes a signature that is older than its key.
//
// The error wraps [ErrExpired] if the key has expired by then. For signers of
// the standard library, equal arguments give equal bytes.
func (s *Secret) Sign(t Type, h hash.Hash, at time.Time) ([]byte, error) {
	c := s.certificate
	if created := c.Created(); at.Before(created) {
		at = created
	}
	if c.primary.expired(at) || c.signer.expired(at) {
		return nil, fmt.Errorf("%w: it was valid until %s", ErrExpired, c.expires.Format(time.DateTime))
	}
	return s.sign(t, h, at, nil)
}

// sign makes a signature with subpackets of a self-signature's own.
//
// No subpacket is critical: rpm before 4.15 refuses signatures with critical
// subpackets, and gpg makes none.
func (s *Secret) sign(t Type, h hash.Hash, at time.Time, more []byte) ([]byte, error) {
	pk := s.certificate.signer.packet
	id, _ := hashID(s.certificate.Hash())
	hashed := subpacket(subpacketCreation, binary.BigEndian.AppendUint32(nil, uint32(at.Unix())))
	hashed = append(hashed, subpacket(subpacketIssuer, binary.BigEndian.AppendUint64(nil, pk.KeyId))...)
	hashed = append(hashed, more...)
	hashed = append(hashed, subpacket(subpacketFingerprint, append([]byte{4}, pk.Fingerprint...))...)

	body := []byte{4, byte(t), byte(pk.PubKeyAlgo), id}
	body = binary.BigEndian.AppendUint16(body, uint16(len(hashed)))
	body = append(body, hashed...)
	h.Write(body)
	h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(body))))
	digest := h.Sum(nil)
	numbers, err := s.signDigest(digest)
	if err != nil {
		return nil, err
	}
	body = append(body, 0, 0) // nothing that is not hashed
	body = append(body, digest[:2]...)
	return newPacket(tagSignature, append(body, numbers...)), nil
}

// signDigest returns the numbers of a signature (RFC 9580 section 5.2.3.1).
func (s *Secret) signDigest(digest []byte) ([]byte, error) {
	if _, ok := s.signer.Public().(ed25519.PublicKey); ok {
		// What EdDSA signs is the digest, and not the message.
		sig, err := s.signer.Sign(nil, digest, crypto.Hash(0))
		if err != nil {
			return nil, err
		}
		if len(sig) != ed25519.SignatureSize {
			return nil, fmt.Errorf("Ed25519 signature of %d bytes", len(sig))
		}
		return append(mpi(sig[:32]), mpi(sig[32:])...), nil
	}
	// Without randomness the nonces of ECDSA are those of RFC 6979.
	sig, err := s.signer.Sign(nil, digest, s.certificate.Hash())
	if err != nil {
		return nil, err
	}
	if _, ok := s.signer.Public().(*ecdsa.PublicKey); !ok {
		return mpi(sig), nil
	}
	r, v, inner := new(big.Int), new(big.Int), cryptobyte.String(nil)
	der := cryptobyte.String(sig)
	if !der.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(v) {
		return nil, errors.New("ECDSA signature that is not ASN.1")
	}
	return append(mpi(r.Bytes()), mpi(v.Bytes())...), nil
}

// mpi writes a number without its leading zeros (RFC 9580 section 3.2).
func mpi(number []byte) []byte {
	number = bytes.TrimLeft(number, "\x00")
	bits := new(big.Int).SetBytes(number).BitLen()
	return append(binary.BigEndian.AppendUint16(nil, uint16(bits)), number...)
}

// subpacket writes a subpacket of less than 191 bytes.
func subpacket(kind byte, data []byte) []byte {
	return append([]byte{byte(len(data) + 1), kind}, data...)
}

// maxSignatures bounds the packets of one signature file, and its bytes.
const (
	maxSignatures    = 16
	maxSignatureFile = 64 << 10
)

// ParseSignatures reads the packets of a detached signature, armored or
// binary. It skips such as go-crypto cannot read, of newer versions and
// algorithms, and refuses any other kind of packet.
func ParseSignatures(data []byte) ([]*packet.Signature, error) {
	body, kind, err := dearmor(data, maxSignatureFile)
	if err != nil {
		return nil, err
	}
	if kind != "" && kind != armorSignature {
		return nil, fmt.Errorf("the armor is a %.100q, not a %q", kind, armorSignature)
	}
	packets, err := split(body)
	if err != nil {
		return nil, err
	}
	if len(packets) > maxSignatures {
		return nil, fmt.Errorf("more than %d signatures", maxSignatures)
	}
	var signatures []*packet.Signature
	for _, p := range packets {
		if p.Tag != tagSignature {
			return nil, fmt.Errorf("a packet of type %d among signatures", p.Tag)
		}
		if parsed, err := p.Parse(); err == nil {
			if sig, ok := parsed.(*packet.Signature); ok {
				signatures = append(signatures, sig)
			}
		}
	}
	return signatures, nil
}

// ErrSignature says that there is a signature by the key, and it does not
// verify; ErrNoSignature, that there is none.
var (
	ErrSignature   = errors.New("signature does not verify")
	ErrNoSignature = errors.New("no signature by this key")
)

// Verify returns nil if one of the signatures is by a key of c that may sign
// and all that are by such a key verify. The error wraps [ErrNoSignature] or
// [ErrSignature]. State returns what was hashed, to be written to.
//
// A signature counts only if the key was valid when it says that it was made,
// and only over SHA-256, SHA-384 or SHA-512.
func (c *Certificate) Verify(t Type, state func(crypto.Hash) (hash.Hash, error), signatures []*packet.Signature) error {
	found := false
	for _, sig := range signatures {
		for _, k := range c.signers {
			if !sig.CheckKeyIdOrFingerprint(k.packet) {
				continue
			}
			if err := c.verify(k, t, state, sig); err != nil {
				return err
			}
			found = true
		}
	}
	if !found {
		return fmt.Errorf("%w %s", ErrNoSignature, c.Fingerprint())
	}
	return nil
}

func (c *Certificate) verify(k key, t Type, state func(crypto.Hash) (hash.Hash, error), sig *packet.Signature) error {
	at := sig.CreationTime
	switch {
	case sig.Version != 4:
		return fmt.Errorf("%w: it is of version %d", ErrSignature, sig.Version)
	case Type(sig.SigType) != t:
		return fmt.Errorf("%w: it is of type %#02x, not %#02x", ErrSignature, byte(sig.SigType), byte(t))
	case sig.Hash != crypto.SHA256 && sig.Hash != crypto.SHA384 && sig.Hash != crypto.SHA512:
		return fmt.Errorf("%w: it is over %v", ErrSignature, sig.Hash)
	case at.Before(k.packet.CreationTime):
		return fmt.Errorf("%w: it is older than its key", ErrSignature)
	case k.expired(at) || c.primary.expired(at):
		return fmt.Errorf("%w: it is newer than the end of its key", ErrSignature)
	}
	h, err := state(sig.Hash)
	if err != nil {
		return err
	}
	if err := k.packet.VerifySignature(h, sig); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}
