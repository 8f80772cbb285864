package rpm_test

import (
	"bytes"
	"crypto"
	"slices"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
	"hallmark/formats/rpm"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// newKey returns a new key.
func newKey(t *testing.T, name string, algorithm packet.PublicKeyAlgorithm) *openpgp.Entity {
	t.Helper()
	key, err := openpgp.NewEntity(name, "", name+"@example.org", &packet.Config{Algorithm: algorithm, RSABits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	key.Subkeys = nil
	return key
}

// seal returns a package as it is served, signed by a key if the format wants signatures.
func seal(t *testing.T, f *rpm.Format, data []byte, key *openpgp.Entity) []byte {
	t.Helper()
	s, err := f.Seal(format.Site{}, format.Op{}, formattest.NewBlob(data))
	if err != nil {
		t.Fatal(err)
	}
	if s.Seals == nil {
		return data
	}
	var sigs []format.Signature
	for _, seal := range s.Seals {
		var message, value bytes.Buffer
		for _, m := range seal.Message {
			message.Write(data[m.Offset : m.Offset+m.Size])
		}
		if err := openpgp.DetachSign(&value, key, &message, &packet.Config{DefaultHash: crypto.SHA256}); err != nil {
			t.Fatal(err)
		}
		sigs = append(sigs, format.Signature{Seal: seal.Name, Value: value.Bytes()})
	}
	patches, err := s.Splice(sigs)
	if err != nil {
		t.Fatal(err)
	}
	out := data
	for _, p := range slices.Backward(patches) {
		out = slices.Concat(out[:p.Offset], p.Data, out[p.Offset+p.Size:])
	}
	return out
}

func policy(t *testing.T, sign string) *rpm.Format {
	t.Helper()
	f, err := rpm.New(rpm.Settings{SignPackages: sign})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestThePolicySaysWhichPackagesAreSigned(t *testing.T) {
	maker, ours := newKey(t, "maker", packet.PubKeyAlgoEdDSA), newKey(t, "ours", packet.PubKeyAlgoRSA)
	unsigned := pkg("hello", "1", "x86_64").Bytes()
	made := seal(t, open(t), unsigned, maker)
	for _, tt := range []struct {
		name, policy string
		data         []byte
		by           *openpgp.Entity
	}{
		{"never signs nothing", "never", unsigned, nil},
		{"never keeps the maker's", "never", made, maker},
		{"unsigned signs what is not", "unsigned", unsigned, ours},
		{"unsigned keeps the maker's", "unsigned", made, maker},
		{"always signs what is not", "always", unsigned, ours},
		{"always replaces the maker's", "always", made, ours},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := seal(t, policy(t, tt.policy), tt.data, ours)
			header, signature, err := signed(got)
			if tt.by == nil {
				if err == nil || !bytes.Equal(got, tt.data) {
					t.Fatalf("the package is changed (%v)", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := check(tt.by, header, signature); err != nil {
				t.Error(err)
			}
			for _, other := range []*openpgp.Entity{maker, ours} {
				if other != tt.by && check(other, header, signature) == nil {
					t.Error("the signature verifies with another key, too")
				}
			}
			header = bytes.Clone(header)
			if header[20] ^= 1; check(tt.by, header, signature) == nil {
				t.Error("the signature verifies with a flipped bit")
			}
		})
	}
}

func check(key *openpgp.Entity, message, signature []byte) error {
	_, err := openpgp.CheckDetachedSignature(openpgp.EntityList{key}, bytes.NewReader(message), bytes.NewReader(signature), nil)
	return err
}

func TestASignatureStandsUnderTheTagOfItsKey(t *testing.T) {
	old := misleading()
	old.MD5, old.WithoutMain = true, []rpmfile.Tag{rpmfile.PayloadDigest, rpmfile.PayloadDigestAlgo}
	for _, tt := range []struct {
		name string
		data []byte
		key  *openpgp.Entity
		tags []rpmfile.Tag
	}{
		{"rsa", pkg("hello", "1", "x86_64").Bytes(), newKey(t, "rsa", packet.PubKeyAlgoRSA), []rpmfile.Tag{rpmfile.SigRSA}},
		{"ed25519", pkg("hello", "1", "x86_64").Bytes(), newKey(t, "edwards", packet.PubKeyAlgoEdDSA), []rpmfile.Tag{rpmfile.SigDSA}},
		{"rsa, an old package", old.Bytes(), newKey(t, "rsa", packet.PubKeyAlgoRSA), []rpmfile.Tag{rpmfile.SigRSA, rpmfile.SigPGP}},
		{"ed25519, an old package", old.Bytes(), newKey(t, "edwards", packet.PubKeyAlgoEdDSA), []rpmfile.Tag{rpmfile.SigDSA, rpmfile.SigGPG}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := seal(t, open(t), tt.data, tt.key)
			f, err := rpmfile.Read(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range []rpmfile.Tag{rpmfile.SigRSA, rpmfile.SigDSA, rpmfile.SigPGP, rpmfile.SigGPG} {
				if want := slices.Contains(tt.tags, tag); f.Signature.Has(tag) != want {
					t.Errorf("there is a signature under the tag %d: %t, want %t", tag, !want, want)
				}
			}
			for _, tag := range tt.tags {
				message := data[f.HeaderOffset:f.PayloadOffset]
				if tag == rpmfile.SigPGP || tag == rpmfile.SigGPG {
					message = data[f.HeaderOffset:]
				}
				signature, err := f.Signature.Bytes(tag)
				if err != nil {
					t.Fatal(err)
				}
				if err := check(tt.key, message, signature); err != nil {
					t.Errorf("tag %d: %v", tag, err)
				}
				if check(tt.key, message[1:], signature) == nil {
					t.Errorf("tag %d: it verifies for another message", tag)
				}
			}
		})
	}
}

func TestOneKeySignsAMessageThatNoIndexCanBe(t *testing.T) {
	old := misleading()
	old.MD5, old.WithoutMain = true, []rpmfile.Tag{rpmfile.PayloadDigest, rpmfile.PayloadDigestAlgo}
	for want, p := range map[int]rpmfiletest.Package{1: misleading(), 2: old} {
		data := p.Bytes()
		s, err := open(t).Seal(format.Site{}, format.Op{}, formattest.NewBlob(data))
		if err != nil || len(s.Seals) != want {
			t.Fatalf("got %+v, %v", s, err)
		}
		for _, seal := range s.Seals {
			if !seal.Single {
				t.Errorf("all keys sign the message %s, and rpm wants to know each of them", seal.Name)
			}
			if m := seal.Message; len(m) != 1 || !bytes.HasPrefix(data[m[0].Offset:], []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")) {
				t.Errorf("the message %s does not begin as a header", seal.Name)
			}
		}
	}
}

func TestSpliceRefusesWhatIsNoSignature(t *testing.T) {
	s, err := open(t).Seal(format.Site{}, format.Op{}, formattest.NewBlob(pkg("hello", "1", "x86_64").Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	const whole = "\x89\x00\x0a\x04\x00\x01\x08\x00\x00\x00\x00\x00\x00"
	if _, err := s.Splice([]format.Signature{{Seal: "header", Value: []byte(whole)}}); err != nil {
		t.Errorf("a packet of the right form is refused: %v", err)
	}
	if _, err := s.Splice([]format.Signature{{Seal: "another", Value: []byte(whole)}}); err == nil {
		t.Error("the signature of another seal is taken for it")
	}
	for name, value := range map[string]string{
		"nothing":               "",
		"junk":                  "-----BEGIN PGP SIGNATURE-----",
		"a packet without end":  "\x89\x01\x00\x04\x00\x01",
		"another packet":        "\x99\x00\x0a\x04\x00\x01\x08\x00\x00\x00\x00\x00\x00",
		"a signature version 6": "\x89\x00\x0a\x06\x00\x01\x08\x00\x00\x00\x00\x00\x00",
		"an indefinite length":  "\x8b\x04\x00\x01\x08\x00\x00\x00\x00\x00\x00",
		"two signatures":        whole + whole,
		"one and a half":        whole + whole[:6],
	} {
		if patches, err := s.Splice([]format.Signature{{Seal: "header", Value: []byte(value)}}); err == nil {
			t.Errorf("%s is taken for a signature: %v", name, patches)
		}
	}
	if _, err := s.Splice(nil); err == nil {
		t.Error("no signature is taken for one")
	}
}
