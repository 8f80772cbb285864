package openpgp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	passphrase = []byte("correct horse")
	now        = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func secret(t testing.TB, name string) *Secret {
	t.Helper()
	s, err := ParseSecret(read(t, name+".key"), passphrase, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generated returns a new key of the kind.
func generated(t testing.TB, kind string) *Secret {
	t.Helper()
	var private crypto.Signer
	var err error
	switch kind {
	case "p256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa2048":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(private, "Hallmark test", now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func state(message string) func(crypto.Hash) (hash.Hash, error) {
	return func(h crypto.Hash) (hash.Hash, error) {
		s := h.New()
		s.Write([]byte(message))
		return s, nil
	}
}

func sign(t testing.TB, s *Secret, message string, at time.Time) []byte {
	t.Helper()
	h, _ := state(message)(s.Certificate().Hash())
	sig, err := s.Sign(BinaryDocument, h, at)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// verify checks a detached signature file.
func verify(c *Certificate, message string, file []byte) error {
	signatures, err := ParseSignatures(file)
	if err != nil {
		return err
	}
	return c.Verify(BinaryDocument, state(message), signatures)
}

// wantError fails the test unless err holds all words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}
