package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hallmark/signing"
	"hallmark/signing/scheme"
)

var image256 = []Spec{{Purpose: scheme.Image, Generate: "p256"}}

// write puts a key of testdata where a test can change it.
func write(t *testing.T, name string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, read(t, name), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRing(t *testing.T, s *Store, specs []Spec) (*signing.Ring, []string) {
	t.Helper()
	ring, generated, err := s.Ring("images", specs)
	if err != nil {
		t.Fatal(err)
	}
	return ring, generated
}

// publicHalf returns the path of the public half of a bare key.
func publicHalf(path string) string { return strings.TrimSuffix(path, ".key") + ".pub" }

func fingerprint(r *signing.Ring) string {
	var all []string
	for _, k := range r.All() {
		all = append(all, k.Public().Fingerprint())
	}
	return strings.Join(all, " ")
}

func TestAFixedStoreGeneratesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := Open(dir, nil)
	_, generated, err := s.Fixed().Ring("images", image256)
	if !errors.Is(err, fs.ErrNotExist) || len(generated) > 0 {
		t.Fatalf("generated %q, %v", generated, err)
	}
	for _, want := range []string{`"images"`, "purpose image", "image-p256.key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %q, which does not name %s", err, want)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has made its folder: %v", err)
	}
	ring, _ := mustRing(t, s, image256)
	if again, _ := mustRing(t, s.Fixed(), image256); fingerprint(again) != fingerprint(ring) {
		t.Errorf("a key that is there is %s, want %s", fingerprint(again), fingerprint(ring))
	}
}

func TestRingGeneratesWhatIsLackingOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "keys")
	specs := []Spec{
		{Purpose: scheme.Image, Generate: "p256"},
		{Purpose: scheme.Image, Generate: "ed25519"},
		{Purpose: scheme.Image, Generate: "p256"},
		{Purpose: scheme.Index, Generate: "p256"},
		{Purpose: scheme.Image, Key: "file:" + write(t, "pkcs8-rsa2048.key", 0o600)},
	}
	first, generated := mustRing(t, Open(dir, nil), specs)
	var want []string
	for _, name := range []string{"image-p256", "image-ed25519", "image-p256-2", "index-p256"} {
		want = append(want, filepath.Join(dir, "images", name+".key"))
	}
	if !slices.Equal(generated, want) {
		t.Errorf("generated %q, want %q", generated, want)
	}
	second, generated := mustRing(t, Open(dir, nil), specs)
	if len(generated) != 0 {
		t.Errorf("generated again: %q", generated)
	}
	if fingerprint(first) != fingerprint(second) {
		t.Error("other keys the second time")
	}
	if got := first.All()[2].Name(); got != "image-p256-2" {
		t.Errorf("name of the third key: %q", got)
	}
	for path, want := range map[string]fs.FileMode{
		dir:                          0o700 | fs.ModeDir,
		filepath.Join(dir, "images"): 0o700 | fs.ModeDir,
		filepath.Join(dir, "images/image-p256.key"): 0o600,
		filepath.Join(dir, "images/image-p256.pub"): 0o644,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 8 {
		t.Errorf("%d files, want a .key and a .pub of 4 keys: %v", len(files), files)
	}
}

func TestGeneratedKeysAreEncryptedWhereThereIsAPassphrase(t *testing.T) {
	dir := t.TempDir()
	ring, generated := mustRing(t, Open(dir, passphrase), image256)
	data, err := os.ReadFile(generated[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) {
		t.Errorf("the file is no key of cosign's form:\n%s", data)
	}
	again, _ := mustRing(t, Open(dir, passphrase), image256)
	if fingerprint(again) != fingerprint(ring) {
		t.Error("another key the second time")
	}
	for name, secret := range map[string][]byte{"no": nil, "a wrong": []byte("wrong horse")} {
		t.Run(name+" passphrase is refused", func(t *testing.T) {
			_, _, err := Open(dir, secret).Ring("images", image256)
			wantError(t, err, `"images"`, generated[0], "HALLMARK_KEY_PASSPHRASE")
		})
	}
	t.Run("the public half needs none", func(t *testing.T) {
		list, err := Open(dir, nil).Public("images", image256)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0].Key.Fingerprint() != fingerprint(ring) || list[0].Name != "image-p256" || list[0].Path != generated[0] {
			t.Errorf("got %+v", list)
		}
	})
}

func TestRingRefuses(t *testing.T) {
	file := func(name string) Spec {
		return Spec{Purpose: scheme.Image, Key: "file:" + write(t, name, 0o600)}
	}
	readable := write(t, "pkcs8-p256.key", 0o644)
	twice := file("pkcs8-p256.key")
	asIndex := twice
	asIndex.Purpose = scheme.Index
	tests := []struct {
		name       string
		repository string
		specs      []Spec
		want       []string
	}{
		{"a short RSA key", "images", []Spec{file("refused-rsa1024.key")}, []string{`"images"`, "refused-rsa1024.key", "RSA 1024", "use p224"}},
		{"an unknown curve", "images", []Spec{file("refused-secp256k1.key")}, []string{`"images"`, "refused-secp256k1.key", "1.3.132.0.10", "use p224"}},
		{"a public key", "images", []Spec{{Purpose: scheme.Image, Key: "file:" + write(t, "refused-public.key", 0o644)}}, []string{"public key", "private"}},
		{"a key that others can read", "images", []Spec{{Purpose: scheme.Image, Key: "file:" + readable}}, []string{"0644", "chmod 600 " + readable}},
		{"an encrypted key without a passphrase", "images", []Spec{file("encrypted-p256.key")}, []string{`"images"`, "encrypted-p256.key", "HALLMARK_KEY_PASSPHRASE"}},
		{"a key that is not there", "images", []Spec{{Purpose: scheme.Image, Key: "file:/nowhere/cosign.key"}}, []string{`"images"`, "/nowhere/cosign.key", "no such file"}},
		{"a folder", "images", []Spec{{Purpose: scheme.Image, Key: "file:" + t.TempDir()}}, []string{"folder"}},
		{"one key for two purposes", "images", []Spec{twice, asIndex}, []string{`"images"`, "(image)", "(index)", "same key"}},
		{"an unknown kind", "images", []Spec{{Purpose: scheme.Image, Generate: "rsa1024"}}, []string{"key 1", "rsa1024", "rsa2048"}},
		{"an unknown purpose", "images", []Spec{{Purpose: "images", Generate: "p256"}}, []string{"key 1", `purpose "images"`}},
		{"neither generate nor key", "images", []Spec{{Purpose: scheme.Image}}, []string{"exactly one"}},
		{"both generate and key", "images", []Spec{{Purpose: scheme.Image, Generate: "p256", Key: "file:x"}}, []string{"exactly one"}},
		{"a key that is no file", "images", []Spec{{Purpose: scheme.Image, Key: "awskms://alias/x"}}, []string{"awskms://alias/x", `"file:"`}},
		{"a scheme", "images", []Spec{{Purpose: scheme.Image, Generate: "p256", Scheme: "openpgp"}}, []string{"scheme", "unsupported"}},
		{"a repository outside of the store", "..", image256, []string{"repository"}},
		{"a repository with a slash", "a/b", image256, []string{"repository"}},
		{"a repository without a name", "", image256, []string{"repository"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ring, generated, err := Open(t.TempDir(), nil).Ring(tt.repository, tt.specs)
			wantError(t, err, tt.want...)
			if ring != nil || generated != nil {
				t.Errorf("returned %v and generated %q", ring, generated)
			}
		})
	}
}

func TestAKeyThatItsGroupMayReadIsAccepted(t *testing.T) {
	for _, mode := range []fs.FileMode{0o400, 0o600, 0o440, 0o640} {
		mustRing(t, Open(t.TempDir(), nil), []Spec{{Purpose: scheme.Image, Key: "file:" + write(t, "pkcs8-p256.key", mode)}})
	}
}

func TestACrashBetweenTheTwoFilesIsMended(t *testing.T) {
	dir := t.TempDir()
	ring, generated := mustRing(t, Open(dir, nil), image256)
	if err := os.Remove(publicHalf(generated[0])); err != nil {
		t.Fatal(err)
	}
	list, err := Open(dir, nil).Public("images", image256)
	if err != nil || list[0].Key.Fingerprint() != fingerprint(ring) {
		t.Fatalf("Public returns %v, %v", list, err)
	}
	again, _ := mustRing(t, Open(dir, nil), image256)
	if fingerprint(again) != fingerprint(ring) {
		t.Error("another key")
	}
	if _, err := os.Stat(publicHalf(generated[0])); err != nil {
		t.Error(err)
	}
}

func TestALostPrivateKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	_, generated := mustRing(t, Open(dir, nil), image256)
	if err := os.Remove(generated[0]); err != nil {
		t.Fatal(err)
	}
	_, _, err := Open(dir, nil).Ring("images", image256)
	wantError(t, err, `"images"`, generated[0], "restore it", publicHalf(generated[0]))
}

func TestAFileOfAnotherKeyIsRefused(t *testing.T) {
	tests := []struct {
		name, file, content string
		want                string
	}{
		{"a private key of another kind", "image-p256.key", "pkcs8-p384.key", "of kind p384 where generate says p256"},
		{"the public half of another key", "image-p256.pub", "pkcs8-p256.pub", "public half of another key"},
		{"a private key for a public one", "image-p256.pub", "pkcs8-p256.key", `"PRIVATE KEY"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			mustRing(t, Open(dir, nil), image256)
			if err := os.WriteFile(filepath.Join(dir, "images", tt.file), read(t, tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := Open(dir, nil).Ring("images", image256)
			wantError(t, err, `"images"`, "image-p256", tt.want)
		})
	}
}

func TestPublicGeneratesNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, nil).Public("images", image256)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("created %v", files)
	}
}

func TestManyThatGenerateAtOnceGetOneKey(t *testing.T) {
	dir := t.TempDir()
	const n = 16
	var rings [n]*signing.Ring
	var made [n][]string
	var errs [n]error
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { rings[i], made[i], errs[i] = Open(dir, nil).Ring("images", image256) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for _, r := range rings {
		if fingerprint(r) != fingerprint(rings[0]) {
			t.Error("two keys")
		}
	}
	if all := slices.Concat(made[:]...); len(all) != 1 {
		t.Errorf("generated %q", all)
	}
}

// The child of TestTwoProcessesThatGenerateAtOnceGetOneKey is this program,
// told by the environment where to put its key.
const childDir = "HALLMARK_TEST_KEYS"

func TestTwoProcessesThatGenerateAtOnceGetOneKey(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		ring, _ := mustRing(t, Open(dir, nil), image256)
		os.Stdout.WriteString("key " + fingerprint(ring) + "\n")
		return
	}
	dir := t.TempDir()
	var out [2]bytes.Buffer
	var children [2]*exec.Cmd
	for i := range children {
		children[i] = exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		children[i].Env = append(os.Environ(), childDir+"="+dir)
		children[i].Stdout = &out[i]
		if err := children[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range children {
		if err := children[i].Wait(); err != nil {
			t.Fatalf("%v: %s", err, out[i].String())
		}
	}
	ring, generated := mustRing(t, Open(dir, nil), image256)
	if len(generated) != 0 {
		t.Error("no child has generated a key")
	}
	for i := range out {
		if !strings.Contains(out[i].String(), "key "+fingerprint(ring)+"\n") {
			t.Errorf("process %d says %q, the key is %s", i, out[i].String(), fingerprint(ring))
		}
	}
}
