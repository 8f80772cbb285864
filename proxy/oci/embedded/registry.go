// Package embedded is the registry that comes with the proxy: CNCF distribution, in process.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	registrymiddleware "github.com/distribution/distribution/v3/registry/middleware/registry"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the drivers that config takes
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"

	"hallmark/proxy/oci"
)

// Options are what an embedded registry is made of.
type Options struct {
	Driver     string         // of CNCF distribution: "filesystem", "inmemory", "s3"
	Parameters map[string]any // of the driver, in its own syntax
	Secret     string         // signs the state of uploads; the same at every start, or uploads break over a restart
	Shared     bool           // other processes write to the same storage: nothing is remembered of it
	Log        *slog.Logger   // takes what distribution logs; the first registry of a process sets it for all
}

// A Registry is an embedded registry. It implements oci.Registry and is safe for concurrent use.
type Registry struct {
	options Options
	app     atomic.Pointer[app]
}

// app is one instance of distribution's handlers, with the store that they use.
type app struct {
	http.Handler
	store  distribution.Namespace // distribution's own, which enumerates
	images distribution.Namespace // the same as clients see it
	driver driver.StorageDriver
}

// Open returns an embedded registry. Nothing is read or written before the first request.
func Open(o Options) (*Registry, error) {
	bridgeLogs(o.Log)
	r := &Registry{options: o}
	a, err := newApp(o)
	if err != nil {
		return nil, err
	}
	r.app.Store(a)
	return r, nil
}

// volatile is the driver whose data live and die with the handlers that were made for it.
const volatile = "inmemory"

// captureName is the registry middleware by which newApp gets at the store of the handlers that it makes. Sharing it
// keeps their cache of blobs and ours the same.
const captureName = "hallmark-capture"

var registerCapture = sync.OnceValue(func() error {
	return registrymiddleware.Register(captureName, func(_ context.Context, store distribution.Namespace, d driver.StorageDriver, options map[string]any) (distribution.Namespace, error) {
		a := options["app"].(*app)
		a.store, a.driver, a.images = store, d, onlyRevisions(store, d)
		return a.images, nil
	})
})

func newApp(o Options) (a *app, err error) {
	if err := registerCapture(); err != nil {
		return nil, err
	}
	a = &app{}
	cfg := &configuration.Configuration{
		Version: "0.1",
		Storage: configuration.Storage{
			o.Driver: o.Parameters,
			"delete": {"enabled": true},
			// Clients need only reach us, and what they may read is decided here.
			"redirect": {"disable": true},
			// The purger would start without asking and log for itself; proxy repo gc does its work.
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
		Middleware: map[string][]configuration.Middleware{
			"registry": {{Name: captureName, Options: configuration.Parameters{"app": a}}},
		},
	}
	if o.Driver != volatile && !o.Shared {
		cfg.Storage["cache"] = configuration.Parameters{"blobdescriptor": "inmemory"}
	}
	cfg.HTTP.Secret = o.Secret
	cfg.HTTP.RelativeURLs = true // a Location is then right behind any address
	cfg.Catalog.MaxEntries = 1000
	cfg.Tags.MaxTags = 1000
	// distribution tells a bad configuration by a panic.
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("embedded registry on storage %s: %v", o.Driver, p)
		}
	}()
	a.Handler = handlers.NewApp(context.Background(), cfg)
	return a, nil
}

// ServeHTTP answers a client's request under /v2/.
func (r *Registry) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	// distribution answers a path that it does not know with text, which clients do not show.
	if rt, err := oci.ParseRoute(req.URL.EscapedPath()); err == nil && rt.Kind == oci.Upload && !strings.Contains(req.URL.Path, "/blobs/uploads/") {
		oci.WriteError(rw, oci.Errorf(http.StatusNotFound, oci.CodeUnsupported, "uploads to this registry go to /v2/%s/blobs/uploads/", rt.Name))
		return
	}
	r.app.Load().ServeHTTP(rw, req)
}

// As opens a session. The registry has no rights of its own: whoever may send a request may do what it says.
func (r *Registry) As(*http.Request) oci.Session { return session{r.app.Load().images} }

// Ready reports whether the storage answers.
func (r *Registry) Ready(ctx context.Context) error {
	if _, err := r.app.Load().driver.List(ctx, "/"); err != nil {
		if _, missing := err.(driver.PathNotFoundError); !missing {
			return fmt.Errorf("storage %s: %w", r.options.Driver, err)
		}
	}
	return nil
}
