package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// full is a configuration that leaves little at its default.
const full = `
listen: 0.0.0.0:8443
public_url: https://registry.example.com:8443
tls: {cert: server.crt, key: /etc/server.key}
data: /srv/hallmark
storage: {filesystem: {rootdirectory: /srv/files, maxthreads: 50}}
keys:
  own:
    - {purpose: image, generate: rsa3072}
    - {purpose: image, key: "file:cosign.key"}
passphrase_file: passphrase
repositories:
  own: {format: oci, images: [team/app, "team/*"], signatures: [cosign, bundle], hide_signature_tags: true}
  mirror:
    format: oci
    upstream: {url: "http://registry:5000", order: image-first, timeout: 1m30s, token_origins: [auth.docker.io]}
auth:
  htpasswd: htpasswd
  rules:
    - {users: ["*", anonymous], repositories: ["own:team/*"], allow: [read]}
    - {users: [ci], repositories: [own], allow: [read, push, delete]}
limits: {upload: 1500kB, manifest: 64KiB}
log: {format: json, level: warn}
`

func TestWhatPrintWritesLoadsAsTheSame(t *testing.T) {
	for name, text := range map[string]string{
		"the defaults":                    "",
		"nearly every setting":            full,
		"a driver without parameters":     "storage: {inmemory: }",
		"S3 without a secret":             "storage: {s3: {bucket: a, region: b, chunksize: 20971520, encrypt: true}}",
		"text that looks like other YAML": "data: '5'\nrepositories: {'1': {format: oci}, 'null': {format: oci}}",
		"text with quotes and newlines":   `data: "a\n\"b\" 'c': # d"`,
	} {
		t.Run(name, func(t *testing.T) {
			c := mustParse(t, text)
			path := filepath.Join(t.TempDir(), "config.yml")
			if err := os.WriteFile(path, []byte(printed(t, c)), 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := Load(path, noEnv, Overrides{})
			if err != nil {
				t.Fatalf("%v\n%s", err, printed(t, c))
			}
			if !reflect.DeepEqual(again, c) {
				t.Errorf("printed\n%s\nand again\n%s", printed(t, c), printed(t, again))
			}
		})
	}
}

func TestPrintWritesSizesAndDurationsAsPeopleDo(t *testing.T) {
	got := printed(t, mustParse(t, full))
	for _, want := range []string{"upload: 1500kB\n", "manifest: 64KiB\n", "timeout: 1m30s\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	text := "storage: {s3: {bucket: a, region: b, accesskey: c, secretkey: open sesame}}"
	c, err := load("config.yml", []byte(text), env(map[string]string{"HALLMARK_KEY_PASSPHRASE": "open sesame"}), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if c.KeyPassphrase != "open sesame" {
		t.Fatalf("the passphrase is %q", string(c.KeyPassphrase))
	}
	if _, parameters := c.StorageDriver(); parameters["secretkey"] != "open sesame" {
		t.Fatalf("the driver is given the secret %q", parameters["secretkey"])
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "passphrase", c.KeyPassphrase, "config", c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "passphrase", c.KeyPassphrase, "config", c)
	for name, text := range map[string]string{
		"Print":  printed(t, c),
		"%v":     fmt.Sprintf("%v", c),
		"%+v":    fmt.Sprintf("%+v", *c),
		"%#v":    fmt.Sprintf("%#v", c),
		"%q":     fmt.Sprintf("%q%q", c.KeyPassphrase, c.Storage),
		"%x":     fmt.Sprintf("%x%x", c.KeyPassphrase, c.Storage),
		"slog's": log.String(),
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(text, "sesame") || strings.Contains(text, fmt.Sprintf("%x", "sesame")) {
				t.Errorf("it is in %s", text)
			}
		})
	}
}

func TestThePasswordOfTheDatabaseIsNeverPrinted(t *testing.T) {
	c, err := Load("", env(map[string]string{"HALLMARK_DATABASE": "postgresql://jo:hunter2@db/hallmark?sslmode=require&sslpassword=hunter2"}), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Database.Address(), ":hunter2@") {
		t.Fatalf("the address is %s", c.Database.Address())
	}
	if want := "database: postgresql://jo@db/hallmark?sslmode=require\n"; !strings.Contains(printed(t, c), want) {
		t.Errorf("%q is not in\n%s", want, printed(t, c))
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "database", c.Database, "config", c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "database", c.Database, "config", c)
	for _, text := range []string{printed(t, c), fmt.Sprintf("%v %+v %#v", c, *c, c), log.String()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("it is in %s", text)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestPrintReportsAWriterThatFails(t *testing.T) {
	if err := Print(brokenWriter{}, Default()); err == nil {
		t.Error("no error")
	}
}
