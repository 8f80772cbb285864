package signing

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"hallmark/signing/scheme"
)

const (
	// certificateYears is how long a certificate that is made here is valid.
	certificateYears = 10

	// clockSkew is how far the clock of a client may be behind ours when it
	// meets a new certificate.
	clockSkew = time.Hour

	// maxCertificate bounds a certificate, which for RSA 8192 has 2.5 KiB.
	maxCertificate = 16 << 10
)

// NewCertificate returns a self-signed X.509 certificate (RFC 5280) for an RSA
// key, in DER: for code signing and digital signatures, for ten years from now.
// Its subject names the repository and the key, since RubyGems keeps trusted
// certificates in files that are named by their subjects.
//
// Two calls return different certificates, so whoever makes one keeps it.
func NewCertificate(s crypto.Signer, repository string, now time.Time) ([]byte, error) {
	public, err := NewPublicKey(s.Public())
	if err != nil {
		return nil, err
	}
	if public.Family() != scheme.RSA {
		return nil, fmt.Errorf("X.509 certificate of a %s key: %w; clients of certificates for packages take RSA alone", public.Kind(), errors.ErrUnsupported)
	}
	id := sha256.Sum256([]byte(public.spki))
	name := pkix.Name{CommonName: "Hallmark " + repository, SerialNumber: hex.EncodeToString(id[:8])}
	template := &x509.Certificate{
		Subject: name, Issuer: name,
		NotBefore:             now.UTC().Add(-clockSkew),
		NotAfter:              now.UTC().AddDate(certificateYears, 0, 0),
		SignatureAlgorithm:    x509.SHA256WithRSA,
		SubjectKeyId:          id[:20],
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, template, s.Public(), s)
}

// NewCertifiedKey returns a bare key as [NewKey] does, which stands in a
// certificate: one that [NewCertificate] made, or one like it. The error wraps
// [ErrExpired] if the certificate has expired at now.
func NewCertifiedKey(name string, p scheme.Purpose, s crypto.Signer, certificate []byte, now time.Time) (*Key, error) {
	k, err := NewKey(name, p, s)
	if err != nil {
		return nil, err
	}
	public, err := NewCertifiedPublicKey(certificate)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	if !public.Equal(k.public) {
		return nil, fmt.Errorf("key %q: the X.509 certificate is of another key, %s, and the private key is of %s", name, public.ID(), k.public.ID())
	}
	if err := public.checkX509(now); err != nil {
		return nil, fmt.Errorf("key %q: %w", name, err)
	}
	k.public = public
	return k, nil
}

// NewCertifiedPublicKey returns the bare key in an X.509 certificate, which is
// self-signed, of RSA, and for code signing; one that has expired, too. Those of
// an authority are refused: RubyGems wants the root of a chain in every package.
func NewCertifiedPublicKey(certificate []byte) (PublicKey, error) {
	if len(certificate) > maxCertificate {
		return PublicKey{}, fmt.Errorf("X.509 certificate is longer than %d bytes", maxCertificate)
	}
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		return PublicKey{}, fmt.Errorf("X.509 certificate: %w", err)
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return PublicKey{}, fmt.Errorf("X.509 certificate of a key of %s: %w; clients of certificates for packages take RSA alone", c.PublicKeyAlgorithm, errors.ErrUnsupported)
	}
	public, err := NewPublicKey(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("X.509 certificate: %w", err)
	}
	if err := checkUse(c); err != nil {
		return PublicKey{}, fmt.Errorf("X.509 certificate %q: %w", c.Subject, err)
	}
	public.x509 = string(certificate)
	return public, nil
}

// ParseCertificate reads a PEM file that holds one X.509 certificate as
// [NewCertifiedPublicKey] takes it.
func ParseCertificate(data []byte) (PublicKey, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return PublicKey{}, errors.New("no PEM block")
	case block.Type != "CERTIFICATE":
		return PublicKey{}, fmt.Errorf("PEM block is a %q, not a \"CERTIFICATE\"", block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return PublicKey{}, errors.New("data after the certificate")
	}
	return NewCertifiedPublicKey(block.Bytes)
}

// checkUse returns an error unless RubyGems and NuGet take signatures by the key
// of a certificate that they trust.
func checkUse(c *x509.Certificate) error {
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA:
	default:
		return fmt.Errorf("it is signed by %s, and clients take SHA256-RSA, SHA384-RSA and SHA512-RSA", c.SignatureAlgorithm)
	}
	switch {
	case !bytes.Equal(c.RawSubject, c.RawIssuer) || c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil:
		return errors.New("it is not self-signed, and certificates of an authority cannot be used here")
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning):
		return errors.New("it is not for code signing (extendedKeyUsage = codeSigning)")
	case c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("it is not for digital signatures (keyUsage = digitalSignature)")
	}
	return nil
}

// checkX509 returns an error unless the key's X.509 certificate, if it has one,
// is valid at a time.
func (k PublicKey) checkX509(at time.Time) error {
	c := k.parsedX509()
	switch {
	case c == nil:
		return nil
	case !at.Before(c.NotAfter):
		return fmt.Errorf("X.509 certificate %q: %w on %s; use a new key beside this one", c.Subject, ErrExpired, c.NotAfter.Format(time.DateOnly))
	case at.Before(c.NotBefore):
		return fmt.Errorf("X.509 certificate %q is not valid before %s", c.Subject, c.NotBefore.Format(time.RFC3339))
	}
	return nil
}

func (k PublicKey) parsedX509() *x509.Certificate {
	if k.x509 == "" {
		return nil
	}
	c, err := x509.ParseCertificate([]byte(k.x509))
	if err != nil {
		panic(err) // it was parsed before
	}
	return c
}

// Certificate returns the X.509 certificate in which a bare key stands, in DER,
// and nil for one that stands in none.
func (k PublicKey) Certificate() []byte {
	if k.x509 == "" {
		return nil
	}
	return []byte(k.x509)
}

// CertificatePEM returns what [PublicKey.Certificate] does in PEM.
func (k PublicKey) CertificatePEM() []byte {
	if k.x509 == "" {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(k.x509)})
}
