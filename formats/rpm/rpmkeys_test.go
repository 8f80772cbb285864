package rpm_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/internal/rpmfile"
	"hallmark/formats/internal/rpmfile/rpmfiletest"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A rpmkeys is the program of that name, and a folder for its files.
type rpmkeys struct {
	t       *testing.T
	program string
	dir     string
}

// newRpmkeys fails the test where the program is missing.
func newRpmkeys(t *testing.T) rpmkeys {
	t.Helper()
	program, err := exec.LookPath("rpmkeys")
	if err != nil {
		t.Fatal("rpmkeys is not installed: apt-get install rpm")
	}
	return rpmkeys{t, program, t.TempDir()}
}

func (r rpmkeys) write(name string, data []byte) string {
	r.t.Helper()
	p := filepath.Join(r.dir, name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// run runs it with one of several keyrings. rpm says of packages without a signature that all is well, unless it is told to
// want one.
func (r rpmkeys) run(keyring string, args ...string) (string, error) {
	cmd := exec.Command(r.program, append([]string{"--dbpath", filepath.Join(r.dir, keyring), "--define", "_pkgverify_level all"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRpmkeysVerifiesWhatIsSealed(t *testing.T) {
	machine := newRpmkeys(t)
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
		if out, err := machine.run(name, "--import", machine.write(name+".asc", armored.Bytes())); err != nil {
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
				if out, err := machine.run(by, "-K", machine.write("good.rpm", sealed)); err != nil || !strings.Contains(out, "digests signatures OK") {
					t.Errorf("refused: %v\n%s", err, out)
				}
				other := "rsa"
				if by == "rsa" {
					other = "edwards"
				}
				if out, err := machine.run(other, "-K", machine.write("good.rpm", sealed)); err == nil {
					t.Errorf("accepted with another key\n%s", out)
				}
				if out, err := machine.run(by, "-K", machine.write("unsigned.rpm", data)); err == nil {
					t.Errorf("accepted without a signature\n%s", out)
				}
				f, err := rpmfile.Read(bytes.NewReader(sealed), int64(len(sealed)))
				if err != nil {
					t.Fatal(err)
				}
				for what, at := range map[string]int64{"header": f.HeaderOffset + 300, "payload": f.Size - 1} {
					damaged := bytes.Clone(sealed)
					damaged[at] ^= 1
					if out, err := machine.run(by, "-K", machine.write("damaged.rpm", damaged)); err == nil {
						t.Errorf("accepted with a flipped bit in its %s\n%s", what, out)
					}
				}
			})
		}
	}
}

// A client that was set up before there was a second key goes on, and one that is set up later has both.
func TestRpmkeysGoesOnWhenASecondKeyComes(t *testing.T) {
	machine := newRpmkeys(t)
	h := formattest.NewHouse(t, open(t))
	if err := h.Put("hello-1-1.noarch.rpm", pkg("hello", "1", "noarch").Bytes()); err != nil {
		t.Fatal(err)
	}
	served, err := h.Fetch("hello-1-1.noarch.rpm")
	if err != nil {
		t.Fatal(err)
	}
	file := machine.write("hello.rpm", served)
	keys := h.Trusted().Keys()
	for _, tt := range []struct {
		name string
		keys []format.Key
		good bool
	}{{"oldest", keys[:1], true}, {"both", keys, true}, {"newer", keys[1:], false}} {
		for _, key := range tt.keys {
			if out, err := machine.run(tt.name, "--import", machine.write("key.asc", key.Armored)); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		if out, err := machine.run(tt.name, "-K", file); (err == nil) != tt.good {
			t.Errorf("with the keys %q: %v\n%s", tt.name, err, out)
		}
	}
}

func TestAClientThatIsSetUpNowGetsBothKeys(t *testing.T) {
	h := formattest.NewHouse(t, open(t))
	if err := h.Put("hello-1-1.noarch.rpm", pkg("hello", "1", "noarch").Bytes()); err != nil {
		t.Fatal(err)
	}
	armored := h.Indexes()["repodata/repomd.xml.key"]
	for _, key := range h.Trusted().Keys() {
		if !bytes.Contains(armored, bytes.TrimSpace(key.Armored)) {
			t.Errorf("repomd.xml.key lacks the key %s", key.Fingerprint)
		}
	}
}
