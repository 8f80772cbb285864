package formattest

import (
	"bytes"
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
