package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A PackageFormat is a kind of package repository that the program knows. It is
// given to [Load], so that settings need not know the formats.
type PackageFormat struct {
	// Name is the value of format: and the key of the format's own settings.
	Name string

	// Alias says that the name is another one of a format: there is no such
	// repository without a configuration file.
	Alias bool

	// Defaults returns a pointer to a struct of the format's settings, whose
	// fields have yaml tags and hold text, words, numbers of bytes, durations,
	// lists or truth values.
	Defaults func() any

	// Open says what a ring needs with these settings. Its error says what is
	// wrong with them.
	Open func(settings any) ([]KeyUse, error)
}

// A KeyUse is a use of keys by the format of a repository.
type KeyUse struct {
	Purpose, Scheme string
	Generate        string   // what is generated where the ring has no key for it
	Kinds           []string // that the format's clients take
	Refused         string   // why they take no others
	Optional        bool     // other keys serve where the ring has none for it
	Certificate     bool     // the key stands in an X.509 certificate
}

func formatOf(formats []PackageFormat, name string) (PackageFormat, bool) {
	i := slices.IndexFunc(formats, func(f PackageFormat) bool { return f.Name == name })
	if i < 0 {
		return PackageFormat{}, false
	}
	return formats[i], true
}

// formatSettings returns the setting under the name of the format that a
// repository's mapping names, and gives the repository the defaults over which
// it is laid.
func (d *decoder) formatSettings(n *yaml.Node, repo *Repository) map[string]reflect.Value {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "format" {
			continue
		}
		f, ok := formatOf(d.formats, n.Content[i+1].Value)
		if !ok {
			return nil
		}
		repo.Settings = f.Defaults()
		return map[string]reflect.Value{f.Name: reflect.ValueOf(repo.Settings).Elem()}
	}
	return nil
}

// completePackages gives a package repository its settings, and its ring a key
// for every use.
func (c *Config) completePackages(name string, repo Repository, f PackageFormat) {
	if repo.Settings == nil {
		repo.Settings = f.Defaults()
	}
	if repo.Upstream != nil {
		repo.Upstream = repo.Upstream.completedForPackages()
	}
	c.Repositories[name] = repo
	uses, err := f.Open(repo.Settings)
	if err != nil {
		return // check names it
	}
	ring := slices.Clone(c.Keys[name])
	for i, key := range ring {
		if key.Scheme == "" {
			ring[i].Scheme = onlyScheme(uses, key.Purpose)
		}
		ring[i].Certificate = slices.ContainsFunc(uses, func(use KeyUse) bool { return use.Certificate && use.isOf(ring[i]) })
	}
	for _, use := range uses {
		if !use.Optional && !slices.ContainsFunc(ring, use.isOf) {
			ring = append(ring, Key{Purpose: use.Purpose, Scheme: use.Scheme, Generate: use.Generate, Certificate: use.Certificate})
		}
	}
	c.Keys[name] = ring
}

func (u KeyUse) isOf(k Key) bool { return k.Purpose == u.Purpose && k.Scheme == u.Scheme }

// onlyScheme returns the one scheme of a purpose, or nothing if it has several.
func onlyScheme(uses []KeyUse, purpose string) string {
	only := ""
	for _, use := range uses {
		if use.Purpose == purpose && only != "" && use.Scheme != only {
			return ""
		}
		if use.Purpose == purpose {
			only = use.Scheme
		}
	}
	return only
}

func (k *checker) formatNames() []string {
	names := []string{FormatOCI}
	for _, f := range k.formats {
		names = append(names, f.Name)
	}
	return names
}

// checkPackages checks a package repository.
func (k *checker) checkPackages(at place, repo Repository, f PackageFormat) {
	for _, s := range []struct {
		key string
		set bool
	}{
		{"images", repo.Images != nil},
		{"signatures", repo.Signatures != nil},
		{"hide_signature_tags", repo.HideSignatureTags},
		{"auth", repo.Auth != ""},
	} {
		if s.set {
			k.fault(at.key(s.key), "is for images, and a repository of format %s has none: remove it", f.Name)
		}
	}
	if repo.Upstream != nil {
		k.checkPackagesUpstream(at.key("upstream"), repo.Upstream)
	}
	if _, err := f.Open(repo.Settings); err != nil {
		k.fault(at.key(f.Name), "%w", err)
	}
}

// checkPackagesUpstream checks the upstream of a package repository.
func (k *checker) checkPackagesUpstream(at place, u *Upstream) {
	if u.URL == "" {
		k.fault(at.key("url"), "is missing: write url: https://deb.example.com/ours")
	} else if _, err := parseAddress(u.URL); err != nil {
		k.fault(at.key("url"), "%w", err)
	}
	switch {
	case u.Key == "" && u.Trust == "":
		k.fault(at, "has no key to check the upstream's index with: add key: FILE with its public key, or, if nobody can tamper "+
			"with what comes from there, trust: unverified")
	case u.Key != "" && u.Trust != "":
		k.fault(at, "has both key and trust: remove trust, so that the key is used")
	case u.Trust != "":
		k.oneOf(at.key("trust"), u.Trust, TrustUnverified)
	}
	switch {
	case u.User == "" && u.PasswordFile != "":
		k.fault(at.key("user"), "is missing beside password_file: write the name of the user")
	case u.User != "" && u.PasswordFile == "":
		k.fault(at.key("password_file"), "is missing beside user: write the file with the user's password")
	case strings.Contains(u.User, ":"):
		k.fault(at.key("user"), "has a colon in it: a user's name has none (RFC 7617)")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"timeout", u.Timeout}, {"refresh", u.Refresh}} {
		if d.value <= 0 {
			k.fault(at.key(d.key), "is %v: write a duration above 0, such as 30s", d.value)
		}
	}
	for i, origin := range u.RedirectOrigins {
		if _, err := parseOrigin(origin); err != nil {
			k.fault(at.key("redirect_origins").item(i), "%w", err)
		}
	}
	if u.Cache.Keep <= 0 {
		k.fault(at.key("cache").key("keep"), "is %v: write a duration above 0, such as 720h", u.Cache.Keep)
	}
}

// checkPackageKey checks one key of the ring of a package repository.
func (k *checker) checkPackageKey(at place, key Key, repo Repository, f PackageFormat) {
	uses, err := f.Open(repo.Settings)
	if err != nil {
		return
	}
	var purposes, schemes []string
	for _, use := range uses {
		if !slices.Contains(purposes, use.Purpose) {
			purposes = append(purposes, use.Purpose)
		}
		if use.Purpose == key.Purpose {
			schemes = append(schemes, use.Scheme)
		}
	}
	if key.Purpose == "" {
		k.fault(at.key("purpose"), "is missing: write purpose: %s", oneOfThese(purposes))
		return
	}
	if len(schemes) == 0 {
		k.fault(at.key("purpose"), "is %q, and a repository of format %s signs nothing for it: write %s", key.Purpose, f.Name, oneOfThese(purposes))
		return
	}
	i := slices.IndexFunc(uses, func(u KeyUse) bool { return u.isOf(key) })
	if i < 0 {
		if key.Scheme == "" {
			k.fault(at.key("scheme"), "is missing, and keys of several kinds sign for purpose %s: write %s", key.Purpose, oneOfThese(schemes))
		} else {
			k.oneOf(at.key("scheme"), key.Scheme, schemes...)
		}
		return
	}
	if key.UID != "" && (key.Scheme != SchemeOpenPGP || key.Generate == "") {
		k.fault(at.key("uid"), "is for OpenPGP keys that are generated: remove it")
	}
	if key.Generate != "" && !slices.Contains(uses[i].Kinds, key.Generate) && uses[i].Refused != "" {
		k.fault(at.key("generate"), "is %q, and such a key cannot be used here: %s; write %s", key.Generate, uses[i].Refused, oneOfThese(uses[i].Kinds))
		return
	}
	k.checkSource(at, key, uses[i].Generate, uses[i].Kinds...)
}

// MarshalYAML puts the settings of a package format under its name.
func (r Repository) MarshalYAML() (any, error) {
	type plain Repository // without this method
	var n yaml.Node
	if err := n.Encode(plain(r)); err != nil {
		return nil, err
	}
	if r.Settings == nil {
		return &n, nil
	}
	var settings yaml.Node
	if err := settings.Encode(r.Settings); err != nil {
		return nil, fmt.Errorf("settings of %s: %w", r.Format, err)
	}
	if len(settings.Content) > 0 {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: r.Format}, &settings)
	}
	return &n, nil
}
