package nuget_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/nuget/nugettest"
)

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
	// counter is an author whose signature another has countersigned.
	counter := func(by author) author {
		return author{change: func(of *cmsData) {
			by.name = "A repository"
			c := by.certificate(t, otherKey())
			if by.kinds == nil {
				by.kinds = []asn1.ObjectIdentifier{receiptOID}
			}
			s := by.sign(t, otherKey(), c, sha256OID, crypto.SHA256, of.Signers[0].Value, false)
			of.Certificates = append(of.Certificates, asn1.RawValue{FullBytes: c.Raw})
			of.Signers[0].Unsigned = append(of.Signers[0].Unsigned, cmsAttribute{counterOID, []asn1.RawValue{{FullBytes: mustMarshal(s)}}})
		}}
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
		"a countersignature that is flipped": {counter(author{flip: true}).signs(t, plain), "does not verify"},
		"a countersignature of an author":    {counter(author{kinds: []asn1.ObjectIdentifier{originOID}}).signs(t, plain), "no repository's"},
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
