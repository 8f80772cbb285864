package signing

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundlesAreTheSameByteForByte(t *testing.T) {
	bundles, err := testRing(t, kinds...).BundleImage(app)
	if err != nil {
		t.Fatal(err)
	}
	if len(bundles) != len(kinds) {
		t.Fatalf("%d bundles of %d keys", len(bundles), len(kinds))
	}
	for _, b := range bundles {
		golden(t, "bundle-"+b.Key.Kind()+".json", b.JSON)
		if err := VerifyBundle(b.Key, b.JSON, app); err != nil {
			t.Error(err)
		}
		for name, img := range otherImages() {
			if VerifyBundle(b.Key, b.JSON, img) == nil {
				t.Errorf("%s: the bundle verifies for %s", b.Key.Kind(), name)
			}
		}
	}
	golden(t, "statement.json", app.statement())
}

// The vector is that of the DSSE specification, protocol.md.
func TestPreAuthEncodingIsThatOfDSSE(t *testing.T) {
	got := string(preAuthEncoding("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABundleIsNoSignatureOfAPayload(t *testing.T) {
	r := testRing(t, "p256")
	bundles, err := r.BundleImage(app)
	if err != nil {
		t.Fatal(err)
	}
	var b bundle
	if err := json.Unmarshal(bundles[0].JSON, &b); err != nil {
		t.Fatal(err)
	}
	env := b.DSSEEnvelope
	for name, message := range map[string][]byte{"payload": app.Payload(), "statement": env.Payload} {
		if err := bundles[0].Key.Verify(message, env.Signatures[0].Sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: error %v, want ErrSignature", name, err)
		}
	}
}

// seal returns a bundle over any statement, as only this package can make it.
func seal(t testing.TB, k *Key, statement string) string {
	t.Helper()
	sig, err := k.sign(preAuthEncoding(inTotoPayloadType, []byte(statement)))
	if err != nil {
		t.Fatal(err)
	}
	b := bundle{MediaType: BundleMediaType, DSSEEnvelope: envelope{
		Payload: []byte(statement), PayloadType: inTotoPayloadType, Signatures: []envelopeSignature{{sig}},
	}}
	return string(mustMarshal(b))
}

func TestVerifyBundle(t *testing.T) {
	k := testKey(t, "p256")
	bundles, err := testRing(t, "p256").BundleImage(app)
	if err != nil {
		t.Fatal(err)
	}
	ours, said := string(bundles[0].JSON), string(app.statement())
	replace := func(s, old, new string) string {
		t.Helper()
		if !strings.Contains(s, old) {
			t.Fatalf("%s has no %q", s, old)
		}
		return strings.Replace(s, old, new, 1)
	}
	changed := func(old, new string) string { return replace(ours, old, new) }
	sealed := func(old, new string) string { return seal(t, k, replace(said, old, new)) }
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(ours), "", "\t"); err != nil {
		t.Fatal(err)
	}
	sig := ours[strings.Index(ours, `{"sig"`):strings.Index(ours, "]}}")]
	tests := []struct {
		name   string
		bundle string
		want   string // in the error; "" for none
	}{
		{"ours is accepted", ours, ""},
		{"another layout is accepted", indented.String(), ""},
		{"a log entry beside the key is accepted", changed(`"publicKey"`, `"tlogEntries":[{"logIndex":"1"}],"publicKey"`), ""},
		{"more annotations are accepted", sealed(`"annotations":{`, `"annotations":{"Repository":"x",`), ""},

		{"another media type is refused", changed("v0.3", "v0.2"), "mediaType"},
		{"another payload type is refused", changed(inTotoPayloadType, "text/plain"), "payloadType"},
		{"a certificate for a key is refused", changed(`"publicKey"`, `"certificate"`), "publicKey"},
		{"no signature is refused", changed(sig, ""), "signatures"},
		{"two signatures are refused", changed(sig, sig+","+sig), "signatures"},
		{"a signature that is no object is refused", changed(sig, `"sig"`), "signatures"},
		{"another signature is refused", changed(`"sig":"ME`, `"sig":"MF`), ErrSignature.Error()},
		{"another payload is refused", changed(`"payload":"`, `"payload":"e30K`), ErrSignature.Error()},
		{"base64 without padding is refused", strings.ReplaceAll(ours, "=", ""), "base64"},
		{"a duplicate key is refused", changed(`"dsseEnvelope"`, `"dsseEnvelope":{},"dsseEnvelope"`), "duplicate"},
		{"a duplicate key in another case is refused", changed(`"dsseEnvelope"`, `"DSSEEnvelope":{},"dsseEnvelope"`), "duplicate"},
		{"data after the end is refused", ours + ours, "after"},
		{"a huge bundle is refused", ours + strings.Repeat(" ", maxDocument), "longer"},
		{"nothing is refused", "", "EOF"},

		{"an attestation is refused", sealed(BundlePredicateType, "https://spdx.dev/Document"), "predicateType"},
		{"another statement type is refused", sealed("Statement/v1", "Statement/v0.1"), "_type"},
		{"another digest is refused", sealed("0123", "1123"), "sha256"},
		{"a second digest is refused", sealed(`"digest":{`, `"digest":{"sha512":"",`), "sha512"},
		{"no digest is refused", sealed(`"digest"`, `"name"`), "digest"},
		{"no subject is refused", sealed(`"subject":[`, `"subject":[],"more":[`), "subject"},
		{"two subjects are refused", sealed(`"subject":[`, `"subject":[{},`), "subject"},
		{"another repository is refused", sealed("team/app", "team/other"), "repository"},
		{"no repository is refused", sealed(`"repository"`, `"Repository"`), "repository"},
		{"a duplicate subject is refused", sealed(`"subject"`, `"Subject":[],"subject"`), "duplicate"},
		{"a duplicate annotation is refused", sealed(`"annotations":{`, `"annotations":{"repository":"x",`), "duplicate"},
		{"a cosign payload is refused", seal(t, k, string(app.Payload())), "_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := VerifyBundle(k.Public(), []byte(tt.bundle), app)
			if tt.want == "" {
				wantError(t, err)
			} else {
				wantError(t, err, "bundle", tt.want)
			}
		})
	}
	t.Run("another key is refused", func(t *testing.T) {
		if err := VerifyBundle(testKey(t, "p384").Public(), []byte(ours), app); !errors.Is(err, ErrSignature) {
			t.Errorf("error %v, want ErrSignature", err)
		}
	})
}

// Whatever is accepted must hold the one statement that the key has signed:
// nothing but the wrapping may change.
func FuzzVerifyBundle(f *testing.F) {
	pub := testKey(f, "p256").Public()
	data, err := os.ReadFile(filepath.Join("testdata", "bundle-p256.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(seal(f, testKey(f, "p384"), string(app.statement()))))
	f.Add([]byte(`{"mediaType":"` + BundleMediaType + `","verificationMaterial":{"publicKey":{}},"dsseEnvelope":{"payload":"","payloadType":"` + inTotoPayloadType + `","signatures":[{"sig":""}]}}`))
	said := []byte(base64.StdEncoding.EncodeToString(app.statement()))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		err := VerifyBundle(pub, bundle, app)
		if err == nil && !bytes.Contains(bundle, said) && !bytes.Contains(bundle, []byte(`\`)) {
			t.Errorf("accepted without the statement: %q", bundle)
		}
	})
}
