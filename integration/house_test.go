package integration

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hallmark/integration/world"
)

// The places that images can lie in, behind the proxy.
const (
	embedded         = "embedded"
	embeddedHtpasswd = "embedded with htpasswd"
	embeddedS3       = "embedded on S3"
	stock            = "stock registry"
	stockBasic       = "stock registry with basic auth"
	stockToken       = "stock registry with tokens"
	stockTokenElse   = "stock registry with tokens from elsewhere"
)

// everywhere is where each scene plays that has to do with who is there. The others play in bothKinds.
var (
	everywhere = []string{embedded, embeddedHtpasswd, stock, stockBasic, stockToken, stockTokenElse}
	bothKinds  = []string{embedded, stock}
)

// settings are what a scene wants to have in the configuration, in YAML.
type settings struct {
	repository string // lines of the repository images, indented by four spaces
	top        string // whole sections
	env        []string
}

// A house is a proxy with one repository, images, and what is behind it.
type house struct {
	proxy    *world.Proxy
	user     world.User      // who may do everything; empty: nobody is asked
	registry *world.Registry // nil: the embedded one
	upstream *world.Recorder // what the proxy asks of the registry; nil: embedded, or stockToken
	bundles  bool            // images have bundles beside signatures in cosign's layout
	direct   func() string   // host:port of a registry with the same storage and without a proxy
}

// in plays a scene in each place.
func in(t *testing.T, places []string, s settings, scene func(t *testing.T, h *house)) {
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			scene(t, build(t, place, s))
		})
	}
}

// build starts what belongs to a place.
func build(t *testing.T, place string, s settings) *house {
	t.Helper()
	h := &house{bundles: strings.Contains(s.repository, "bundle")}
	config := s.top
	var upstream string
	switch place {
	case embedded:
	case embeddedHtpasswd:
		h.user = world.CI
		config += "auth:\n  htpasswd: " + passwords(t, world.CI, world.Reader) + "\n"
	case embeddedS3:
		s3 := world.StartS3(t)
		config += s3.Storage(s3.URL)
	case stock:
		upstream = h.record(t, world.RegistryOptions{})
	case stockBasic:
		h.user = world.CI
		upstream = h.record(t, world.RegistryOptions{Auth: world.Basic})
	case stockToken:
		// Without a Recorder: the token server is at the registry's own address.
		h.user = world.CI
		h.registry = world.StartRegistry(t, world.RegistryOptions{Auth: world.Token})
		upstream = "url: " + h.registry.URL
	case stockTokenElse:
		h.user = world.CI
		upstream = h.record(t, world.RegistryOptions{Auth: world.TokenElse})
		upstream += fmt.Sprintf(", token_origins: [%s]", tokenOrigin(t, h.registry))
	default:
		t.Fatalf("there is no place %q", place)
	}
	config += "repositories:\n  images:\n    format: oci\n    images: [\"*\"]\n" + s.repository
	if upstream != "" {
		config += "    upstream: {" + upstream + "}\n"
	}
	h.proxy = world.StartProxy(t, world.ProxyOptions{Config: config, Env: s.env})
	h.direct = sync.OnceValue(func() string {
		if h.registry != nil {
			return h.registry.Addr
		}
		return world.StartRegistry(t, world.RegistryOptions{Env: []string{
			"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=" + filepath.Join(h.proxy.Data, "storage"),
		}}).Addr
	})
	return h
}

// record starts a registry with a Recorder in front and returns the upstream's setting.
func (h *house) record(t *testing.T, o world.RegistryOptions) string {
	t.Helper()
	h.registry = world.StartRegistry(t, o)
	h.upstream = world.Record(t, h.registry.URL)
	return "url: " + h.upstream.URL
}

// passwords makes an htpasswd file.
func passwords(t *testing.T, users ...world.User) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, world.Htpasswd(t, users...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ref names an image as clients do.
func (h *house) ref(image string) string { return h.proxy.Addr + "/" + image }

// key is the URL of our public key.
func (h *house) key() string { return h.proxy.URL + "/-/keys/images/cosign.pub" }

// login gives a client the user's credentials for a registry, if there are any.
func (h *house) login(t *testing.T, addr string, client interface {
	Login(world.T, string, world.User)
}) {
	t.Helper()
	if h.user.Name != "" {
		client.Login(t, addr, h.user)
	}
}

// crane returns a crane that has logged in, at the proxy and behind it.
func (h *house) crane(t *testing.T) *world.Crane {
	t.Helper()
	c := world.NewCrane(t)
	h.login(t, h.proxy.Addr, c)
	if h.registry != nil {
		h.login(t, h.registry.Addr, c)
	}
	return c
}

// cosigns returns cosign 2 and cosign 3, which have logged in.
func (h *house) cosigns(t *testing.T) []*world.Cosign {
	t.Helper()
	both := []*world.Cosign{world.NewCosign(t, 2), world.NewCosign(t, 3)}
	for _, c := range both {
		h.login(t, h.proxy.Addr, c)
	}
	return both
}

// push pushes a new image with crane and returns its digest.
func (h *house) push(t *testing.T, image string) string {
	t.Helper()
	c := h.crane(t)
	if err := c.Push(t, h.ref(image)); err != nil {
		t.Fatal(err)
	}
	return digest(t, c, h.ref(image))
}

// verified fails the test unless both cosigns find our signature at each of refs.
func (h *house) verified(t *testing.T, refs ...string) {
	t.Helper()
	for _, c := range h.cosigns(t) {
		for _, ref := range refs {
			if err := c.Verify(t, h.key(), ref, h.offline(t, c)...); err != nil {
				t.Errorf("cosign %d: %v", c.Version, err)
			}
		}
	}
}

// offline returns what cosign 2 must be told where there are bundles: it wants a trusted root for them, even
// with a key, and can get none here. An empty one will do.
func (h *house) offline(t *testing.T, c *world.Cosign) []string {
	t.Helper()
	if c.Version != 2 || !h.bundles {
		return nil
	}
	return []string{"--trusted-root", trustedRoot(t)}
}

// trustedRoot makes a file that trusts nobody.
func trustedRoot(t *testing.T) string {
	t.Helper()
	return write(t, "trusted_root.json", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",`+
		`"tlogs":[],"certificateAuthorities":[],"ctlogs":[],"timestampAuthorities":[]}`)
}

// notVerified is the twin of verified: both cosigns look and find nothing.
func (h *house) notVerified(t *testing.T, refs ...string) {
	t.Helper()
	for _, c := range h.cosigns(t) {
		for _, ref := range refs {
			c.NotVerify(t, h.key(), ref, h.offline(t, c)...)
		}
	}
}

// whole is the T of what all tests of this package share.
var whole world.T

func TestMain(m *testing.M) {
	var status int
	if err := world.Run(context.Background(), "integration", func(t world.T) {
		whole = t
		status = m.Run()
	}); err != nil {
		log.Print(err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// A lasting T makes things in a test that outlive it: they end with the package, and their failure to
// begin is the test's.
type lasting struct{ test *testing.T }

func (l lasting) Helper()                      { l.test.Helper() }
func (l lasting) Name() string                 { return l.test.Name() }
func (l lasting) Context() context.Context     { return whole.Context() }
func (l lasting) TempDir() string              { return whole.TempDir() }
func (l lasting) Cleanup(f func())             { whole.Cleanup(f) }
func (l lasting) Failed() bool                 { return whole.Failed() }
func (l lasting) Logf(f string, args ...any)   { whole.Logf(f, args...) }
func (l lasting) Errorf(f string, args ...any) { l.test.Errorf(f, args...) }
func (l lasting) Fatalf(f string, args ...any) { l.test.Fatalf(f, args...) }

var shared struct {
	sync.Mutex
	clients map[string]*sharedClient
}

// A sharedClient belongs to one test at a time.
type sharedClient struct {
	sync.Mutex
	world.Client
}

// clientNames are the names of world.Clients.
var clientNames = []string{"docker", "podman", "skopeo", "crane", "oras", "helm"}

// client returns one of world.Clients, for the rest of the test. Docker's daemon is started by the first
// test that wants it.
func client(t *testing.T, name string) world.Client {
	t.Helper()
	start := map[string]func(world.T) world.Client{
		"docker": func(t world.T) world.Client { return world.Dockerd(t) },
		"podman": func(t world.T) world.Client { return world.NewPodman(t) },
		"skopeo": func(t world.T) world.Client { return world.NewSkopeo(t) },
		"crane":  func(t world.T) world.Client { return world.NewCrane(t) },
		"oras":   func(t world.T) world.Client { return world.NewORAS(t) },
		"helm":   func(t world.T) world.Client { return world.NewHelm(t) },
	}[name]
	shared.Lock()
	c := shared.clients[name]
	if c == nil {
		if shared.clients == nil {
			shared.clients = make(map[string]*sharedClient)
		}
		c = &sharedClient{}
		shared.clients[name] = c
	}
	shared.Unlock()
	c.Lock()
	t.Cleanup(c.Unlock)
	if c.Client == nil {
		c.Client = start(lasting{t})
	}
	return c.Client
}
