package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"

	"hallmark/signing/scheme"
)

func TestEveryKindOfKeySignsAndVerifies(t *testing.T) {
	message := []byte("message")
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			k := testKey(t, kind)
			other := testKey(t, map[bool]string{true: "p384", false: "p256"}[kind == "p256"])
			sig, err := k.sign(message)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Public().Verify(message, sig); err != nil {
				t.Error(err)
			}
			if got := k.Public().Kind(); got != kind {
				t.Errorf("Kind() = %q", got)
			}
			flipped := bytes.Clone(sig)
			flipped[len(sig)-1] ^= 1
			for name, err := range map[string]error{
				"flipped bit in the signature": k.Public().Verify(message, flipped),
				"another message":              k.Public().Verify([]byte("massage"), sig),
				"another key":                  other.Public().Verify(message, sig),
				"truncated signature":          k.Public().Verify(message, sig[:len(sig)-1]),
				"no signature":                 k.Public().Verify(message, nil),
				"zero key":                     PublicKey{}.Verify(message, sig),
			} {
				if !errors.Is(err, ErrSignature) {
					t.Errorf("%s: error %v, want ErrSignature", name, err)
				}
			}
		})
	}
}

// The vector is that of RFC 6979, appendix A.2.5, for SHA-256 and "sample".
func TestECDSANoncesAreThoseOfRFC6979(t *testing.T) {
	d, _ := hex.DecodeString("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey("rfc6979", scheme.Image, private)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.sign([]byte("sample"))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := new(big.Int).SetString("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716", 16)
	s, _ := new(big.Int).SetString("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", 16)
	want, err := asn1.Marshal([]*big.Int{r, s})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("signature %x, want %x", got, want)
	}
}

// stub is a signer whose signatures or public half are not what they should be.
type stub struct {
	public crypto.PublicKey
	sign   func() ([]byte, error)
}

func (s stub) Public() crypto.PublicKey { return s.public }

func (s stub) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.sign() }

func TestSigningFailsClosed(t *testing.T) {
	good := testSigner(t, "p256")
	broken := errors.New("token removed")
	tests := []struct {
		name string
		sign func() ([]byte, error)
		want error
	}{
		{"the signer fails", func() ([]byte, error) { return nil, broken }, broken},
		{"the signer returns nothing", func() ([]byte, error) { return nil, nil }, ErrSignature},
		{"the signer signs something else", func() ([]byte, error) {
			return good.Sign(nil, make([]byte, sha256.Size), crypto.SHA256)
		}, ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := NewKey("faulty", scheme.Image, stub{good.Public(), tt.sign})
			if err != nil {
				t.Fatal(err)
			}
			ring, err := NewRing("images", []*Key{testKey(t, "ed25519"), k})
			if err != nil {
				t.Fatal(err)
			}
			signatures, err := ring.SignImage(app)
			if !errors.Is(err, tt.want) || signatures != nil {
				t.Errorf("SignImage returns %d signatures and %v", len(signatures), err)
			}
			bundles, err := ring.BundleImage(app)
			if !errors.Is(err, tt.want) || bundles != nil {
				t.Errorf("BundleImage returns %d bundles and %v", len(bundles), err)
			}
		})
	}
}

func TestNewKeyRefuses(t *testing.T) {
	otherMaking := *testSigner(t, "p256").Public().(*ecdsa.PublicKey)
	otherMaking.Curve = otherMaking.Curve.Params()
	bits := func(n uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), int(n)-1, 1), E: 65537}
	}
	works := "use p224, p256, p384, p521, RSA 2048 to 8192 or Ed25519"
	tests := []struct {
		name   string
		public crypto.PublicKey
		want   []string
	}{
		{"RSA of 1024 bits", bits(1024), []string{"RSA 1024", works}},
		{"RSA of 2047 bits", bits(2047), []string{"RSA 2047", works}},
		{"RSA of 8193 bits", bits(8193), []string{"RSA 8193", works}},
		{"a key of another type", &ecdh.PublicKey{}, []string{"ecdh", works}},
		{"a curve of another making", &otherMaking, []string{"ECDSA P-256", works}},
		{"no public key", nil, []string{works}},
		{"an ECDSA key without a curve", &ecdsa.PublicKey{}, []string{"empty"}},
		{"an RSA key without a modulus", &rsa.PublicKey{}, []string{"empty"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewKey("the name", scheme.Image, stub{public: tt.public})
			wantError(t, err, append(tt.want, "the name")...)
		})
	}
	t.Run("an unknown purpose", func(t *testing.T) {
		_, err := NewKey("k", "images", testSigner(t, "p256"))
		wantError(t, err, `unknown purpose "images"`)
	})
	t.Run("no name", func(t *testing.T) {
		_, err := NewKey("", scheme.Image, testSigner(t, "p256"))
		wantError(t, err, "without a name")
	})
	t.Run("no signer", func(t *testing.T) {
		_, err := NewKey("k", scheme.Image, nil)
		wantError(t, err, "no private key")
	})
}

func TestPublicKeySurvivesPEM(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			k := testKey(t, kind).Public()
			parsed, err := ParsePublicKey(k.PEM())
			if err != nil {
				t.Fatal(err)
			}
			if !parsed.Equal(k) || parsed.Kind() != kind || parsed.Fingerprint() != k.Fingerprint() {
				t.Errorf("got %s %s, want %s %s", parsed.Kind(), parsed.Fingerprint(), kind, k.Fingerprint())
			}
			written, err := os.ReadFile("keys/testdata/pkcs8-" + kind + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(k.PEM(), written) {
				t.Errorf("PEM differs from openssl's:\n%s", k.PEM())
			}
		})
	}
}

func TestPublicKeyDoesNotChangeWithItsSource(t *testing.T) {
	source := *testSigner(t, "rsa2048").Public().(*rsa.PublicKey)
	source.N = new(big.Int).Set(source.N)
	k, err := NewPublicKey(&source)
	if err != nil {
		t.Fatal(err)
	}
	source.N.SetInt64(15)
	sig, err := testKey(t, "rsa2048").sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, k.Verify([]byte("message"), sig))
}

func TestParsePublicKeyRefuses(t *testing.T) {
	good := string(testKey(t, "p256").Public().PEM())
	secp256k1 := `-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEs54qfseC/lzQZ4izVOSvNkIoipP8unOz
XWPQ1stabcDWRaFVTs5I5EbggREKCl4Mwb88SjocWWrbFiqbPuMpHg==
-----END PUBLIC KEY-----
`
	private, err := os.ReadFile("keys/testdata/pkcs8-p256.key")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, pem string
		want      string
	}{
		{"an empty file", "", "no PEM block"},
		{"a private key", string(private), `a "PRIVATE KEY"`},
		{"two keys", good + good, "data after"},
		{"an unknown curve", secp256k1, "secp256k1 (1.3.132.0.10)"},
		{"garbage inside", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public key"},
		{"a huge file", good + strings.Repeat(" ", maxPublicKey), "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePublicKey([]byte(tt.pem))
			wantError(t, err, tt.want)
		})
	}
}
