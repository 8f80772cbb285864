// Package config reads, checks and prints the settings of the proxy.
//
// The comments of [Config] and of the types below it are the manual; the file
// config.example.yml at the root of the repository is the same manual for
// operators, and a test holds the two together. Names in YAML are those of the
// field tags. Strings that name an address on the web (public_url, upstream.url,
// token_origins) are kept in one canonical form: scheme, host in lower case and
// port, without a slash at the end.
package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"time"
)

// Config holds every setting of the proxy. What [Load] and [Default] return is
// complete: each default stands in its field, so that nobody who reads a field
// needs to know the default, and it has passed every check. A Config is not
// changed after that and may be read concurrently.
type Config struct {
	// Listen is the address to listen on, host:port. Default 127.0.0.1:8080.
	// An address that is not loopback's needs PublicURL and, unless the
	// upstreams of all repositories decide who may do what, Auth. Port 0 lets
	// the system choose; whoever listens then puts the chosen address here
	// before anyone calls BaseURL.
	Listen string `yaml:"listen"`

	// PublicURL is how clients reach the proxy: http:// or https://, a host and
	// perhaps a port. It goes into signed payloads and links. Empty if it was
	// not set; use BaseURL, which knows the default.
	PublicURL string `yaml:"public_url"`

	// TLS makes the proxy speak HTTPS. Nil: HTTP.
	TLS *TLS `yaml:"tls,omitempty"`

	// Data is the folder of everything that must survive a restart and has no
	// path of its own. Relative to the working directory. Default ./data.
	Data string `yaml:"data"`

	// Storage says where bytes are kept: the name of a storage driver of CNCF
	// distribution and its parameters. At most one driver. This version has
	// filesystem (rootdirectory, maxthreads), inmemory (no parameters) and s3
	// (bucket, region and many others). A secretkey of s3 is a [Secret].
	// Empty: files under <data>/storage; StorageDriver knows that default.
	Storage map[string]map[string]any `yaml:"storage"`

	// Database says where facts are kept: the address of a PostgreSQL database,
	// postgres://…, which several proxies may share; or empty, which is SQLite
	// under Data. With PostgreSQL no key is generated at start.
	Database Database `yaml:"database"`

	// Keys has the key ring of each repository, by the repository's name. A
	// repository of images without a ring gets one {purpose: image, generate:
	// p256}; one of packages gets a key for each use that its ring has none for.
	Keys map[string][]Key `yaml:"keys"`

	// PassphraseFile is a file with the passphrase that encrypts keys which are
	// generated and opens keys which are brought along. One line ending after
	// it is not part of it. Empty: KeyPassphrase, or none.
	PassphraseFile string `yaml:"passphrase_file"`

	// KeyPassphrase is the value of HALLMARK_KEY_PASSPHRASE. It wins over
	// PassphraseFile, has no place in YAML and is never printed.
	KeyPassphrase Secret `yaml:"-"`

	// Repositories by name: ^[a-z0-9][a-z0-9._-]*$, and none of v2, healthz,
	// readyz and metrics, which are paths of the proxy itself. Default: images,
	// of format oci, for all names, and one of every other format, named after it.
	Repositories map[string]Repository `yaml:"repositories"`

	// Auth says who may do what. Nil: whoever reaches the proxy may do
	// anything, and therefore only loopback is served.
	Auth *Auth `yaml:"auth,omitempty"`

	Limits Limits `yaml:"limits"`
	Log    Log    `yaml:"log"`
}

// TLS names the files of the server's certificate chain and its key, in PEM.
// Both are needed.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// A Key is one key of a ring. Exactly one of Generate and Key is set. Two keys
// of one purpose both sign.
type Key struct {
	// Purpose is what the key may sign: PurposeImage, or what the repository's
	// format signs for: index, package, file, npm.
	Purpose string `yaml:"purpose"`

	// Scheme tells apart the kinds of keys of a purpose: openpgp, rsa, ecdsa. It
	// may be left out where the purpose has one kind. The purpose image has none.
	Scheme string `yaml:"scheme,omitempty"`

	// Generate is the kind of key that is made at the first start and kept
	// under <data>/keys: p224, p256, p384, p521, rsa2048, rsa3072, rsa4096 or
	// ed25519, as far as the purpose's clients take it.
	Generate string `yaml:"generate,omitempty"`

	// Key is a key that is brought along: file:PATH. Where the format's clients
	// want an X.509 certificate, it stands behind the private key in the file.
	Key string `yaml:"key,omitempty"`

	// Certificate says that the key stands in an X.509 certificate. It is no
	// setting: the format says so.
	Certificate bool `yaml:"-"`

	// UID is the user ID of an OpenPGP key that is generated. Default: Hallmark
	// and the repository's name.
	UID string `yaml:"uid,omitempty"`
}

// A Repository is a set of images or packages under one key ring.
type Repository struct {
	// Format is the kind of repository: FormatOCI, or the name of a
	// [PackageFormat]. All fields below but Settings are for images.
	Format string `yaml:"format"`

	// Settings are those of a PackageFormat, the pointer that its Defaults
	// returns. In YAML they stand under the format's name.
	Settings any `yaml:"-"`

	// Images are patterns of the names under /v2/ that belong to the
	// repository, as in [Match]. [Config.RepositoryFor] says which repository
	// gets a name that several patterns match. Default <repository>/*.
	Images []string `yaml:"images,omitempty"`

	// Upstream is the registry behind the repository. Nil: the embedded one.
	Upstream *Upstream `yaml:"upstream,omitempty"`

	// Signatures are the layouts in which signatures are stored: SignatureCosign,
	// which is always among them, and SignatureBundle. Default [cosign].
	Signatures []string `yaml:"signatures,omitempty"`

	// HideSignatureTags leaves the tags of signatures out of tags/list.
	HideSignatureTags bool `yaml:"hide_signature_tags,omitempty"`

	// Auth is AuthUpstream for every repository with an upstream, whose own
	// auth then decides who may do what, and empty for every other.
	Auth string `yaml:"auth,omitempty"`
}

// An Upstream is a registry, or a repository of packages on another server, that
// the proxy stands in front of.
type Upstream struct {
	// URL is the address: http:// or https://, a host and perhaps a port; of a
	// repository of packages perhaps a path, too. It has no user: to a registry
	// the credentials are always the pusher's own.
	URL string `yaml:"url"`

	// Order is OrderSignatureFirst, OrderImageFirst, or OrderAuto (default):
	// signature first, until the upstream has refused a signature whose image
	// it did not have yet.
	Order string `yaml:"order,omitempty"`

	// Timeout bounds the wait for the first byte of an answer, and of packages
	// for each further one. Default 30s.
	Timeout time.Duration `yaml:"timeout"`

	// TokenOrigins are the origins other than the upstream's own that may issue
	// tokens and so are sent the pusher's credentials. Written without a
	// scheme, https is meant. Default none.
	TokenOrigins []string `yaml:"token_origins"`

	// What follows is for packages alone.

	// User and the content of PasswordFile are our own credentials there. They
	// go to the origin of URL alone. Default none.
	User         string `yaml:"user,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`

	// Key is a file of public keys that the upstream's index is checked with:
	// OpenPGP, or in PEM for Alpine (RSA) and npm (ECDSA). Without it Trust must
	// be TrustUnverified.
	Key   string `yaml:"key,omitempty"`
	Trust string `yaml:"trust,omitempty"`

	// PackageKey is a file of the OpenPGP keys that signed the packages
	// themselves, for RPM. Clients are told to trust them beside ours.
	PackageKey string `yaml:"package_key,omitempty"`

	// Refresh is how old the upstream's index may be before it is asked for
	// another one. Default 1m.
	Refresh time.Duration `yaml:"refresh,omitempty"`

	// RedirectOrigins are the other origins that the upstream may send us to.
	// No credentials go there. Written without a scheme, https is meant.
	RedirectOrigins []string `yaml:"redirect_origins,omitempty"`

	// Cache bounds what is kept of the upstream's files under <data>/cache.
	Cache *Cache `yaml:"cache,omitempty"`
}

// Cache says how much is kept of an upstream's files, and how long.
type Cache struct {
	// Size is of all files together. Those that were not asked for longest go
	// first. Default 10GiB.
	Size Size `yaml:"size"`

	// Keep is how long a file stays that nobody asks for. Default 720h.
	Keep time.Duration `yaml:"keep"`
}

// Auth is a file of users and the rules of what they may do. It does not apply
// to repositories whose upstream decides.
type Auth struct {
	// Htpasswd is a file of lines name:hash with bcrypt hashes.
	Htpasswd string `yaml:"htpasswd"`

	// Rules add up: what one of them allows is allowed. Default: every user of
	// the htpasswd file may do everything.
	Rules []Rule `yaml:"rules"`
}

// A Rule allows users something in repositories.
type Rule struct {
	// Users are names of the htpasswd file, Everyone for all of these, or
	// Anonymous for whoever sends no credentials. What Anonymous may do, every
	// user may do too, since anyone can leave the credentials out.
	Users []string `yaml:"users"`

	// Repositories are patterns as in [Match], each either of the name of a
	// repository, which stands for all that is in it, or
	// <repository>:<image name> for a part of it, such as images:team/*, where
	// each side of the colon is a pattern.
	Repositories []string `yaml:"repositories"`

	// Allow holds RightRead, RightPush and RightDelete, at least one of them.
	// None of the three includes another.
	Allow []string `yaml:"allow"`
}

// Limits bound what clients may send.
type Limits struct {
	// Upload is the size of one package or blob. Default 10GiB.
	Upload Size `yaml:"upload"`

	// Manifest is the size of one manifest, at most and by default 4MiB.
	Manifest Size `yaml:"manifest"`
}

// Log says how the log is written.
type Log struct {
	// Format is text (default) or json.
	Format string `yaml:"format"`

	// Level is the least level that is written: debug, info (default), warn or
	// error.
	Level string `yaml:"level"`
}

// The values of settings that are words.
const (
	FormatOCI = "oci"

	PurposeImage = "image"

	SchemeOpenPGP = "openpgp"

	SignatureCosign = "cosign"
	SignatureBundle = "bundle"

	AuthUpstream = "upstream"

	TrustUnverified = "unverified"

	OrderAuto           = "auto"
	OrderSignatureFirst = "signature-first"
	OrderImageFirst     = "image-first"

	Everyone  = "*"
	Anonymous = "anonymous"

	RightRead   = "read"
	RightPush   = "push"
	RightDelete = "delete"
)

// A Secret is text that does not show when it is printed or logged.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from encoders, slog's among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// BaseURL returns the address at which clients reach the proxy, without a slash
// at the end: PublicURL or, where that is empty, http://<listen>, and
// https://<listen> with TLS.
func (c *Config) BaseURL() string {
	switch {
	case c.PublicURL != "":
		return c.PublicURL
	case c.TLS != nil:
		return "https://" + c.Listen
	default:
		return "http://" + c.Listen
	}
}

// Loopback reports whether Listen is an address that only this machine reaches:
// localhost, or an address of loopback's.
func (c *Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// StorageDriver returns the name and the parameters of the driver that keeps
// the bytes, the defaults and the secrets included. The caller may change the
// map.
func (c *Config) StorageDriver() (name string, parameters map[string]any) {
	name = "filesystem"
	parameters = map[string]any{"rootdirectory": filepath.Join(c.Data, "storage")}
	for driver, given := range c.Storage {
		if driver != name {
			name, parameters = driver, map[string]any{}
		}
		if driver == driverS3 { // where servers other than Amazon's are, no host is named after a bucket
			parameters["forcepathstyle"] = given["regionendpoint"] != nil
		}
		for key, value := range given {
			if secret, ok := value.(Secret); ok {
				value = string(secret)
			}
			parameters[key] = value
		}
	}
	return name, parameters
}
