// Package signingtest makes rings for tests, of new keys each time.
package signingtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"testing"
	"time"

	"hallmark/signing"
	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// Created returns when the keys of OpenPGP were made, so that tests can sign at
// any later time.
func Created() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }

// Ring returns a ring of these keys.
func Ring(t testing.TB, repository string, keys ...*signing.Key) *signing.Ring {
	t.Helper()
	r, err := signing.NewRing(repository, keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Packages returns the ring of a package repository as it is by default, with
// keys that are fast: index and file of OpenPGP on ed25519, file on p256.
func Packages(t testing.TB, repository string) *signing.Ring {
	t.Helper()
	return Ring(t, repository,
		Key(t, scheme.Index, scheme.OpenPGP, "ed25519"),
		Key(t, scheme.File, scheme.OpenPGP, "ed25519"),
		Key(t, scheme.File, scheme.ECDSA, "p256"))
}

// Key returns a new key named PURPOSE-FAMILY-KIND. Keys of OpenPGP have the
// user ID "Hallmark test". The kinds are p256, p384, p521, ed25519, and rsa and
// a number of bits, which are slow to make.
func Key(t testing.TB, p scheme.Purpose, f scheme.Family, kind string) *signing.Key {
	t.Helper()
	private, err := newPrivate(kind)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%s-%s", p, f, kind)
	var key *signing.Key
	if f == scheme.OpenPGP {
		var secret *openpgp.Secret
		if secret, err = openpgp.New(private, "Hallmark test", Created()); err == nil {
			key, err = signing.NewOpenPGPKey(name, p, secret, Created())
		}
	} else {
		key, err = signing.NewKey(name, p, private)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newPrivate(kind string) (crypto.Signer, error) {
	switch kind {
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	var bits int
	if _, err := fmt.Sscanf(kind, "rsa%d", &bits); err != nil {
		return nil, fmt.Errorf("unknown kind %q", kind)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// Certified returns a new RSA key of a number of bits that stands in a
// certificate of a repository.
func Certified(t testing.TB, repository string, p scheme.Purpose, bits int) *signing.Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	certificate, err := signing.NewCertificate(private, repository, now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewCertifiedKey(fmt.Sprintf("%s-certified-rsa%d", p, bits), p, private, certificate, now)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
