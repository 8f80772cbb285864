package signing

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/signing/scheme"
)

// signedBy returns a document of a message in a scheme, signed by keys.
func signedBy(t testing.TB, s scheme.Scheme, message string, at time.Time, keys ...*Key) []byte {
	t.Helper()
	signed, err := newRing(t, keys...).Sign(scheme.Index, s, Bytes(message), at)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Document == nil {
		return signed.Signatures[0].Value
	}
	return signed.Document
}

func parseKeyring(t testing.TB, data []byte, now time.Time) *Keyring {
	t.Helper()
	k, err := ParseKeyring(data, now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestASignatureOfOneOfAKeyringsKeysSuffices(t *testing.T) {
	ours, other, third := pgpKey(t, scheme.Index, "rsa4096"), pgpKey(t, scheme.Index, "ed25519"), pgpKey(t, scheme.Index, "p256")
	rings := map[string][]byte{
		"armored":         ours.Public().Armored(),
		"binary":          ours.Public().Binary(),
		"two in an armor": ArmoredKeyring(other.Public(), ours.Public()),
		"two armors":      slices.Concat([]byte("a comment\n"), other.Public().Armored(), ours.Public().Armored()),
		"two, binary":     slices.Concat(other.Public().Binary(), ours.Public().Binary()),
	}
	const message = "Suite: stable\n- dash\n"
	flip := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 1; return b }
	for name, data := range rings {
		t.Run(name, func(t *testing.T) {
			k := parseKeyring(t, data, noon)
			verify := func(s scheme.Scheme, message string, sig []byte) error {
				made, err := k.Verify(s, strings.NewReader(message), sig, noon.Add(time.Minute))
				if err == nil && !made.Equal(noon) {
					t.Errorf("made at %v", made)
				}
				return err
			}
			for _, s := range []scheme.Scheme{scheme.OpenPGPArmored, scheme.OpenPGPBinary} {
				sig := signedBy(t, s, message, noon, third, ours)
				if err := verify(s, message, sig); err != nil {
					t.Error(err)
				}
				if err := verify(s, message+"x", sig); !errors.Is(err, ErrSignature) {
					t.Errorf("another message: %v", err)
				}
				err := verify(s, message, signedBy(t, s, message, noon, third))
				if !errors.Is(err, ErrSignature) {
					t.Errorf("another key: %v", err)
				}
				wantError(t, err, "signed by key "+third.Public().Fingerprint())
				if err := verify(s, message, nil); !errors.Is(err, ErrSignature) {
					t.Errorf("no signature: %v", err)
				}
			}
			sig := signedBy(t, scheme.OpenPGPBinary, message, noon, ours)
			if err := verify(scheme.OpenPGPBinary, message, flip(sig, len(sig)-1)); !errors.Is(err, ErrSignature) {
				t.Errorf("a flipped bit: %v", err)
			}
			document := signedBy(t, scheme.OpenPGPClearsigned, message, noon, third, ours)
			text, made, err := k.Cleartext(document, noon)
			if err != nil || string(text) != message || !made.Equal(noon) {
				t.Errorf("%q, %v, %v", text, made, err)
			}
			for what, bad := range map[string][]byte{
				"a flipped bit": flip(document, bytes.Index(document, []byte("stable"))),
				"another key":   signedBy(t, scheme.OpenPGPClearsigned, message, noon, third),
				"text before":   append([]byte("Suite: evil\n"), document...),
				"text behind":   append(bytes.Clone(document), "Suite: evil\n"...),
				"twice":         append(bytes.Clone(document), document...),
				"a header":      bytes.Replace(document, []byte("\nHash:"), []byte("\nSuite: evil\nHash:"), 1),
				"not signed":    []byte(message),
			} {
				if text, _, err := k.Cleartext(bad, noon); !errors.Is(err, ErrSignature) || text != nil {
					t.Errorf("%s: %q, %v", what, text, err)
				}
			}
		})
	}
}

func TestTextThatNobodyVouchesForIsReadAsStrictly(t *testing.T) {
	document := signedBy(t, scheme.OpenPGPClearsigned, "- dash\nSuite: stable\n", noon, pgpKey(t, scheme.Index, "ed25519"))
	if text, err := UnverifiedCleartext(document); err != nil || string(text) != "- dash\nSuite: stable\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, bad := range [][]byte{append([]byte("x\n"), document...), append(bytes.Clone(document), 'x'), nil} {
		if text, err := UnverifiedCleartext(bad); err == nil {
			t.Errorf("%q", text)
		}
	}
}

func TestTheTimeDecidesWhatAKeyringTakes(t *testing.T) {
	const message = "message"
	secret := fromGPG(t, "expiring", noon) // until 2030
	key, err := NewOpenPGPKey("expiring", scheme.Index, secret, noon)
	if err != nil {
		t.Fatal(err)
	}
	k := parseKeyring(t, key.Public().Armored(), noon)
	sig := signedBy(t, scheme.OpenPGPBinary, message, noon, key)
	for _, tt := range []struct {
		name  string
		now   time.Time
		words []string
	}{
		{"now", noon, nil},
		{"a clock that is behind by little", noon.Add(-time.Minute), nil},
		{"a clock that is behind by a day", noon.AddDate(0, 0, -1), []string{"from the future"}},
		{"after the end of the key", noon.AddDate(6, 0, 0), []string{"the key has expired on 2030"}},
	} {
		_, err := k.Verify(scheme.OpenPGPBinary, strings.NewReader(message), sig, tt.now)
		wantError(t, err, tt.words...)
		if tt.words != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err = ParseKeyring(key.Public().Armored(), noon.AddDate(6, 0, 0))
	wantError(t, err, key.Public().Fingerprint(), "the key has expired")
}

func TestKeysThatCannotBeUsedAreLeftOut(t *testing.T) {
	good, expiring := pgpKey(t, scheme.Index, "ed25519"), fromGPG(t, "expiring", noon)
	data := slices.Concat(expiring.Certificate().Binary(), good.Public().Binary())
	k := parseKeyring(t, data, noon.AddDate(6, 0, 0))
	if got := k.Fingerprints(); len(got) != 1 || got[0] != good.Public().Fingerprint() || len(k.Unused()) != 1 {
		t.Errorf("keys %v, unused %v", got, k.Unused())
	}
	for name, data := range map[string]string{"nothing": "", "text": "hello\n", "a private key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if k, err := ParseKeyring([]byte(data), noon); err == nil {
			t.Errorf("%s: %v", name, k.Fingerprints())
		}
	}
}

func TestBareKeysOfAKeyring(t *testing.T) {
	const message = "message"
	ours, other := bareKey(t, scheme.Index, "rsa2048"), bareKey(t, scheme.Index, "rsa3072")
	k := parseKeyring(t, slices.Concat(other.Public().PEM(), ours.Public().PEM()), noon)
	alone := parseKeyring(t, other.Public().PEM(), noon)
	for _, s := range []scheme.Scheme{scheme.RSASHA256, scheme.RSASHA1} {
		sig := signedBy(t, s, message, noon, ours)
		if made, err := k.Verify(s, strings.NewReader(message), sig, noon); err != nil || !made.IsZero() {
			t.Errorf("%s: %v, %v", s, made, err)
		}
		for what, err := range map[string]error{
			"another message": second(k.Verify(s, strings.NewReader("other"), sig, noon)),
			"another key":     second(alone.Verify(s, strings.NewReader(message), sig, noon)),
			"no signature":    second(k.Verify(s, strings.NewReader(message), nil, noon)),
			"no such key":     second(parseKeyring(t, pgpKey(t, scheme.Index, "ed25519").Public().Armored(), noon).Verify(s, strings.NewReader(message), sig, noon)),
		} {
			if !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: %v", s, what, err)
			}
		}
	}
}

func TestBareECDSAKeysOfAKeyring(t *testing.T) {
	const message = "left-pad@1.0.0:sha512-x"
	ours, other := bareKey(t, scheme.NPM, "p256"), bareKey(t, scheme.NPM, "p384")
	signed, err := newRing(t, ours).Sign(scheme.NPM, scheme.ECDSASHA256, Bytes(message), noon)
	if err != nil {
		t.Fatal(err)
	}
	sig := signed.Signatures[0].Value
	k := parseKeyring(t, slices.Concat(other.Public().PEM(), ours.Public().PEM()), noon)
	if made, err := k.Verify(scheme.ECDSASHA256, strings.NewReader(message), sig, noon); err != nil || !made.IsZero() {
		t.Errorf("%v, %v", made, err)
	}
	for what, err := range map[string]error{
		"another message": second(k.Verify(scheme.ECDSASHA256, strings.NewReader("other"), sig, noon)),
		"another key":     second(parseKeyring(t, other.Public().PEM(), noon).Verify(scheme.ECDSASHA256, strings.NewReader(message), sig, noon)),
		"as one of RSA":   second(k.Verify(scheme.RSASHA256, strings.NewReader(message), sig, noon)),
		"no signature":    second(k.Verify(scheme.ECDSASHA256, strings.NewReader(message), nil, noon)),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzKeyring(f *testing.F) {
	key := pgpKey(f, scheme.Index, "ed25519")
	k := parseKeyring(f, key.Public().Armored(), noon)
	document := signedBy(f, scheme.OpenPGPClearsigned, "Suite: stable\n", noon, key)
	f.Add(document)
	f.Add(signedBy(f, scheme.OpenPGPBinary, "Suite: stable\n", noon, key))
	f.Add(key.Public().Binary())
	f.Add(bareKey(f, scheme.Index, "rsa2048").Public().PEM())
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, _, err := k.Cleartext(data, noon); err == nil && string(text) != "Suite: stable\n" {
			t.Errorf("signed: %q", text)
		}
		UnverifiedCleartext(data)
		if _, err := k.Verify(scheme.OpenPGPBinary, io.LimitReader(bytes.NewReader(data), 8), data, noon); err == nil {
			t.Errorf("%q signs its own head", data)
		}
		if ring, err := ParseKeyring(data, noon); err == nil && len(ring.Fingerprints()) == 0 {
			t.Error("a keyring without keys")
		}
	})
}
