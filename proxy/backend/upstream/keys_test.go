package upstream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/signing"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

func TestKeysCheckWhatTheUpstreamSigned(t *testing.T) {
	theirs := signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519")
	others := signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519")
	at := time.Now().Truncate(time.Second)
	sign := func(k *signing.Key, s scheme.Scheme) []byte {
		t.Helper()
		signed, err := signingtest.Ring(t, "upstream", k).Sign(scheme.Index, s, signing.Bytes("index\n"), at)
		if err != nil {
			t.Fatal(err)
		}
		return signed.Document
	}
	k, err := ParseKeys(theirs.Public().Armored(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	made, err := k.Verify(scheme.OpenPGPArmored, strings.NewReader("index\n"), sign(theirs, scheme.OpenPGPArmored))
	if err != nil || !made.Equal(at) {
		t.Errorf("%v, %v", made, err)
	}
	text, err := k.Cleartext(sign(theirs, scheme.OpenPGPClearsigned))
	if err != nil || string(text) != "index\n" {
		t.Errorf("%q, %v", text, err)
	}
	for name, sig := range map[string][]byte{"none": nil, "another key's": sign(others, scheme.OpenPGPArmored), "no signature": []byte("x")} {
		_, err := k.Verify(scheme.OpenPGPArmored, strings.NewReader("index\n"), sig)
		wantFault(t, err, format.ErrMalformed, "upstream.key")
		if name == "another key's" {
			wantFault(t, err, format.ErrMalformed, others.Public().Fingerprint())
		}
	}
	_, err = k.Cleartext(sign(others, scheme.OpenPGPClearsigned))
	wantFault(t, err, format.ErrMalformed, others.Public().Fingerprint())
}

func TestWithoutKeysWhateverComesIsTaken(t *testing.T) {
	k := Unverified()
	made, err := k.Verify(scheme.OpenPGPArmored, strings.NewReader("index\n"), nil)
	if err != nil || !made.IsZero() {
		t.Errorf("%v, %v", made, err)
	}
	if _, err := k.Cleartext([]byte("Suite: stable\n")); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("%v", err)
	}
}
