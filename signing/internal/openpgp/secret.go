package openpgp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The errors of [ParseSecret] for a key that is encrypted.
var (
	ErrNoPassphrase    = errors.New("the OpenPGP key is encrypted and there is no passphrase")
	ErrWrongPassphrase = errors.New("it is wrong, or the file is damaged")
)

// What a file may ask for to derive a key by Argon2 (RFC 9580 section
// 3.7.1.4). The iterated hash of older files cannot ask for more than 65 MB.
const (
	maxArgon2Memory = 18 // the exponent of KiB: 256 MiB
	maxArgon2Passes = 8
)

// A Secret is a transferable secret key (RFC 9580 section 10.2) that can sign.
// It is immutable and safe for concurrent use.
type Secret struct {
	certificate *Certificate
	signer      crypto.Signer
	packets     []any // *raw or *packet.PrivateKey, decrypted, as they are stored
}

// ParseSecret reads one secret key, armored or binary, and chooses the key that
// signs as [ParseCertificate] does. The passphrase opens what is encrypted.
// Of an encrypted key without a passphrase the error is [ErrNoPassphrase], and
// with a wrong one [ErrWrongPassphrase].
//
// The primary key may lack its private half, as gpg --export-secret-subkeys
// writes it, if a subkey signs.
func ParseSecret(data, passphrase []byte, now time.Time) (*Secret, error) {
	body, kind, err := dearmor(data, MaxKey)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "", armorPrivate:
	case armorPublic:
		return nil, errors.New("this is a public key; signing needs the private one")
	default:
		return nil, fmt.Errorf("the armor is a %.100q, not a %q", kind, armorPrivate)
	}
	packets, err := split(body)
	if err != nil {
		return nil, err
	}
	if len(packets) > 0 && packets[0].Tag == tagPublicKey {
		return nil, errors.New("this is a public key; signing needs the private one")
	}
	if len(packets) == 0 || packets[0].Tag != tagSecretKey {
		return nil, errors.New("the file does not begin with a secret key")
	}
	return newSecret(packets, passphrase, now)
}

func newSecret(packets []*raw, passphrase []byte, now time.Time) (*Secret, error) {
	s := &Secret{}
	public, private, err := s.keep(packets)
	if err != nil {
		return nil, err
	}
	// Before the passphrase is tried: of a key that cannot be used, it should
	// be said why.
	if s.certificate, err = newCertificate(public, now); err != nil {
		return nil, err
	}
	if err := decrypt(private, passphrase); err != nil {
		return nil, err
	}
	if s.signer, err = s.findSigner(private); err != nil {
		return nil, fmt.Errorf("OpenPGP key %s: %w", s.certificate.Fingerprint(), err)
	}
	return s, nil
}

// keep fills in the packets that are stored, and returns the public halves of
// all and the private keys among them. Subkeys that go-crypto cannot read, for
// they are on a card or of a newer kind, are left out.
func (s *Secret) keep(packets []*raw) (public []*raw, private []*packet.PrivateKey, err error) {
	skip := false
	for i, p := range packets {
		if p.Tag != tagSecretKey && p.Tag != tagSecretSubkey {
			if !skip {
				public, s.packets = append(public, p), append(s.packets, p)
			}
			continue
		}
		if len(private) == maxKeys {
			return nil, nil, fmt.Errorf("more than %d subkeys", maxKeys-1)
		}
		if i == 0 {
			if err := checkHead(p.Contents); err != nil {
				return nil, nil, err
			}
		}
		key, half, err := publicHalf(p)
		if skip = err != nil && p.Tag == tagSecretSubkey && isUnsupported(err); skip {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		public, private, s.packets = append(public, half), append(private, key), append(s.packets, key)
	}
	return public, private, nil
}

func isUnsupported(err error) bool {
	unsupported := pgperrors.UnsupportedError("")
	return errors.As(err, &unsupported)
}

// publicHalf parses a secret key's packet, and returns its public half as a
// packet too.
func publicHalf(p *raw) (*packet.PrivateKey, *raw, error) {
	parsed, err := p.Parse()
	if err != nil {
		return nil, nil, fmt.Errorf("secret key: %w", err)
	}
	key, ok := parsed.(*packet.PrivateKey)
	if !ok {
		return nil, nil, errors.New("secret key: another packet")
	}
	body := publicBody(&key.PublicKey)
	// What follows the public half tells what opens the private one, and
	// go-crypto, which would do what it says, hides it.
	if !bytes.HasPrefix(p.Contents, body) {
		return nil, nil, errors.New("secret key: numbers with leading zeros")
	}
	if err := checkDerivation(p.Contents[len(body):]); err != nil {
		return nil, nil, fmt.Errorf("secret key: %w", err)
	}
	tag := uint8(tagPublicKey)
	if p.Tag == tagSecretSubkey {
		tag = tagPublicSubkey
	}
	return key, &raw{Tag: tag, Contents: body}, nil
}

// checkDerivation refuses a private half (RFC 9580 section 5.5.3) that asks
// for more memory or time than a passphrase is worth.
func checkDerivation(half []byte) error {
	if len(half) == 0 {
		return errors.New("truncated")
	}
	var s2k []byte
	switch half[0] {
	case byte(packet.S2KAEAD):
		s2k = half[min(3, len(half)):]
	case byte(packet.S2KSHA1), byte(packet.S2KCHECKSUM):
		s2k = half[min(2, len(half)):]
	}
	const argon2 = 4
	if len(s2k) == 0 || s2k[0] != argon2 {
		return nil
	}
	if len(s2k) < 20 {
		return errors.New("truncated")
	}
	if passes, memory := s2k[17], s2k[19]; passes > maxArgon2Passes || memory > maxArgon2Memory {
		return fmt.Errorf("Argon2 with %d passes over 2^%d KiB; at most %d over 2^%d are allowed", passes, memory, maxArgon2Passes, maxArgon2Memory)
	}
	return nil
}

// decrypt opens all private halves that are there.
func decrypt(private []*packet.PrivateKey, passphrase []byte) error {
	encrypted := func(k *packet.PrivateKey) bool { return k.Encrypted && !k.Dummy() }
	if len(passphrase) == 0 && slices.ContainsFunc(private, encrypted) {
		return ErrNoPassphrase
	}
	err := packet.DecryptPrivateKeys(private, passphrase)
	if invalid := pgperrors.KeyInvalidError(""); errors.As(err, &invalid) {
		return fmt.Errorf("OpenPGP key: %w", err)
	}
	if err != nil {
		return ErrWrongPassphrase
	}
	return nil
}

func (s *Secret) findSigner(private []*packet.PrivateKey) (crypto.Signer, error) {
	want := s.certificate.signer.packet.Fingerprint
	for _, k := range private {
		if !bytes.Equal(k.Fingerprint, want) {
			continue
		}
		if k.Dummy() {
			break
		}
		return signerOf(k)
	}
	return nil, fmt.Errorf("the private half of %X, which is to sign, is not in the file", want)
}

// signerOf returns a private key in the form of the standard library, which
// checks that it belongs to the public one.
func signerOf(k *packet.PrivateKey) (crypto.Signer, error) {
	public, _, err := publicKey(&k.PublicKey)
	if err != nil {
		return nil, err
	}
	var signer crypto.Signer
	switch key := k.PrivateKey.(type) {
	case *rsa.PrivateKey:
		signer = key
	case *pgpecdsa.PrivateKey:
		curve := public.(*ecdsa.PublicKey).Curve
		signer, err = ecdsa.ParseRawPrivateKey(curve, key.D.FillBytes(make([]byte, (curve.Params().BitSize+7)/8)))
		if err != nil {
			return nil, err
		}
	case *eddsa.PrivateKey:
		seed := key.MarshalByteSecret()
		if len(seed) > ed25519.SeedSize {
			return nil, fmt.Errorf("secret of %d bytes", len(seed))
		}
		signer = ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-len(seed)), seed...))
	default:
		return nil, fmt.Errorf("private key of type %T", key)
	}
	if p, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !p.Equal(public) {
		return nil, errors.New("the private half does not belong to the public one")
	}
	return signer, nil
}

// Certificate returns the public half.
func (s *Secret) Certificate() *Certificate { return s.certificate }

// Signer returns the private key that signs.
func (s *Secret) Signer() crypto.Signer { return s.signer }

// Encode returns the key in ASCII armor, which [ParseSecret] and gpg --import
// read: with a passphrase encrypted (AES-256, iterated SHA-256), otherwise in
// plain.
func (s *Secret) Encode(passphrase []byte) ([]byte, error) {
	var b bytes.Buffer
	for _, p := range s.packets {
		var err error
		switch p := p.(type) {
		case *raw:
			err = p.Serialize(&b)
		case *packet.PrivateKey:
			err = encodePrivate(&b, p, passphrase)
		}
		if err != nil {
			return nil, fmt.Errorf("OpenPGP key %s: %w", s.certificate.Fingerprint(), err)
		}
	}
	return enarmor(armorPrivate, b.Bytes()), nil
}

func encodePrivate(b *bytes.Buffer, k *packet.PrivateKey, passphrase []byte) error {
	if len(passphrase) == 0 || k.Dummy() {
		return k.Serialize(b)
	}
	// Encrypting changes the key in place, and others use it.
	copied := *k
	err := copied.EncryptWithConfig(passphrase, &packet.Config{
		DefaultCipher: packet.CipherAES256, DefaultHash: crypto.SHA256, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	return copied.Serialize(b)
}

// WithSigner returns the key with another holder of its private half, such as
// a token. What it signs is verified by nobody here.
func (s *Secret) WithSigner(signer crypto.Signer) *Secret {
	other := *s
	other.signer = signer
	return &other
}
