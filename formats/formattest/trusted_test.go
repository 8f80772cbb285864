package formattest

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

func TestTrustedTakesEachFormForWhatItIs(t *testing.T) {
	text := []byte("A: b\n- dashed\n\nC:\n d\n")
	h := NewHouse(t, &tiny{})
	sign := func(s scheme.Scheme) []byte {
		sigs, err := h.ring.sign(scheme.Index, s, text, h.Date)
		if err != nil {
			t.Fatal(err)
		}
		return sigs[0].Value
	}
	framed, armored, bare := sign(scheme.OpenPGPClearsigned), sign(scheme.OpenPGPArmored), sign(scheme.OpenPGPBinary)
	ours := h.Trusted()
	stranger := newHouse(t, &tiny{}, foreign).trusted(foreign)

	if got, err := ours.Clearsigned(framed); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the clear-signed text reads as %q: %v", got, err)
	}
	for name, err := range map[string]error{
		"armored": ours.Armored(text, armored),
		"bare":    ours.Binary(text, bare),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	clearsigned := func(trusted Trusted, document []byte) error {
		_, err := trusted.Clearsigned(document)
		return err
	}
	for name, err := range map[string]error{
		"a bare signature for an armored one":   ours.Armored(text, bare),
		"an armored signature for a bare one":   ours.Binary(text, armored),
		"an armored signature of another text":  ours.Armored(text[1:], armored),
		"a bare signature of another text":      ours.Binary(text[1:], bare),
		"an armored signature by a stranger":    stranger.Armored(text, armored),
		"a bare signature by a stranger":        stranger.Binary(text, bare),
		"no armored signature":                  ours.Armored(text, nil),
		"no bare signature":                     ours.Binary(text, nil),
		"a clear-signed text by a stranger":     clearsigned(stranger, framed),
		"a clear-signed text with another line": clearsigned(ours, bytes.Replace(framed, []byte("A: b"), []byte("A: c"), 1)),
		"something before the frame":            clearsigned(ours, append([]byte("A: c\n"), framed...)),
		"something behind the frame":            clearsigned(ours, append(bytes.Clone(framed), "A: c\n"...)),
		"a text without a frame":                clearsigned(ours, text),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// pacman and rpm refuse signatures by keys that they do not know, also beside one by a key that they know.
func TestTrustedCanWantEverySignatureToBeGood(t *testing.T) {
	message := []byte("message")
	h := NewHouse(t, &tiny{})
	sign := func(k keyring) []byte {
		sigs, err := k.sign(scheme.Index, scheme.OpenPGPBinary, message, h.Date)
		if err != nil || len(sigs) != 1 {
			t.Fatalf("%d signatures: %v", len(sigs), err)
		}
		return sigs[0].Value
	}
	both, alone := sign(h.ring), sign(h.ring.oldest())
	other := sign(newHouse(t, &tiny{}, foreign).ring)
	for _, tt := range []struct {
		name       string
		sets       []int
		signature  []byte
		every, any bool
	}{
		{"by both keys, which are trusted", []int{older, newer}, both, true, true},
		{"by both keys, of which the older is trusted", []int{older}, both, false, true},
		{"by both keys, of which the newer is trusted", []int{newer}, both, false, true},
		{"by the oldest key, of two that are trusted", []int{older, newer}, alone, true, true},
		{"by the oldest key, the only one that is trusted", []int{older}, alone, true, true},
		{"by the oldest key, and the newer is trusted", []int{newer}, alone, false, false},
		{"by both keys and a stranger's", []int{older, newer}, slices.Concat(both, other), false, true},
		{"by a stranger and both keys", []int{older, newer}, slices.Concat(other, both), false, true},
		{"by the oldest key, twice", []int{older}, slices.Concat(alone, alone), true, true},
		{"by nobody", []int{older, newer}, nil, false, false},
		{"by both keys, cut off", []int{older, newer}, both[:len(both)-1], false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			trusted := h.trusted(tt.sets...)
			err := trusted.EveryBinary(message, tt.signature)
			if (err == nil) != tt.every || err != nil && !errors.Is(err, ErrSignature) {
				t.Errorf("where every signature must be good: %v", err)
			}
			if err := trusted.Binary(message, tt.signature); (err == nil) != tt.any {
				t.Errorf("where one must be good: %v", err)
			}
			if err := trusted.EveryBinary(message[1:], tt.signature); err == nil {
				t.Error("the signature of another message is accepted")
			}
		})
	}
}

func TestTheOldestKeySignsAloneWhereThatIsWished(t *testing.T) {
	h := NewHouse(t, &tiny{})
	if err := h.Put("one/a_1.0.tiny", []byte("TINY a 1.0 one 0\n")); err != nil {
		t.Fatal(err)
	}
	manifest, armored, bare := h.Indexes()["one/MANIFEST"], h.Indexes()["one/MANIFEST.asc"], h.Indexes()["one/MANIFEST.sig"]
	if err := h.trusted(older).Binary(manifest, bare); err != nil {
		t.Errorf("the oldest key's: %v", err)
	}
	if err := h.trusted(newer).Binary(manifest, bare); err == nil {
		t.Error("the newer key has signed, too")
	}
	for _, set := range []int{older, newer} {
		if err := h.trusted(set).Armored(manifest, armored); err != nil {
			t.Errorf("the signature of all keys, with the key set %d: %v", set, err)
		}
	}
}

func TestTrustedKnowsECDSAKeysByTheirFiles(t *testing.T) {
	h := NewHouse(t, &tiny{spec: func(s format.Spec) format.Spec {
		s.Keys = []format.KeyUse{{Purpose: scheme.NPM, Family: scheme.ECDSA}}
		return s
	}})
	message := []byte("name@1.0.0:sha512-x")
	sigs, err := h.ring.sign(scheme.NPM, scheme.ECDSASHA256, message, h.Date)
	if err != nil || len(sigs) != 2 {
		t.Fatalf("%d signatures: %v", len(sigs), err)
	}
	for _, sig := range sigs {
		if err := h.Trusted().ECDSA(sig.Key, message, sig.Value); err != nil {
			t.Error(err)
		}
	}
	for name, err := range map[string]error{
		"the other key's file": h.Trusted().ECDSA(sigs[1].Key, message, sigs[0].Value),
		"no such file":         h.Trusted().ECDSA("x", message, sigs[0].Value),
		"another message":      h.Trusted().ECDSA(sigs[0].Key, message[1:], sigs[0].Value),
		"no signature":         h.Trusted().ECDSA(sigs[0].Key, message, nil),
		"as one of RSA":        h.Trusted().RSA(sigs[0].Key, scheme.RSASHA256, message, sigs[0].Value),
		"an older key alone":   h.trusted(older).ECDSA(sigs[1].Key, message, sigs[1].Value),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s is accepted: %v", name, err)
		}
	}
}

func TestKeysInCertificates(t *testing.T) {
	h := NewHouse(t, &tiny{spec: func(s format.Spec) format.Spec {
		s.Keys = []format.KeyUse{{Purpose: scheme.Package, Family: scheme.RSA, Certificate: true}}
		return s
	}})
	message := []byte("message")
	sigs, err := h.ring.sign(scheme.Package, scheme.RSASHA256, message, h.Date)
	if err != nil || len(sigs) != 2 {
		t.Fatalf("%d signatures: %v", len(sigs), err)
	}
	certificates, keys := h.Trusted().Certificates(), h.ring.public().Of(scheme.Package, scheme.RSA)
	if len(certificates) != 2 || len(keys) != 2 {
		t.Fatalf("%d certificates and %d keys", len(certificates), len(keys))
	}
	for i, c := range certificates {
		if !bytes.Equal(c.Raw, keys[i].Certificate) {
			t.Errorf("the key %s has another certificate", keys[i].File)
		}
		if err := c.CheckSignature(x509.SHA256WithRSA, message, sigs[i].Value); err != nil {
			t.Error(err)
		}
		if err := c.CheckSignature(x509.SHA256WithRSA, message, sigs[1-i].Value); err == nil {
			t.Error("the certificate of another key verifies")
		}
	}
	if n := len(NewHouse(t, &tiny{}).Trusted().Certificates()); n != 0 {
		t.Errorf("keys without certificates have %d", n)
	}
}

func TestTrustedKnowsRSAKeysByTheirFiles(t *testing.T) {
	f := &tiny{spec: func(s format.Spec) format.Spec {
		s.Keys = []format.KeyUse{{Purpose: scheme.Index, Family: scheme.RSA}}
		return s
	}}
	h := NewHouse(t, f)
	message := []byte("message")
	for _, s := range []scheme.Scheme{scheme.RSASHA256, scheme.RSASHA1} {
		sigs, err := h.ring.sign(scheme.Index, s, message, h.Date)
		if err != nil || len(sigs) != 2 {
			t.Fatalf("%d signatures: %v", len(sigs), err)
		}
		if err := h.Trusted().RSA(sigs[0].Key, s, message, sigs[0].Value); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"the other key's file": h.Trusted().RSA(sigs[1].Key, s, message, sigs[0].Value),
			"no such file":         h.Trusted().RSA("x", s, message, sigs[0].Value),
			"another message":      h.Trusted().RSA(sigs[0].Key, s, message[1:], sigs[0].Value),
			"no signature":         h.Trusted().RSA(sigs[0].Key, s, message, nil),
		} {
			if err == nil {
				t.Errorf("%s: %s is accepted", s, name)
			}
		}
	}
}
