package world

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Auth is how a registry asks who is there.
type Auth string

const (
	Anonymous Auth = "anonymous"  // it does not ask
	Basic     Auth = "basic"      // htpasswd: Users may do everything
	Token     Auth = "token"      // a token server at the registry's own address, as crane wants it
	TokenElse Auth = "token-else" // a token server at another origin, http://localhost:port
)

// A User of a registry with auth, and what a token server lets him do.
type User struct {
	Name, Password string
	Actions        []string
}

// The users of every registry with auth.
var (
	CI     = User{"ci", "ci-secret", []string{"pull", "push", "delete"}}
	Reader = User{"reader", "reader-secret", []string{"pull"}}
)

// A Registry is the stock CNCF distribution registry, a process of its own with files on disk.
type Registry struct {
	URL  string // http://host:port, where clients go
	Addr string // host:port
	Auth Auth
	Dir  string // the root of its storage

	*Process
	backend string // where the process listens: URL, unless a token server stands in front
	config  string
}

// RegistryOptions, of which the zero value is an anonymous registry.
type RegistryOptions struct {
	Auth Auth
	Env  []string // REGISTRY_… settings over the ones made here
}

// StartRegistry starts a registry and waits until it answers. Deleting is enabled.
func StartRegistry(t T, o RegistryOptions) *Registry {
	t.Helper()
	addr := FreeAddr(t)
	reg := &Registry{URL: "http://" + addr, Addr: addr, Auth: o.Auth, backend: "http://" + addr, Dir: t.TempDir()}
	if reg.Auth == "" {
		reg.Auth = Anonymous
	}
	settings := t.TempDir()
	reg.config = filepath.Join(settings, "registry.yml")
	text := fmt.Sprintf(registryConfig, reg.Dir, addr) + reg.auth(t, settings)
	if err := os.WriteFile(reg.config, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	reg.Start(t, o.Env...)
	return reg
}

// Start starts the registry again on its address and files, after a Kill or Terminate.
func (reg *Registry) Start(t T, env ...string) {
	t.Helper()
	cmd := exec.Command(Tool(t, "registry"), "serve", reg.config)
	cmd.Env = append(os.Environ(), env...)
	reg.Process = Start(t, "registry", cmd)
	reg.Await(t, Answers(reg.backend+"/v2/", http.StatusOK, http.StatusUnauthorized))
}

const registryConfig = `version: 0.1
log:
  level: info
  accesslog: {disabled: true}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: %s
  secret: not-a-secret
`

// auth returns the part of the configuration that says who may do what, and makes what it names.
func (reg *Registry) auth(t T, settings string) string {
	t.Helper()
	switch reg.Auth {
	case Anonymous:
		return ""
	case Basic:
		file := filepath.Join(settings, "htpasswd")
		if err := os.WriteFile(file, Htpasswd(t, CI, Reader), 0o600); err != nil {
			t.Fatalf("%v", err)
		}
		return fmt.Sprintf("auth:\n  htpasswd: {realm: stock, path: %s}\n", file)
	}
	tokens := newTokenServer(t, CI, Reader)
	var realm string
	if reg.Auth == TokenElse {
		realm = strings.Replace(Serve(t, tokens), "127.0.0.1", "localhost", 1) + "/token"
	} else {
		reg.URL = Serve(t, beside(t, tokens, reg.backend))
		reg.Addr = hostOf(reg.URL)
		realm = reg.URL + "/token"
	}
	jwks := filepath.Join(settings, "jwks.json")
	if err := os.WriteFile(jwks, tokens.jwks(), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return fmt.Sprintf("auth:\n  token: {realm: %q, service: %s, issuer: %s, jwks: %s}\n",
		realm, tokenService, tokenIssuer, jwks)
}

// beside serves /token itself and everything else from the registry.
func beside(t T, tokens http.Handler, registry string) http.Handler {
	to, err := url.Parse(registry)
	if err != nil {
		t.Fatalf("%v", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/token", tokens)
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}})
	return mux
}

// Htpasswd returns a password file with bcrypt hashes that are cheap to check.
func Htpasswd(t T, users ...User) []byte {
	t.Helper()
	var file []byte
	for _, u := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(u.Password), bcrypt.MinCost)
		if err != nil {
			t.Fatalf("%v", err)
		}
		file = fmt.Appendf(file, "%s:%s\n", u.Name, hash)
	}
	return file
}
