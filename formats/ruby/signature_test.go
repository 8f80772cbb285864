package ruby_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/ruby"
)

// A signer is a key with a certificate.
type signer struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// newSigner returns a signer whose certificate another one has issued; nil: itself.
func newSigner(tb testing.TB, name string, key crypto.Signer, issuer *signer) *signer {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour), // dates are not looked at
	}
	parent, by := template, key
	if issuer != nil {
		parent, by = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return &signer{key, c}
}

func newRSA(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func newECDSA(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// chainOf returns the lines of cert_chain.
func chainOf(signers ...*signer) string {
	var b strings.Builder
	b.WriteString("cert_chain:\n")
	for _, s := range signers {
		b.WriteString("- |\n")
		for line := range strings.Lines(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw}))) {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

// signedParts returns the files of a gem with their signatures, over messages that are made of them.
func (s spec) signedParts(tb testing.TB, by *signer, message func([]byte) []byte) []part {
	tb.Helper()
	var all []part
	for _, p := range s.parts(tb) {
		sum := sha256.Sum256(message(p.data))
		sig, err := by.key.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, p, part{p.name + ".sig", sig})
	}
	return all
}

// digested is what gem signs: the SHA-256 of a file.
func digested(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func parse(tb testing.TB, settings ruby.Settings, gem []byte) error {
	tb.Helper()
	_, err := open(tb, settings).Parse(format.Op{Kind: format.Put}, formattest.NewBlob(gem), nil)
	return err
}

func TestSignaturesOfAuthorsAreVerified(t *testing.T) {
	root, other := newSigner(t, "root", newRSA(t), nil), newSigner(t, "other", newRSA(t), nil)
	curve := newSigner(t, "curve", newECDSA(t), nil)
	leaf := newSigner(t, "leaf", newECDSA(t), root)
	gem := func(chain ...*signer) spec {
		return spec{name: "signed", version: "1.0", platform: "ruby", chain: chainOf(chain...)}
	}
	without := func(parts []part, name string) []part {
		return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.name == name })
	}
	good := gem(root).signedParts(t, root, digested)
	for _, tt := range []struct {
		what  string
		parts []part
		why   string // empty: it is taken
	}{
		{"by RSA", good, ""},
		{"by ECDSA", gem(curve).signedParts(t, curve, digested), ""},
		{"by the last of a chain", gem(root, leaf).signedParts(t, leaf, digested), ""},
		{"a chain and no signature", gem(root).parts(t), ""},
		{"a chain that is no certificate, and no signature", spec{name: "signed", version: "1.0", platform: "ruby", chain: "cert_chain:\n- certs/me.pem\n"}.parts(t), ""},
		{"by the first of a chain", gem(root, leaf).signedParts(t, root, digested), "is not one over SHA-256 by the key of its certificate"},
		{"by another key", gem(root).signedParts(t, other, digested), "is not one over SHA-256 by the key of its certificate"},
		{"over the files themselves", gem(root).signedParts(t, root, func(b []byte) []byte { return b }), "is not one over SHA-256"},
		{"a chain that is turned around", gem(leaf, root).signedParts(t, root, digested), "is not signed by the one before it"},
		{"a chain of strangers", gem(other, leaf).signedParts(t, leaf, digested), "is not signed by the one before it"},
		{"a chain that begins in its middle", gem(leaf).signedParts(t, leaf, digested), "is not signed by the one before it"},
		{"no chain", spec{name: "signed", version: "1.0", platform: "ruby"}.signedParts(t, root, digested), "has 0 certificates"},
		{"a long chain", gem(root, root, root, root, root, root, root, root, root).signedParts(t, root, digested), "has 9 certificates"},
		{"a chain that is no certificate", spec{name: "signed", version: "1.0", platform: "ruby", chain: "cert_chain:\n- certs/me.pem\n"}.signedParts(t, root, digested), "is no certificate in PEM"},
		{"no signature of the data", without(good, "data.tar.gz.sig"), "lacks the signature of its data.tar.gz"},
		{"no signature of the metadata", without(good, "metadata.gz.sig"), "lacks the signature of its metadata.gz"},
		{"no signature of the checksums", without(good, "checksums.yaml.gz.sig"), "lacks the signature of its checksums.yaml.gz"},
		{"no checksums", without(good, "checksums.yaml.gz"), "and no such file"},
		{"no checksums and no signature of them", without(without(good, "checksums.yaml.gz"), "checksums.yaml.gz.sig"), ""},
	} {
		for _, policy := range []string{"never", "unsigned", "always"} {
			err := parse(t, ruby.Settings{SignPackages: policy}, pack(t, tt.parts...))
			switch {
			case tt.why == "" && err != nil:
				t.Errorf("%s, under %s: %v", tt.what, policy, err)
			case tt.why != "" && (!errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), tt.why)):
				t.Errorf("%s, under %s: %v, want %q", tt.what, policy, err, tt.why)
			}
		}
	}
}

// What comes signed stays as it came unless the setting says otherwise, and what has but a chain is signed.
func TestTheSettingSaysWhichGemsAreSigned(t *testing.T) {
	author := newSigner(t, "author", newRSA(t), nil)
	of := func(chain string) spec { return spec{name: "signed", version: "1.0", platform: "ruby", chain: chain} }
	signed := pack(t, of(chainOf(author)).signedParts(t, author, digested)...)
	gems := map[string][]byte{
		"unsigned":         of("").build(t),
		"an empty promise": of("cert_chain:\n- certs/me.pem\n").build(t),
		"signed":           signed,
		"no checksums":     pack(t, of("").parts(t)[:2]...),
		"another order":    pack(t, reversed(of("").parts(t))...),
	}
	for policy, ours := range map[string][]string{
		"never": nil, "unsigned": {"unsigned", "an empty promise", "no checksums", "another order"},
		"always": {"unsigned", "an empty promise", "no checksums", "another order", "signed"},
	} {
		for what, gem := range gems {
			h := formattest.NewHouse(t, open(t, ruby.Settings{SignPackages: policy}))
			const at = "gems/signed-1.0.gem"
			if err := h.Put(at, gem); err != nil {
				t.Errorf("%s under %s: %v", what, policy, err)
				continue
			}
			served, err := h.Fetch(at)
			if err != nil {
				t.Fatal(err)
			}
			err = verifyHigh(formattest.Repository{Fetch: h.Fetch, Trusted: h.Trusted()}, at)
			switch want := slices.Contains(ours, what); {
			case want && err != nil:
				t.Errorf("%s under %s is not signed: %v", what, policy, err)
			case !want && !bytes.Equal(served, gem):
				t.Errorf("%s under %s has changed", what, policy)
			case want:
				keepsData(t, gem, served)
			}
		}
	}
}

// What ours displaces of an author's signature is kept: with the data that is in the gem, it is the author's gem.
func TestAnAuthorsSignatureThatIsReplacedIsKept(t *testing.T) {
	author := newSigner(t, "author", newRSA(t), nil)
	parts := spec{name: "signed", version: "1.0", platform: "ruby", chain: chainOf(author)}.signedParts(t, author, digested)
	h := formattest.NewHouse(t, open(t, ruby.Settings{SignPackages: "always"}))
	const at = "gems/signed-1.0.gem"
	if err := h.Put(at, pack(t, parts...)); err != nil {
		t.Fatal(err)
	}
	served, err := h.Fetch(at)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := h.Fetch(at + ".author.tar")
	if err != nil {
		t.Fatal(err)
	}
	ours, _, err := readGem(served)
	if err != nil {
		t.Fatal(err)
	}
	files, sigs, err := readGem(kept)
	if err != nil {
		t.Fatal(err)
	}
	files["data.tar.gz"] = ours["data.tar.gz"]
	for name, sig := range sigs {
		files[name+".sig"] = sig
	}
	if len(files) != len(parts) {
		t.Errorf("%d files are kept with the data, of %d", len(files), len(parts))
	}
	for _, p := range parts {
		if !bytes.Equal(files[p.name], p.data) {
			t.Errorf("%s is not what the author has signed", p.name)
		}
	}
	if err := h.Delete(at); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Fetch(at + ".author.tar"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it stays when the gem goes: %v", err)
	}
}

// A signed gem whose gemspec cannot be kept stays with its author.
func TestAnAuthorsSignatureIsReplacedByNoneWhereItCannotBeKept(t *testing.T) {
	author := newSigner(t, "author", newRSA(t), nil)
	s := spec{name: "signed", version: "1.0", platform: "ruby", chain: chainOf(author)}
	long := make([]byte, 1400<<10)
	rand.Read(long)
	s.chain = "changelog: " + base64.StdEncoding.EncodeToString(long) + "\n" + s.chain
	gem := pack(t, s.signedParts(t, author, digested)...)
	if err := formattest.NewHouse(t, open(t, ruby.Settings{SignPackages: "unsigned"})).Put("gems/signed-1.0.gem", gem); err != nil {
		t.Errorf("where it stays as it is: %v", err)
	}
	err := formattest.NewHouse(t, open(t, ruby.Settings{SignPackages: "always"})).Put("gems/signed-1.0.gem", gem)
	if !errors.Is(err, format.ErrMalformed) || !strings.Contains(err.Error(), "too long to be kept") {
		t.Errorf("where it is replaced: %v", err)
	}
}

func reversed(parts []part) []part {
	parts = slices.Clone(parts)
	slices.Reverse(parts)
	return parts
}

// keepsData fails the test unless two gems have the same data, and gemspecs that differ in their chains alone.
func keepsData(t *testing.T, before, after []byte) {
	t.Helper()
	a, _, err := readGem(before)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := readGem(after)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a["data.tar.gz"], b["data.tar.gz"]) {
		t.Error("signing changes the data")
	}
	x, y := withoutChain(t, a["metadata.gz"]), withoutChain(t, b["metadata.gz"])
	if x != y {
		t.Errorf("signing changes the gemspec from\n%s\nto\n%s", x, y)
	}
}

func withoutChain(t *testing.T, metadata []byte) string {
	t.Helper()
	text, err := unzip(metadata)
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Index(string(text), "cert_chain:")
	end := start + strings.Index(string(text)[start:], "\ndate:")
	return string(text)[:start] + string(text)[end:]
}
