package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUpstreamsOfPackagesThatAreRefused(t *testing.T) {
	upstream := func(settings string) string {
		return "repositories: {a: {format: debian, upstream: {url: 'https://example.com/debian', " + settings + "}}}"
	}
	for _, tt := range []refusal{
		{"without url", "repositories: {a: {format: debian, upstream: {trust: unverified}}}", "repositories.a.upstream.url is missing: write url: https://deb.example.com/ours"},
		{"with a user in the address", "repositories: {a: {format: debian, upstream: {url: 'https://u:hunter2@example.com', trust: unverified}}}", "write user and password_file beside it"},
		{"with .. in the address", "repositories: {a: {format: debian, upstream: {url: 'https://example.com/a/../b', trust: unverified}}}", "has a path with empty segments, . or .."},
		{"without a key", upstream("refresh: 1m"), "repositories.a.upstream has no key to check the upstream's index with: add key: FILE with its public key, or, if nobody can tamper with what comes from there, trust: unverified"},
		{"with key and trust", upstream("key: a.asc, trust: unverified"), "repositories.a.upstream has both key and trust"},
		{"with another trust", upstream("trust: me"), `trust is "me": write unverified`},
		{"with a user alone", upstream("key: a.asc, user: u"), "password_file is missing beside user"},
		{"with a password alone", upstream("key: a.asc, password_file: p"), "user is missing beside password_file"},
		{"with a colon in the user", upstream("key: a.asc, user: 'u:v', password_file: p"), "user has a colon in it"},
		{"with no refresh", upstream("key: a.asc, refresh: 0s"), "refresh is 0s: write a duration above 0"},
		{"with an origin that has a path", upstream("key: a.asc, redirect_origins: ['https://cdn.example.com/x']"), "redirect_origins[0] has a path"},
		{"with a cache that keeps nothing", upstream("key: a.asc, cache: {keep: 0s}"), "cache.keep is 0s"},
		{"with a setting of it for images", "repositories: {a: {format: oci, upstream: {url: 'https://example.com', trust: unverified}}}", "trust is for packages, and a repository of format oci has none"},
		{"with a refresh of images", "repositories: {a: {format: oci, upstream: {url: 'https://example.com', refresh: 2m}}}", "refresh is for packages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load("config.yml", []byte(tt.text), noEnv, Overrides{}, knownFormats()...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAnUpstreamOfPackagesHasDefaults(t *testing.T) {
	const text = "repositories: {a: {format: debian, upstream: {url: 'HTTPS://Deb.Example.com/Ours/', key: a.asc, redirect_origins: [cdn.example.com]}}}"
	c, err := load("config.yml", []byte(text), noEnv, Overrides{}, knownFormats()...)
	if err != nil {
		t.Fatal(err)
	}
	u := c.Repositories["a"].Upstream
	if u.URL != "https://deb.example.com/Ours" || u.Refresh != time.Minute || u.Timeout != 30*time.Second || !filepath.IsAbs(u.Key) ||
		u.RedirectOrigins[0] != "https://cdn.example.com" || u.Cache.Size != 10<<30 || u.Cache.Keep != 720*time.Hour {
		t.Errorf("the upstream is %+v, its cache %+v", u, u.Cache)
	}
}

// A format may have several names. It makes one repository by itself, and others under each name that somebody writes.
func TestAnotherNameOfAFormatMakesNoRepository(t *testing.T) {
	if c := Default(knownFormats()...); c.Repositories["maven"].Format != "maven" || c.Repositories["gradle"].Format != "" {
		t.Errorf("without a file there are %v", c.Repositories)
	}
	c, err := load("config.yml", []byte("repositories:\n  libs: {format: gradle, gradle: {signatures: author}}\n"), noEnv, Overrides{}, knownFormats()...)
	if err != nil || c.Repositories["libs"].Format != "gradle" {
		t.Errorf("under the other name: %v, %v", c, err)
	}
}
