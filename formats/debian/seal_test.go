package debian_test

import (
	"bytes"
	"errors"
	"testing"

	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// seal returns what a package looks like when it is sealed, with a signature that is none, and what would be signed.
func seal(t *testing.T, f *debian.Format, path string, body []byte, value string) (sealed, message []byte) {
	t.Helper()
	op, err := f.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Seal(format.Site{}, op, blobOf(body))
	if err != nil {
		t.Fatal(err)
	}
	if s.Seals == nil {
		return body, nil
	}
	want := format.Seal{Name: "_gpgorigin", Scheme: scheme.OpenPGPBinary, Purpose: scheme.Package}
	if got := s.Seals[0]; len(s.Seals) != 1 || got.Name != want.Name || got.Scheme != want.Scheme || got.Purpose != want.Purpose || got.Path != "" {
		t.Fatalf("the seals are %+v", s.Seals)
	}
	for _, section := range s.Seals[0].Message {
		message = append(message, body[section.Offset:section.Offset+section.Size]...)
	}
	patches, err := s.Splice([]format.Signature{{Seal: "_gpgorigin", Key: "key", Value: []byte(value)}})
	if err != nil || len(patches) != 1 {
		t.Fatalf("%d patches, %v", len(patches), err)
	}
	p := patches[0]
	return append(append(bytes.Clone(body[:p.Offset]), p.Data...), body[p.Offset+p.Size:]...), message
}

func TestSignatureIsTheLastMember(t *testing.T) {
	plain := deb{control: controlOf("hello", "1.0", "amd64", ""), suffix: ".gz"}
	theirs, ours := plain, plain
	theirs.signed, ours.signed = []byte("theirs"), []byte("our")
	unsigned, signedByThem, signedByUs := plain.build(t), theirs.build(t), ours.build(t)
	for _, tt := range []struct {
		setting string
		body    []byte
		want    []byte
	}{
		{"never", unsigned, unsigned},
		{"never", signedByThem, signedByThem},
		{"unsigned", unsigned, signedByUs},
		{"unsigned", signedByThem, signedByThem},
		{"always", unsigned, signedByUs},
		{"always", signedByThem, signedByUs},
		{"always", signedByUs, signedByUs},
	} {
		f := open(t, func(s *debian.Settings) { s.SignPackages = tt.setting })
		for _, path := range []string{"stable/main/", "stable/main/hello.deb"} {
			sealed, message := seal(t, f, path, tt.body, "our")
			if !bytes.Equal(sealed, tt.want) {
				t.Errorf("%s of %d bytes at %s: %q", tt.setting, len(tt.body), path, sealed)
			}
			if message == nil {
				continue
			}
			if !bytes.HasPrefix(message, []byte("2.0\n\x1f\x8b")) || bytes.Contains(message, []byte("!<arch>")) || bytes.Contains(message, []byte("_gpgorigin")) {
				t.Errorf("signed is %q", message)
			}
			if p := accepted(t, f, path, sealed); p.Name != "hello" {
				t.Errorf("the sealed package is %+v", p)
			}
		}
	}
}

func TestSourcesAreNotSealed(t *testing.T) {
	f := open(t, func(s *debian.Settings) { s.SignPackages = "always" })
	dsc := []byte(dscOf("hello", "1.0-1", "", sourceFiles.orig))
	for path, body := range map[string][]byte{
		"stable/main/":                          dsc,
		"stable/main/hello_1.0-1.dsc":           dsc,
		"stable/main/hello_1.0.orig.tar.gz":     []byte(sourceFiles.orig.data),
		"stable/main/incoming/hello_1_.changes": []byte(changesOf("hello", "1.0-1", "stable", sourceFiles.orig)),
	} {
		if sealed, _ := seal(t, f, path, body, "our"); !bytes.Equal(sealed, body) {
			t.Errorf("%s became %q", path, sealed)
		}
	}
}

func TestSpliceTakesNoSignatureThatCannotBe(t *testing.T) {
	f := open(t, func(s *debian.Settings) { s.SignPackages = "always" })
	op := format.Op{Kind: format.Put, Dir: "stable/main", Name: "hello.deb"}
	s, err := f.Seal(format.Site{}, op, blobOf(deb{control: controlOf("hello", "1.0", "amd64", "")}.build(t)))
	if err != nil {
		t.Fatal(err)
	}
	for name, signatures := range map[string][]format.Signature{
		"none":      nil,
		"another's": {{Seal: "other", Value: []byte("x")}},
		"a huge":    {{Seal: "_gpgorigin", Value: bytes.Repeat([]byte("x"), 65<<10)}},
	} {
		if patches, err := s.Splice(signatures); err == nil {
			t.Errorf("%s: %+v", name, patches)
		}
	}
	if _, err := f.Seal(format.Site{}, op, blobOf("no package")); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("what is no package: %v", err)
	}
}
