package openpgp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxUserID bounds user IDs: gpg asks for less than 256 bytes in listings.
const maxUserID = 255

// The identifiers of curves (RFC 9580 section 9.2).
var curveIDs = map[string]string{
	"p256":    "\x2a\x86\x48\xce\x3d\x03\x01\x07",
	"p384":    "\x2b\x81\x04\x00\x22",
	"p521":    "\x2b\x81\x04\x00\x23",
	"ed25519": "\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",
}

// CheckUserID returns an error unless a user ID is readable text: UTF-8 of 1 to
// 255 bytes without control characters.
func CheckUserID(id string) error {
	if id == "" || len(id) > maxUserID || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) || strings.TrimSpace(id) != id {
		return fmt.Errorf("user ID %.300q is not 1 to %d bytes of text", id, maxUserID)
	}
	return nil
}

// New makes an OpenPGP key of a private key of the standard library: a primary
// key of version 4 that certifies and signs, with one user ID and without
// expiry. The same arguments give the same fingerprint.
func New(private crypto.Signer, userID string, created time.Time) (*Secret, error) {
	if err := CheckUserID(userID); err != nil {
		return nil, err
	}
	body, err := secretBody(private, created)
	if err != nil {
		return nil, err
	}
	primary := &raw{Tag: tagSecretKey, Contents: body}
	key, half, err := publicHalf(primary)
	if err != nil {
		return nil, err
	}
	_, kind, err := publicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	certify := &Secret{signer: private, certificate: &Certificate{signer: signingKey(&key.PublicKey, kind)}}
	certification, err := certify.certify(half.Contents, userID, created)
	if err != nil {
		return nil, err
	}
	id := &raw{Tag: tagUserID, Contents: []byte(userID)}
	sig, err := split(certification)
	if err != nil {
		return nil, err
	}
	return newSecret([]*raw{primary, id, sig[0]}, nil, created)
}

func signingKey(pk *packet.PublicKey, kind string) key { return key{packet: pk, kind: kind} }

// certify makes the self-signature over a primary key and a user ID (RFC 9580
// sections 5.2.4 and 5.2.3.10). Its preferences are those of gpg, for what
// people encrypt to the key, though it is not for that.
func (s *Secret) certify(public []byte, userID string, at time.Time) ([]byte, error) {
	h := s.certificate.Hash().New()
	h.Write(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(public))))
	h.Write(public)
	h.Write(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(userID))))
	h.Write([]byte(userID))
	more := bytes.Join([][]byte{
		subpacket(subpacketPreferredCiphers, []byte{9, 7}),    // AES-256, AES-128
		subpacket(subpacketPreferredHashes, []byte{8, 9, 10}), // SHA-256, SHA-384, SHA-512
		subpacket(subpacketPrimaryUserID, []byte{1}),
		subpacket(subpacketKeyFlags, []byte{flagCertifyAndSign}),
	}, nil)
	return s.sign(positiveCertification, h, at, more)
}

const flagCertifyAndSign = packet.KeyFlagCertify | packet.KeyFlagSign

// secretBody writes a secret key's packet (RFC 9580 section 5.5.3), not
// encrypted.
func secretBody(private crypto.Signer, created time.Time) ([]byte, error) {
	if created.Unix() < 0 || created.Unix() > 1<<32-1 {
		return nil, fmt.Errorf("a key of the year %d", created.Year())
	}
	body := binary.BigEndian.AppendUint32([]byte{4}, uint32(created.Unix()))
	var secret []byte
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if len(key.Primes) != 2 {
			return nil, errors.New("RSA key of more than two primes")
		}
		// p < q, and u is the inverse of p modulo q.
		p, q := key.Primes[0], key.Primes[1]
		if p.Cmp(q) > 0 {
			p, q = q, p
		}
		u := new(big.Int).ModInverse(p, q)
		body = append(body, byte(packet.PubKeyAlgoRSA))
		body = append(body, mpi(key.N.Bytes())...)
		body = append(body, mpi(big.NewInt(int64(key.E)).Bytes())...)
		secret = bytes.Join([][]byte{mpi(key.D.Bytes()), mpi(p.Bytes()), mpi(q.Bytes()), mpi(u.Bytes())}, nil)
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		scalar, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		body = appendCurve(append(body, byte(packet.PubKeyAlgoECDSA)), strings.ToLower(strings.ReplaceAll(key.Params().Name, "-", "")))
		body = append(body, mpi(point)...)
		secret = mpi(scalar)
	case ed25519.PrivateKey:
		body = appendCurve(append(body, byte(packet.PubKeyAlgoEdDSA)), "ed25519")
		body = append(body, mpi(append([]byte{0x40}, key[32:]...))...)
		secret = mpi(key.Seed())
	default:
		return nil, fmt.Errorf("an OpenPGP key cannot be made of a %T", private)
	}
	body = append(append(body, byte(packet.S2KNON)), secret...)
	var sum uint16
	for _, b := range secret {
		sum += uint16(b)
	}
	return binary.BigEndian.AppendUint16(body, sum), nil
}

func appendCurve(body []byte, name string) []byte {
	id := curveIDs[name]
	return append(append(body, byte(len(id))), id...)
}
