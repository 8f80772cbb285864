package ruby

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"io"
	"strings"

	"hallmark/formats/format"
)

const maxChain = 8

// checkSignatures verifies the signatures that a gem came with by the certificates in it, as a policy of RubyGems that trusts the
// first of them does (lib/rubygems/security/policy.rb), but for their dates: each certificate is issued by the one before it, the
// first by itself, and the key of the last has signed every file. A gem without signatures passes, whatever its chain says.
//
// What is signed is the SHA-256 of a file, and a signature is over the SHA-256 of that.
func (a *archive) checkSignatures(chain []string) error {
	if !a.isSigned() {
		return nil
	}
	certificates, err := parseChain(chain)
	if err != nil {
		return err
	}
	signer := certificates[len(certificates)-1]
	for _, name := range signedFiles() {
		if !a.has(name) {
			if a.has(name + sigExtension) {
				return format.Malformedf("the gem has a signature of %s and no such file", name)
			}
			continue
		}
		if !a.has(name + sigExtension) {
			return format.Malformedf("the gem is signed, and lacks the signature of its %s: sign it again", name)
		}
		sum, err := a.digest(name)
		if err != nil {
			return err
		}
		sig, err := io.ReadAll(a.open(name + sigExtension))
		if err != nil {
			return err
		}
		if !verifies(signer, sum, sig) {
			return format.Malformedf("the signature of %s in the gem is not one over SHA-256 by the key of its certificate %.100q: sign it again, "+
				"or build it without signing_key to have it signed here", name, signer.Subject)
		}
	}
	return nil
}

// parseChain returns the certificates of a chain, the root first.
func parseChain(chain []string) ([]*x509.Certificate, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, format.Malformedf("the gem is signed, and its cert_chain has %d certificates: it must have one to %d",
			len(chain), maxChain)
	}
	var all []*x509.Certificate
	for i, text := range chain {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
			return nil, format.Malformedf("the gem is signed, and entry %d of its cert_chain is no certificate in PEM", i+1)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, format.Malformedf("the gem is signed, and certificate %d of its cert_chain cannot be read: %.100q", i+1, err)
		}
		issuer := c
		if i > 0 {
			issuer = all[i-1]
		}
		if string(c.RawIssuer) != string(issuer.RawSubject) || !issued(issuer, c) {
			return nil, format.Malformedf("certificate %d of the gem's cert_chain, %.100q, is not signed by the one before it, or the first not by itself",
				i+1, c.Subject)
		}
		all = append(all, c)
	}
	return all, nil
}

// issued reports whether the key of a certificate has signed another one. Certificates over SHA-1 are taken where the key is of
// RSA: gem made them for years, and what they say is not believed for that.
func issued(issuer, c *x509.Certificate) bool {
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && c.SignatureAlgorithm == x509.SHA1WithRSA {
		sum := sha1.Sum(c.RawTBSCertificate)
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], c.Signature) == nil
	}
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func verifies(c *x509.Certificate, message, sig []byte) bool {
	sum := sha256.Sum256(message)
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], sig)
	}
	return false
}
