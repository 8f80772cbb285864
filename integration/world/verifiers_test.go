package world

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestVerifiersTakeGoodSignaturesAlone(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa3072", "ed25519"} {
		key, other := NewOpenPGP(t, algorithm), NewOpenPGP(t, algorithm)
		dir := t.TempDir()
		text := filepath.Join(dir, "text")
		must(t, os.WriteFile(text, []byte("Origin: test\nSuite: stable\n"), 0o644))
		armored, binary, signed := text+".asc", text+".sig", text+".signed"
		key.Detach(t, text, armored, true)
		key.Detach(t, text, binary, false)
		key.Clearsign(t, text, signed)
		altered := alter(t, text)
		keys, others := key.Public(t), other.Public(t)

		for _, v := range Verifiers(t) {
			name := v.Name() + " with " + algorithm
			for _, keys := range []string{keys, Dearmored(t, keys)} {
				if err := v.Detached(t, keys, text, armored); err != nil {
					t.Errorf("%s: armored: %v", name, err)
				}
				if err := v.Detached(t, keys, text, binary); err != nil {
					t.Errorf("%s: not armored: %v", name, err)
				}
			}
			for what, err := range map[string]error{
				"another text":     v.Detached(t, keys, altered, armored),
				"another key":      v.Detached(t, others, text, armored),
				"no signature":     v.Detached(t, keys, text, text),
				"a flipped bit":    v.Detached(t, keys, text, alter(t, binary)),
				"an empty file":    v.Detached(t, keys, text, emptyFile(t)),
				"a missing file":   v.Detached(t, keys, text, text+".none"),
				"another's as its": v.Detached(t, others, text, binary),
			} {
				if err == nil {
					t.Errorf("%s: %s is taken", name, what)
				}
			}

			err := v.Clearsigned(t, keys, signed)
			if errors.Is(err, errors.ErrUnsupported) {
				continue
			}
			if err != nil {
				t.Errorf("%s: clearsigned: %v", name, err)
			}
			if v.Clearsigned(t, keys, alter(t, signed)) == nil || v.Clearsigned(t, others, signed) == nil ||
				v.Clearsigned(t, keys, text) == nil {
				t.Errorf("%s: a signed text is taken that is altered, by another key, or not signed", name)
			}
		}
	}
}

func TestDebsigTakesAnOriginsSignatureAlone(t *testing.T) {
	t.Parallel()
	key, other := NewOpenPGP(t, "ed25519"), NewOpenPGP(t, "ed25519")
	b := Package{Name: "hello", Version: "1.0.0"}.Build(t, Deb)
	debsig := NewDebsig(t, key.Public(t))
	if err := debsig.Check(t, b.Path); err == nil {
		t.Error("a package without a signature is taken")
	}
	signed := withOrigin(t, key, b)
	if err := debsig.Check(t, signed); err != nil {
		t.Error(err)
	}
	if err := debsig.Check(t, alter(t, signed)); err == nil {
		t.Error("a package with one bit flipped is taken")
	}
	if err := debsig.Check(t, withOrigin(t, other, b)); err == nil {
		t.Error("a package by another key is taken")
	}
	if err := NewDebsig(t, other.Public(t)).Check(t, signed); err == nil {
		t.Error("a package by a key that is not the policy's is taken")
	}
}

// withOrigin appends a _gpgorigin to a package: a signature over the contents of its other members.
func withOrigin(t *testing.T, key *OpenPGP, b Built) string {
	t.Helper()
	deb := b.Bytes(t)
	var message []byte
	for at := 8; at < len(deb); {
		var size int
		for _, digit := range deb[at+48 : at+58] {
			if digit >= '0' && digit <= '9' {
				size = size*10 + int(digit-'0')
			}
		}
		message = append(message, deb[at+60:at+60+size]...)
		at += 60 + size + size%2
	}
	path := file(t, "message", string(message))
	key.Detach(t, path, path+".sig", false)
	signature, err := os.ReadFile(path + ".sig")
	must(t, err)
	header := []byte("_gpgorigin      1767607200  0     0     100644            `\n")
	copy(header[48:58], []byte(decimal(len(signature))))
	if len(signature)%2 == 1 {
		signature = append(signature, '\n')
	}
	return file(t, b.File(), string(slices.Concat(deb, header, signature)))
}

func TestRPMKeysTakesSignedPackagesAlone(t *testing.T) {
	t.Parallel()
	key, other := NewOpenPGP(t, "rsa3072"), NewOpenPGP(t, "ed25519")
	b := Package{Name: "hello", Version: "1.0.0"}.Build(t, RPM)
	keys := NewRPMKeys(t, key.Public(t))
	if err := keys.Check(t, b.Path); err == nil {
		t.Error("a package without a signature is taken")
	}
	key.SignRPM(t, b.Path)
	if err := keys.Check(t, b.Path); err != nil {
		t.Error(err)
	}
	if err := keys.Check(t, alter(t, b.Path)); err == nil {
		t.Error("a package with one bit flipped is taken")
	}
	if err := NewRPMKeys(t, other.Public(t)).Check(t, b.Path); err == nil {
		t.Error("a package by another key is taken")
	}
	if err := NewRPMKeys(t).Check(t, b.Path); err == nil {
		t.Error("a package is taken without any key")
	}
}

// alter returns a copy of a file with a bit flipped in the middle.
func alter(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return file(t, filepath.Base(path), string(FlipBit(data)))
}
