package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxManifest is the most that a manifest may measure: what registries take.
const maxManifest = 4 << 20

// A checker looks for settings that cannot work, before anything is opened.
type checker struct {
	*Config
	origins origins
	formats []PackageFormat
	problems
}

// check returns an error with a line for each fault of a complete c, or nil.
// from tells where the settings stand.
func check(c *Config, from origins, formats []PackageFormat) error {
	k := &checker{Config: c, origins: from, formats: formats}
	k.checkAddresses()
	k.checkTLS()
	k.checkData()
	k.checkStorage()
	k.checkRepositories()
	k.checkImages()
	k.checkKeys()
	k.checkAuth()
	k.checkReach()
	k.checkLimits()
	k.checkLog()
	return k.err()
}

// fault notes what is wrong with the setting at p: "<origin>: <place> <text>".
func (k *checker) fault(p place, format string, args ...any) {
	k.add(k.origins.of(p), "%v %w", p, fmt.Errorf(format, args...))
}

// oneOf notes a word that is none of those allowed.
func (k *checker) oneOf(p place, word string, allowed ...string) {
	if !slices.Contains(allowed, word) {
		k.fault(p, "is %q%s: write %s", word, guess(word, allowed), oneOfThese(allowed))
	}
}

// oneOfThese lists words: "a, b or c".
func oneOfThese(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (k *checker) checkAddresses() {
	if err := checkListen(k.Listen); err != nil {
		k.fault("listen", "is %q, which %w", k.Listen, err)
	}
	if k.PublicURL != "" {
		if _, err := parseOrigin(k.PublicURL); err != nil {
			k.fault("public_url", "%w", err)
		}
	}
}

// checkListen says why an address cannot be listened on.
func checkListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("is not host:port: write it like 127.0.0.1:8080, or [::1]:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("has a port that is no number from 0 to 65535: write it like 127.0.0.1:8080")
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !validHost(host) {
		return errors.New("has no valid host: write it like 127.0.0.1:8080, or 0.0.0.0:8080 for every address of this machine")
	}
	return nil
}

// checkReach refuses to let others in as long as anybody may do anything, or
// while nobody has said by which address they come.
func (k *checker) checkReach() {
	if checkListen(k.Listen) != nil || k.Loopback() {
		return
	}
	var lines []string
	if k.PublicURL == "" {
		lines = append(lines, "    public_url: https://registry.example.com   # how clients reach the proxy")
	}
	if open := k.withoutAuth(); k.Auth == nil && len(open) > 0 {
		lines = append(lines,
			"    auth:",
			"      htpasswd: ./htpasswd   # made by: htpasswd -B -c htpasswd NAME; it guards "+strings.Join(open, ", "))
	}
	if len(lines) > 0 {
		k.fault("listen", "is %s, which other machines can reach. Add these lines to the configuration, or listen on 127.0.0.1:8080:\n\n%s\n",
			k.Listen, strings.Join(lines, "\n"))
	}
}

// withoutAuth returns the names of the repositories that no upstream guards.
func (k *checker) withoutAuth() []string {
	var open []string
	for _, name := range k.repositoryNames() {
		if k.Repositories[name].Auth != AuthUpstream {
			open = append(open, name)
		}
	}
	return open
}

func (k *checker) checkTLS() {
	if k.TLS == nil {
		return
	}
	if k.TLS.Cert == "" {
		k.fault("tls/cert", "is missing: name the file of the certificate chain, or remove tls")
	}
	if k.TLS.Key == "" {
		k.fault("tls/key", "is missing: name the file of the certificate's key, or remove tls")
	}
}

func (k *checker) checkData() {
	if k.Data == "" {
		k.fault("data", "is empty: name a folder, such as ./data")
	}
	k.checkDatabase()
}

func (k *checker) checkLimits() {
	if k.Limits.Upload <= 0 {
		k.fault("limits/upload", "is %v: write a size above 0, such as 10GiB", k.Limits.Upload)
	}
	if k.Limits.Manifest <= 0 || k.Limits.Manifest > maxManifest {
		k.fault("limits/manifest", "is %v: write a size above 0 and up to %v", k.Limits.Manifest, Size(maxManifest))
	}
}

func (k *checker) checkLog() {
	k.oneOf("log/format", k.Log.Format, "text", "json")
	k.oneOf("log/level", k.Log.Level, "debug", "info", "warn", "error")
}
