package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

// gemKeys is the ring of a repository whose clients want certificates.
var gemKeys = []Spec{{Purpose: scheme.Package, Scheme: "rsa", Generate: "rsa2048", Certificate: true}}

func certificate(t *testing.T, r *signing.Ring) []byte {
	t.Helper()
	der := r.All()[0].Public().Certificate()
	if der == nil {
		t.Fatal("the key stands in no certificate")
	}
	return der
}

func TestACertificateIsMadeOnceWithItsKey(t *testing.T) {
	for _, secret := range [][]byte{nil, passphrase} {
		dir := t.TempDir()
		first, generated, err := Open(dir, secret).Ring("gems", gemKeys)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "gems", "package-rsa2048")
		if !slices.Equal(generated, []string{path + ".key"}) {
			t.Errorf("generated %q", generated)
		}
		der := certificate(t, first)
		if c, err := x509.ParseCertificate(der); err != nil || c.Subject.CommonName != "Hallmark gems" {
			t.Errorf("the certificate is of %v: %v", c, err)
		}
		// Whoever is given the key's file has the certificate: replicas, and the store itself if the public half is gone.
		if err := os.Remove(path + ".crt"); err != nil {
			t.Fatal(err)
		}
		for name, again := range map[string]func() (*signing.Ring, []string, error){
			"the store": func() (*signing.Ring, []string, error) { return Open(dir, secret).Ring("gems", gemKeys) },
			"a replica": func() (*signing.Ring, []string, error) {
				return Open(t.TempDir(), secret).Fixed().Ring("gems", []Spec{{Purpose: scheme.Package, Scheme: "rsa", Key: "file:" + path + ".key", Certificate: true}})
			},
		} {
			second, generated, err := again()
			if err != nil {
				t.Fatal(err)
			}
			if len(generated) != 0 || !bytes.Equal(certificate(t, second), der) {
				t.Errorf("%s: another certificate, generated %q", name, generated)
			}
		}
		exported, err := Open(dir, nil).ExportPublic("gems", gemKeys, "package-rsa2048")
		block, _ := pem.Decode(exported)
		if err != nil || block == nil || block.Type != "CERTIFICATE" || !bytes.Equal(block.Bytes, der) {
			t.Errorf("exported\n%s: %v", exported, err)
		}
		list, err := Open(dir, nil).Public("gems", gemKeys)
		if err != nil || list[0].Key.Expires().IsZero() {
			t.Errorf("listed %+v: %v", list, err)
		}
		spec, err := Open(dir, secret).Generate("gems", gemKeys[0])
		if err != nil || !spec.Certificate || !strings.HasSuffix(spec.Key, "package-rsa2048-2.key") {
			t.Fatalf("one more is %+v: %v", spec, err)
		}
		more, _, err := Open(dir, secret).Ring("gems", append(slices.Clone(gemKeys), spec))
		if err != nil || len(more.All()) != 2 || more.All()[1].Public().Certificate() == nil {
			t.Errorf("one more: %v", err)
		}
	}
}

func TestAKeyIsBroughtWithItsCertificate(t *testing.T) {
	der, err := signing.NewCertificate(signerOf(t, "pkcs8-rsa2048.key"), "elsewhere", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	old, err := signing.NewCertificate(signerOf(t, "pkcs8-rsa2048.key"), "elsewhere", time.Now().AddDate(-11, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	expired := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: old})
	ring := func(parts ...[]byte) (*signing.Ring, error) {
		path := filepath.Join(t.TempDir(), "our.key")
		if err := os.WriteFile(path, slices.Concat(parts...), 0o600); err != nil {
			t.Fatal(err)
		}
		ring, _, err := Open(t.TempDir(), passphrase).Ring("gems", []Spec{{Purpose: scheme.Package, Scheme: "rsa", Key: "file:" + path, Certificate: true}})
		return ring, err
	}
	for name, parts := range map[string][][]byte{
		"behind the key":      {read(t, "pkcs8-rsa2048.key"), crt},
		"in front of the key": {crt, read(t, "pkcs8-rsa2048.key")},
	} {
		r, err := ring(parts...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(certificate(t, r), der) {
			t.Errorf("%s: another certificate", name)
		}
	}
	for name, tt := range map[string]struct {
		parts [][]byte
		want  []string
	}{
		"no certificate":             {[][]byte{read(t, "pkcs8-rsa2048.key")}, []string{"no X.509 certificate", "proxy keys import"}},
		"a certificate alone":        {[][]byte{crt}, []string{"this is a certificate", "private"}},
		"that of another key":        {[][]byte{read(t, "pkcs8-rsa3072.key"), crt}, []string{"of another key"}},
		"one that has expired":       {[][]byte{read(t, "pkcs8-rsa2048.key"), expired}, []string{signing.ErrExpired.Error()}},
		"that of an authority, too":  {[][]byte{read(t, "pkcs8-rsa2048.key"), crt, crt}, []string{"more than one certificate"}},
		"two keys":                   {[][]byte{read(t, "pkcs8-rsa2048.key"), read(t, "pkcs8-rsa3072.key"), crt}, []string{"more than one PEM block"}},
		"a key that is not RSA":      {[][]byte{read(t, "pkcs8-p256.key"), crt}, []string{"p256", "rsa"}},
		"a certificate that is none": {[][]byte{read(t, "pkcs8-rsa2048.key"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})}, []string{"X.509"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ring(tt.parts...)
			if r != nil {
				t.Error("there is a ring")
			}
			wantError(t, err, append(tt.want, `"gems"`, "our.key")...)
			if name == "one that has expired" && !errors.Is(err, signing.ErrExpired) {
				t.Errorf("%v is no ErrExpired", err)
			}
		})
	}
}

func TestImportGivesAKeyACertificate(t *testing.T) {
	der, err := signing.NewCertificate(signerOf(t, "pkcs8-rsa2048.key"), "elsewhere", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, tt := range map[string]struct {
		file []byte
		want []byte // nil: a new one
	}{
		"without one":    {read(t, "pkcs8-rsa2048.key"), nil},
		"one of its own": {append(read(t, "pkcs8-rsa2048.key"), crt...), der},
	} {
		s := Open(t.TempDir(), passphrase)
		spec, err := s.Import("gems", Spec{Purpose: scheme.Package, Certificate: true}, bytes.NewReader(tt.file), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if spec.Scheme != "rsa" || !spec.Certificate {
			t.Errorf("%s: %+v", name, spec)
		}
		ring, generated, err := s.Ring("gems", gemKeys)
		if err != nil || len(generated) > 0 {
			t.Fatalf("%s: generated %q: %v", name, generated, err)
		}
		if got := certificate(t, ring); tt.want != nil && !bytes.Equal(got, tt.want) {
			t.Errorf("%s: another certificate", name)
		}
	}
	for _, file := range [][]byte{read(t, "pkcs8-p256.key"), fromGPG(t, "ed25519.key")} {
		if _, err := Open(t.TempDir(), nil).Import("gems", Spec{Purpose: scheme.Package, Certificate: true}, bytes.NewReader(file), nil); err == nil {
			t.Error("a key that is not RSA gets a certificate")
		}
	}
}

func TestOnlyRSAKeysStandInCertificates(t *testing.T) {
	for _, spec := range []Spec{
		{Purpose: scheme.Package, Scheme: "openpgp", Generate: "ed25519", Certificate: true},
		{Purpose: scheme.NPM, Scheme: "ecdsa", Generate: "p256", Certificate: true},
		{Purpose: scheme.Package, Generate: "rsa2048", Certificate: true},
	} {
		_, _, err := Open(t.TempDir(), nil).Ring("gems", []Spec{spec})
		wantError(t, err, "X.509", "unsupported")
	}
}

func TestKeysOfNPMAreGenerated(t *testing.T) {
	specs := []Spec{{Purpose: scheme.NPM, Scheme: "ecdsa", Generate: "p256"}}
	ring, generated, err := Open(t.TempDir(), nil).Ring("npm", specs)
	if err != nil || len(generated) != 1 || filepath.Base(generated[0]) != "npm-p256.key" {
		t.Fatalf("generated %q: %v", generated, err)
	}
	if _, err := ring.Sign(scheme.NPM, scheme.ECDSASHA256, signing.Bytes("x"), time.Now()); err != nil {
		t.Error(err)
	}
}

func signerOf(t *testing.T, name string) crypto.Signer {
	t.Helper()
	signer, err := Parse(read(t, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
