package nuget_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/nuget/nugettest"
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

func TestAnAuthorsSignatureIsCountersigned(t *testing.T) {
	plain := pkg{}.build(t)
	stamp := cmsAttribute{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}, Values: []asn1.RawValue{{FullBytes: mustMarshal("a timestamp")}}}
	for name, a := range map[string]author{
		"with SHA-256":     {},
		"with a timestamp": {unsigned: []cmsAttribute{stamp}},
	} {
		t.Run(name, func(t *testing.T) {
			h := formattest.NewHouse(t, open(t))
			data := a.signs(t, plain)
			if err := h.Put("v3/package", data); err != nil {
				t.Fatal(err)
			}
			served, err := h.Fetch(at("hello.world", "1.0.0"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := nugettest.Verify(served, h.Trusted().Certificates()...)
			if err != nil {
				t.Fatal(err)
			}
			before, _, err := nugettest.Unsigned(served)
			if err != nil || !bytes.Equal(before, plain) {
				t.Errorf("without its signature it is another package: %v", err)
			}
			theirs := a.message(t, plain).Signers[0]
			if !bytes.Equal(v.AuthorValue, theirs.Value) || len(v.AuthorKeeps) != len(a.unsigned) {
				t.Error("the author's signature is another")
			}
			if v.Index != "https://localhost/conformance.test/v3/index.json" || !v.Time.Equal(h.Date) {
				t.Errorf("it names %s at %v", v.Index, v.Time)
			}
			if a.unsigned != nil && !bytes.Equal(v.AuthorKeeps[stamp.Type.String()], stamp.Values[0].FullBytes) {
				t.Error("the author's timestamp is lost")
			}
			// It is taken again as it is served, and stays so.
			if err := h.Put("v3/package", data); err != nil {
				t.Error(err)
			}
			openssl(t, served, a.certificate(t, rsaKey()))
		})
	}
	for _, h := range []crypto.Hash{crypto.SHA384, crypto.SHA512} {
		house := formattest.NewHouse(t, open(t))
		if err := house.Put("v3/package", author{hash: h}.signs(t, plain)); err != nil {
			t.Errorf("with %v: %v", h, err)
		}
	}
}

// openssl verifies the primary signature of a package by openssl cms.
func openssl(t *testing.T, served []byte, c *x509.Certificate) {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is not installed: apt-get install openssl")
	}
	_, signature, err := nugettest.Unsigned(served)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"p7s": signature, "crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(args ...string) ([]byte, error) {
		cmd := exec.Command(program, append([]string{"cms", "-verify", "-binary", "-inform", "DER", "-in", "p7s", "-purpose", "any", "-attime", fmt.Sprint(time.Date(2026, 2, 3, 5, 0, 0, 0, time.UTC).Unix())}, args...)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return out, err
	}
	out, err := verify("-CAfile", "crt")
	if err != nil || !strings.HasPrefix(string(out), "Version:1\n\n2.16.840.1.101.3.4.2.1-Hash:") {
		t.Errorf("openssl says %q, %v", out, err)
	}
	if out, err := verify("-no-CAfile", "-no-CApath"); err == nil {
		t.Errorf("openssl trusts anybody: %q", out)
	}
}

func TestOpenSSLVerifiesARepositorySignature(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	if err := h.Put("v3/package", pkg{}.build(t)); err != nil {
		t.Fatal(err)
	}
	served, err := h.Fetch(at("hello.world", "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	openssl(t, served, h.Trusted().Certificates()[0])
}

// A package that claims a signature which does not hold is refused.
func TestSignaturesThatDoNotHoldAreRefused(t *testing.T) {
	plain := pkg{}.build(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	counter := func(by author, change func(*cmsSigner)) author {
		var d cmsData
		a := author{}
		a.change = func(of *cmsData) {
			by.name = "A repository"
			c := by.certificate(t, otherKey())
			by.kinds = cmpKinds(by.kinds)
			s := by.sign(t, otherKey(), c, sha256OID, crypto.SHA256, of.Signers[0].Value, false)
			if change != nil {
				change(&s)
			}
			of.Certificates = append(of.Certificates, asn1.RawValue{FullBytes: c.Raw})
			of.Signers[0].Unsigned = append(of.Signers[0].Unsigned, cmsAttribute{counterOID, []asn1.RawValue{{FullBytes: mustMarshal(s)}}})
			d = *of
		}
		_ = d
		return a
	}
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"a package that was changed":     {with(pkg{metadata: "<title>other</title>"}.build(t), mustMarshal(cmsInfo{signedDataOID, author{}.message(t, plain)})), "changed after it was signed"},
		"a signature with a flipped bit": {author{flip: true}.signs(t, plain), "does not verify"},
		"another text than the digest's": {author{change: func(d *cmsData) {
			d.Content.Text = []byte(strings.Replace(string(d.Content.Text), "Version:1", "Version:2", 1))
		}}.signs(t, plain), "does not verify"},
		"a text of another version":   {author{content: func(s string) string { return strings.Replace(s, "Version:1", "Version:2", 1) }}.signs(t, plain), "names no digest"},
		"a digest of another kind":    {author{content: func(s string) string { return strings.Replace(s, sha256OID.String(), "1.2.840.113549.2.5", 1) }}.signs(t, plain), "names no digest"},
		"a certificate for servers":   {author{use: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}.signs(t, plain), "not for code signing"},
		"a short key":                 {author{key: newRSA(1024)}.signs(t, plain), "2048"},
		"a key that is not RSA":       {author{key: curve}.signs(t, plain), "RSA"},
		"SHA-1":                       {author{hash: crypto.SHA1}.signs(t, plain), "SHA-256"},
		"another certificate by name": {author{named: make([]byte, 32)}.signs(t, plain), "names another certificate"},
		"another key's certificate": {author{change: func(d *cmsData) {
			d.Certificates = []asn1.RawValue{{FullBytes: author{}.certificate(t, otherKey()).Raw}}
		}}.signs(t, plain), "another certificate"},
		"no certificate":                     {author{change: func(d *cmsData) { d.Certificates = nil }}.signs(t, plain), "without the certificate"},
		"no signer":                          {author{change: func(d *cmsData) { d.Signers = nil }}.signs(t, plain), "one signer"},
		"two signers":                        {author{change: func(d *cmsData) { d.Signers = append(d.Signers, d.Signers[0]) }}.signs(t, plain), "one signer"},
		"neither an author nor a repository": {author{kinds: []asn1.ObjectIdentifier{{1, 2, 3}}}.signs(t, plain), "author's or a repository's"},
		"an author and a repository":         {author{kinds: []asn1.ObjectIdentifier{originOID, receiptOID}}.signs(t, plain), "2 attributes"},
		"no digest":                          {author{without: messageDigestOID}.signs(t, plain), "0 attributes"},
		"no type of content":                 {author{without: contentTypeOID}.signs(t, plain), "RFC 5652"},
		"no named certificate":               {author{without: signingCertOID}.signs(t, plain), "0 attributes"},
		"a repository's that is flipped":     {author{kinds: []asn1.ObjectIdentifier{receiptOID}, flip: true}.signs(t, plain), "does not verify"},
		"a countersignature that is flipped": {counter(author{flip: true}, nil).signs(t, plain), "does not verify"},
		"a countersignature of an author":    {counter(author{kinds: []asn1.ObjectIdentifier{originOID}}, nil).signs(t, plain), "no repository's"},
		"a text in place of a signature":     {with(plain, []byte("signed")), "DER"},
		"an empty signature":                 {with(plain, nil), "RFC 5652"},
		"something behind the signature":     {with(plain, append(mustMarshal(cmsInfo{signedDataOID, author{}.message(t, plain)}), 5, 0)), "RFC 5652"},
		"a signature of undefined length":    {with(plain, append([]byte{0x30, 0x80}, mustMarshal(cmsInfo{signedDataOID, author{}.message(t, plain)})[4:]...)), "DER"},
	} {
		t.Run(name, func(t *testing.T) {
			h := formattest.NewHouse(t, open(t))
			err := h.Put("v3/package", tt.data)
			if !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it gets %v, want %q", err, tt.want)
			}
			if len(h.Packages()) > 0 {
				t.Error("it is served")
			}
		})
	}
}

func cmpKinds(kinds []asn1.ObjectIdentifier) []asn1.ObjectIdentifier {
	if kinds == nil {
		return []asn1.ObjectIdentifier{receiptOID}
	}
	return kinds
}

// NuGet takes one repository signature, and ours is where the package came to last.
func TestAnotherRepositorysSignatureMakesRoomForOurs(t *testing.T) {
	plain := pkg{}.build(t)
	elsewhere := formattest.NewHouse(t, open(t))
	for name, data := range map[string][]byte{
		"a primary one":      author{kinds: []asn1.ObjectIdentifier{receiptOID}}.signs(t, plain),
		"a countersignature": author{}.signs(t, plain),
	} {
		h := formattest.NewHouse(t, open(t))
		if name == "a countersignature" {
			if err := elsewhere.Put("v3/package", data); err != nil {
				t.Fatal(err)
			}
			var err error
			if data, err = elsewhere.Fetch(at("hello.world", "1.0.0")); err != nil {
				t.Fatal(err)
			}
			h.Date = h.Date.AddDate(0, 1, 0)
		}
		if err := h.Put("v3/package", data); err != nil {
			t.Fatal(err)
		}
		served, err := h.Fetch(at("hello.world", "1.0.0"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := nugettest.Verify(served, h.Trusted().Certificates()...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a primary one" && !v.Time.Equal(h.Date) {
			t.Errorf("%s: it is of %v", name, v.Time)
		}
	}
}
