// Package proxy is the HTTP side: it says who sent a request, which repository it is for and whether it may pass, and
// hands it to the wire that answers it.
package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"hallmark/proxy/config"
	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
	"hallmark/signing"
)

// A Repository is one repository of images or packages with all that serves it.
type Repository struct {
	Name string
	Ring *signing.Ring
	// Images is what serves a repository of images, Packages one of packages. The other is nil.
	Images   *oci.Repository
	Packages *Packages

	// Registry answers what names no image: /v2/ and /v2/_catalog. Nil for packages.
	Registry http.Handler
	// Token answers requests for tokens where the upstream decides who may do what. Nil: we decide.
	Token http.Handler
	// Ready returns nil if the registry or the storage behind it answers.
	Ready func(context.Context) error
	// Collect removes what nothing needs any more and tells of it. Nil where somebody else keeps the bytes.
	Collect func(ctx context.Context, untagged bool, tell func(string)) error
}

// A Server answers all requests. It is safe for concurrent use.
type Server struct {
	config       *config.Config
	repositories map[string]*Repository
	ledger       *ledger.Ledger
	auth         *authenticator // nil: no auth section
	metrics      *Metrics
	log          *slog.Logger
	adminToken   string
	crossOrigin  *http.CrossOriginProtection
	draining     atomic.Bool
}

// Options are what a Server is made of; all are required.
type Options struct {
	Config       *config.Config
	Repositories []*Repository
	Ledger       *ledger.Ledger
	Metrics      *Metrics
	Log          *slog.Logger
	AdminToken   string // of requests that administrate; known to whoever can read the data folder
}

// New returns a Server. It reads the htpasswd file, if there is one.
func New(o Options) (*Server, error) {
	s := &Server{
		config: o.Config, repositories: make(map[string]*Repository), ledger: o.Ledger,
		metrics: o.Metrics, log: o.Log, adminToken: o.AdminToken,
		crossOrigin: http.NewCrossOriginProtection(),
	}
	for _, r := range o.Repositories {
		s.repositories[r.Name] = r
	}
	if o.Config.Auth != nil {
		var err error
		if s.auth, err = newAuthenticator(o.Config.Auth, o.AdminToken); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Drain makes the server say that it is not ready, so that balancers look elsewhere while it finishes.
func (s *Server) Drain() { s.draining.Store(true) }

// ServeHTTP answers one request and writes its line in the log.
func (s *Server) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	t := s.begin(rw, req)
	defer t.end()
	if err := s.guard(req); err != nil {
		t.fail(err)
		return
	}
	if err := s.route(t, t.req); err != nil {
		t.fail(err)
	}
}

// route hands a request to what answers it. There is no other multiplexer: one that cleans paths would answer a path
// with ".." by a redirect.
func (s *Server) route(t *transaction, req *http.Request) error {
	path := req.URL.EscapedPath()
	switch {
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		return s.serveImages(t, req, path)
	case path == "/healthz":
		return s.serveText(t, http.StatusOK, "ok\n")
	case path == "/readyz":
		return s.serveReady(t, req)
	case path == "/metrics":
		s.metrics.handler.ServeHTTP(t, req)
		return nil
	case path == "/":
		return s.serveText(t, http.StatusOK, s.welcome())
	}
	for prefix, serve := range map[string]func(*transaction, *http.Request, string) error{
		"/-/keys/":       s.serveKeys,
		"/-/signatures/": s.serveSignatures,
		"/-/token/":      s.serveToken,
		"/-/api/v1/":     s.serveAPI,
		"/-/setup/":      s.serveSetup,
		"/-/snapshots/":  s.serveSnapshot,
	} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return serve(t, req, rest)
		}
	}
	if found, err := s.servePackages(t, req, path); found {
		return err
	}
	return notFound("there is nothing at %s", path)
}

func (s *Server) serveText(t *transaction, status int, text string) error {
	t.Header().Set("Content-Type", "text/plain; charset=utf-8")
	t.WriteHeader(status)
	t.Write([]byte(text))
	return nil
}

func serveJSON(t *transaction, status int, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	t.Header().Set("Content-Type", "application/json")
	t.WriteHeader(status)
	t.Write(append(body, '\n'))
	return nil
}

func (s *Server) welcome() string {
	var b strings.Builder
	b.WriteString("Hallmark signs what is pushed here.\n\n")
	for _, name := range s.repositoryNames() {
		if s.repositories[name].Packages != nil {
			b.WriteString("  " + s.config.BaseURL() + "/-/setup/" + name + "\n")
		} else {
			b.WriteString("  " + s.config.BaseURL() + "/-/keys/" + name + "/cosign.pub\n")
		}
	}
	return b.String()
}

// readyTimeout is how long a registry may take to show that it answers.
const readyTimeout = 5 * time.Second

// serveReady answers 200 if every repository can be served, otherwise 503 with what is wrong.
func (s *Server) serveReady(t *transaction, req *http.Request) error {
	if s.draining.Load() {
		return s.serveText(t, http.StatusServiceUnavailable, "shutting down\n")
	}
	ctx, cancel := context.WithTimeout(req.Context(), readyTimeout)
	defer cancel()
	if err := s.ledger.Ready(ctx); err != nil {
		return s.serveText(t, http.StatusServiceUnavailable, "database: "+err.Error()+"\n")
	}
	names := s.repositoryNames()
	faults := make([]error, len(names))
	done := make(chan int)
	for i, name := range names {
		go func() {
			if err := s.repositories[name].Ready(ctx); err != nil {
				faults[i] = errors.New(name + ": " + err.Error())
			}
			done <- i
		}()
	}
	for range names {
		<-done
	}
	if err := errors.Join(faults...); err != nil {
		return s.serveText(t, http.StatusServiceUnavailable, err.Error()+"\n")
	}
	return s.serveText(t, http.StatusOK, "ready\n")
}
