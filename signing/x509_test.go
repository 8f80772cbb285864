package signing

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	"hallmark/signing/scheme"
)

func certificateOf(t *testing.T, kind string) []byte {
	t.Helper()
	der, err := NewCertificate(testSigner(t, kind), "gems", noon)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestACertificateIsForCodeSigningForTenYears(t *testing.T) {
	c, err := x509.ParseCertificate(certificateOf(t, "rsa3072"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "Hallmark gems" || !bytes.Equal(c.RawSubject, c.RawIssuer) {
		t.Errorf("subject %q, issuer %q", c.Subject, c.Issuer)
	}
	if other, err := x509.ParseCertificate(certificateOf(t, "rsa2048")); err != nil || bytes.Equal(other.RawSubject, c.RawSubject) {
		t.Errorf("two keys have the subject %q, so that RubyGems would keep one of them: %v", c.Subject, err)
	}
	if c.NotBefore.After(noon) || !c.NotAfter.Equal(noon.AddDate(10, 0, 0)) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	if c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageCodeSigning || c.IsCA {
		t.Errorf("key usage %v, extended %v, CA %t", c.KeyUsage, c.ExtKeyUsage, c.IsCA)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"p256", "ed25519"} {
		if _, err := NewCertificate(testSigner(t, kind), "gems", noon); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a certificate of a %s key: %v", kind, err)
		}
	}
}

func TestAKeyInACertificateSignsWhileThatIsValid(t *testing.T) {
	der := certificateOf(t, "rsa2048")
	k, err := NewCertifiedKey("gem", scheme.Package, testSigner(t, "rsa2048"), der, noon)
	if err != nil {
		t.Fatal(err)
	}
	p := k.Public()
	if !bytes.Equal(p.Certificate(), der) || !p.Equal(bareKey(t, scheme.Package, "rsa2048").Public()) || !p.Expires().Equal(noon.AddDate(10, 0, 0)) {
		t.Errorf("the key is %s until %v", p.Fingerprint(), p.Expires())
	}
	again, err := ParseCertificate(p.CertificatePEM())
	if err != nil || !again.Equal(p) || !bytes.Equal(again.Certificate(), der) {
		t.Errorf("the certificate reads as %s: %v", again.Fingerprint(), err)
	}
	r := newRing(t, k)
	signed, err := r.Sign(scheme.Package, scheme.RSASHA256, Bytes("x"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyRSA(again, scheme.RSASHA256, Bytes("x"), signed.Signatures[0].Value); err != nil {
		t.Error(err)
	}
	if _, err := r.Sign(scheme.Package, scheme.RSASHA256, Bytes("x"), p.Expires()); !errors.Is(err, ErrExpired) {
		t.Errorf("at the end of the certificate: %v", err)
	}
	if _, err := r.Sign(scheme.Package, scheme.RSASHA256, Bytes("x"), noon.AddDate(-1, 0, 0)); err == nil {
		t.Error("signed before the certificate is valid")
	}
	if _, err := NewCertifiedKey("gem", scheme.Package, testSigner(t, "rsa2048"), der, p.Expires()); !errors.Is(err, ErrExpired) {
		t.Errorf("a certificate that has expired: %v", err)
	}
	_, err = NewCertifiedKey("gem", scheme.Package, testSigner(t, "rsa3072"), der, noon)
	wantError(t, err, `"gem"`, "of another key")
	if _, err := NewRing("gems", []*Key{k, bareKey(t, scheme.Index, "rsa2048")}); err == nil {
		t.Error("one key for packages, in a certificate, and for the index")
	}
}

func TestCertificatesThatClientsRefuseAreRefused(t *testing.T) {
	signer := testSigner(t, "rsa2048")
	good := func() *x509.Certificate {
		name := pkix.Name{CommonName: "ours"}
		return &x509.Certificate{
			Subject: name, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0), SignatureAlgorithm: x509.SHA512WithRSA,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		}
	}
	create := func(template, parent *x509.Certificate, key, by crypto.Signer) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	self := func(change func(*x509.Certificate)) []byte {
		c := good()
		change(c)
		return create(c, c, signer, signer)
	}
	if _, err := NewCertifiedPublicKey(self(func(*x509.Certificate) {})); err != nil {
		t.Fatal(err)
	}
	flipped := self(func(*x509.Certificate) {})
	flipped[len(flipped)-1] ^= 1
	authority := good()
	authority.Subject.CommonName = "authority"
	for name, tt := range map[string]struct {
		der  []byte
		want string
	}{
		"no code signing":       {self(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "code signing"},
		"no extended use":       {self(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), "code signing"},
		"no digital signatures": {self(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), "digital signatures"},
		"by an authority":       {create(good(), authority, signer, testSigner(t, "rsa3072")), "not self-signed"},
		"by another key":        {create(good(), good(), signer, testSigner(t, "rsa3072")), "not self-signed"},
		"a flipped bit":         {flipped, "not self-signed"},
		"of ECDSA":              {create(func() *x509.Certificate { c := good(); c.SignatureAlgorithm = 0; return c }(), good(), testSigner(t, "p256"), testSigner(t, "p256")), "ECDSA"},
		"with SHA-256 and PSS":  {self(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }), "SHA256-RSAPSS"},
		"no certificate":        {[]byte("x"), "X.509"},
		"a huge one":            {bytes.Repeat([]byte{0}, maxCertificate+1), "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewCertifiedPublicKey(tt.der)
			wantError(t, err, tt.want)
		})
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"a public key":    string(bareKey(t, scheme.Package, "rsa2048").Public().PEM()),
		"something after": string(testCertified(t).CertificatePEM()) + "x",
	} {
		if _, err := ParseCertificate([]byte(text)); err == nil {
			t.Errorf("%s is read as a certificate", name)
		}
	}
	if c := (PublicKey{}); c.Certificate() != nil || c.CertificatePEM() != nil || !c.Expires().IsZero() {
		t.Error("no key has a certificate")
	}
}

func testCertified(t *testing.T) PublicKey {
	t.Helper()
	p, err := NewCertifiedPublicKey(certificateOf(t, "rsa2048"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACertificateOfTheFutureIsRefused(t *testing.T) {
	der := certificateOf(t, "rsa2048")
	if _, err := NewCertifiedKey("gem", scheme.Package, testSigner(t, "rsa2048"), der, noon.Add(-time.Minute)); err != nil {
		t.Errorf("a clock that is a minute behind: %v", err)
	}
	_, err := NewCertifiedKey("gem", scheme.Package, testSigner(t, "rsa2048"), der, noon.Add(-24*time.Hour))
	if err == nil || !strings.Contains(err.Error(), "not valid before") {
		t.Errorf("a clock that is a day behind: %v", err)
	}
}
