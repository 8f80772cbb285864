package config

import "time"

// Default returns the settings of a proxy without a configuration file, which
// are those that [Load] returns when it is given nothing.
func Default(formats ...PackageFormat) *Config {
	c := unfinished()
	c.complete(formats)
	return c
}

// unfinished returns the defaults that depend on no other setting.
func unfinished() *Config {
	return &Config{
		Listen:       "127.0.0.1:8080",
		Data:         "./data",
		Storage:      map[string]map[string]any{},
		Keys:         map[string][]Key{},
		Repositories: map[string]Repository{},
		Limits:       Limits{Upload: 10 << 30, Manifest: maxManifest},
		Log:          Log{Format: "text", Level: "info"},
	}
}

// preset gives an upstream the defaults over which its settings are laid, so
// that an explicit zero is told from a missing value.
func (u *Upstream) preset() {
	u.Order = OrderAuto
	u.Timeout = 30 * time.Second
	u.TokenOrigins = []string{}
	u.Refresh = defaultRefresh
}

// defaultRefresh is that of packages; images have none.
const defaultRefresh = time.Minute

// preset gives a cache its defaults.
func (c *Cache) preset() {
	c.Size = 10 << 30
	c.Keep = 30 * 24 * time.Hour
}

// completedForPackages returns the upstream of a repository of packages with its
// defaults.
func (u Upstream) completedForPackages() *Upstream {
	u.Order, u.TokenOrigins = "", nil // are for images
	if address, err := parseAddress(u.URL); err == nil {
		u.URL = address
	}
	if u.Cache == nil {
		u.Cache = &Cache{}
		u.Cache.preset()
	}
	for i, origin := range u.RedirectOrigins {
		u.RedirectOrigins[i] = canonicalOrigin(withScheme(origin))
	}
	return &u
}

// complete fills in the defaults that depend on other settings, and brings
// addresses into their canonical form. Settings that are wrong stay as they
// are, for check to name.
func (c *Config) complete(formats []PackageFormat) {
	c.PublicURL = canonicalOrigin(c.PublicURL)
	if key, ok := c.Storage[driverS3]["secretkey"].(string); ok {
		c.Storage[driverS3]["secretkey"] = Secret(key)
	}
	if len(c.Repositories) == 0 {
		c.Repositories["images"] = Repository{Format: FormatOCI, Images: []string{"*"}}
		for _, f := range formats {
			if !f.Alias {
				c.Repositories[f.Name] = Repository{Format: f.Name}
			}
		}
	}
	for name, repo := range c.Repositories {
		if f, ok := formatOf(formats, repo.Format); ok {
			c.completePackages(name, repo, f)
			continue
		}
		c.Repositories[name] = repo.completed(name)
		if c.Keys[name] == nil {
			c.Keys[name] = []Key{{Purpose: PurposeImage, Generate: "p256"}}
		}
	}
	if c.Auth != nil && c.Auth.Rules == nil {
		c.Auth.Rules = []Rule{{
			Users:        []string{Everyone},
			Repositories: []string{"*"},
			Allow:        []string{RightRead, RightPush, RightDelete},
		}}
	}
}

// completed returns the repository of that name with its defaults.
func (r Repository) completed(name string) Repository {
	if r.Images == nil {
		r.Images = []string{name + "/*"}
	}
	if r.Signatures == nil {
		r.Signatures = []string{SignatureCosign}
	}
	if r.Upstream != nil {
		r.Upstream.URL = canonicalOrigin(r.Upstream.URL)
		if r.Upstream.Refresh == defaultRefresh {
			r.Upstream.Refresh = 0 // is for packages
		}
		for i, origin := range r.Upstream.TokenOrigins {
			r.Upstream.TokenOrigins[i] = canonicalOrigin(withScheme(origin))
		}
		if r.Auth == "" {
			r.Auth = AuthUpstream
		}
	}
	return r
}
