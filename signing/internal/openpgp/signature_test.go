package openpgp

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var kinds = []string{"p256", "p384", "p521", "rsa2048", "ed25519"}

func TestSignaturesVerifyAndChangedOnesDoNot(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, other := generated(t, kind), generated(t, "ed25519")
			c := s.Certificate()
			sig := sign(t, s, "message", now)
			for name, file := range map[string][]byte{"binary": sig, "armored": ArmorSignature(sig)} {
				if err := verify(c, "message", file); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !bytes.Equal(sign(t, s, "message", now), sig) {
				t.Error("another signature the second time")
			}
			flipped := bytes.Clone(sig)
			flipped[len(sig)-1] ^= 1
			if err := verify(c, "massage", sig); !errors.Is(err, ErrSignature) {
				t.Errorf("another message: %v", err)
			}
			if err := verify(c, "message", flipped); !errors.Is(err, ErrSignature) {
				t.Errorf("flipped bit: %v", err)
			}
			if err := verify(other.Certificate(), "message", sig); !errors.Is(err, ErrNoSignature) {
				t.Errorf("another key: %v", err)
			}
			if err := verify(c, "message", sig[:0]); err == nil {
				t.Error("nothing verifies")
			}
			if err := verify(c, "message", sig[:len(sig)-3]); err == nil {
				t.Error("a truncated signature verifies")
			}
		})
	}
}

func TestAClientWithEitherKeyVerifies(t *testing.T) {
	a, b := generated(t, "p384"), generated(t, "ed25519")
	sigA, sigB := sign(t, a, "message", now), sign(t, b, "message", now)
	both := ArmorSignature(slices.Concat(sigA, sigB))
	for _, c := range []*Certificate{a.Certificate(), b.Certificate()} {
		if err := verify(c, "message", both); err != nil {
			t.Error(err)
		}
		if err := verify(c, "massage", both); !errors.Is(err, ErrSignature) {
			t.Errorf("another message: %v", err)
		}
	}
	// One good signature does not make up for a bad one of the same key.
	mixed := slices.Concat(sign(t, a, "massage", now), sigA)
	if err := verify(a.Certificate(), "message", mixed); !errors.Is(err, ErrSignature) {
		t.Errorf("a good and a bad signature: %v", err)
	}
}

func TestTheTimeOfASignatureIsInItsKeysLife(t *testing.T) {
	s := secret(t, "expiring")
	c := s.Certificate()
	created := func(at time.Time) time.Time {
		t.Helper()
		signatures, err := ParseSignatures(sign(t, s, "message", at))
		if err != nil {
			t.Fatal(err)
		}
		return signatures[0].CreationTime
	}
	if got := created(now.Add(1500 * time.Millisecond)); !got.Equal(now.Add(time.Second)) {
		t.Errorf("the time is %v", got)
	}
	if got := created(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)); !got.Equal(c.Created()) {
		t.Errorf("the time is %v, before the key's", got)
	}
	h := crypto.SHA256.New()
	if _, err := s.Sign(BinaryDocument, h, c.Expires()); !errors.Is(err, ErrExpired) {
		t.Errorf("signing after the end: %v", err)
	}
	// A clock that is wrong on the signer's side shows on the client's.
	late := *s
	late.certificate = &Certificate{}
	*late.certificate = *c
	late.certificate.expires, late.certificate.signer.expires, late.certificate.primary.expires = time.Time{}, time.Time{}, time.Time{}
	err := verify(c, "message", sign(t, &late, "message", c.Expires()))
	if !errors.Is(err, ErrSignature) {
		t.Errorf("a signature after the end: %v", err)
	}
	wantError(t, err, "end of its key")
}

func TestOnlyThisTypeAndTheseHashesCount(t *testing.T) {
	s := generated(t, "ed25519")
	c := s.Certificate()
	h, _ := state("message")(crypto.SHA256)
	text, err := s.Sign(TextDocument, h, now)
	if err != nil {
		t.Fatal(err)
	}
	err = verify(c, "message", text)
	if !errors.Is(err, ErrSignature) {
		t.Errorf("a signature of a text for one of bytes: %v", err)
	}
	wantError(t, err, "0x01")
	signatures, err := ParseSignatures(sign(t, s, "message", now))
	if err != nil {
		t.Fatal(err)
	}
	signatures[0].Hash = crypto.SHA1
	wantError(t, c.Verify(BinaryDocument, state("message"), signatures), "SHA-1")
}

func TestParseSignaturesRefuses(t *testing.T) {
	sig := sign(t, generated(t, "ed25519"), "message", now)
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"a key":                 {read(t, "ed25519.asc"), "PGP PUBLIC KEY BLOCK"},
		"a key in binary form":  {generated(t, "ed25519").Certificate().Binary(), "type 6"},
		"too many signatures":   {bytes.Repeat(sig, maxSignatures+1), "more than 16"},
		"a huge file":           {make([]byte, maxSignatureFile+1), "longer than"},
		"a length without end":  {[]byte{0x88, 0xff}, "broken"},
		"an indefinite length":  {[]byte{0xc2, 0xff, 0xff, 0xff, 0xff, 0xff}, "broken"},
		"text":                  {[]byte("text"), "neither"},
		"a signature and a key": {slices.Concat(sig, generated(t, "ed25519").Certificate().Binary()), "type 6"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSignatures(tt.file)
			wantError(t, err, tt.want)
		})
	}
}

func TestArmorHasAChecksum(t *testing.T) {
	s := generated(t, "ed25519")
	document, _, err := Clearsign([]*Secret{s}, []byte("text\n"), now)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"signature": ArmorSignature(sign(t, s, "message", now)), "text": document, "public key": Armor(s.Certificate()), "private key": stored,
	} {
		lines := strings.Split(string(file), "\n")
		if n := len(lines); lines[n-1] != "" || !strings.HasPrefix(lines[n-3], "=") || len(lines[n-3]) != 5 {
			t.Errorf("%s ends with %q", name, lines[max(0, n-3):])
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := secret(f, "ed25519")
	sig := sign(f, s, "message", now)
	f.Add(sig)
	f.Add(ArmorSignature(sig))
	f.Add(sign(f, secret(f, "nistp256"), "message", now))
	f.Fuzz(func(t *testing.T, file []byte) {
		signatures, err := ParseSignatures(file)
		if err != nil {
			return
		}
		if s.Certificate().Verify(BinaryDocument, state("another message"), signatures) == nil {
			t.Error("a signature that nobody made verifies")
		}
	})
}
