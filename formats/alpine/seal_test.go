package alpine_test

import (
	"bytes"
	"slices"
	"testing"

	"hallmark/formats/alpine"
	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/signing/scheme"

	"github.com/google/go-cmp/cmp"
)

func TestThePolicySaysWhichPackagesAreSigned(t *testing.T) {
	bare := apk{}.build(t)
	signed := append(packed(t, archive(t, false, member{name: ".SIGN.RSA.maker.rsa.pub", data: "x"})), bare...)
	twice := append(packed(t, archive(t, false, member{name: ".SIGN.RSA256.other.rsa.pub", data: "y"})), signed...)
	for _, tt := range []struct {
		name, policy string
		data         []byte
		replaced     int // -1: not signed
	}{
		{"never, without a signature", "never", bare, -1},
		{"never, with the maker's", "never", signed, -1},
		{"unsigned, without a signature", "unsigned", bare, 0},
		{"unsigned, with the maker's", "unsigned", signed, -1},
		{"always, without a signature", "always", bare, 0},
		{"always, with the maker's", "always", signed, len(signed) - len(bare)},
		{"always, with two", "always", twice, len(twice) - len(bare)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, alpine.Settings{SignPackages: tt.policy})
			s, err := f.Seal(format.Site{}, format.Op{}, formattest.NewBlob(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if tt.replaced < 0 {
				if len(s.Seals) > 0 || s.Splice != nil {
					t.Errorf("it is signed: %+v", s.Seals)
				}
				return
			}
			raw, _, err := members(bare)
			if err != nil {
				t.Fatal(err)
			}
			want := []format.Seal{{Name: "rsa256", Scheme: scheme.RSASHA256, Purpose: scheme.Package,
				Message: []format.Section{{Offset: int64(tt.replaced), Size: int64(len(raw[0]))}}}}
			if diff := cmp.Diff(want, s.Seals); diff != "" {
				t.Error(diff)
			}
			patches, err := s.Splice([]format.Signature{{Seal: "rsa256", Key: "k.rsa.pub", Value: []byte("signature")}})
			if err != nil {
				t.Fatal(err)
			}
			if len(patches) != 1 || patches[0].Section != (format.Section{Size: int64(tt.replaced)}) {
				t.Fatalf("the patches are %+v", patches)
			}
			_, plain, err := members(append(slices.Clone(patches[0].Data), tt.data[tt.replaced:]...))
			if err != nil {
				t.Fatal(err)
			}
			names, contents, err := files(plain[0])
			if err != nil || !slices.Equal(names, []string{".SIGN.RSA256.k.rsa.pub"}) || contents[names[0]] != "signature" {
				t.Errorf("the first member holds %q: %v", contents, err)
			}
			if len(plain) != 3 || len(plain[0]) != 1024 || bytes.HasSuffix(plain[0], make([]byte, 1024)) {
				t.Errorf("of %d members, the first has %d bytes: it must be cut before the end of the archive", len(plain), len(plain[0]))
			}
		})
	}
}

func TestSignaturesOverSHA1StandBehindTheOthers(t *testing.T) {
	s, err := open(t, alpine.Settings{SignPackages: "always", SHA1: true}).Seal(format.Site{}, format.Op{}, formattest.NewBlob(apk{}.build(t)))
	if err != nil {
		t.Fatal(err)
	}
	patches, err := s.Splice([]format.Signature{
		{Seal: "rsa", Key: "old.rsa.pub"}, {Seal: "rsa", Key: "new.rsa.pub"}, {Seal: "rsa256", Key: "old.rsa.pub"}, {Seal: "rsa256", Key: "new.rsa.pub"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, plain, err := members(patches[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	names, _, err := files(plain[0])
	want := []string{".SIGN.RSA256.old.rsa.pub", ".SIGN.RSA256.new.rsa.pub", ".SIGN.RSA.old.rsa.pub", ".SIGN.RSA.new.rsa.pub"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("the signatures are %q: %v", names, err)
	}
}

func TestSignaturesWithoutAPlaceAreRefused(t *testing.T) {
	s, err := open(t, alpine.Defaults()).Seal(format.Site{}, format.Op{}, formattest.NewBlob(apk{}.build(t)))
	if err != nil {
		t.Fatal(err)
	}
	for name, sigs := range map[string][]format.Signature{
		"none":                 nil,
		"of another seal":      {{Seal: "other", Key: "k.rsa.pub"}},
		"that are too many":    slices.Repeat([]format.Signature{{Seal: "rsa256", Key: "k.rsa.pub", Value: make([]byte, 512)}}, 64),
		"by a key without end": {{Seal: "rsa256", Key: string(bytes.Repeat([]byte("k"), 100))}},
	} {
		if _, err := s.Splice(sigs); err == nil {
			t.Errorf("signatures %s are taken", name)
		}
	}
}
