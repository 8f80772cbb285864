package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hallmark/signing/scheme"
)

var update = flag.Bool("update", false, "write the golden files")

var kinds = []string{"p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "rsa8192", "ed25519"}

var app = Image{
	Reference: "127.0.0.1:8080/team/app",
	Name:      "team/app",
	Digest:    "sha256:" + strings.Repeat("0123456789abcdef", 4),
}

// testSigner returns the same private key every time: golden files depend on
// it, and RSA keys take long to make.
func testSigner(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("keys", "testdata", "pkcs8-"+kind+".key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

func testKey(t testing.TB, kind string) *Key {
	t.Helper()
	k, err := NewKey(kind, scheme.Image, testSigner(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testRing(t testing.TB, kinds ...string) *Ring {
	t.Helper()
	var keys []*Key
	for _, kind := range kinds {
		keys = append(keys, testKey(t, kind))
	}
	r, err := NewRing("images", keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// wantError fails the test unless err holds all words; no words, no error.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if len(words) == 0 {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
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
