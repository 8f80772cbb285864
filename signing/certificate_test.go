package signing

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// fromGPG returns a key that gpg has made; see its generate.sh.
func fromGPG(t testing.TB, name string, now time.Time) *openpgp.Secret {
	t.Helper()
	data, err := os.ReadFile("internal/openpgp/testdata/" + name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	s, err := openpgp.ParseSecret(data, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPublicKeysOfOpenPGP(t *testing.T) {
	k, err := NewOpenPGPKey("k", scheme.Index, fromGPG(t, "subkeys", noon), noon)
	if err != nil {
		t.Fatal(err)
	}
	pub := k.Public()
	hex40 := regexp.MustCompile(`^[0-9A-F]{40}$`)
	if !hex40.MatchString(pub.Fingerprint()) || !hex40.MatchString(pub.SigningFingerprint()) || pub.Fingerprint() == pub.SigningFingerprint() {
		t.Errorf("fingerprints %s and %s", pub.Fingerprint(), pub.SigningFingerprint())
	}
	if pub.Family() != scheme.OpenPGP || pub.Kind() != "ed25519" || pub.PrimaryKind() != "rsa2048" || pub.UserID() != "subkeys key" || !pub.Expires().IsZero() {
		t.Errorf("got %s %s %s %q %v", pub.Family(), pub.Kind(), pub.PrimaryKind(), pub.UserID(), pub.Expires())
	}
	if pub.PEM() != nil || !errors.Is(pub.Verify(nil, nil), ErrSignature) {
		t.Error("it is a bare key, too")
	}
	for name, data := range map[string][]byte{"armored": pub.Armored(), "binary": pub.Binary()} {
		again, err := ParseOpenPGP(data, noon)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Equal(pub) || again.ID() != pub.ID() || !bytes.Equal(again.Binary(), pub.Binary()) {
			t.Errorf("%s: another key", name)
		}
	}
	bare := testKey(t, "p256").Public()
	if bare.Family() != scheme.ECDSA || bare.Armored() != nil || bare.Binary() != nil || bare.UserID() != "" ||
		bare.SigningFingerprint() != "" || !bare.Expires().IsZero() || bare.PrimaryKind() != "p256" || bare.ID() != bare.Fingerprint() {
		t.Error("a bare key has something of OpenPGP")
	}
	if (PublicKey{}).Family() != "" {
		t.Error("no key has a family")
	}
}

func TestAKeyringIsOneArmor(t *testing.T) {
	a, b := pgpKey(t, scheme.Index, "p256").Public(), pgpKey(t, scheme.Index, "ed25519").Public()
	ring := ArmoredKeyring(a, testKey(t, "p384").Public(), b)
	if n := bytes.Count(ring, []byte("-----BEGIN ")); n != 1 {
		t.Errorf("%d blocks", n)
	}
	if _, err := ParseOpenPGP(ring, noon); err == nil {
		t.Error("two keys are read as one")
	}
	if !bytes.Equal(ArmoredKeyring(a), a.Armored()) || ArmoredKeyring() != nil || ArmoredKeyring(testKey(t, "p384").Public()) != nil {
		t.Error("keyrings of one key or none")
	}
}

func TestAKeyThatHasExpiredSignsNothing(t *testing.T) {
	before, after := noon, time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	_, err := NewOpenPGPKey("old", scheme.Index, fromGPG(t, "expiring", after), after)
	if !errors.Is(err, ErrExpired) {
		t.Errorf("error %v, want ErrExpired", err)
	}
	wantError(t, err, `"old"`, "2030-01-01", "gpg --quick-set-expire")
	k, err := NewOpenPGPKey("old", scheme.Index, fromGPG(t, "expiring", before), before)
	if err != nil {
		t.Fatal(err)
	}
	r := newRing(t, k, pgpKey(t, scheme.Index, "p256"))
	for _, s := range []scheme.Scheme{scheme.OpenPGPClearsigned, scheme.OpenPGPBinary} {
		if _, err := r.Sign(scheme.Index, s, Bytes("text\n"), before); err != nil {
			t.Error(err)
		}
		signed, err := r.Sign(scheme.Index, s, Bytes("text\n"), after)
		if !errors.Is(err, ErrExpired) || signed != nil {
			t.Errorf("after the end: %v, %v", signed, err)
		}
	}
	if pub, err := ParseOpenPGP(k.Public().Binary(), after); err != nil || !pub.Expires().Before(after) {
		t.Errorf("a key that has expired cannot be listed: %v", err)
	}
}

func TestKeysOfOpenPGPAreForPackagesAlone(t *testing.T) {
	for _, p := range []scheme.Purpose{scheme.Image, scheme.NPM, scheme.Note, ""} {
		if _, err := NewOpenPGPKey("k", p, pgpSecret(t, "ed25519"), noon); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("purpose %q: %v", p, err)
		}
	}
	_, err := NewOpenPGPKey("", scheme.Index, pgpSecret(t, "ed25519"), noon)
	wantError(t, err, "without a name")
	_, err = NewOpenPGPKey("k", scheme.Index, nil, noon)
	wantError(t, err, "no private key")
}

func TestOneKeyInTwoFormsIsOneKey(t *testing.T) {
	subkeys := func(p scheme.Purpose, name string) *Key {
		k, err := NewOpenPGPKey(string(p)+" "+name, p, fromGPG(t, name, noon), noon)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	whole := fromGPG(t, "subkeys", noon)
	subkey, err := NewKey("the subkey's numbers", scheme.File, whole.Signer())
	if err != nil {
		t.Fatal(err)
	}
	other, err := openpgp.New(testSigner(t, "rsa3072"), "another name", noon.AddDate(-2, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := NewOpenPGPKey("another name", scheme.File, other, noon)
	if err != nil {
		t.Fatal(err)
	}
	same := pgpKey(t, scheme.Index, "rsa2048")
	for name, pair := range map[string][2]*Key{
		"bare and of OpenPGP":              {pgpKey(t, scheme.Index, "rsa2048"), bareKey(t, scheme.File, "rsa2048")},
		"of OpenPGP and bare":              {bareKey(t, scheme.Image, "p256"), pgpKey(t, scheme.Index, "p256")},
		"with another name and date":       {pgpKey(t, scheme.Index, "rsa3072"), renamed},
		"with and without a primary key":   {subkeys(scheme.Index, "subkeys"), subkeys(scheme.File, "subkeys-stub")},
		"a subkey, bare":                   {subkeys(scheme.Index, "subkeys"), subkey},
		"twice for one purpose":            {pgpKey(t, scheme.Index, "ed25519"), pgpKey(t, scheme.Index, "ed25519")},
		"twice the very same, in one list": {same, same},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewRing("packages", []*Key{pair[0], pair[1]})
			wantError(t, err, `"packages"`, "same key", pair[1].Public().Fingerprint())
			a, err := NewRing("debian", pair[:1])
			if err != nil {
				t.Fatal(err)
			}
			b, err := NewRing("rpm", pair[1:])
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, CheckDistinct(a, b), `"debian"`, `"rpm"`)
			wantError(t, CheckDistinct(a, a.SharingIndex()))
		})
	}
}
