package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"testing"

	"hallmark/signing/scheme"
)

func TestKeysOfNPMAndPackagesMakeBareECDSASignatures(t *testing.T) {
	message, other := Bytes("@acme/left-pad@1.0.0:sha512-aGVsbG8="), Bytes("@acme/left-pad@1.0.1:sha512-aGVsbG8=")
	for _, p := range []scheme.Purpose{scheme.NPM, scheme.Package} {
		keys := []*Key{bareKey(t, p, "p256"), bareKey(t, p, "p384"), bareKey(t, p, "p521")}
		r := newRing(t, append(keys, bareKey(t, scheme.Image, "p224"), bareKey(t, p, "rsa2048"))...)
		signed, err := r.Sign(p, scheme.ECDSASHA256, message, noon)
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.Sign(p, scheme.ECDSASHA256, message, noon)
		if err != nil {
			t.Fatal(err)
		}
		if len(signed.Signatures) != len(keys) || signed.Document != nil {
			t.Fatalf("%d signatures of %d keys", len(signed.Signatures), len(keys))
		}
		for i, sig := range signed.Signatures {
			if !bytes.Equal(sig.Value, again.Signatures[i].Value) {
				t.Errorf("%s: another signature the second time", sig.Name)
			}
			if err := VerifyECDSA(keys[i].Public(), message, sig.Value); err != nil {
				t.Error(err)
			}
			flipped := bytes.Clone(sig.Value)
			flipped[len(flipped)-1] ^= 1
			for name, err := range map[string]error{
				"another message": VerifyECDSA(keys[i].Public(), other, sig.Value),
				"another key":     VerifyECDSA(keys[(i+1)%len(keys)].Public(), message, sig.Value),
				"an RSA key":      VerifyECDSA(bareKey(t, p, "rsa2048").Public(), message, sig.Value),
				"no key":          VerifyECDSA(PublicKey{}, message, sig.Value),
				"a flipped bit":   VerifyECDSA(keys[i].Public(), message, flipped),
				"no signature":    VerifyECDSA(keys[i].Public(), message, nil),
			} {
				if !errors.Is(err, ErrSignature) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// A bare signature of ECDSA says nothing of what it is for.
func TestOtherKeysMakeNoBareECDSASignatures(t *testing.T) {
	r := newRing(t, bareKey(t, scheme.Index, "p256"), bareKey(t, scheme.File, "p384"), bareKey(t, scheme.Image, "p224"), bareKey(t, scheme.Note, "p521"))
	for _, p := range []scheme.Purpose{scheme.Index, scheme.File, scheme.Image, scheme.Note} {
		if signed, err := r.Sign(p, scheme.ECDSASHA256, Bytes("x"), noon); !errors.Is(err, errors.ErrUnsupported) || signed != nil {
			t.Errorf("a key of purpose %s signs: %v", p, err)
		}
	}
	r = newRing(t, bareKey(t, scheme.NPM, "p256"), bareKey(t, scheme.Package, "p384"))
	for _, s := range []scheme.Scheme{scheme.BlobBundle, scheme.RSASHA256, scheme.OpenPGPArmored, scheme.Cosign} {
		if signed, err := r.Sign(scheme.NPM, s, Bytes("x"), noon); !errors.Is(err, errors.ErrUnsupported) || signed != nil {
			t.Errorf("a key of purpose npm signs in %s: %v", s, err)
		}
	}
	if _, err := NewRing("npm", []*Key{bareKey(t, scheme.NPM, "p256"), bareKey(t, scheme.File, "p256")}); err == nil {
		t.Error("one key for npm and for files")
	}
}

func TestSigningForNPMFailsClosed(t *testing.T) {
	good := testSigner(t, "p256")
	faulty, err := NewKey("faulty", scheme.NPM, stub{good.Public(), func() ([]byte, error) {
		return good.Sign(nil, make([]byte, sha256.Size), crypto.SHA256)
	}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := newRing(t, bareKey(t, scheme.NPM, "p384"), faulty).Sign(scheme.NPM, scheme.ECDSASHA256, Bytes("x"), noon)
	if !errors.Is(err, ErrSignature) || signed != nil {
		t.Errorf("signed %v, error %v", signed != nil, err)
	}
}
