package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hallmark/signing"
	"hallmark/signing/internal/openpgp"
	"hallmark/signing/scheme"
)

// fromGPG returns a key that gpg has made.
func fromGPG(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "internal", "openpgp", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// packageKeys is the ring of a package repository.
var packageKeys = []Spec{
	{Purpose: scheme.Index, Scheme: "openpgp", Generate: "ed25519", UID: "Example packages"},
	{Purpose: scheme.Index, Scheme: "rsa", Generate: "rsa2048"},
	{Purpose: scheme.File, Scheme: "openpgp", Generate: "p256"},
	{Purpose: scheme.File, Scheme: "ecdsa", Generate: "p256"},
	{Purpose: scheme.File, Scheme: "openpgp", Generate: "p256"},
}

func TestKeysOfPackagesAreGeneratedOnce(t *testing.T) {
	for _, secret := range [][]byte{nil, passphrase} {
		dir := t.TempDir()
		first, generated, err := Open(dir, secret).Ring("debian", packageKeys)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, path := range generated {
			names = append(names, strings.TrimPrefix(path, filepath.Join(dir, "debian")+"/"))
		}
		want := []string{"index-openpgp-ed25519.key", "index-rsa2048.key", "file-openpgp-p256.key", "file-p256.key", "file-openpgp-p256-2.key"}
		if !slices.Equal(names, want) {
			t.Errorf("generated %q, want %q", names, want)
		}
		second, generated, err := Open(dir, secret).Ring("debian", packageKeys)
		if err != nil {
			t.Fatal(err)
		}
		if len(generated) != 0 || fingerprint(first) != fingerprint(second) {
			t.Errorf("other keys the second time: %q", generated)
		}
		for i, k := range first.All() {
			if k.Public().Family() != scheme.Family(packageKeys[i].Scheme) || k.Public().Kind() != packageKeys[i].Generate {
				t.Errorf("key %d is %s %s", i, k.Public().Family(), k.Public().Kind())
			}
		}
		if got := first.All()[0].Public().UserID(); got != "Example packages" {
			t.Errorf("user ID %q", got)
		}
		if got := first.All()[2].Public().UserID(); got != "Hallmark debian" {
			t.Errorf("user ID %q", got)
		}
		path := filepath.Join(dir, "debian", "index-openpgp-ed25519")
		info, err := os.Stat(path + ".key")
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		public, err := os.ReadFile(path + ".asc")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(public, first.All()[0].Public().Armored()) {
			t.Error("the public half is another key's")
		}
		// Listing needs no passphrase.
		list, err := Open(dir, nil).Public("debian", packageKeys)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range list {
			if !k.Key.Equal(first.All()[i].Public()) || k.Name != first.All()[i].Name() {
				t.Errorf("listed %s as %s", first.All()[i].Name(), k.Name)
			}
		}
		if secret == nil {
			continue
		}
		_, _, err = Open(dir, nil).Ring("debian", packageKeys)
		wantError(t, err, `"debian"`, "index-openpgp-ed25519.key", "HALLMARK_KEY_PASSPHRASE")
		_, _, err = Open(dir, []byte("wrong horse")).Ring("debian", packageKeys)
		wantError(t, err, `"debian"`, "index-openpgp-ed25519.key", "HALLMARK_KEY_PASSPHRASE")
	}
}

func TestManyRingsAreOpenedTogether(t *testing.T) {
	s := Open(t.TempDir(), nil)
	specs := map[string][]Spec{"b": packageKeys[:1], "a": packageKeys[2:], "c": nil}
	rings, generated, err := s.Rings(specs)
	if err != nil {
		t.Fatal(err)
	}
	if len(rings) != 3 || len(rings["a"].All()) != 3 || len(rings["b"].All()) != 1 || len(rings["c"].All()) != 0 || rings["b"].Repository() != "b" {
		t.Errorf("rings %v", rings)
	}
	if len(generated) != 4 || !strings.HasSuffix(generated[3], filepath.Join("b", "index-openpgp-ed25519.key")) {
		t.Errorf("generated %q", generated)
	}
}

func TestNothingIsGeneratedWhereAKeyThatIsThereCannotBeUsed(t *testing.T) {
	specs := map[string][]Spec{"a": packageKeys[:1], "b": {{Purpose: scheme.Index, Scheme: "openpgp", Key: "file:/nowhere"}, packageKeys[0]}}
	dir := filepath.Join(t.TempDir(), "keys")
	rings, generated, err := Open(dir, nil).Rings(specs)
	wantError(t, err, `"b"`, "/nowhere")
	if len(rings) != 0 || len(generated) != 0 {
		t.Errorf("%d rings; generated %q", len(rings), generated)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of keys: %v", err)
	}
}

func TestALostSecretKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	_, generated, err := Open(dir, nil).Ring("debian", packageKeys[:1])
	if err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(generated[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(generated[0]); err != nil {
		t.Fatal(err)
	}
	_, _, err = Open(dir, nil).Ring("debian", packageKeys[:1])
	wantError(t, err, `"debian"`, generated[0], "restore it", ".asc")
	_, err = Open(dir, nil).Import("debian", Spec{Purpose: scheme.Index}, bytes.NewReader(fromGPG(t, "ed25519.key")), nil)
	wantError(t, err, "public half of another key")
	if _, err := Open(dir, nil).Import("debian", Spec{Purpose: scheme.Index}, bytes.NewReader(backup), nil); err != nil {
		t.Error(err)
	}
}

func TestKeysOfGPGAreImportedAndExported(t *testing.T) {
	for name, file := range map[string]string{
		"armored": "ed25519.key", "binary": "ed25519-binary.key", "encrypted": "encrypted.key", "with subkeys": "subkeys.key", "without primary key": "subkeys-stub.key",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := Open(dir, []byte("the store's own"))
			spec, err := s.Import("debian", Spec{Purpose: scheme.Index}, bytes.NewReader(fromGPG(t, file)), passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Purpose != scheme.Index || spec.Scheme != "openpgp" || !strings.HasPrefix(spec.Key, "file:"+filepath.Join(dir, "debian", "index-openpgp-")) {
				t.Errorf("got %+v", spec)
			}
			if _, err := s.Import("debian", Spec{Purpose: scheme.Index}, bytes.NewReader(fromGPG(t, file)), passphrase); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a second time: %v", err)
			}
			specs := []Spec{spec}
			ring, _, err := s.Ring("debian", specs)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := ring.Sign(scheme.Index, scheme.OpenPGPArmored, signing.Bytes("x"), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			public, err := s.ExportPublic("debian", specs, strings.TrimPrefix(spec.Key, "file:"))
			if err != nil {
				t.Fatal(err)
			}
			pub, err := signing.ParseOpenPGP(public, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := signing.VerifyOpenPGP(pub, signing.Bytes("x"), signed.Document); err != nil {
				t.Error(err)
			}
			private, err := s.ExportPrivate("debian", specs, strings.TrimPrefix(spec.Key, "file:"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseOpenPGP(private, nil, time.Now()); err == nil {
				t.Error("exported without encryption")
			}
			if _, err := ParseOpenPGP(private, []byte("the store's own"), time.Now()); err != nil {
				t.Error(err)
			}
			// It takes the place of one that would be generated.
			specs = []Spec{{Purpose: scheme.Index, Scheme: "openpgp", Generate: pub.Kind()}}
			if _, generated, err := s.Ring("debian", specs); err != nil || len(generated) != 0 {
				t.Errorf("generated %q: %v", generated, err)
			}
		})
	}
}

func TestImportedBareKeysAreOfTheirFamily(t *testing.T) {
	for file, want := range map[string]string{"pkcs1-rsa2048.key": "rsa", "pkcs8-p256.key": "ecdsa", "pkcs8-ed25519.key": ""} {
		spec, err := Open(t.TempDir(), nil).Import("alpine", Spec{Purpose: scheme.Index}, bytes.NewReader(read(t, file)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Scheme != want {
			t.Errorf("%s: scheme %q", file, spec.Scheme)
		}
	}
}

func TestPackageKeysAreRefused(t *testing.T) {
	expired := func() time.Time { return time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) }
	put := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	gpg := func(name string) string { return put(name, fromGPG(t, name)) }
	bare := func(name string) string { return put(name, read(t, name)) }
	const index = scheme.Index
	tests := []struct {
		name string
		spec Spec
		want []string
	}{
		{"an expired key", Spec{Purpose: index, Scheme: "openpgp", Key: gpg("expiring.key")}, []string{"expired", "2030-01-01"}},
		{"a revoked key", Spec{Purpose: index, Scheme: "openpgp", Key: gpg("refused-revoked.key")}, []string{"revoked"}},
		{"a DSA key", Spec{Purpose: index, Scheme: "openpgp", Key: gpg("refused-dsa.key")}, []string{"DSA", "use an OpenPGP key"}},
		{"a key for images that is of OpenPGP", Spec{Purpose: scheme.Image, Key: gpg("ed25519.key")}, []string{"OpenPGP"}},
		{"a bare key where scheme says openpgp", Spec{Purpose: index, Scheme: "openpgp", Key: bare("pkcs8-p256.key")}, []string{"no key of OpenPGP"}},
		{"a key of OpenPGP where scheme says rsa", Spec{Purpose: index, Scheme: "rsa", Key: gpg("rsa2048.key")}, []string{"OpenPGP", "scheme: openpgp"}},
		{"a key on a curve where scheme says rsa", Spec{Purpose: index, Scheme: "rsa", Key: bare("pkcs8-p256.key")}, []string{"p256", "rsa"}},
		{"an RSA key where scheme says ecdsa", Spec{Purpose: index, Scheme: "ecdsa", Key: bare("pkcs8-rsa2048.key")}, []string{"rsa2048", "ecdsa"}},
		{"an unknown scheme", Spec{Purpose: index, Scheme: "pgp", Generate: "p256"}, []string{`"pgp"`, "openpgp, ecdsa or rsa"}},
		{"p224 of OpenPGP", Spec{Purpose: index, Scheme: "openpgp", Generate: "p224"}, []string{"p224", "rsa3072"}},
		{"a curve of RSA", Spec{Purpose: index, Scheme: "rsa", Generate: "p256"}, []string{"p256", "rsa2048"}},
		{"a user ID of a bare key", Spec{Purpose: index, Scheme: "rsa", Generate: "rsa2048", UID: "x"}, []string{"uid"}},
		{"a user ID of a key that has one", Spec{Purpose: index, Scheme: "openpgp", Key: gpg("ed25519.key"), UID: "x"}, []string{"uid"}},
		{"a user ID of two lines", Spec{Purpose: index, Scheme: "openpgp", Generate: "p256", UID: "a\nb"}, []string{"user ID"}},
		{"an encrypted key without a passphrase", Spec{Purpose: index, Scheme: "openpgp", Key: gpg("encrypted.key")}, []string{"HALLMARK_KEY_PASSPHRASE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Open(t.TempDir(), nil)
			s.now = expired
			ring, _, err := s.Ring("debian", []Spec{tt.spec})
			wantError(t, err, append(tt.want, `"debian"`)...)
			if ring != nil {
				t.Error("a ring is returned")
			}
		})
	}
}

func TestAnExpiredKeyIsListedAndNotImported(t *testing.T) {
	s := Open(t.TempDir(), nil)
	spec, err := s.Import("debian", Spec{Purpose: scheme.Index}, bytes.NewReader(fromGPG(t, "expiring.key")), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) }
	list, err := s.Public("debian", []Spec{spec})
	if err != nil || list[0].Key.Expires().Year() != 2030 {
		t.Errorf("listed as %v, %v", list, err)
	}
	_, err = s.Import("rpm", Spec{Purpose: scheme.Index}, bytes.NewReader(fromGPG(t, "expiring.key")), nil)
	if !errors.Is(err, signing.ErrExpired) {
		t.Errorf("error %v, want ErrExpired", err)
	}
}

func TestAKeyThatGotAnotherEndIsToldFromItsPublicHalf(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir, nil)
	specs := packageKeys[:1]
	ring, generated, err := s.Ring("debian", specs)
	if err != nil {
		t.Fatal(err)
	}
	// The same numbers and date with another user ID, as after gpg --quick-add-uid.
	data, err := os.ReadFile(generated[0])
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ParseOpenPGP(data, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := openpgp.New(secret.Signer(), "another name", secret.Certificate().Created())
	if err != nil {
		t.Fatal(err)
	}
	changed, err := renamed.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(generated[0], changed, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Ring("debian", specs)
	wantError(t, err, "another time", "remove it")
	if err := os.Remove(strings.TrimSuffix(generated[0], ".key") + ".asc"); err != nil {
		t.Fatal(err)
	}
	again, _, err := s.Ring("debian", specs)
	if err != nil {
		t.Fatal(err)
	}
	if fingerprint(again) != fingerprint(ring) || again.All()[0].Public().UserID() != "another name" {
		t.Error("another key")
	}
}

func FuzzParseOpenPGP(f *testing.F) {
	for _, name := range []string{"ed25519.key", "ed25519-binary.key", "encrypted.key", "subkeys-stub.key", "refused-two.key"} {
		f.Add(fromGPG(f, name), passphrase)
	}
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data, passphrase []byte) {
		secret, err := ParseOpenPGP(data, passphrase, now)
		if err != nil {
			return
		}
		k, err := private{secret: secret}.key(entry{name: "k", purpose: scheme.Index}, now)
		if err != nil {
			return
		}
		ring, err := signing.NewRing("debian", []*signing.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Sign(scheme.Index, scheme.OpenPGPBinary, signing.Bytes("x"), now); err != nil && !errors.Is(err, signing.ErrExpired) {
			t.Fatal(err)
		}
	})
}
