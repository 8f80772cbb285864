package nuget

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // linked in, for timestamps that name their certificate so
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/formats/internal/zipfile"
)

// signatures are those of a package: one primary, and perhaps a repository's countersignature of an author's.
type signatures struct {
	*message
	author     bool // the primary signature is an author's
	repository *signer
}

// readSignatures reads the signatures of a package and verifies all that can be verified without trusting anybody: whether
// they are by the keys of the certificates that they name, and of this package. It returns nil for a package that has none.
func readSignatures(b format.Blob, a *archive) (*signatures, error) {
	s, err := parseSignatures(a)
	if err != nil || s == nil {
		return nil, err
	}
	if err := s.signer.verify(s.message, s.text, true, x509.ExtKeyUsageCodeSigning); err != nil {
		return nil, err
	}
	if s.author && s.repository != nil {
		if err := s.repository.verify(s.message, s.signer.value, false, x509.ExtKeyUsageCodeSigning); err != nil {
			return nil, err
		}
	}
	return s, s.checkContent(b, a)
}

// parseSignatures reads the signatures of a package and verifies nothing.
func parseSignatures(a *archive) (*signatures, error) {
	if a.signature == nil {
		return nil, nil
	}
	der, err := zipfile.Read(a.signature.File, maxSignature)
	if err != nil {
		return nil, err
	}
	m, err := parseMessage(der)
	if err == nil && m.kind != oidData {
		err = malformedSignature()
	}
	if err != nil {
		return nil, err
	}
	s := &signatures{message: m}
	repository, err := m.signer.isRepository()
	if err != nil {
		return nil, err
	}
	if repository {
		s.repository = &m.signer
		return s, nil
	}
	s.author = true
	for _, attribute := range m.signer.unsigned {
		if attribute.oid != oidCountersignature {
			continue
		}
		if len(attribute.values) != 1 || s.repository != nil {
			return nil, format.Malformedf("the signature in the package has several countersignatures, and NuGet takes one")
		}
		counter, err := parseSigner(attribute.values[0])
		if err != nil {
			return nil, err
		}
		if repository, err := counter.isRepository(); err != nil || !repository {
			return nil, format.Malformedf("the signature in the package has a countersignature that is no repository's")
		}
		s.repository = &counter
	}
	return s, nil
}

// verify verifies the signature of a text by a key whose certificate is for a use. The primary one says of what kind the content
// is, and a countersignature does not.
func (s signer) verify(m *message, text []byte, primary bool, use x509.ExtKeyUsage) error {
	if primary {
		kind, err := s.single(oidContentType)
		if err != nil || kind.dotted() != m.kind {
			return malformedSignature()
		}
	}
	digest, err := s.single(oidMessageDigest)
	if err != nil {
		return err
	}
	if !digest.is(tagOctetString) || !bytes.Equal(digest.Bytes, sum(s.hash, text)) {
		return format.Malformedf("the signature in the package does not verify: it is of other content")
	}
	c, err := m.certificate(s)
	if err != nil {
		return err
	}
	if err := s.checkCertificate(c, use); err != nil {
		return err
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
		return format.Malformedf("the signature in the package is by a key that NuGet takes no signatures of: it wants RSA with at least 2048 bits")
	}
	if rsa.VerifyPKCS1v15(key, s.hash, sum(s.hash, s.message), s.value) != nil {
		return format.Malformedf("the signature in the package does not verify: it is not by the key of the certificate of %.100q", c.Subject.CommonName)
	}
	return nil
}

// checkCertificate refuses a certificate that is not for a use, or not the one that the signature names by its digest (RFC 5035
// section 3): another one may have the same issuer and serial number.
func (s signer) checkCertificate(c *x509.Certificate, use x509.ExtKeyUsage) error {
	if !slices.Contains(c.ExtKeyUsage, use) {
		return format.Malformedf("the signature in the package is by a key whose certificate is not for code signing, or, of a timestamp, not for timestamps")
	}
	hash := crypto.SHA256
	v, err := s.single(oidSigningCertificateV2)
	if err != nil && use == x509.ExtKeyUsageTimeStamping {
		hash = crypto.SHA1
		v, err = s.single(oidSigningCertificate)
	}
	if err != nil {
		return err
	}
	var named struct {
		Certificates []asn1.RawValue
		Policies     asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(v.FullBytes, &named); err != nil || len(rest) > 0 || len(named.Certificates) == 0 {
		return malformedSignature()
	}
	fields, err := values(named.Certificates[0].Bytes)
	if err != nil || len(fields) == 0 {
		return malformedSignature()
	}
	if fields[0].is(tagSequence) {
		var ok bool
		if hash, ok = hashOf(algorithmOf(fields[0])); !ok || len(fields) < 2 {
			return malformedSignature()
		}
		fields = fields[1:]
	}
	if !fields[0].is(tagOctetString) || !bytes.Equal(fields[0].Bytes, sum(hash, c.Raw)) {
		return format.Malformedf("the signature in the package names another certificate than it comes with")
	}
	return nil
}

// The frame of the text that a primary signature signs (SignatureContent of NuGet.Client).
const (
	contentHead   = "Version:1\n\n"
	contentDigest = "-Hash:"
	contentTail   = "\n\n"
)

// content returns the text that a primary signature of a package signs.
func content(sha256 []byte) []byte {
	return []byte(contentHead + oidSHA256 + contentDigest + base64.StdEncoding.EncodeToString(sha256) + contentTail)
}

// checkContent compares the digest that was signed with that of the package.
func (s *signatures) checkContent(b format.Blob, a *archive) error {
	text := strings.ReplaceAll(string(s.text), "\r\n", "\n")
	rest, isFirst := strings.CutPrefix(text, contentHead)
	oid, encoded, _ := strings.Cut(strings.TrimRight(rest, "\n"), contentDigest)
	hash, known := hashOf(oid)
	want, err := base64.StdEncoding.DecodeString(encoded)
	if !isFirst || !known || err != nil {
		return format.Malformedf("the signature in the package is over %.100q, which names no digest of a package", text)
	}
	got, err := a.digest(b, hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return format.Malformedf("the package was changed after it was signed: its signature is of other content")
	}
	return nil
}

// digest returns the digest of the package as it is without its signature: that of the file before it was signed.
func (a *archive) digest(b format.Blob, h crypto.Hash) ([]byte, error) {
	if a.signature == nil && h == crypto.SHA256 {
		return b.Digest(h), nil
	}
	w := h.New()
	last, record := a.directory, a.endAt()
	if a.signature != nil {
		last, record = a.signature.header, a.signature.record
	}
	for _, part := range []format.Section{{Offset: 0, Size: last}, {Offset: a.directory, Size: record - a.directory}} {
		if _, err := io.Copy(w, io.NewSectionReader(b, part.Offset, part.Size)); err != nil {
			return nil, err
		}
	}
	w.Write(a.endOf(len(a.files), record-a.directory, last))
	return w.Sum(nil), nil
}

func sum(h crypto.Hash, data []byte) []byte {
	w := h.New()
	w.Write(data)
	return w.Sum(nil)
}
