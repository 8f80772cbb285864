package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// bareKey and pgpKey return keys of testdata's numbers for a purpose.
func bareKey(t testing.TB, p scheme.Purpose, kind string) *Key {
	t.Helper()
	k, err := NewKey(string(p)+"-"+kind, p, testSigner(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pgpSecret(t testing.TB, kind string) *openpgp.Secret {
	t.Helper()
	s, err := openpgp.New(testSigner(t, kind), "Hallmark test", noon.AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pgpKey(t testing.TB, p scheme.Purpose, kind string) *Key {
	t.Helper()
	k, err := NewOpenPGPKey(string(p)+"-openpgp-"+kind, p, pgpSecret(t, kind), noon)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB, keys ...*Key) *Ring {
	t.Helper()
	r, err := NewRing("packages", keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verifyScheme checks what a client would be served.
func verifyScheme(pub PublicKey, s scheme.Scheme, m Message, served []byte) error {
	switch s {
	case scheme.OpenPGPClearsigned:
		text, err := VerifyClearsigned(pub, served)
		if err == nil && !bytes.Equal(text, m.(Bytes)) {
			return ErrSignature
		}
		return err
	case scheme.OpenPGPArmored, scheme.OpenPGPBinary:
		return VerifyOpenPGP(pub, m, served)
	case scheme.BlobBundle:
		return VerifyBlobBundle(pub, served, m)
	}
	return VerifyRSA(pub, s, m, served)
}

func TestEverySchemeSignsWithAllKeysOfItsPurpose(t *testing.T) {
	message, other := Bytes("Suite: stable\n"), Bytes("Suite: testing\n")
	pgp := []*Key{pgpKey(t, scheme.Index, "p384"), pgpKey(t, scheme.Index, "ed25519"), pgpKey(t, scheme.Index, "p521"), pgpKey(t, scheme.Index, "rsa2048")}
	rsa := []*Key{bareKey(t, scheme.Index, "rsa2048"), bareKey(t, scheme.Index, "rsa3072")}
	ecdsa := []*Key{bareKey(t, scheme.Index, "p256"), bareKey(t, scheme.Index, "p384"), bareKey(t, scheme.Index, "p521")}
	for s, keys := range map[scheme.Scheme][]*Key{
		scheme.OpenPGPClearsigned: pgp, scheme.OpenPGPArmored: pgp, scheme.OpenPGPBinary: pgp,
		scheme.RSASHA256: rsa, scheme.RSASHA1: rsa, scheme.BlobBundle: ecdsa,
	} {
		t.Run(string(s), func(t *testing.T) {
			family := s.Family()
			all := slices.Clone(keys)
			// Keys of other purposes and families do not sign.
			if family != scheme.OpenPGP {
				all = append(all, pgpKey(t, scheme.Index, "rsa4096"))
			}
			all = append(all, bareKey(t, scheme.Image, "p224"), bareKey(t, scheme.File, "rsa8192"))
			r := newRing(t, all...)
			signed, err := r.Sign(scheme.Index, s, message, noon)
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Sign(scheme.Index, s, message, noon)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(signed.Document, again.Document) {
				t.Error("another document the second time")
			}
			if len(signed.Signatures) != len(keys) {
				t.Fatalf("%d signatures of %d keys", len(signed.Signatures), len(keys))
			}
			if (signed.Document != nil) != (family == scheme.OpenPGP) {
				t.Errorf("document %q", signed.Document)
			}
			sum := sha256.Sum256(message)
			for i, sig := range signed.Signatures {
				served := signed.Document
				if served == nil {
					served = sig.Value
				}
				if sig.Name != keys[i].Name() || !sig.Key.Equal(keys[i].Public()) || sig.MessageDigest != "sha256:"+hex.EncodeToString(sum[:]) {
					t.Errorf("signature %d is of %s over %s", i, sig.Name, sig.MessageDigest)
				}
				if !bytes.Equal(sig.Value, again.Signatures[i].Value) || sig.ValueDigest != again.Signatures[i].ValueDigest || len(sig.ValueDigest) != 71 {
					t.Errorf("%s: another signature the second time", sig.Name)
				}
				if err := verifyScheme(sig.Key, s, message, served); err != nil {
					t.Error(err)
				}
				if err := verifyScheme(sig.Key, s, other, served); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: another message: %v", sig.Name, err)
				}
				for name, pub := range map[string]PublicKey{
					"another key of the kind": pgpKey(t, scheme.File, "p256").Public(), "a bare key": bareKey(t, scheme.File, "rsa4096").Public(), "no key": {},
				} {
					if err := verifyScheme(pub, s, message, served); !errors.Is(err, ErrSignature) {
						t.Errorf("%s verifies: %v", name, err)
					}
				}
				if family == scheme.RSA || family == scheme.ECDSA {
					flipped := bytes.Clone(served)
					flipped[len(flipped)-8] ^= 1
					if err := verifyScheme(sig.Key, s, message, flipped); err == nil {
						t.Errorf("%s: verifies with a flipped bit", sig.Name)
					}
				}
			}
		})
	}
}

func TestAFileThatWasHashedIsSignedWithoutReadingItAgain(t *testing.T) {
	r := newRing(t, pgpKey(t, scheme.File, "p384"), pgpKey(t, scheme.File, "ed25519"), bareKey(t, scheme.File, "p256"), pgpKey(t, scheme.Index, "p521"))
	if got, want := r.Hashes(scheme.File), []crypto.Hash{crypto.SHA256, crypto.SHA384}; !slices.Equal(got, want) {
		t.Errorf("Hashes(file) = %v, want %v", got, want)
	}
	if got, want := r.Hashes(scheme.File, scheme.Index), []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}; !slices.Equal(got, want) {
		t.Errorf("Hashes(file, index) = %v, want %v", got, want)
	}
	file := strings.Repeat("file", 5000)
	m, err := ReadHashed(strings.NewReader(file), r.Hashes(scheme.File)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []scheme.Scheme{scheme.OpenPGPArmored, scheme.OpenPGPBinary, scheme.BlobBundle} {
		hashed, err := r.Sign(scheme.File, s, m, noon)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := r.Sign(scheme.File, s, Bytes(file), noon)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(hashed.Document, whole.Document) || !bytes.Equal(hashed.Signatures[0].Value, whole.Signatures[0].Value) {
			t.Errorf("%s: another signature from the hashes", s)
		}
	}
	if _, err := r.Sign(scheme.File, scheme.OpenPGPClearsigned, m, noon); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("hashes are clear-signed: %v", err)
	}
	if _, err := r.Sign(scheme.Index, scheme.OpenPGPBinary, m, noon); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("signed by a hash that was not kept: %v", err)
	}
}

func TestWhatARingDoesNotSign(t *testing.T) {
	r := newRing(t, pgpKey(t, scheme.Index, "ed25519"), bareKey(t, scheme.File, "p256"), bareKey(t, scheme.Image, "p384"), bareKey(t, scheme.NPM, "p521"))
	for _, tt := range []struct {
		name    string
		purpose scheme.Purpose
		scheme  scheme.Scheme
		want    string
	}{
		{"bytes with a key for images", scheme.Image, scheme.BlobBundle, `purpose "image"`},
		{"bytes with a key for npm", scheme.NPM, scheme.BlobBundle, `purpose "npm"`},
		{"bytes in the form of an image", scheme.Index, scheme.Cosign, `scheme "cosign"`},
		{"an unknown scheme", scheme.Index, "x509", `scheme "x509"`},
		{"with a key of another family", scheme.Index, scheme.RSASHA256, "no rsa key"},
		{"with a key of another purpose", scheme.File, scheme.OpenPGPArmored, "no openpgp key"},
		{"a package with the index's key", scheme.Package, scheme.OpenPGPBinary, `no openpgp key of purpose "package"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signed, err := r.Sign(tt.purpose, tt.scheme, Bytes("x"), noon)
			if signed != nil {
				t.Error("signed")
			}
			wantError(t, err, `"packages"`, tt.want)
		})
	}
}

func TestOnlyASharingRingSignsPackagesWithTheIndexKey(t *testing.T) {
	index := pgpKey(t, scheme.Index, "ed25519")
	shared := newRing(t, index).SharingIndex()
	signed, err := shared.Sign(scheme.Package, scheme.OpenPGPBinary, Bytes("x"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if !signed.Signatures[0].Key.Equal(index.Public()) || len(shared.Hashes(scheme.Package)) != 1 {
		t.Error("signed by another key")
	}
	own := pgpKey(t, scheme.Package, "p256")
	if signed, err = newRing(t, index, own).SharingIndex().Sign(scheme.Package, scheme.OpenPGPBinary, Bytes("x"), noon); err != nil {
		t.Fatal(err)
	}
	if len(signed.Signatures) != 1 || !signed.Signatures[0].Key.Equal(own.Public()) {
		t.Error("not signed by the key for packages alone")
	}
	if _, err := shared.Sign(scheme.File, scheme.OpenPGPBinary, Bytes("x"), noon); err == nil {
		t.Error("a file is signed with the index's key")
	}
}

func TestSigningPackagesFailsClosed(t *testing.T) {
	broken := errors.New("token removed")
	good := testSigner(t, "rsa2048")
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
			faulty := stub{good.Public(), tt.sign}
			bare, err := NewKey("faulty", scheme.Index, faulty)
			if err != nil {
				t.Fatal(err)
			}
			secret := pgpSecret(t, "rsa2048").WithSigner(faulty)
			pgp, err := NewOpenPGPKey("faulty", scheme.Index, secret, noon)
			if err != nil {
				t.Fatal(err)
			}
			curve, err := NewKey("faulty", scheme.Index, stub{testSigner(t, "p256").Public(), tt.sign})
			if err != nil {
				t.Fatal(err)
			}
			for s, keys := range map[scheme.Scheme][]*Key{
				scheme.RSASHA256:          {bareKey(t, scheme.Index, "rsa3072"), bare},
				scheme.BlobBundle:         {bareKey(t, scheme.Index, "p384"), curve},
				scheme.OpenPGPClearsigned: {pgpKey(t, scheme.Index, "ed25519"), pgp},
				scheme.OpenPGPArmored:     {pgpKey(t, scheme.Index, "ed25519"), pgp},
			} {
				signed, err := newRing(t, keys...).Sign(scheme.Index, s, Bytes("text\n"), noon)
				if !errors.Is(err, tt.want) || signed != nil {
					t.Errorf("%s: signed %v, error %v", s, signed != nil, err)
				}
			}
		})
	}
}
