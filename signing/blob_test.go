package signing

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"hallmark/signing/scheme"
)

func blob(t testing.TB, kind, message string) (PublicKey, string) {
	t.Helper()
	signed, err := newRing(t, bareKey(t, scheme.File, kind)).Sign(scheme.File, scheme.BlobBundle, Bytes(message), noon)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Signatures[0].Key, string(signed.Signatures[0].Value)
}

func TestBlobBundlesAreTheSameByteForByte(t *testing.T) {
	for _, kind := range []string{"p224", "p256", "p384", "p521"} {
		_, data := blob(t, kind, "hello\n")
		golden(t, "blob-"+kind+".json", []byte(data))
	}
}

func TestVerifyBlobBundle(t *testing.T) {
	pub, ours := blob(t, "p256", "hello\n")
	changed := func(old, new string) string {
		t.Helper()
		if !strings.Contains(ours, old) {
			t.Fatalf("%s has no %q", ours, old)
		}
		return strings.Replace(ours, old, new, 1)
	}
	bundles, err := testRing(t, "p256").BundleImage(app)
	if err != nil {
		t.Fatal(err)
	}
	var b blobBundle
	if err := json.Unmarshal([]byte(ours), &b); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, bundle, message string
		want                  string // in the error; "" for none
	}{
		{"ours is accepted", ours, "hello\n", ""},
		{"a log entry beside the key is accepted", changed(`"publicKey"`, `"tlogEntries":[{"logIndex":"1"}],"publicKey"`), "hello\n", ""},

		{"another message is refused", ours, "hallo\n", ErrSignature.Error()},
		{"another signature is refused", changed(`"signature":"ME`, `"signature":"MF`), "hello\n", ErrSignature.Error()},
		{"another algorithm is refused", changed("SHA2_256", "SHA2_512"), "hello\n", "algorithm"},
		{"another media type is refused", changed("v0.3", "v0.2"), "hello\n", "mediaType"},
		{"a certificate for a key is refused", changed(`"publicKey"`, `"certificate"`), "hello\n", "publicKey"},
		{"no signature is refused", changed(`"signature"`, `"sig"`), "hello\n", "signature"},
		{"no digest is refused", changed(`"messageDigest"`, `"digest"`), "hello\n", "messageDigest"},
		{"a duplicate key is refused", changed(`"messageSignature"`, `"messageSignature":{},"messageSignature"`), "hello\n", "duplicate"},
		{"a statement beside it is refused", changed(`"messageSignature"`, `"dsseEnvelope":{},"messageSignature"`), "hello\n", "statement"},
		{"the bundle of an image is refused", string(bundles[0].JSON), string(app.statement()), "statement"},
		{"a huge bundle is refused", ours + strings.Repeat(" ", maxDocument), "hello\n", "longer"},
		{"nothing is refused", "", "hello\n", "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := VerifyBlobBundle(pub, []byte(tt.bundle), Bytes(tt.message))
			if tt.want == "" {
				wantError(t, err)
			} else {
				wantError(t, err, "bundle", tt.want)
			}
		})
	}
	t.Run("another key is refused", func(t *testing.T) {
		if err := VerifyBlobBundle(testKey(t, "p384").Public(), []byte(ours), Bytes("hello\n")); !errors.Is(err, ErrSignature) {
			t.Errorf("error %v, want ErrSignature", err)
		}
	})
}

func FuzzVerifyBlobBundle(f *testing.F) {
	pub, ours := blob(f, "p256", "hello\n")
	f.Add([]byte(ours))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		if VerifyBlobBundle(pub, bundle, Bytes("hallo\n")) == nil {
			t.Errorf("accepted for another file: %q", bundle)
		}
	})
}
