// Package nugettest verifies packages of NuGet as NuGet does. It shares no code with the format: it reads CMS into the
// structures of RFC 5652, and takes the signature out of a package by the rules of NuGet's verifier
// (SignedPackageArchiveUtility and Signature of NuGet.Client).
package nugettest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// ErrSignature says that a signature is none by a certificate that is trusted.
var ErrSignature = errors.New("no good signature by a trusted certificate")

type (
	cmsInfo struct {
		Type    asn1.ObjectIdentifier
		Content cmsData `asn1:"explicit,tag:0"`
	}
	cmsData struct {
		Version      int
		Algorithms   []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      cmsContent
		Certificates []asn1.RawValue `asn1:"optional,set,tag:0"`
		Signers      []cmsSigner     `asn1:"set"`
	}
	cmsContent struct {
		Type asn1.ObjectIdentifier
		Text []byte `asn1:"explicit,tag:0"`
	}
	cmsSigner struct {
		Version   int
		ID        cmsID
		Digest    pkix.AlgorithmIdentifier
		Signed    []cmsAttribute `asn1:"set,tag:0"`
		Algorithm pkix.AlgorithmIdentifier
		Value     []byte
		Unsigned  []cmsAttribute `asn1:"optional,set,tag:1"`
	}
	cmsID struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	cmsAttribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	essCertificates struct{ Certificates []essCertificate }
	essCertificate  struct {
		Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
		Hash      []byte
		Issuer    essIssuer `asn1:"optional"`
	}
	essIssuer struct {
		Names  []asn1.RawValue
		Serial *big.Int
	}
)

var (
	contentTypeOID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	messageDigestOID  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	signingTimeOID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	counterOID        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	commitmentOID     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}
	signingCertOID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	originOID         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 1}
	receiptOID        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 2}
	timestampOID      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	serviceIndexOID   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 84, 2, 1, 1, 1}
	dataOID           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	signedDataOID     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	sha256OID         = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	rsaOID            = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	errNoSignature    = errors.New("the package has no signature")
	signatureFileName = ".signature.p7s"
)

// Unsigned returns a package without its signature, as it was before it was signed, and the signature, which is CMS.
func Unsigned(data []byte) (before, signature []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the archive is damaged: %v", r)
		}
	}()
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	end := len(data) - 22
	if end < 0 || u32(data[end:]) != 0x06054b50 {
		return nil, nil, errors.New("the archive has no end")
	}
	count, size, at := int(u16(data[end+10:])), int(u32(data[end+12:])), int(u32(data[end+16:]))
	records := data[at : at+size]
	var kept []byte
	from, to := -1, -1
	for n, rest := 0, records; n < count; n++ {
		if u32(rest) != 0x02014b50 {
			return nil, nil, errors.New("the list of files is damaged")
		}
		name := string(rest[46 : 46+int(u16(rest[28:]))])
		length := 46 + int(u16(rest[28:])) + int(u16(rest[30:])) + int(u16(rest[32:]))
		if name == signatureFileName {
			if from >= 0 || u16(rest[8:]) != 0 || u16(rest[10:]) != 0 || u32(rest[38:]) != 0 || u32(rest[20:]) != u32(rest[24:]) {
				return nil, nil, errors.New("the signature is not stored as NuGet wants it")
			}
			from = int(u32(rest[42:]))
			to = from + 30 + int(u16(data[from+26:])) + int(u16(data[from+28:])) + int(u32(data[from+18:]))
			signature = data[to-int(u32(data[from+18:])) : to]
			if string(data[from+30:from+30+len(name)]) != name || u16(data[from+6:]) != 0 || u16(data[from+8:]) != 0 {
				return nil, nil, errors.New("the signature is not stored as NuGet wants it")
			}
		} else {
			kept = append(kept, rest[:length]...)
		}
		rest = rest[length:]
	}
	if from < 0 {
		return nil, nil, errNoSignature
	}
	if to != at {
		return nil, nil, errors.New("the signature is not the last of the files")
	}
	tail := slices.Clone(data[end:])
	binary.LittleEndian.PutUint16(tail[8:], uint16(count-1))
	binary.LittleEndian.PutUint16(tail[10:], uint16(count-1))
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(kept)))
	binary.LittleEndian.PutUint32(tail[16:], uint32(from))
	return slices.Concat(data[:from], kept, tail), signature, nil
}

// Verified is what the signatures of a package say.
type Verified struct {
	Certificate *x509.Certificate // of the repository
	Index       string            // by which the repository is known
	Time        time.Time         // when it signed, as it says
	Value       []byte            // its signature
	Timestamp   []byte            // of that, if there is one: a TimeStampToken, which is not verified

	// Author is the author's certificate and AuthorValue his signature, which the repository has countersigned; AuthorKeeps are
	// the unsigned attributes beside that, by their object identifiers. Nil: he has not signed.
	Author      *x509.Certificate
	AuthorValue []byte
	AuthorKeeps map[string][]byte
}

// Verify verifies the repository signature of a package, which is by one of the certificates, and that of its author if there
// is one, whoever that is.
func Verify(data []byte, trusted ...*x509.Certificate) (Verified, error) {
	var v Verified
	before, signature, err := Unsigned(data)
	if err != nil {
		return v, err
	}
	var info cmsInfo
	if rest, err := asn1.Unmarshal(signature, &info); err != nil || len(rest) > 0 || !info.Type.Equal(signedDataOID) || len(info.Content.Signers) != 1 {
		return v, fmt.Errorf("the signature is no SignedData with one signer: %v", err)
	}
	cms := info.Content
	digest := sha256.Sum256(before)
	want := "Version:1\n\n2.16.840.1.101.3.4.2.1-Hash:" + base64.StdEncoding.EncodeToString(digest[:]) + "\n\n"
	if string(cms.Content.Text) != want || !cms.Content.Type.Equal(dataOID) {
		return v, fmt.Errorf("the signature is of %q, and the package is %q", cms.Content.Text, want)
	}
	primary := &cms.Signers[0]
	if err := verifySigner(cms, primary, cms.Content.Text); err != nil {
		return v, err
	}
	if raw, err := attributeOf(primary.Signed, contentTypeOID); err != nil || !bytes.Equal(raw.FullBytes, mustMarshal(dataOID)) {
		return v, errors.New("the type of content is not that of data")
	}
	repository := primary
	if commitment(primary).Equal(originOID) {
		if repository, err = v.readAuthor(cms, primary); err != nil {
			return v, err
		}
	}
	return v, v.readRepository(cms, repository, trusted)
}

// readAuthor notes an author's signature, and returns the countersignature of it.
func (v *Verified) readAuthor(cms cmsData, author *cmsSigner) (*cmsSigner, error) {
	raw, err := attributeOf(author.Unsigned, counterOID)
	if err != nil {
		return nil, err
	}
	repository := &cmsSigner{}
	if rest, err := asn1.Unmarshal(raw.FullBytes, repository); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the countersignature is none: %v", err)
	}
	if err := verifySigner(cms, repository, author.Value); err != nil {
		return nil, err
	}
	if _, err := attributeOf(repository.Signed, contentTypeOID); err == nil {
		return nil, errors.New("the countersignature has a type of content (RFC 5652 section 11.4)")
	}
	v.AuthorValue, v.AuthorKeeps = author.Value, map[string][]byte{}
	for _, a := range author.Unsigned {
		if !a.Type.Equal(counterOID) && len(a.Values) == 1 {
			v.AuthorKeeps[a.Type.String()] = a.Values[0].FullBytes
		}
	}
	v.Author, err = certificateOf(cms, author)
	return repository, err
}

// readRepository notes a repository's signature, which must be by a certificate that is trusted.
func (v *Verified) readRepository(cms cmsData, s *cmsSigner, trusted []*x509.Certificate) (err error) {
	if !commitment(s).Equal(receiptOID) {
		return errors.New("it is no repository signature")
	}
	if v.Certificate, err = certificateOf(cms, s); err != nil {
		return err
	}
	if !slices.ContainsFunc(trusted, v.Certificate.Equal) {
		return fmt.Errorf("the certificate of %s is not trusted: %w", v.Certificate.Subject, ErrSignature)
	}
	raw, err := attributeOf(s.Signed, serviceIndexOID)
	if err != nil || raw.Tag != asn1.TagIA5String {
		return errors.New("the signature names no service index")
	}
	v.Index, v.Value = string(raw.Bytes), s.Value
	if raw, err := attributeOf(s.Unsigned, timestampOID); err == nil {
		v.Timestamp = raw.FullBytes
	}
	raw, err = attributeOf(s.Signed, signingTimeOID)
	if err == nil {
		_, err = asn1.Unmarshal(raw.FullBytes, &v.Time)
	}
	return err
}

func verifySigner(cms cmsData, s *cmsSigner, text []byte) error {
	c, err := certificateOf(cms, s)
	if err != nil {
		return err
	}
	if !s.Digest.Algorithm.Equal(sha256OID) || !s.Algorithm.Algorithm.Equal(rsaOID) || s.Version != 1 {
		return errors.New("the signature is by other algorithms")
	}
	digest := sha256.Sum256(text)
	raw, err := attributeOf(s.Signed, messageDigestOID)
	if err != nil || !bytes.Equal(raw.Bytes, digest[:]) {
		return errors.New("the signature is of another message")
	}
	raw, err = attributeOf(s.Signed, signingCertOID)
	var ess essCertificates
	if err == nil {
		_, err = asn1.Unmarshal(raw.FullBytes, &ess)
	}
	fingerprint := sha256.Sum256(c.Raw)
	if err != nil || len(ess.Certificates) != 1 || !bytes.Equal(ess.Certificates[0].Hash, fingerprint[:]) ||
		commitment(s).Equal(receiptOID) && (ess.Certificates[0].Issuer.Serial == nil || ess.Certificates[0].Issuer.Serial.Cmp(c.SerialNumber) != 0) {
		return fmt.Errorf("the signature does not name its certificate: %v", err)
	}
	set := mustMarshal(struct {
		Attributes []cmsAttribute `asn1:"set"`
	}{s.Signed})
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(set, &inner); err != nil {
		return err
	}
	// What is signed is the SET in DER: the order in the message must be that of DER.
	message := sha256.Sum256(inner.Bytes)
	if err := rsa.VerifyPKCS1v15(c.PublicKey.(*rsa.PublicKey), crypto.SHA256, message[:], s.Value); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

func certificateOf(cms cmsData, s *cmsSigner) (*x509.Certificate, error) {
	for _, raw := range cms.Certificates {
		c, err := x509.ParseCertificate(raw.FullBytes)
		if err == nil && bytes.Equal(c.RawIssuer, s.ID.Issuer.FullBytes) && c.SerialNumber.Cmp(s.ID.Serial) == 0 {
			if _, ok := c.PublicKey.(*rsa.PublicKey); ok {
				return c, nil
			}
		}
	}
	return nil, errors.New("there is no certificate of the signer")
}

func attributeOf(all []cmsAttribute, oid asn1.ObjectIdentifier) (asn1.RawValue, error) {
	var found []asn1.RawValue
	for _, a := range all {
		if a.Type.Equal(oid) {
			found = append(found, a.Values...)
		}
	}
	if len(found) != 1 {
		return asn1.RawValue{}, fmt.Errorf("%d attributes %v", len(found), oid)
	}
	return found[0], nil
}

func commitment(s *cmsSigner) asn1.ObjectIdentifier {
	raw, err := attributeOf(s.Signed, commitmentOID)
	var list []asn1.ObjectIdentifier
	if err != nil {
		return nil
	}
	if _, err := asn1.Unmarshal(raw.FullBytes, &list); err != nil || len(list) != 1 {
		return nil
	}
	return list[0]
}

func mustMarshal(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}
