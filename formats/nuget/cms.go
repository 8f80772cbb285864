package nuget

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // linked in, so that crypto.Hash can make them
	_ "crypto/sha512"
	"crypto/x509"

	"hallmark/formats/format"
)

// The object identifiers of a signature.
const (
	oidData       = "1.2.840.113549.1.7.1" // RFC 5652
	oidSignedData = "1.2.840.113549.1.7.2"

	oidContentType      = "1.2.840.113549.1.9.3"
	oidMessageDigest    = "1.2.840.113549.1.9.4"
	oidSigningTime      = "1.2.840.113549.1.9.5"
	oidCountersignature = "1.2.840.113549.1.9.6"

	oidSigningCertificate   = "1.2.840.113549.1.9.16.2.12" // RFC 2634, for timestamps alone
	oidSigningCertificateV2 = "1.2.840.113549.1.9.16.2.47" // RFC 5035
	oidCommitmentType       = "1.2.840.113549.1.9.16.2.16" // RFC 5126
	oidProofOfOrigin        = "1.2.840.113549.1.9.16.6.1"  // an author's
	oidProofOfReceipt       = "1.2.840.113549.1.9.16.6.2"  // a repository's

	oidTimestamp = "1.2.840.113549.1.9.16.2.14" // RFC 3161
	oidTSTInfo   = "1.2.840.113549.1.9.16.1.4"

	oidServiceIndex = "1.3.6.1.4.1.311.84.2.1.1.1" // NuGet: of nuget-v3-service-index-url

	oidRSA = "1.2.840.113549.1.1.1" // RFC 8017
)

// hashOf returns the hashes that NuGet takes, by their object identifiers.
func hashOf(oid string) (crypto.Hash, bool) {
	switch oid {
	case oidSHA256:
		return crypto.SHA256, true
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384, true
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512, true
	}
	return 0, false
}

const oidSHA256 = "2.16.840.1.101.3.4.2.1"

// isRSA reports whether an object identifier is that of PKCS #1 v1.5, be it with a hash.
func isRSA(oid string) bool {
	switch oid {
	case oidRSA, "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13":
		return true
	}
	return false
}

// maxSignature is the size of a .signature.p7s, in bytes. Those with two certificate chains and two timestamps have some 20 KiB.
const maxSignature = 1 << 20

// A message is what a .signature.p7s holds, and a timestamp: SignedData with one signer (RFC 5652 section 5.1).
type message struct {
	version, algorithms, content value    // the last are digestAlgorithms and encapContentInfo
	kind                         string   // of the content: its object identifier
	text                         []byte   // the content itself
	certificates                 [][]byte // in DER
	revocations                  []byte   // in DER, or nil
	signer                       signer
}

// A signer is a SignerInfo.
type signer struct {
	id               value // issuer and serial number of the certificate
	hash             crypto.Hash
	signed, unsigned []attribute
	message          []byte // what is signed: the signed attributes as a SET
	value            []byte
	der              []byte // all fields but the unsigned attributes
}

// An attribute is one of those of a SignerInfo.
type attribute struct {
	oid    string
	values []value
	der    []byte
}

// parseMessage reads a .signature.p7s.
func parseMessage(der []byte) (*message, error) {
	top, err := values(der)
	if err != nil || len(top) != 1 {
		return nil, malformedSignature()
	}
	info, err := top[0].inside(tagSequence)
	if err != nil || len(info) != 2 || info[0].dotted() != oidSignedData {
		return nil, malformedSignature()
	}
	explicit, err := info[1].inside(tagContext0)
	if err != nil || len(explicit) != 1 {
		return nil, malformedSignature()
	}
	fields, err := explicit[0].inside(tagSequence)
	if err != nil || len(fields) < 4 || !fields[0].is(tagInteger) || !fields[1].is(tagSet) {
		return nil, malformedSignature()
	}
	m := &message{version: fields[0], algorithms: fields[1], content: fields[2]}
	if m.kind, m.text, err = parseContent(m.content); err != nil {
		return nil, err
	}
	for _, v := range fields[3 : len(fields)-1] {
		switch {
		case v.is(tagContext0) && m.certificates == nil:
			all, err := values(v.Bytes)
			if err != nil {
				return nil, err
			}
			for _, c := range all {
				m.certificates = append(m.certificates, c.FullBytes)
			}
		case v.is(tagContext1) && m.revocations == nil:
			m.revocations = v.FullBytes
		default:
			return nil, malformedSignature()
		}
	}
	signers, err := fields[len(fields)-1].inside(tagSet)
	if err != nil || len(signers) != 1 {
		return nil, malformedSignature()
	}
	m.signer, err = parseSigner(signers[0])
	return m, err
}

func malformedSignature() error {
	return format.Malformedf("the signature in the package is none as NuGet has it: CMS in DER, with the content, one signer and certificates (RFC 5652)")
}

// parseContent reads EncapsulatedContentInfo.
func parseContent(v value) (kind string, text []byte, err error) {
	fields, err := v.inside(tagSequence)
	if err != nil || len(fields) != 2 {
		return "", nil, malformedSignature()
	}
	content, err := fields[1].inside(tagContext0)
	if err != nil || len(content) != 1 || !content[0].is(tagOctetString) {
		return "", nil, malformedSignature()
	}
	return fields[0].dotted(), content[0].Bytes, nil
}

// parseSigner reads SignerInfo, whose signer is named by issuer and serial number.
func parseSigner(v value) (s signer, err error) {
	fields, err := v.inside(tagSequence)
	if err != nil || len(fields) < 6 || !fields[0].is(tagInteger) || !fields[1].is(tagSequence) || !fields[3].is(tagContext0) || !fields[5].is(tagOctetString) {
		return s, malformedSignature()
	}
	s.id, s.value = fields[1], fields[5].Bytes
	for _, f := range fields[:6] {
		s.der = append(s.der, f.FullBytes...)
	}
	var ok bool
	if s.hash, ok = hashOf(algorithmOf(fields[2])); !ok || !isRSA(algorithmOf(fields[4])) {
		return s, format.Malformedf("the signature in the package is not one of RSA (PKCS #1 v1.5) with SHA-256, SHA-384 or SHA-512, as NuGet wants it")
	}
	s.message = wrap(tagSet, fields[3].Bytes)
	if s.signed, err = parseAttributes(fields[3]); err != nil {
		return s, err
	}
	switch {
	case len(fields) == 6:
		return s, nil
	case len(fields) == 7 && fields[6].is(tagContext1):
		s.unsigned, err = parseAttributes(fields[6])
		return s, err
	}
	return s, malformedSignature()
}

// algorithmOf returns the object identifier of an AlgorithmIdentifier.
func algorithmOf(v value) string {
	fields, err := v.inside(tagSequence)
	if err != nil || len(fields) == 0 {
		return ""
	}
	return fields[0].dotted()
}

func parseAttributes(v value) ([]attribute, error) {
	list, err := values(v.Bytes)
	if err != nil {
		return nil, err
	}
	var all []attribute
	for _, a := range list {
		fields, err := a.inside(tagSequence)
		if err != nil || len(fields) != 2 {
			return nil, malformedSignature()
		}
		in, err := fields[1].inside(tagSet)
		if err != nil {
			return nil, malformedSignature()
		}
		all = append(all, attribute{fields[0].dotted(), in, a.FullBytes})
	}
	return all, nil
}

// single returns the only value of the only signed attribute of a kind.
func (s signer) single(oid string) (value, error) {
	var found []value
	for _, a := range s.signed {
		if a.oid == oid {
			found = append(found, a.values...)
		}
	}
	if len(found) != 1 {
		return value{}, format.Malformedf("the signature in the package has %d attributes %s, and must have one", len(found), oid)
	}
	return found[0], nil
}

// isRepository reports whether a signature is a repository's, and not an author's.
func (s signer) isRepository() (bool, error) {
	v, err := s.single(oidCommitmentType)
	if err != nil {
		return false, err
	}
	switch algorithmOf(v) {
	case oidProofOfReceipt:
		return true, nil
	case oidProofOfOrigin:
		return false, nil
	}
	return false, format.Malformedf("the signature in the package does not say whether it is an author's or a repository's")
}

// certificate returns the signer's certificate.
func (m *message) certificate(s signer) (*x509.Certificate, error) {
	id, err := s.id.inside(tagSequence)
	if err != nil || len(id) != 2 {
		return nil, malformedSignature()
	}
	for _, der := range m.certificates {
		c, err := x509.ParseCertificate(der)
		if err == nil && bytes.Equal(c.RawIssuer, id[0].FullBytes) && bytes.Equal(encode(c.SerialNumber), id[1].FullBytes) {
			return c, nil
		}
	}
	return nil, format.Malformedf("the signature in the package is without the certificate of who signed")
}
