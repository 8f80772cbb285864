package publish_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/npm"
	"hallmark/proxy/ledger/ledgertest"
	"hallmark/proxy/publish"
	"hallmark/signing"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// tarball returns a package for npm.
func tarball(t *testing.T, name, version string) string {
	t.Helper()
	manifest := fmt.Sprintf(`{"name": %q, "version": %q}`, name, version)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest))})
	if err == nil {
		_, err = w.Write([]byte(manifest))
	}
	for _, e := range []error{err, w.Close(), z.Close()} {
		if e != nil {
			t.Fatal(e)
		}
	}
	return b.String()
}

// npm refuses everything that it audits for one signature by a key that the registry does not publish.
func TestIndexesHoldNoSignaturesByKeysThatHaveGone(t *testing.T) {
	f, err := npm.New(npm.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	file, bundle := signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p256")
	older, newer := signingtest.Key(t, scheme.NPM, scheme.ECDSA, "p256"), signingtest.Key(t, scheme.NPM, scheme.ECDSA, "p256")
	h := &house{t: t, dir: t.TempDir(), place: ledgertest.New(t), format: f, faults: &faults{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	h.ring = signingtest.Ring(t, "shelf", file, bundle, older)
	h.open()
	t.Cleanup(h.close)
	h.mustPut("one/-/one-1.0.0.tgz", tarball(t, "one", "1.0.0"))
	h.mustPut("two/-/two-1.0.0.tgz", tarball(t, "two", "1.0.0"))
	if _, err := h.repo.Change(t.Context(), []format.Change{{Op: format.Op{
		Kind: format.Mark, Paths: []string{"one/-/one-1.0.0.tgz"}, Marks: map[string]string{"deprecated": "use two"},
	}}}, 1<<20, publish.Caller{By: "ci"}); err != nil {
		t.Fatal(err)
	}
	signedBy := func(keys ...*signing.Key) {
		t.Helper()
		for _, at := range []string{"-/full/one.json", "-/install/one.json", "-/full/two.json"} {
			text := h.get(at)
			for _, k := range []*signing.Key{older, newer} {
				want := 0
				for _, signs := range keys {
					if signs == k {
						want++
					}
				}
				sum, err := hex.DecodeString(strings.TrimPrefix(k.Public().Fingerprint(), "sha256:"))
				if err != nil || len(sum) != sha256.Size {
					t.Fatal(err)
				}
				if got := strings.Count(text, base64.RawStdEncoding.EncodeToString(sum)); got != want {
					t.Errorf("%s has %d signatures by %s, want %d: %s", at, got, k.Public().Fingerprint(), want, text)
				}
			}
		}
		if !strings.Contains(h.get("-/full/one.json"), "use two") {
			t.Error("the mark is forgotten")
		}
		h.mustVerify()
	}
	refresh := func(keys ...*signing.Key) {
		t.Helper()
		h.ring = signingtest.Ring(t, "shelf", append(keys, file, bundle)...)
		h.restart()
		if err := h.repo.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		signedBy(keys...)
		before := h.generation()
		h.restart()
		if err := h.repo.Refresh(t.Context()); err != nil || h.generation() != before {
			t.Errorf("with the same keys again: generation %d, and it was %d: %v", h.generation(), before, err)
		}
	}
	signedBy(older)
	refresh(older, newer)
	refresh(newer)
}
