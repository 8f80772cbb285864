package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// noEnv is an empty environment.
func noEnv(string) string { return "" }

// env is an environment with these variables.
func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// parse loads YAML without an environment and flags.
func parse(text string) (*Config, error) {
	return load("config.yml", []byte(text), noEnv, Overrides{})
}

// mustParse is parse for YAML that loads.
func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// printed is what Print writes.
func printed(t *testing.T, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := Print(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWithoutAnythingTheDefaultsHold(t *testing.T) {
	for name, text := range map[string]string{
		"no text":                "",
		"comments alone":         "# nothing\n",
		"an empty document":      "---\n",
		"sections without value": "limits:\nlog:\nkeys:\nstorage:\nrepositories:\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, text); !reflect.DeepEqual(got, Default()) {
				t.Errorf("got\n%s", printed(t, got))
			}
		})
	}
	c := Default()
	if got, want := c.Repositories, map[string]Repository{"images": {Format: "oci", Images: []string{"*"}, Signatures: []string{"cosign"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("repositories %+v, want %+v", got, want)
	}
	if got, want := c.Keys, map[string][]Key{"images": {{Purpose: "image", Generate: "p256"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys %+v, want %+v", got, want)
	}
}

func TestFlagsWinOverEnvironmentOverFileOverDefaults(t *testing.T) {
	file := "listen: 127.0.0.1:1\ndata: file\n"
	variables := map[string]string{"HALLMARK_LISTEN": "127.0.0.1:2", "HALLMARK_DATA": "environment"}
	flags := Overrides{Listen: "127.0.0.1:3", Data: "flag"}
	for _, tt := range []struct {
		name         string
		text         string
		variables    map[string]string
		flags        Overrides
		listen, data string
	}{
		{"defaults", "", nil, Overrides{}, "127.0.0.1:8080", "./data"},
		{"file over defaults", file, nil, Overrides{}, "127.0.0.1:1", "file"},
		{"environment over file", file, variables, Overrides{}, "127.0.0.1:2", "environment"},
		{"flags over environment", file, variables, flags, "127.0.0.1:3", "flag"},
		{"each setting by itself", file, map[string]string{"HALLMARK_DATA": "environment"}, Overrides{Listen: "127.0.0.1:3"}, "127.0.0.1:3", "environment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load("config.yml", []byte(tt.text), env(tt.variables), tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			if c.Listen != tt.listen || c.Data != tt.data {
				t.Errorf("listen %s, data %s; want %s, %s", c.Listen, c.Data, tt.listen, tt.data)
			}
		})
	}
}

func TestEveryPlainValueHasAVariable(t *testing.T) {
	values := map[string]string{
		"HALLMARK_LISTEN":          "0.0.0.0:8443",
		"HALLMARK_PUBLIC_URL":      "https://registry.example.com",
		"HALLMARK_DATA":            "/srv/hallmark",
		"HALLMARK_DATABASE":        "",
		"HALLMARK_PASSPHRASE_FILE": "/run/passphrase",
		"HALLMARK_KEY_PASSPHRASE":  "open sesame",
		"HALLMARK_LIMITS_UPLOAD":   "1GB",
		"HALLMARK_LIMITS_MANIFEST": "1MiB",
		"HALLMARK_LOG_FORMAT":      "json",
		"HALLMARK_LOG_LEVEL":       "debug",
		"HALLMARK_TLS_CERT":        "/tls/cert",
		"HALLMARK_TLS_KEY":         "/tls/key",
		"HALLMARK_AUTH_HTPASSWD":   "/etc/htpasswd",
	}
	asked := map[string]int{}
	c, err := Load("", func(name string) string {
		asked[name]++
		return values[name]
	}, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	for name, times := range asked {
		if _, ok := values[name]; !ok || times != 1 {
			t.Errorf("%s is asked for %d times and in the table: %v", name, times, ok)
		}
	}
	want := Default()
	want.Listen, want.PublicURL, want.Data = "0.0.0.0:8443", "https://registry.example.com", "/srv/hallmark"
	want.PassphraseFile, want.KeyPassphrase = "/run/passphrase", "open sesame"
	want.Limits = Limits{Upload: 1e9, Manifest: 1 << 20}
	want.Log = Log{Format: "json", Level: "debug"}
	want.TLS = &TLS{Cert: "/tls/cert", Key: "/tls/key"}
	want.Auth = &Auth{Htpasswd: "/etc/htpasswd"}
	want.complete(nil)
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%s\nwant\n%s", printed(t, c), printed(t, want))
	}
}

func TestAVariableKeepsTheRestOfItsSection(t *testing.T) {
	c, err := load("config.yml", []byte("tls: {cert: /a, key: /b}\n"), env(map[string]string{"HALLMARK_TLS_CERT": "/c"}), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if *c.TLS != (TLS{Cert: "/c", Key: "/b"}) {
		t.Errorf("got %+v", *c.TLS)
	}
}

func TestFilesAreRelativeToTheFolderThatNamesThem(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	text := `
data: ./state
passphrase_file: passphrase
tls: {cert: /etc/cert, key: tls/key}
auth: {htpasswd: ../htpasswd}
keys: {images: [{purpose: image, key: "file:cosign.key"}]}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, env(map[string]string{"HALLMARK_TLS_KEY": "here/key"}), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs("here/key")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"data is relative to the working directory", c.Data, "./state"},
		{"passphrase_file is relative to the file", c.PassphraseFile, filepath.Join(dir, "passphrase")},
		{"an absolute name stays", c.TLS.Cert, "/etc/cert"},
		{"a variable is relative to the working directory", c.TLS.Key, here},
		{"htpasswd is relative to the file", c.Auth.Htpasswd, filepath.Join(filepath.Dir(dir), "htpasswd")},
		{"a key is relative to the file", c.Keys["images"][0].Key, "file:" + filepath.Join(dir, "cosign.key")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

func TestAFileThatIsNotThereIsAnError(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "config.yml"), noEnv, Overrides{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want one that wraps fs.ErrNotExist", err)
	}
}

func TestAFileOfMoreThanOneMebibyteIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yml")
	for _, tt := range []struct {
		name string
		size int
		ok   bool
	}{
		{"exactly the limit", maxFile, true},
		{"one byte more", maxFile + 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(strings.Repeat("#", tt.size)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(path, noEnv, Overrides{}); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDefaultsOfARepositoryWithAnUpstream(t *testing.T) {
	c := mustParse(t, "repositories: {mirror: {format: oci, upstream: {url: 'HTTPS://Registry.Example.com/', token_origins: [auth.docker.io]}}}")
	got, want := c.Repositories["mirror"], Repository{
		Format: "oci", Images: []string{"mirror/*"}, Signatures: []string{"cosign"}, Auth: "upstream",
		Upstream: &Upstream{URL: "https://registry.example.com", Order: "auto", Timeout: 30 * time.Second, TokenOrigins: []string{"https://auth.docker.io"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %+v, want %+v %+v", got, got.Upstream, want, want.Upstream)
	}
}

func TestBaseURL(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"by default the address on loopback", "", "http://127.0.0.1:8080"},
		{"with TLS by https", "tls: {cert: a, key: b}", "https://127.0.0.1:8080"},
		{"of IPv6 in brackets", "listen: '[::1]:80'", "http://[::1]:80"},
		{"public_url where it is set", "public_url: http://localhost:5000/\ntls: {cert: a, key: b}", "http://localhost:5000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustParse(t, tt.text).BaseURL(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestStorageDriver(t *testing.T) {
	for _, tt := range []struct {
		name, text, driver string
		parameters         map[string]any
	}{
		{"by default files under data", "data: d", "filesystem", map[string]any{"rootdirectory": "d/storage"}},
		{"filesystem keeps the default of what it does not set", "data: d\nstorage: {filesystem: {maxthreads: 50}}", "filesystem", map[string]any{"rootdirectory": "d/storage", "maxthreads": 50}},
		{"filesystem elsewhere", "storage: {filesystem: {rootdirectory: /srv}}", "filesystem", map[string]any{"rootdirectory": "/srv"}},
		{"S3 at Amazon", "storage: {s3: {bucket: b, region: r, accesskey: a, secretkey: s}}", "s3",
			map[string]any{"bucket": "b", "region": "r", "accesskey": "a", "secretkey": "s", "forcepathstyle": false}},
		{"S3 elsewhere has the bucket in the path", "storage: {s3: {bucket: b, region: r, regionendpoint: 'http://a:9000'}}", "s3",
			map[string]any{"bucket": "b", "region": "r", "regionendpoint": "http://a:9000", "forcepathstyle": true}},
		{"S3 elsewhere, with the bucket in the host", "storage: {s3: {bucket: b, region: r, regionendpoint: 'http://a:9000', forcepathstyle: false}}", "s3",
			map[string]any{"bucket": "b", "region": "r", "regionendpoint": "http://a:9000", "forcepathstyle": false}},
		{"inmemory has no parameters", "storage: {inmemory: }", "inmemory", map[string]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			driver, parameters := mustParse(t, tt.text).StorageDriver()
			if driver != tt.driver || !reflect.DeepEqual(parameters, tt.parameters) {
				t.Errorf("got %s %v, want %s %v", driver, parameters, tt.driver, tt.parameters)
			}
		})
	}
}
