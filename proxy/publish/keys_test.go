package publish_test

import (
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/ledger/ledgertest"
	"hallmark/proxy/publish"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// picky is raw for clients that take no key but RSA.
type picky struct{ format.Format }

func (p picky) Spec() format.Spec {
	spec := p.Format.Spec()
	spec.Keys[0].Kinds, spec.Keys[0].Refused = []string{"rsa3072"}, "its clients take RSA alone"
	return spec
}

func TestARingThatClientsCannotUseIsRefused(t *testing.T) {
	file := signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519")
	bundle := signingtest.Key(t, scheme.File, scheme.ECDSA, "p256")
	index := signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519")
	for _, c := range []struct {
		name string
		o    publish.Options
		want string
	}{
		{"a kind that the clients do not take", publish.Options{
			Format: picky{rawFormat(t, raw.Defaults())}, Ring: signingtest.Ring(t, "shelf", index, file, bundle),
		}, "ed25519 key cannot be used here"},
		{"no key for the index", publish.Options{
			Format: rawFormat(t, raw.Defaults()), Ring: signingtest.Ring(t, "shelf", file, bundle),
		}, "no openpgp key of purpose index"},
		{"no key for bundles", publish.Options{
			Format: rawFormat(t, raw.Defaults()), Ring: signingtest.Ring(t, "shelf", index, file),
		}, "no ecdsa key of purpose file"},
	} {
		if _, err := publish.Open(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A file has a bundle by each of several keys, and the newest key's under the usual name.
func TestBundlesOfSeveralKeys(t *testing.T) {
	h := &house{t: t, dir: t.TempDir(), place: ledgertest.New(t), format: rawFormat(t, raw.Defaults()), faults: &faults{}}
	older, newer := signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p384")
	h.ring = signingtest.Ring(t, "shelf", signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519"),
		signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"), older, newer)
	h.now = signingtest.Created().AddDate(1, 0, 0)
	h.open()
	t.Cleanup(h.close)
	h.mustPut("a", "1")
	if got := h.get("a" + publish.BundleSuffix(newer.Public())); got == "" || got != h.get("a.sigstore.json") {
		t.Errorf("the newest key's bundle is %q", got)
	}
	if got := h.get("a" + publish.BundleSuffix(older.Public())); got == "" || got == h.get("a.sigstore.json") {
		t.Errorf("the older key's bundle is %q", got)
	}
	h.mustVerify()
}
