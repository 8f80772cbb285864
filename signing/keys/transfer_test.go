package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hallmark/signing/scheme"
)

func TestImportedKeysTakeThePlaceOfGeneratedOnes(t *testing.T) {
	for _, secret := range [][]byte{nil, []byte("the store's own")} {
		dir := t.TempDir()
		s := Open(dir, secret)
		spec, err := s.Import("images", Spec{Purpose: scheme.Image}, bytes.NewReader(read(t, "encrypted-p256.key")), passphrase)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Spec{Purpose: scheme.Image, Key: "file:" + filepath.Join(dir, "images", "image-p256.key")}); spec != want {
			t.Errorf("got %+v, want %+v", spec, want)
		}
		_, generated := mustRing(t, s, image256)
		if len(generated) != 0 {
			t.Errorf("generated %q", generated)
		}
		public, err := s.ExportPublic("images", image256, "image-p256")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(public, read(t, "pkcs8-p256.pub")) {
			t.Errorf("public half:\n%s", public)
		}
		private, err := s.ExportPrivate("images", image256, "image-p256")
		if err != nil {
			t.Fatal(err)
		}
		key, err := Parse(private, secret)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(publicOf(t, key).PEM(), public) {
			t.Error("another private key")
		}
		encrypted := bytes.HasPrefix(private, []byte("-----BEGIN "+typeSigstore))
		if encrypted != (secret != nil) {
			t.Errorf("encrypted: %t", encrypted)
		}
	}
}

func TestImportOverwritesNothing(t *testing.T) {
	s := Open(t.TempDir(), nil)
	before, generated := mustRing(t, s, image256)
	_, err := s.Import("images", Spec{Purpose: scheme.Image}, bytes.NewReader(read(t, "pkcs8-p256.key")), nil)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	wantError(t, err, `"images"`, generated[0])
	after, _ := mustRing(t, s, image256)
	if fingerprint(after) != fingerprint(before) {
		t.Error("another key")
	}
}

func TestALostKeyCanBeImportedAgainAndNoOther(t *testing.T) {
	s := Open(t.TempDir(), nil)
	before, generated := mustRing(t, s, image256)
	backup, err := s.ExportPrivate("images", image256, "image-p256")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(generated[0]); err != nil {
		t.Fatal(err)
	}
	_, err = s.Import("images", Spec{Purpose: scheme.Image}, bytes.NewReader(read(t, "pkcs8-p256.key")), nil)
	wantError(t, err, "public half of another key")
	if _, err := s.Import("images", Spec{Purpose: scheme.Image}, bytes.NewReader(backup), nil); err != nil {
		t.Fatal(err)
	}
	after, _ := mustRing(t, s, image256)
	if fingerprint(after) != fingerprint(before) {
		t.Error("another key")
	}
}

func TestImportRefuses(t *testing.T) {
	tests := []struct {
		name, repository string
		purpose          scheme.Purpose
		file             string
		want             string
	}{
		{"a public key", "images", scheme.Image, "refused-public.key", "public key"},
		{"a short key", "images", scheme.Image, "refused-rsa1024.key", "RSA 1024"},
		{"a wrong passphrase", "images", scheme.Image, "encrypted-p256.key", "passphrase"},
		{"an unknown purpose", "images", "images", "pkcs8-p256.key", "purpose"},
		{"another folder", "../images", scheme.Image, "pkcs8-p256.key", "repository"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Open(dir, nil).Import(tt.repository, Spec{Purpose: tt.purpose}, bytes.NewReader(read(t, tt.file)), []byte("wrong horse"))
			wantError(t, err, tt.want)
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("created %v", files)
			}
		})
	}
}

func TestGenerateMakesOneMore(t *testing.T) {
	s := Open(t.TempDir(), nil)
	specs := image256
	var names []string
	for range 3 {
		spec, err := s.Generate("images", specs[0])
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(spec.Key))
	}
	if names[0] != "image-p256.key" || names[1] != "image-p256-2.key" || names[2] != "image-p256-3.key" {
		t.Errorf("files %q", names)
	}
	ring, generated := mustRing(t, s, append(specs, specs[0], specs[0]))
	if len(generated) != 0 || len(ring.All()) != 3 {
		t.Errorf("%d keys, generated %q", len(ring.All()), generated)
	}
	_, err := s.Generate("images", Spec{Purpose: scheme.Image, Generate: "p192"})
	wantError(t, err, "p192", "p256")
}

func TestExportNamesTheKeysThatThereAre(t *testing.T) {
	s := Open(t.TempDir(), nil)
	_, err := s.ExportPublic("images", image256, "cosign")
	wantError(t, err, `"cosign"`, "image-p256")
	for name, export := range map[string]func(string, []Spec, string) ([]byte, error){
		"public": s.ExportPublic, "private": s.ExportPrivate,
	} {
		if _, err := export("images", image256, "image-p256"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v, want fs.ErrNotExist", name, err)
		}
	}
}
