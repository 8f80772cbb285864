package openpgp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

func TestKeysOfGPGAreRead(t *testing.T) {
	end2030 := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		file, kind, primary, userID string
		subkey                      bool // signs
		expires                     time.Time
	}{
		{"rsa2048", "rsa2048", "rsa2048", "rsa2048 key", false, time.Time{}},
		{"rsa4096", "rsa4096", "rsa4096", "rsa4096 key", false, time.Time{}},
		{"ed25519", "ed25519", "ed25519", "ed25519 key", false, time.Time{}},
		{"ed25519-binary", "ed25519", "ed25519", "ed25519 key", false, time.Time{}},
		{"nistp256", "p256", "p256", "nistp256 key", false, time.Time{}},
		{"nistp384", "p384", "p384", "nistp384 key", false, time.Time{}},
		{"nistp521", "p521", "p521", "nistp521 key", false, time.Time{}},
		{"default", "rsa3072", "rsa3072", "default key", false, time.Time{}},
		{"encrypted", "p256", "p256", "encrypted key", false, time.Time{}},
		{"subkeys", "ed25519", "rsa2048", "subkeys key", true, time.Time{}},
		{"subkeys-stub", "ed25519", "rsa2048", "subkeys key", true, time.Time{}},
		{"expiring-subkey", "ed25519", "ed25519", "expiring subkey", true, end2030},
		{"expiring", "ed25519", "ed25519", "expiring key", false, end2030},
		{"two-names", "ed25519", "ed25519", "the second name", false, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			s := secret(t, tt.file)
			c := s.Certificate()
			if c.Kind() != tt.kind || c.PrimaryKind() != tt.primary || c.UserID() != tt.userID || !c.Expires().Equal(tt.expires) {
				t.Errorf("got %s, %s, %q, %v", c.Kind(), c.PrimaryKind(), c.UserID(), c.Expires())
			}
			if subkey := c.Signer() != c.Fingerprint(); subkey != tt.subkey {
				t.Errorf("a subkey signs: %v", subkey)
			}
			if err := verify(c, "message", sign(t, s, "message", now)); err != nil {
				t.Error(err)
			}
			// Two forms of one key have one public half.
			public := strings.TrimSuffix(strings.TrimSuffix(tt.file, "-binary"), "-stub") + ".asc"
			exported, err := ParseCertificate(read(t, public), now)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(exported.Binary(), c.Binary()) {
				t.Error("the public half is not what gpg exports")
			}
			for _, secret := range [][]byte{nil, []byte("another")} {
				stored, err := s.Encode(secret)
				if err != nil {
					t.Fatal(err)
				}
				again, err := ParseSecret(stored, secret, now)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(again.Certificate().Binary(), c.Binary()) {
					t.Error("another key after storing")
				}
				if !bytes.Equal(sign(t, again, "message", now), sign(t, s, "message", now)) {
					t.Error("another signature after storing")
				}
				if len(secret) == 0 {
					continue
				}
				if _, err := ParseSecret(stored, nil, now); !errors.Is(err, ErrNoPassphrase) {
					t.Errorf("stored with a passphrase, opens without: %v", err)
				}
			}
		})
	}
}

func TestTheSubkeyThatSignsIsChosenByTime(t *testing.T) {
	for year, want := range map[int]string{
		2025: "ed25519", // the newest subkey
		2031: "rsa2048", // the older one, since that has expired
	} {
		s, err := ParseSecret(read(t, "expiring-subkey.key"), nil, time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		c := s.Certificate()
		if c.Kind() != want || c.Signer() == c.Fingerprint() {
			t.Errorf("in %d a %s key signs, %s", year, c.Kind(), c.Signer())
		}
	}
}

func TestParseSecretRefuses(t *testing.T) {
	const works = "use an OpenPGP key of version 4"
	v6, new25519 := libraryKey(t, &packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoEd25519}),
		libraryKey(t, &packet.Config{Algorithm: packet.PubKeyAlgoEd25519})
	good := read(t, "ed25519.key")
	stripped := func(name string, drop ...uint8) []byte {
		body, _, err := dearmor(read(t, name+".key"), MaxKey)
		if err != nil {
			t.Fatal(err)
		}
		packets, err := split(body)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, p := range packets {
			if !slices.Contains(drop, p.Tag) {
				if err := p.Serialize(&b); err != nil {
					t.Fatal(err)
				}
			}
		}
		return b.Bytes()
	}
	tests := []struct {
		name string
		data []byte
		want []string
	}{
		{"a key of version 6", v6, []string{"version 6", works}},
		{"a new-style Ed25519 key", new25519, []string{"Ed25519", "algorithm 27", works}},
		{"a DSA key", read(t, "refused-dsa.key"), []string{"DSA", works}},
		{"a short RSA key", read(t, "refused-rsa1024.key"), []string{"RSA", "1024 bits", works}},
		{"a curve of brainpool", read(t, "refused-brainpool.key"), []string{"Brainpool", works}},
		{"a revoked key", read(t, "refused-revoked.key"), []string{"revoked"}},
		{"a key that was retired, which is a revocation too", read(t, "refused-retired.key"), []string{"revoked"}},
		{"a key that only certifies", read(t, "refused-certifying.key"), []string{"can sign"}},
		{"a key whose only signing subkey is revoked", read(t, "refused-revoked-subkey.key"), []string{"can sign"}},
		{"a key bound by SHA-1", read(t, "refused-sha1.key"), []string{"self-signature", "SHA-1", "gpg --cert-digest-algo"}},
		{"two keys", read(t, "refused-two.key"), []string{"more than one key"}},
		{"a public key", read(t, "ed25519.asc"), []string{"public key", "private"}},
		{"a public key in binary form", secret(t, "ed25519").Certificate().Binary(), []string{"public key", "private"}},
		{"a key without user ID", stripped("ed25519", tagUserID, tagSignature), []string{"OpenPGP key"}},
		{"a key without signatures", stripped("ed25519", tagSignature), []string{"OpenPGP key"}},
		{"a primary key alone whose subkey signs", stripped("subkeys", tagSecretSubkey), []string{"can sign"}},
		{"a signature", ArmorSignature([]byte("x")), []string{"PGP SIGNATURE"}},
		{"nothing", nil, []string{"empty"}},
		{"text", []byte("text"), []string{"neither armor nor packets"}},
		{"armor without packets", enarmor(armorPrivate, nil), []string{"does not begin with a secret key"}},
		{"a huge file", append(bytes.Clone(good), make([]byte, MaxKey)...), []string{"longer than"}},
		{"many packets", bytes.Repeat(newPacket(tagUserID, []byte("x")), maxPackets+1), []string{"packets"}},
		{"half a key", good[:len(good)/2], []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSecret(tt.data, passphrase, now)
			if s != nil {
				t.Error("a key is returned")
			}
			wantError(t, err, tt.want...)
		})
	}
}

// libraryKey returns a key of a kind that gpg does not make.
func libraryKey(t *testing.T, config *packet.Config) []byte {
	t.Helper()
	config.Time = func() time.Time { return now }
	e, err := pgp.NewEntity("new key", "", "", config)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.SerializePrivate(&b, config); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestASubkeyOfAnUnknownKindIsLeftOut(t *testing.T) {
	body, _, err := dearmor(read(t, "ed25519.key"), MaxKey)
	if err != nil {
		t.Fatal(err)
	}
	signature := sign(t, secret(t, "ed25519"), "x", now)
	unknown := newPacket(tagSecretSubkey, []byte{4, 0x65, 0x92, 0, 0, 99, 1, 2, 3})
	s, err := ParseSecret(slices.Concat(body, unknown, signature), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Certificate().Binary(), secret(t, "ed25519").Certificate().Binary()) {
		t.Error("something of it is left")
	}
	if _, err := ParseSecret(slices.Concat(body, newPacket(tagSecretSubkey, []byte{4, 0x65})), nil, now); err == nil {
		t.Error("a truncated subkey is left out, too")
	}
}

func TestAPassphraseThatIsMissingOrWrongIsTold(t *testing.T) {
	data := read(t, "encrypted.key")
	if _, err := ParseSecret(data, nil, now); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("without: %v", err)
	}
	if _, err := ParseSecret(data, []byte("wrong horse"), now); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("wrong: %v", err)
	}
}

func TestAKeyThatAsksForTooMuchArgon2IsRefused(t *testing.T) {
	encrypted := func(memory uint32) []byte {
		s := secret(t, "ed25519")
		key := *s.packets[0].(*packet.PrivateKey)
		err := key.EncryptWithConfig(passphrase, &packet.Config{
			AEADConfig: &packet.AEADConfig{},
			S2KConfig: &s2k.Config{S2KMode: s2k.Argon2S2K, Argon2Config: &s2k.Argon2Config{
				NumberOfPasses: 1, DegreeOfParallelism: 1, Memory: memory,
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.Write(serialized(&key))
		for _, p := range s.packets[1:] {
			b.Write(serialized(p.(*raw)))
		}
		return b.Bytes()
	}
	if _, err := ParseSecret(encrypted(1<<10), passphrase, now); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	// Made cheap and declared dear: the parameters stand in the clear.
	body := encrypted(1 << 10)
	at := bytes.Index(body, []byte{1, 1, 10}) // passes, lanes, memory
	body[at+2] = 31
	_, err := ParseSecret(body, passphrase, now)
	wantError(t, err, "Argon2", "2^31 KiB")
}

func TestAForeignPrivateHalfIsRefused(t *testing.T) {
	mine, other := secret(t, "ed25519"), generated(t, "ed25519")
	key := *mine.packets[0].(*packet.PrivateKey)
	key.PrivateKey = other.packets[0].(*packet.PrivateKey).PrivateKey
	var b bytes.Buffer
	b.Write(serialized(&key))
	for _, p := range mine.packets[1:] {
		b.Write(serialized(p.(*raw)))
	}
	if _, err := ParseSecret(b.Bytes(), nil, now); err == nil {
		t.Error("accepted")
	}
}

func TestGeneratedKeysAreWhatTheyShouldBe(t *testing.T) {
	for _, kind := range []string{"p256", "p384", "p521", "rsa2048", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			s := generated(t, kind)
			c := s.Certificate()
			if c.Kind() != kind || c.UserID() != "Hallmark test" || !c.Expires().IsZero() || c.Signer() != c.Fingerprint() {
				t.Errorf("got %s, %q, %v", c.Kind(), c.UserID(), c.Expires())
			}
			again, err := New(s.Signer(), "Hallmark test", now)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.Certificate().Binary(), c.Binary()) {
				t.Error("made again of the same numbers, it is another key")
			}
			read, err := ParseCertificate(Armor(c), now)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(read.Binary(), c.Binary()) {
				t.Error("another key after armor")
			}
		})
	}
	for _, id := range []string{"", " x", "a\nb", "\xff", strings.Repeat("x", 256)} {
		if _, err := New(generated(t, "ed25519").Signer(), id, now); err == nil {
			t.Errorf("user ID %q is accepted", id)
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, name := range []string{"ed25519", "nistp256", "encrypted", "subkeys-stub", "expiring-subkey", "refused-dsa", "refused-two", "refused-sha1"} {
		body, _, err := dearmor(read(f, name+".key"), MaxKey)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add(read(f, "ed25519.key"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSecret(data, passphrase, now)
		if err != nil {
			return
		}
		stored, err := s.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSecret(stored, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Certificate().Binary(), s.Certificate().Binary()) {
			t.Error("another key after storing")
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	for _, name := range []string{"ed25519", "nistp256", "subkeys", "two-names", "expiring-subkey"} {
		body, _, err := dearmor(read(f, name+".asc"), MaxKey)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add(read(f, "ed25519.asc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCertificate(data, now)
		if err != nil {
			return
		}
		again, err := ParseCertificate(Armor(c), now)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Binary(), c.Binary()) || again.Signer() != c.Signer() {
			t.Error("another key after armor")
		}
	})
}
