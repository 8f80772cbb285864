package nuget_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"
)

// The structures of CMS (RFC 5652) that an author writes.
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
		Unsigned  []cmsAttribute `asn1:"optional,omitempty,set,tag:1"`
	}
	cmsID struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	cmsAttribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
)

var (
	contentTypeOID   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	messageDigestOID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	signingTimeOID   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	counterOID       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	commitmentOID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}
	signingCertOID   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	originOID        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 1}
	receiptOID       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 2}
	dataOID          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	signedDataOID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	sha256OID        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	rsaOID           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

const signatureFileName = ".signature.p7s"

func mustMarshal(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

// An author signs packages, as nuget sign does. The zero author does it well; the fields are what can be wrong.
type author struct {
	name     string
	hash     crypto.Hash
	use      []x509.ExtKeyUsage // of the certificate
	key      crypto.Signer
	content  func(string) string // what is signed
	kinds    []asn1.ObjectIdentifier
	without  asn1.ObjectIdentifier // a signed attribute
	unsigned []cmsAttribute
	named    []byte // the digest of the certificate, as the signature names it
	change   func(*cmsData)
	flip     bool // of the signature
}

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
)

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

var signedAt = time.Date(2025, 6, 7, 8, 9, 10, 0, time.UTC)

func (a author) certificate(tb testing.TB, key crypto.Signer) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: cmp.Or(a.name, "An author")}, NotBefore: signedAt.AddDate(-1, 0, 0), NotAfter: signedAt.AddDate(9, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if a.use != nil {
		template.ExtKeyUsage = a.use
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// message returns a .signature.p7s of a package.
func (a author) message(tb testing.TB, data []byte) cmsData {
	tb.Helper()
	h := cmp.Or(a.hash, crypto.SHA256)
	oid := map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA256: sha256OID, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA1: {1, 3, 14, 3, 2, 26},
	}[h]
	text := "Version:1\n\n" + oid.String() + "-Hash:" + base64.StdEncoding.EncodeToString(digest(h, data)) + "\n\n"
	if a.content != nil {
		text = a.content(text)
	}
	key := a.key
	if key == nil {
		key = rsaKey()
	}
	c := a.certificate(tb, key)
	d := cmsData{
		Version: 1, Algorithms: []pkix.AlgorithmIdentifier{{Algorithm: oid, Parameters: asn1.NullRawValue}},
		Content: cmsContent{dataOID, []byte(text)}, Certificates: []asn1.RawValue{{FullBytes: c.Raw}},
	}
	d.Signers = []cmsSigner{a.sign(tb, key, c, oid, h, []byte(text), true)}
	if a.change != nil {
		a.change(&d)
	}
	return d
}

// sign returns the signature of a text.
func (a author) sign(tb testing.TB, key crypto.Signer, c *x509.Certificate, oid asn1.ObjectIdentifier, h crypto.Hash, text []byte, primary bool) cmsSigner {
	tb.Helper()
	attribute := func(oid asn1.ObjectIdentifier, values ...any) cmsAttribute {
		at := cmsAttribute{Type: oid}
		for _, v := range values {
			at.Values = append(at.Values, asn1.RawValue{FullBytes: mustMarshal(v)})
		}
		return at
	}
	type kind struct{ OID asn1.ObjectIdentifier }
	type id struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}
	kinds := a.kinds
	if kinds == nil {
		kinds = []asn1.ObjectIdentifier{originOID}
	}
	var commitments []any
	for _, k := range kinds {
		commitments = append(commitments, kind{k})
	}
	named := a.named
	if named == nil {
		named = digest(h, c.Raw)
	}
	attributes := []cmsAttribute{
		attribute(messageDigestOID, digest(h, text)), attribute(signingTimeOID, signedAt), attribute(commitmentOID, commitments...),
		attribute(signingCertOID, struct{ Certificates []id }{[]id{{pkix.AlgorithmIdentifier{Algorithm: oid}, named}}}),
	}
	if primary {
		attributes = append(attributes, attribute(contentTypeOID, dataOID))
	}
	attributes = slices.DeleteFunc(attributes, func(at cmsAttribute) bool { return a.without != nil && at.Type.Equal(a.without) })
	slices.SortFunc(attributes, func(x, y cmsAttribute) int { return bytes.Compare(mustMarshal(x), mustMarshal(y)) })
	var set asn1.RawValue
	if _, err := asn1.Unmarshal(mustMarshal(struct {
		Attributes []cmsAttribute `asn1:"set"`
	}{attributes}), &set); err != nil {
		tb.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, digest(h, set.Bytes), h)
	if err != nil {
		tb.Fatal(err)
	}
	if a.flip {
		value[10] ^= 1
	}
	return cmsSigner{
		Version: 1, ID: cmsID{asn1.RawValue{FullBytes: c.RawIssuer}, c.SerialNumber}, Digest: pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue},
		Signed: attributes, Algorithm: pkix.AlgorithmIdentifier{Algorithm: rsaOID, Parameters: asn1.NullRawValue}, Value: value, Unsigned: a.unsigned,
	}
}

func digest(h crypto.Hash, data []byte) []byte {
	w := h.New()
	w.Write(data)
	return w.Sum(nil)
}

// signs returns a package with a signature of the author.
func (a author) signs(tb testing.TB, data []byte) []byte {
	return with(data, mustMarshal(cmsInfo{signedDataOID, a.message(tb, data)}))
}

// with puts a signature into a package, as NuGet does.
func with(data, signature []byte) []byte {
	le := binary.LittleEndian
	end := len(data) - 22
	at := int(le.Uint32(data[end+16:]))
	common := append([]byte{20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0}, le.AppendUint32(nil, crc32.ChecksumIEEE(signature))...)
	common = le.AppendUint32(le.AppendUint32(common, uint32(len(signature))), uint32(len(signature)))
	common = append(common, byte(len(signatureFileName)), 0, 0, 0)
	local := slices.Concat([]byte("PK\x03\x04"), common, []byte(signatureFileName), signature)
	listed := slices.Concat([]byte("PK\x01\x02\x14\x00"), common, make([]byte, 10), le.AppendUint32(nil, uint32(at)), []byte(signatureFileName))
	tail := bytes.Clone(data[end:])
	le.PutUint16(tail[8:], le.Uint16(tail[8:])+1)
	le.PutUint16(tail[10:], le.Uint16(tail[10:])+1)
	le.PutUint32(tail[12:], le.Uint32(tail[12:])+uint32(len(listed)))
	le.PutUint32(tail[16:], uint32(at+len(local)))
	return slices.Concat(data[:at], local, data[at:end], listed, tail)
}
