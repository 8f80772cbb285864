package rpm_test

import (
	"bytes"
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"
	"hallmark/formats/rpm"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
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

// seal returns a package as it is served, signed by some keys if the format wants signatures.
func seal(t *testing.T, f *rpm.Format, data []byte, keys ...*openpgp.Entity) []byte {
	t.Helper()
	s, err := f.Seal(format.Op{}, formattest.NewBlob(data), nil)
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
		for _, key := range keys {
			if err := openpgp.DetachSign(&value, key, bytes.NewReader(message.Bytes()), &packet.Config{DefaultHash: crypto.SHA256}); err != nil {
				t.Fatal(err)
			}
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

func TestTheNewestKeySigns(t *testing.T) {
	rsa, edwards := newKey(t, "rsa", packet.PubKeyAlgoRSA), newKey(t, "edwards", packet.PubKeyAlgoEdDSA)
	for _, tt := range []struct {
		keys []*openpgp.Entity
		tag  rpmfile.Tag
	}{
		{[]*openpgp.Entity{rsa}, rpmfile.SigRSA},
		{[]*openpgp.Entity{edwards}, rpmfile.SigDSA},
		{[]*openpgp.Entity{rsa, edwards}, rpmfile.SigDSA},
		{[]*openpgp.Entity{edwards, rsa}, rpmfile.SigRSA},
	} {
		data := seal(t, open(t), pkg("hello", "1", "x86_64").Bytes(), tt.keys...)
		header, signature, err := signed(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(tt.keys[len(tt.keys)-1], header, signature); err != nil {
			t.Error(err)
		}
		f, err := rpmfile.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil || !f.Signature.Has(tt.tag) {
			t.Errorf("no signature under tag %d (%v)", tt.tag, err)
		}
	}
}

func TestAMessageIsOneThatNoIndexCanBe(t *testing.T) {
	old := misleading()
	old.MD5, old.WithoutMain = true, []rpmfile.Tag{rpmfile.PayloadDigest, rpmfile.PayloadDigestAlgo}
	for want, p := range map[int]rpmfiletest.Package{1: misleading(), 2: old} {
		data := p.Bytes()
		s, err := open(t).Seal(format.Op{}, formattest.NewBlob(data), nil)
		if err != nil || len(s.Seals) != want {
			t.Fatalf("got %+v, %v", s, err)
		}
		for _, seal := range s.Seals {
			if m := seal.Message; len(m) != 1 || !bytes.HasPrefix(data[m[0].Offset:], []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00")) {
				t.Errorf("the message %s does not begin as a header", seal.Name)
			}
		}
	}
}

func TestSpliceRefusesWhatIsNoSignature(t *testing.T) {
	s, err := open(t).Seal(format.Op{}, formattest.NewBlob(pkg("hello", "1", "x86_64").Bytes()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"nothing":               "",
		"junk":                  "-----BEGIN PGP SIGNATURE-----",
		"a packet without end":  "\x89\x01\x00\x04\x00\x01",
		"another packet":        "\x99\x00\x0a\x04\x00\x01\x08\x00\x00\x00\x00\x00\x00",
		"a signature version 6": "\x89\x00\x0a\x06\x00\x01\x08\x00\x00\x00\x00\x00\x00",
		"an indefinite length":  "\x8b\x04\x00\x01\x08\x00\x00\x00\x00\x00\x00",
	} {
		if patches, err := s.Splice([]format.Signature{{Seal: "header", Value: []byte(value)}}); err == nil {
			t.Errorf("%s is taken for a signature: %v", name, patches)
		}
	}
	if _, err := s.Splice(nil); err == nil {
		t.Error("no signature is taken for one")
	}
}

// rpm says of packages without a signature that all is well, unless it is told to want one.
func TestRpmkeysVerifiesWhatIsSealed(t *testing.T) {
	program, err := exec.LookPath("rpmkeys")
	if err != nil {
		t.Skip("rpmkeys is not on PATH")
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	run := func(db string, args ...string) (string, error) {
		cmd := exec.Command(program, append([]string{"--dbpath", filepath.Join(dir, db), "--define", "_pkgverify_level all"}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	keys := map[string]*openpgp.Entity{
		"rsa": newKey(t, "rsa", packet.PubKeyAlgoRSA), "edwards": newKey(t, "edwards", packet.PubKeyAlgoEdDSA),
	}
	for name, key := range keys {
		var armored bytes.Buffer
		w, err := armor.Encode(&armored, openpgp.PublicKeyType, nil)
		if err == nil {
			err = key.Serialize(w)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, err := run(name, "--import", write(name+".asc", armored.Bytes())); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	real, err := os.ReadFile("testdata/hello-1.0~rc1-2.x86_64.rpm")
	if err != nil {
		t.Fatal(err)
	}
	old := pkg("old", "1", "noarch")
	old.MD5, old.WithoutMain = true, []rpmfile.Tag{rpmfile.PayloadDigest, rpmfile.PayloadDigestAlgo}
	made := pkg("made", "1", "noarch")
	made.Signature = []rpmfiletest.Entry{rpmfiletest.Numbers(rpmfile.SigPayloadSize, 7)}
	for name, data := range map[string][]byte{"a package of rpmbuild": real, "a package of ours": made.Bytes(), "an old package": old.Bytes()} {
		for by, key := range keys {
			t.Run(name+" by "+by, func(t *testing.T) {
				sealed := seal(t, open(t), data, key)
				if out, err := run(by, "-K", write("good.rpm", sealed)); err != nil || !strings.Contains(out, "digests signatures OK") {
					t.Errorf("refused: %v\n%s", err, out)
				}
				other := "rsa"
				if by == "rsa" {
					other = "edwards"
				}
				if out, err := run(other, "-K", write("good.rpm", sealed)); err == nil {
					t.Errorf("accepted with another key\n%s", out)
				}
				if out, err := run(by, "-K", write("unsigned.rpm", data)); err == nil {
					t.Errorf("accepted without a signature\n%s", out)
				}
				f, err := rpmfile.Read(bytes.NewReader(sealed), int64(len(sealed)))
				if err != nil {
					t.Fatal(err)
				}
				for what, at := range map[string]int64{"header": f.HeaderOffset + 300, "payload": f.Size - 1} {
					damaged := bytes.Clone(sealed)
					damaged[at] ^= 1
					if out, err := run(by, "-K", write("damaged.rpm", damaged)); err == nil {
						t.Errorf("accepted with a flipped bit in its %s\n%s", what, out)
					}
				}
			})
		}
	}
}
