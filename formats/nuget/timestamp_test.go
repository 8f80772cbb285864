package nuget_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/nuget"
	"hallmark/formats/nuget/nugettest"
	"hallmark/proxy/timestamp"
	"hallmark/proxy/timestamp/timestamptest"
	"hallmark/signing/scheme"
)

func TestATimestampServerHasAnAddress(t *testing.T) {
	for _, address := range []string{"timestamp.example.com", "ftp://timestamp.example.com", "http://", "%"} {
		if _, err := nuget.New(nuget.Settings{Timestamp: address}); err == nil || !strings.Contains(err.Error(), "http://timestamp.example.com") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A timestamp of the repository's signature stands beside that, be it the primary one or a countersignature.
func TestSignaturesHaveTimestamps(t *testing.T) {
	server := timestamptest.New(t)
	f, err := nuget.New(nuget.Settings{Timestamp: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	key := otherKey()
	c := author{name: "A repository"}.certificate(t, key)
	site := format.Site{
		Repository: "nuget", Date: time.Now().UTC().Truncate(time.Second),
		Keys: format.Keys{{Purpose: scheme.Package, Family: scheme.RSA, Fingerprint: "ours", Certificate: c.Raw}},
	}
	stamp := func(value []byte) []byte {
		t.Helper()
		sum := sha256.Sum256(value)
		token, err := timestamp.Client{HTTP: http.DefaultClient}.Stamp(t.Context(), server.URL, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, data := range map[string][]byte{"a primary signature": pkg{}.build(t), "a countersignature": author{}.signs(t, pkg{}.build(t))} {
		s, err := f.Seal(site, format.Op{}, formattest.NewBlob(data))
		if err != nil || len(s.Seals) != 1 || s.Seals[0].Timestamp != server.URL {
			t.Fatalf("%s: %+v, %v", name, s.Seals, err)
		}
		sum := sha256.Sum256(s.Seals[0].Text)
		value, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig := format.Signature{Seal: s.Seals[0].Name, Fingerprint: "ours", Value: value, Timestamp: stamp(value)}
		patches, err := s.Splice([]format.Signature{sig})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		served, at := []byte(nil), int64(0)
		for _, p := range patches {
			served = slices.Concat(served, data[at:p.Offset], p.Data)
			at = p.Offset + p.Size
		}
		v, err := nugettest.Verify(append(served, data[at:]...), c)
		if err != nil || !bytes.Equal(v.Timestamp, sig.Timestamp) || !bytes.Equal(v.Value, value) {
			t.Fatalf("%s: a timestamp of %d bytes, %v", name, len(v.Timestamp), err)
		}
		if err := server.Verify(t, v.Timestamp, v.Value); err != nil {
			t.Error(err)
		}
		flipped := bytes.Clone(sig.Timestamp)
		flipped[len(flipped)-1] ^= 1
		for what, token := range map[string][]byte{
			"of another signature": stamp([]byte("other")), "with a bit flipped": flipped, "that is none": []byte("now"),
			"that is cut off": sig.Timestamp[:len(sig.Timestamp)-1], "that is a signature of a package": mustMarshal(cmsInfo{signedDataOID, author{}.message(t, data)}),
		} {
			bad := sig
			bad.Timestamp = token
			if _, err := s.Splice([]format.Signature{bad}); err == nil || !strings.Contains(err.Error(), "timestamp") {
				t.Errorf("%s: a timestamp %s: %v", name, what, err)
			}
		}
	}
}
