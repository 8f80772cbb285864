package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hallmark/integration/world"
)

func TestEveryKindOfKeySigns(t *testing.T) {
	for _, kind := range []string{"p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := build(t, embedded, settings{top: "keys:\n  images:\n    - {purpose: image, generate: " + kind + "}\n"})
			h.push(t, "team/app:1.0.0")
			h.verified(t, h.ref("team/app:1.0.0"))
			h.notVerifiedBy(t, anotherKey(t), h.ref("team/app:1.0.0"))
		})
	}
}

var stranger struct {
	sync.Once
	public string
}

// anotherKey returns a public key that has signed nothing.
func anotherKey(t *testing.T) string {
	t.Helper()
	stranger.Do(func() { _, stranger.public = world.NewCosign(lasting{t}, 2).GenerateKey(lasting{t}) })
	return stranger.public
}

func (h *house) notVerifiedBy(t *testing.T, key string, refs ...string) {
	t.Helper()
	for _, c := range h.cosigns(t) {
		for _, ref := range refs {
			c.NotVerify(t, key, ref, h.offline(t, c)...)
		}
	}
}

// keyFile copies one of the files with which the parser of keys is tested to where only its owner reads it,
// under a name that says nothing of its kind.
func keyFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "signing", "keys", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mine"+filepath.Ext(name))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const keyPassphrase = "HALLMARK_KEY_PASSPHRASE=correct horse"

// Keys in every form that people have them in sign; clients verify with the public half that people have.
func TestKeysThatWereBroughtAlongSign(t *testing.T) {
	for name, env := range map[string][]string{
		"cosign2-rsa2048":            {keyPassphrase},
		"cosign3-p256":               {keyPassphrase},
		"cosign2-p256-no-passphrase": nil,
		"encrypted-p256":             {keyPassphrase},
		"encrypted-rsa3072-sha512":   {keyPassphrase},
		"pkcs8-p224":                 nil,
		"pkcs8-ed25519":              nil,
		"pkcs8-rsa8192":              nil,
		"sec1-p384":                  nil,
		"pkcs1-rsa2048":              nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, embedded, settings{env: env,
				top: "keys:\n  images:\n    - {purpose: image, key: \"file:" + keyFile(t, name+".key") + "\"}\n"})
			h.push(t, "team/app:1.0.0")
			for _, c := range h.cosigns(t) {
				if err := c.Verify(t, keyFile(t, name+".pub"), h.ref("team/app:1.0.0")); err != nil {
					t.Errorf("cosign %d: %v", c.Version, err)
				}
			}
			h.verified(t, h.ref("team/app:1.0.0"))
			h.notVerifiedBy(t, anotherKey(t), h.ref("team/app:1.0.0"))
		})
	}
}

// The key that cosign generate-key-pair has just made, with a passphrase, signs, be it cosign 2 or 3.
func TestAKeyOfCosignSigns(t *testing.T) {
	for _, version := range []int{2, 3} {
		c := world.NewCosign(t, version)
		c.Env = append(c.Env, "COSIGN_PASSWORD=correct horse")
		private, public := c.GenerateKey(t)
		h := build(t, embedded, settings{env: []string{keyPassphrase},
			top: "keys:\n  images:\n    - {purpose: image, key: \"file:" + private + "\"}\n"})
		h.push(t, "team/app:1.0.0")
		if err := c.Verify(t, public, h.ref("team/app:1.0.0")); err != nil {
			t.Error(err)
		}
		h.notVerifiedBy(t, anotherKey(t), h.ref("team/app:1.0.0"))
	}
}

// With two keys in a ring both sign, so that clients can move from one to the other; a key that joins later
// signs at the next push.
func TestTwoKeysSign(t *testing.T) {
	old, young := keyFile(t, "pkcs8-p256.pub"), keyFile(t, "pkcs8-ed25519.pub")
	oldLine := "    - {purpose: image, key: \"file:" + keyFile(t, "pkcs8-p256.key") + "\"}\n"
	youngLine := "    - {purpose: image, key: \"file:" + keyFile(t, "pkcs8-ed25519.key") + "\"}\n"
	h := build(t, embedded, settings{top: "keys:\n  images:\n" + oldLine})
	h.push(t, "team/app:1.0.0")
	ref := h.ref("team/app:1.0.0")
	h.notVerifiedBy(t, young, ref)

	h.proxy.Terminate()
	config, err := os.ReadFile(h.proxy.Config)
	if err != nil {
		t.Fatal(err)
	}
	both := strings.Replace(string(config), oldLine, oldLine+youngLine, 1)
	if err := os.WriteFile(h.proxy.Config, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	h.proxy.Start(t)
	w := h.wire(t, "team/app")
	w.put(t, "1.0.0", ociManifest, w.get(t, "/manifests/1.0.0").Body)
	for _, c := range h.cosigns(t) {
		for _, key := range []string{old, young, h.key()} {
			if err := c.Verify(t, key, ref); err != nil {
				t.Errorf("cosign %d: %v", c.Version, err)
			}
		}
	}
	h.notVerifiedBy(t, anotherKey(t), ref)
	a := openWire(t, h.proxy.Addr, "any", h.user)
	a.base = h.proxy.URL
	index := a.get(t, "/-/keys/images/index.json")
	listed := decode[struct {
		Keys []struct {
			Purpose, Kind, Fingerprint string
			Files                      []string
		}
	}](t, index.Body)
	if len(listed.Keys) != 2 {
		t.Fatalf("index.json lists %d keys, want 2: %s", len(listed.Keys), index.Body)
	}
	for _, k := range listed.Keys {
		if k.Purpose != "image" || k.Kind == "" || !strings.HasPrefix(k.Fingerprint, "sha256:") || len(k.Files) == 0 {
			t.Errorf("index.json does not say what a key is: %+v", k)
		}
		for _, file := range k.Files {
			if pem := a.get(t, "/-/keys/images/"+file).Body; !strings.HasPrefix(string(pem), "-----BEGIN PUBLIC KEY-----") {
				t.Errorf("%s is %s", file, pem)
			}
		}
	}
	if a := a.do(t, http.MethodGet, "/-/keys/images/cosign-00000000.pub", nil); a.Status != http.StatusNotFound {
		t.Errorf("a key that is not there: %d", a.Status)
	}
}

// refusesToStart runs the proxy, which must end by itself, with a status other than 0 and the words.
func refusesToStart(t *testing.T, config string, env, words []string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := world.Command{Path: world.ProxyBinary(t), Env: env}
	line := []string{"serve", "--config", path, "--data", filepath.Join(dir, "data"), "--listen", world.FreeAddr(t)}
	c.Refuses(t, words, append(line, args...)...)
}

func TestKeysOfOtherKindsAreRefusedAtStart(t *testing.T) {
	const works = "p224, p256, p384, p521"
	for name, words := range map[string][]string{
		"refused-secp256k1.key":   {"secp256k1", works},
		"refused-brainpool.key":   {"brainpoolP256r1", works},
		"refused-p192.key":        {"P-192", works},
		"refused-secp160r1.key":   {"1.3.132.0.8", works},
		"refused-explicit.key":    {"explicit", works},
		"refused-x25519.key":      {"X25519", works},
		"refused-rsapss.key":      {"RSA-PSS", works},
		"refused-rsa1024.key":     {"1024", works},
		"refused-dsa.key":         {"DSA", works},
		"refused-ed448.key":       {"Ed448", works},
		"refused-public.key":      {"public"},
		"refused-certificate.key": {"certificate"},
		"refused-openssh.key":     {"OpenSSH"},
		"refused-two.key":         {"more than one"},
		"cosign3-p256.key":        {"passphrase", "HALLMARK_KEY_PASSPHRASE"},
		"encrypted-p256.key":      {"passphrase", "HALLMARK_KEY_PASSPHRASE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := keyFile(t, name)
			refusesToStart(t, "keys:\n  images:\n    - {purpose: image, key: \"file:"+path+"\"}\n", nil, append(words, "images", path))
		})
	}
	t.Run("no file", func(t *testing.T) {
		refusesToStart(t, "keys:\n  images:\n    - {purpose: image, key: \"file:/not/there.key\"}\n", nil, []string{"images", "/not/there.key"})
	})
	t.Run("a file that others can read", func(t *testing.T) {
		path := keyFile(t, "pkcs8-p256.key")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, "keys:\n  images:\n    - {purpose: image, key: \"file:"+path+"\"}\n", nil, []string{"images", path, "chmod 600"})
	})
	t.Run("wrong passphrase", func(t *testing.T) {
		path := keyFile(t, "cosign3-p256.key")
		refusesToStart(t, "keys:\n  images:\n    - {purpose: image, key: \"file:"+path+"\"}\n",
			[]string{"HALLMARK_KEY_PASSPHRASE=guessed"}, []string{"images", path, "passphrase"})
	})
	t.Run("the same key in two rings", func(t *testing.T) {
		line := "\n    - {purpose: image, key: \"file:" + keyFile(t, "pkcs8-p256.key") + "\"}\n"
		refusesToStart(t, "keys:\n  images:"+line+"  mirror:"+line+
			"repositories:\n  images: {format: oci, images: [\"*\"]}\n  mirror: {format: oci, images: [\"mirror/*\"]}\n",
			nil, []string{"images", "mirror", "key"})
	})
}

// Generated keys are for their owner's eyes, and encrypted where there is a passphrase.
func TestGeneratedKeysAreKept(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"plain":           {nil, "PRIVATE KEY"},
		"with passphrase": {[]string{keyPassphrase}, "ENCRYPTED"},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, embedded, settings{env: tt.env})
			files, err := filepath.Glob(filepath.Join(h.proxy.Data, "keys", "images", "*.key"))
			if err != nil || len(files) != 1 {
				t.Fatalf("the keys are %v, %v; want one", files, err)
			}
			info, err := os.Stat(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("others may read the key: %v", info.Mode())
			}
			data, err := os.ReadFile(files[0])
			if err != nil || !strings.Contains(string(data), tt.want) {
				t.Errorf("the key is not stored as %s: %v", tt.want, err)
			}
			h.push(t, "team/app:1.0.0")
			h.proxy.Restart(t)
			h.verified(t, h.ref("team/app:1.0.0"))
			h.push(t, "team/app:2.0.0")
			h.verified(t, h.ref("team/app:2.0.0"))
		})
	}
}
