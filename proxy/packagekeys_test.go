package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/proxy/publish"
	"hallmark/signing"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// rekey gives the repository another ring, whose keys are served.
func (h *shelf) rekey(keys ...*signing.Key) {
	h.server.repositories["raw"].Ring = signingtest.Ring(h.t, "raw", keys...)
}

func (h *shelf) keyFile(name string) []byte {
	h.t.Helper()
	return h.want(http.StatusOK, http.MethodGet, "/-/keys/raw/"+name, "").Body.Bytes()
}

func TestKeyFilesHoldWhatAClientTrusts(t *testing.T) {
	h := openShelf(t)
	older, newer := signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.Index, scheme.OpenPGP, "p256")
	file := signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519")
	bundle, newerBundle := signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p384")
	h.rekey(older, newer, file, bundle, newerBundle)

	if got, want := h.keyFile("openpgp.gpg"), slices.Concat(older.Public().Binary(), newer.Public().Binary()); !bytes.Equal(got, want) {
		t.Errorf("openpgp.gpg has %d bytes, want the %d of both keys of the index", len(got), len(want))
	}
	if got := h.keyFile("openpgp.asc"); !bytes.Equal(got, signing.ArmoredKeyring(older.Public(), newer.Public())) {
		t.Errorf("openpgp.asc is\n%s", got)
	}
	if got := h.keyFile("files.gpg"); !bytes.Equal(got, file.Public().Binary()) {
		t.Error("files.gpg is not the key of files")
	}
	key, err := signing.ParseOpenPGP(h.keyFile("files.asc"), time.Now())
	if err != nil || !key.Equal(file.Public()) {
		t.Errorf("files.asc: %v", err)
	}
	// A tool that reads one key of a file gets the newest, and each has a file of its own.
	key, err = signing.ParsePublicKey(h.keyFile("files.pub"))
	if err != nil || !key.Equal(newerBundle.Public()) {
		t.Errorf("files.pub: %v", err)
	}
	for _, k := range []*signing.Key{bundle, newerBundle} {
		key, err := signing.ParsePublicKey(h.keyFile(filesKeyOf(k.Public())))
		if err != nil || !key.Equal(k.Public()) {
			t.Errorf("%s: %v", filesKeyOf(k.Public()), err)
		}
	}

	var index struct{ Keys []keyEntry }
	if err := json.Unmarshal(h.keyFile("index.json"), &index); err != nil || len(index.Keys) != 5 {
		t.Fatalf("index.json has %v, %v", index.Keys, err)
	}
	if !bytes.Equal(h.keyFile(""), h.keyFile("index.json")) {
		t.Error("the folder is not its index")
	}
	for _, e := range index.Keys {
		for _, name := range e.Files {
			h.keyFile(name)
			if sidecars := strings.HasPrefix(name, "files"); sidecars != (e.Purpose == scheme.File) {
				t.Errorf("a key of purpose %s is in %s", e.Purpose, name)
			}
		}
		if e.Fingerprint == "" || e.Kind == "" || len(e.Files) == 0 {
			t.Errorf("index.json has %+v", e)
		}
	}
	for _, name := range []string{"other", "openpgp", "cosign.pub", "alpine.rsa.pub", "../raw/files.pub", "files.pub/", "index.json/x"} {
		h.want(http.StatusNotFound, http.MethodGet, "/-/keys/raw/"+name, "")
	}
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete} {
		h.want(http.StatusMethodNotAllowed, method, "/-/keys/raw/files.pub", "x")
	}
}

// The file of an RSA key has the name that stands in the signed index, and a fixed name leads to the newest.
func TestAnRSAKeyHasTheNameThatIsSigned(t *testing.T) {
	h := openShelf(t)
	older, newer := signingtest.Key(t, scheme.Index, scheme.RSA, "rsa2048"), signingtest.Key(t, scheme.Index, scheme.RSA, "rsa2048")
	h.rekey(older, newer, signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"))
	for _, k := range []*signing.Key{older, newer} {
		name := publish.KeyFile("raw", k.Public())
		key, err := signing.ParsePublicKey(h.keyFile(name))
		if err != nil || !key.Equal(k.Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := h.want(http.StatusFound, http.MethodGet, "/-/keys/raw/alpine.rsa.pub", "")
	if at := w.Header().Get("Location"); at != "/-/keys/raw/"+publish.KeyFile("raw", newer.Public()) {
		t.Errorf("alpine.rsa.pub leads to %s", at)
	}
	h.want(http.StatusNotFound, http.MethodGet, "/-/keys/raw/openpgp.asc", "")
}

// npm looks for the ID of a key, and takes no other form of it.
func TestNPMsKeysAreInItsOwnForm(t *testing.T) {
	h := openShelf(t)
	older, newer := signingtest.Key(t, scheme.NPM, scheme.ECDSA, "p256"), signingtest.Key(t, scheme.NPM, scheme.ECDSA, "p256")
	h.rekey(older, newer, signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"))
	var list struct{ Keys []map[string]any }
	if err := json.Unmarshal(h.keyFile("npm.json"), &list); err != nil || len(list.Keys) != 2 {
		t.Fatalf("npm.json has %v, %v", list.Keys, err)
	}
	for i, k := range []*signing.Key{older, newer} {
		block, _ := pem.Decode(k.Public().PEM())
		sum := sha256.Sum256(block.Bytes)
		want := map[string]any{
			"expires": nil, "keyid": "SHA256:" + strings.TrimRight(base64.StdEncoding.EncodeToString(sum[:]), "="),
			"keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "key": base64.StdEncoding.EncodeToString(block.Bytes),
		}
		if !maps.Equal(list.Keys[i], want) {
			t.Errorf("key %d is %v, want %v", i, list.Keys[i], want)
		}
		key, err := signing.ParsePublicKey(h.keyFile(publish.KeyFile("raw", k.Public())))
		if err != nil || !key.Equal(k.Public()) {
			t.Errorf("the file of key %d: %v", i, err)
		}
	}
	h.want(http.StatusNotFound, http.MethodGet, "/-/keys/raw/x509.pem", "")
}

// Tools that read one certificate of a file read the first: the older one, which signs alone where one signs.
func TestCertificatesAreServed(t *testing.T) {
	h := openShelf(t)
	older, newer := signingtest.Certified(t, "raw", scheme.Package, 2048), signingtest.Certified(t, "raw", scheme.Package, 2048)
	h.rekey(older, newer, signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"))
	if got, want := h.keyFile("x509.pem"), slices.Concat(older.Public().CertificatePEM(), newer.Public().CertificatePEM()); !bytes.Equal(got, want) {
		t.Errorf("x509.pem is\n%s", got)
	}
	var index struct{ Keys []keyEntry }
	if err := json.Unmarshal(h.keyFile("index.json"), &index); err != nil || len(index.Keys) != 4 {
		t.Fatalf("index.json has %v, %v", index.Keys, err)
	}
	for i, k := range []*signing.Key{older, newer} {
		e, sum := index.Keys[i], sha256.Sum256(k.Public().Certificate())
		if len(e.Files) != 2 || e.Files[0] != "x509.pem" || !bytes.Equal(h.keyFile(e.Files[1]), k.Public().CertificatePEM()) {
			t.Errorf("key %d is in %q", i, e.Files)
		}
		if e.Certificate != hex.EncodeToString(sum[:]) || e.Expires == nil || !e.Expires.Equal(k.Public().Expires()) {
			t.Errorf("key %d has the certificate %s until %v", i, e.Certificate, e.Expires)
		}
	}
	if e := index.Keys[2]; e.Certificate != "" || e.Expires != nil {
		t.Errorf("a key without a certificate has %+v", e)
	}
	h.want(http.StatusNotFound, http.MethodGet, "/-/keys/raw/npm.json", "")
}

func TestNoPrivateKeyIsServed(t *testing.T) {
	h := openShelf(t)
	for _, name := range []string{"openpgp.asc", "openpgp.gpg", "files.asc", "files.gpg", "files.pub", "index.json"} {
		if data := h.keyFile(name); bytes.Contains(data, []byte("PRIVATE")) || len(data) == 0 {
			t.Errorf("%s is\n%s", name, data)
		}
	}
}
