package nuget

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// sealName is the name of the one seal of a package.
const sealName = "repository"

// Seal wishes for a repository signature: the primary one, or, where the author has signed, a countersignature of that
// (learn.microsoft.com/nuget/api/repository-signatures-resource, and NuGet/Home, Repository-Signatures-and-Countersignatures).
// A repository signature of somebody else makes room for ours, since NuGet takes one.
//
// The oldest key signs alone: a package has one repository signature.
func (f *Format) Seal(s format.Site, _ format.Op, b format.Blob) (format.Sealing, error) {
	a, err := openArchive(b)
	if err != nil {
		return format.Sealing{}, err
	}
	there, err := readSignatures(b, a)
	if err != nil {
		return format.Sealing{}, err
	}
	keys := s.Keys.Of(scheme.Package, scheme.RSA)
	if len(keys) == 0 {
		return format.Sealing{}, fmt.Errorf("the repository %s has no key with a certificate", s.Repository)
	}
	key := keys[0]
	c, err := x509.ParseCertificate(key.Certificate)
	if err != nil {
		return format.Sealing{}, fmt.Errorf("the certificate of %s: %w", key.Fingerprint, err)
	}
	w := wish{certificate: c, index: serviceIndexURL(s), at: s.Date.UTC().Truncate(time.Second)}
	if there != nil && there.isBy(w) {
		return format.Sealing{}, nil
	}
	if there != nil && there.author {
		w.author = there
	} else {
		digest, err := a.digest(b, crypto.SHA256)
		if err != nil {
			return format.Sealing{}, err
		}
		w.text = content(digest)
	}
	signed := w.attributes()
	return format.Sealing{
		Seals: []format.Seal{{
			Name: sealName, Scheme: scheme.RSASHA256, Purpose: scheme.Package, Text: signed, Single: true, Timestamp: f.settings.Timestamp,
		}},
		Splice: func(sigs []format.Signature) ([]format.Patch, error) {
			i := slices.IndexFunc(sigs, func(sig format.Signature) bool { return sig.Seal == sealName && sig.Fingerprint == key.Fingerprint })
			if i < 0 {
				return nil, fmt.Errorf("there is no signature by the key %s", key.Fingerprint)
			}
			if token := sigs[i].Timestamp; token != nil {
				if err := checkTimestamp(token, sigs[i].Value); err != nil {
					return nil, err
				}
			}
			return a.splice(w.message(signed, sigs[i]), w.at), nil
		},
	}, nil
}

// serviceIndexURL returns the address by which a repository signature names the repository. NuGet takes none but of https.
// Where the configuration has another or none, a package that is signed so can be installed all the same.
func serviceIndexURL(s format.Site) string {
	url := s.URL
	if url == "" {
		url = "https://localhost/" + s.Repository
	}
	if plain, ok := strings.CutPrefix(url, "http://"); ok {
		url = "https://" + plain
	}
	return url + "/" + serviceIndex
}

// A wish is what a repository signature says.
type wish struct {
	certificate *x509.Certificate
	index       string
	at          time.Time
	text        []byte      // that a primary signature signs
	author      *signatures // whose signature is countersigned; nil: none
}

// isBy reports whether the repository signature of a package is by the same key and names the same repository.
func (s *signatures) isBy(w wish) bool {
	if s.repository == nil {
		return false
	}
	c, err := s.message.certificate(*s.repository)
	if err != nil || !bytes.Equal(c.Raw, w.certificate.Raw) {
		return false
	}
	index, err := s.repository.single(oidServiceIndex)
	return err == nil && string(index.Bytes) == w.index
}

// attributes returns the signed attributes of a repository signature, as the SET that is signed (RFC 5652 section 5.4). A
// countersignature has no type of content (section 11.4).
func (w wish) attributes() []byte {
	attributes := [][]byte{
		attributeOf(oidSigningTime, encode(w.at)),
		attributeOf(oidSigningCertificateV2, w.named()),
		attributeOf(oidCommitmentType, wrap(tagSequence, object(oidProofOfReceipt))),
		attributeOf(oidServiceIndex, encode(asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(w.index)})),
	}
	text := w.text
	if w.author != nil {
		text = w.author.signer.value
	} else {
		attributes = append(attributes, attributeOf(oidContentType, object(oidData)))
	}
	return set(tagSet, append(attributes, attributeOf(oidMessageDigest, encode(sum(crypto.SHA256, text))))...)
}

// named returns SigningCertificateV2 (RFC 5035 section 3): the certificate by its SHA-256, which is the default, its issuer
// and its serial number.
func (w wish) named() []byte {
	issuer := wrap(tagSequence, wrap(tagContext4, w.certificate.RawIssuer))
	id := wrap(tagSequence, encode(sum(crypto.SHA256, w.certificate.Raw)), wrap(tagSequence, issuer, encode(w.certificate.SerialNumber)))
	return wrap(tagSequence, wrap(tagSequence, id))
}

func attributeOf(oid string, value []byte) []byte {
	return wrap(tagSequence, object(oid), wrap(tagSet, value))
}

// signerInfo returns the SignerInfo of a repository signature.
func (w wish) signerInfo(signed []byte, sig format.Signature) []byte {
	attributes := slices.Clone(signed)
	attributes[0] = tagContext0 // IMPLICIT in place of the SET
	var unsigned []byte
	if sig.Timestamp != nil {
		unsigned = set(tagContext1, attributeOf(oidTimestamp, sig.Timestamp))
	}
	return wrap(tagSequence, encode(1),
		wrap(tagSequence, w.certificate.RawIssuer, encode(w.certificate.SerialNumber)),
		algorithmID(oidSHA256),
		attributes,
		algorithmID(oidRSA),
		encode(sig.Value), unsigned)
}

func algorithmID(oid string) []byte { return wrap(tagSequence, object(oid), encode(asn1.NullRawValue)) }

// message returns the .signature.p7s with our signature. Of an author's nothing changes, save that there is our
// countersignature, with its certificate.
func (w wish) message(signed []byte, sig format.Signature) []byte {
	ours := w.signerInfo(signed, sig)
	if w.author == nil {
		return signedData(encode(1), [][]byte{algorithmID(oidSHA256)}, wrap(tagSequence, object(oidData), wrap(tagContext0, encode(w.text))),
			[][]byte{w.certificate.Raw}, nil, ours)
	}
	m := w.author.message
	algorithms := addTo(elements(m.algorithms), algorithmID(oidSHA256))
	unsigned := [][]byte{attributeOf(oidCountersignature, ours)}
	for _, a := range m.signer.unsigned {
		if a.oid != oidCountersignature {
			unsigned = append(unsigned, a.der)
		}
	}
	author := wrap(tagSequence, m.signer.der, set(tagContext1, unsigned...))
	return signedData(m.version.FullBytes, algorithms, m.content.FullBytes, addTo(m.certificates, w.certificate.Raw), m.revocations, author)
}

// signedData returns a ContentInfo with SignedData (RFC 5652 section 5.1).
func signedData(version []byte, algorithms [][]byte, content []byte, certificates [][]byte, revocations, signer []byte) []byte {
	return wrap(tagSequence, object(oidSignedData), wrap(tagContext0, wrap(tagSequence,
		version, set(tagSet, algorithms...), content, set(tagContext0, certificates...), revocations, wrap(tagSet, signer))))
}

// elements returns the encodings of what a set holds, which was read before.
func elements(v value) [][]byte {
	all, err := values(v.Bytes)
	if err != nil {
		return nil
	}
	var ders [][]byte
	for _, e := range all {
		ders = append(ders, e.FullBytes)
	}
	return ders
}

// addTo returns all elements and one more, unless it is among them.
func addTo(all [][]byte, one []byte) [][]byte {
	if slices.ContainsFunc(all, func(e []byte) bool { return bytes.Equal(e, one) }) {
		return all
	}
	return append(slices.Clone(all), one)
}
