package keys

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/signing"
)

var passphrase = []byte("correct horse")

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func publicOf(t testing.TB, key crypto.Signer) signing.PublicKey {
	t.Helper()
	public, err := signing.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// wantError fails the test unless err holds all words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func TestKeysOfCosignAreRead(t *testing.T) {
	for name, passphrase := range map[string]string{
		"cosign1-rsa2048":            "correct horse",
		"cosign2-rsa2048":            "correct horse",
		"cosign2-p256-no-passphrase": "",
		"cosign3-p256":               "correct horse",
	} {
		t.Run(name, func(t *testing.T) {
			key, err := Parse(read(t, name+".key"), []byte(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			if got := publicOf(t, key).PEM(); !bytes.Equal(got, read(t, name+".pub")) {
				t.Errorf("public half:\n%s", got)
			}
		})
	}
}

func TestAKeyThatAsksForTooMuchScryptIsRefused(t *testing.T) {
	block, _ := pem.Decode(read(t, "cosign3-p256.key"))
	box := bytes.Replace(block.Bytes, []byte(`"N":65536`), []byte(`"N":1073741824`), 1)
	if bytes.Equal(box, block.Bytes) {
		t.Fatal("the box does not name its parameters")
	}
	_, err := Parse(pem.EncodeToMemory(&pem.Block{Type: typeSigstore, Bytes: box}), passphrase)
	wantError(t, err, "unsupported scrypt parameters")

	block, _ = pem.Decode(read(t, "encrypted-ed25519-scrypt.key"))
	// The cost parameter N, an INTEGER of 16384.
	der := bytes.Replace(block.Bytes, []byte{0x02, 0x02, 0x40, 0x00}, []byte{0x02, 0x02, 0x7f, 0xff}, 1)
	der = bytes.Replace(der, []byte{0x02, 0x01, 0x08}, []byte{0x02, 0x01, 0x7f}, 1)
	if bytes.Equal(der, block.Bytes) {
		t.Fatal("the file does not name its parameters")
	}
	_, err = Parse(pem.EncodeToMemory(&pem.Block{Type: typeEncryptedPKCS8, Bytes: der}), passphrase)
	wantError(t, err, "scrypt: N=32767, r=127, p=1")
}

func TestEveryFormOfKeyIsRead(t *testing.T) {
	for _, name := range []string{
		"pkcs8-p224", "pkcs8-p256", "pkcs8-p384", "pkcs8-p521", "pkcs8-ed25519",
		"pkcs8-rsa2048", "pkcs8-rsa3072", "pkcs8-rsa4096", "pkcs8-rsa8192",
		"sec1-p256-with-parameters", "sec1-p384", "pkcs1-rsa2048",
		"encrypted-p256", "encrypted-p521-sha1", "encrypted-rsa3072-sha512", "encrypted-ed25519-scrypt",
	} {
		t.Run(name, func(t *testing.T) {
			key, err := Parse(read(t, name+".key"), passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if got := publicOf(t, key).PEM(); !bytes.Equal(got, read(t, name+".pub")) {
				t.Errorf("public half:\n%s", got)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const works = "use p224, p256, p384, p521, RSA 2048 to 8192 or Ed25519"
	tests := []struct {
		file string
		want []string
	}{
		{"refused-secp256k1", []string{"secp256k1", "1.3.132.0.10", works}},
		{"refused-secp256k1-sec1", []string{"secp256k1", "1.3.132.0.10", works}},
		{"refused-secp256k1-encrypted", []string{"secp256k1", "1.3.132.0.10", works}},
		{"refused-brainpool", []string{"brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7", works}},
		{"refused-p192", []string{"P-192", "1.2.840.10045.3.1.1", works}},
		{"refused-secp160r1", []string{"1.3.132.0.8", works}},
		{"refused-explicit", []string{"explicit", works}},
		{"refused-explicit-sec1", []string{"explicit", works}},
		{"refused-rsa1024", []string{"RSA 1024", works}},
		{"refused-rsa1024-pkcs1", []string{"RSA 1024", works}},
		{"refused-rsapss", []string{"RSA-PSS", works}},
		{"refused-dsa", []string{"DSA", works}},
		{"refused-dsa-pkcs8", []string{"DSA", works}},
		{"refused-ed448", []string{"Ed448", works}},
		{"refused-x25519", []string{"X25519", works}},
		{"refused-public", []string{"public", "private"}},
		{"refused-rsa-public", []string{"public", "private"}},
		{"refused-certificate", []string{"certificate", "private"}},
		{"refused-openssh", []string{"OpenSSH", "PKCS #8"}},
		{"refused-openpgp", []string{"OpenPGP", "PKCS #8"}},
		{"refused-dek-info", []string{"traditional", "openssl pkcs8"}},
		{"refused-des3", []string{"1.2.840.113549.3.7", "AES-CBC", "openssl pkcs8"}},
		{"refused-pbes1", []string{"PBES2", "openssl pkcs8"}},
		{"refused-iterations", []string{"20000000 iterations", "10000000"}},
		{"refused-two", []string{"more than one"}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			key, err := Parse(read(t, tt.file+".key"), passphrase)
			if key != nil {
				t.Error("a key is returned")
			}
			wantError(t, err, tt.want...)
		})
	}
	long := append(read(t, "pkcs8-p256.key"), bytes.Repeat([]byte("\n"), maxFile)...)
	for name, data := range map[string][]byte{
		"an empty file":     nil,
		"DER":               {0x30, 0x03, 0x02, 0x01, 0x00},
		"a very long file":  long,
		"an unknown block":  []byte("-----BEGIN X-----\nAAAA\n-----END X-----\n"),
		"broken PKCS #8":    []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"broken SEC 1":      []byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"),
		"broken PKCS #1":    []byte("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
		"broken encryption": []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
		"a broken box":      []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(data, passphrase); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestAPassphraseThatIsMissingOrWrongIsNamed(t *testing.T) {
	for _, file := range []string{"encrypted-p256.key", "encrypted-ed25519-scrypt.key", "cosign3-p256.key"} {
		t.Run(file, func(t *testing.T) {
			for given, missing := range map[string]bool{"": true, "wrong horse": false} {
				_, err := Parse(read(t, file), []byte(given))
				wantError(t, err, "passphrase", "HALLMARK_KEY_PASSPHRASE", "passphrase_file")
				var e *PassphraseError
				if !errors.As(err, &e) || e.Missing != missing {
					t.Errorf("passphrase %q: error %#v", given, err)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.key")
	if err != nil || len(files) == 0 {
		f.Fatal("no corpus: ", err)
	}
	for _, file := range files {
		// RSA 8192 and scrypt take too long to be tried often.
		if !strings.Contains(file, "8192") && !strings.Contains(file, "cosign") {
			f.Add(read(f, filepath.Base(file)), passphrase)
		}
	}
	f.Fuzz(func(t *testing.T, data, passphrase []byte) {
		key, err := Parse(data, passphrase)
		if err != nil {
			return
		}
		// What is read can be stored, and is then the same.
		stored, err := encode(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(stored, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !publicOf(t, again).Equal(publicOf(t, key)) {
			t.Error("another key after storing")
		}
	})
}

func TestGeneratedKeysAreReadBack(t *testing.T) {
	for _, kind := range Kinds("") {
		t.Run(kind, func(t *testing.T) {
			key, err := generate(kind)
			if err != nil {
				t.Fatal(err)
			}
			if got := publicOf(t, key).Kind(); got != kind {
				t.Errorf("kind %s", got)
			}
			data, err := encode(key, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !publicOf(t, again).Equal(publicOf(t, key)) {
				t.Error("another key after storing")
			}
		})
	}
	if _, err := generate("rsa1024"); err == nil {
		t.Error("rsa1024 is generated")
	}
}
