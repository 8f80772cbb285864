package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hallmark/proxy"
	"hallmark/proxy/blob"
	"hallmark/proxy/config"
	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
	"hallmark/proxy/oci/embedded"
	"hallmark/proxy/oci/upstream"
	"hallmark/proxy/spool"
	"hallmark/signing"
)

// house is everything that a configuration describes, put together.
type house struct {
	config       *config.Config
	data         *dataFolder
	log          *slog.Logger
	ledger       *ledger.Ledger
	metrics      *proxy.Metrics
	server       *proxy.Server
	embedded     *embedded.Registry // nil: every repository has an upstream
	repositories []*proxy.Repository
	generated    []string // files of keys that were made at this start
	adminToken   string
	alone        bool // a command's own: no other replica runs, as the user has seen to

	blobs *blob.Store  // of all package repositories; nil: there is none
	spool *spool.Spool // the same

	closers []func() // of what must end after the repositories
}

// openHouse puts a house together on a data folder that this process owns. The caller closes it.
func openHouse(ctx context.Context, c *config.Config, d *dataFolder, log *slog.Logger) (h *house, err error) {
	h = &house{config: c, data: d, log: log, metrics: proxy.NewMetrics()}
	if _, err := os.Stat(filepath.Join(c.Data, "keys")); errors.Is(err, fs.ErrNotExist) && c.Database == "" {
		log.Info("generating keys for the first start, which takes some seconds", "repositories", len(c.Repositories))
	}
	rings, generated, err := openRings(c)
	if err != nil {
		return nil, err
	}
	h.generated = generated
	if h.adminToken, err = d.secret(adminTokenFile); err != nil {
		return nil, err
	}
	if h.ledger, err = openLedger(ctx, c); err != nil {
		return nil, err
	}
	if h.ledger.Shared() {
		if err := agree(ctx, h.ledger, rings); err != nil {
			h.close()
			return nil, err
		}
	}
	for _, name := range sortedNames(c.Repositories) {
		repo, err := h.openRepository(name, c.Repositories[name], rings[name])
		if err != nil {
			h.close()
			return nil, fmt.Errorf("repository %s: %w", name, err)
		}
		h.repositories = append(h.repositories, repo)
	}
	h.server, err = proxy.New(proxy.Options{
		Config: c, Repositories: h.repositories, Ledger: h.ledger, Metrics: h.metrics, Log: log, AdminToken: h.adminToken,
	})
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *house) close() error {
	for _, r := range h.repositories {
		if r.Packages != nil {
			r.Packages.Publish.Close()
		}
	}
	for _, closeIt := range h.closers {
		closeIt()
	}
	return h.ledger.Close()
}

// openLedger opens the database that the configuration names.
func openLedger(ctx context.Context, c *config.Config) (*ledger.Ledger, error) {
	if c.Database != "" {
		return ledger.OpenPostgres(ctx, c.Database.Address())
	}
	return ledger.Open(ctx, filepath.Join(c.Data, "ledger.db"))
}

func sortedNames(repositories map[string]config.Repository) []string {
	names := make([]string, 0, len(repositories))
	for name := range repositories {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (h *house) openRepository(name string, c config.Repository, ring *signing.Ring) (*proxy.Repository, error) {
	if c.Format != config.FormatOCI {
		return h.openPackages(name, c, ring)
	}
	public, err := url.Parse(h.config.BaseURL())
	if err != nil {
		return nil, err
	}
	o := oci.Options{
		Name: name, Host: public.Host, Ring: ring, Ledger: h.ledger, Log: h.log,
		Bundles: slices.Contains(c.Signatures, config.SignatureBundle), HideSignatureTags: c.HideSignatureTags,
		MaxManifest: int64(h.config.Limits.Manifest), Signed: h.metrics.Signed(name),
	}
	repo := &proxy.Repository{Name: name, Ring: ring}
	if c.Upstream != nil {
		up, err := h.openUpstream(name, c.Upstream)
		if err != nil {
			return nil, err
		}
		o.Registry, o.Order = up, oci.Order(c.Upstream.Order)
		repo.Registry, repo.Token, repo.Ready = up, http.HandlerFunc(up.ServeToken), up.Ready
	} else {
		if err := h.openEmbedded(); err != nil {
			return nil, err
		}
		o.Registry = h.embedded
		repo.Registry, repo.Ready, repo.Collect = h.embedded, h.embedded.Ready, h.collect
	}
	repo.Images = oci.New(o)
	return repo, nil
}

func (h *house) openUpstream(name string, c *config.Upstream) (*upstream.Registry, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	return upstream.New(upstream.Options{
		URL: u, TokenPath: "/-/token/" + name, Timeout: c.Timeout, TokenOrigins: c.TokenOrigins, Log: h.log,
		SelfURL:   func(r *http.Request) string { return h.server.SelfURL(r) },
		UserAgent: "hallmark/" + version, Observe: h.metrics.Upstream(name),
	}), nil
}

// openEmbedded opens the one embedded registry, which all repositories without an upstream share.
func (h *house) openEmbedded() (err error) {
	if h.embedded != nil {
		return nil
	}
	secret, err := h.httpSecret()
	if err != nil {
		return err
	}
	driver, parameters := h.config.StorageDriver()
	h.embedded, err = embedded.Open(embedded.Options{
		Driver: driver, Parameters: parameters, Secret: secret, Shared: h.ledger.Shared(), Log: h.log,
	})
	return err
}

// httpSecret returns the secret by which an upload that began at one replica goes on at another.
func (h *house) httpSecret() (string, error) {
	if h.ledger.Shared() {
		return h.ledger.Secret(context.Background(), httpSecretFile, newSecret())
	}
	return h.data.secret(httpSecretFile)
}

// pauseTimeout is how long pushes that are on their way may hold up a garbage collection, which holds up all others.
const pauseTimeout = time.Minute

func pause(ctx context.Context, r *proxy.Repository) (resume func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, pauseTimeout)
	defer cancel()
	resume, err = r.Images.Pause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("pushes to %s that began before are not finished after %v; nothing was removed, try again later", r.Name, pauseTimeout)
	}
	return resume, err
}

// collect collects the garbage of the embedded registry. Pushes to it wait meanwhile; reading goes on.
func (h *house) collect(ctx context.Context, untagged bool, tell func(string)) error {
	if h.ledger.Shared() && !h.alone {
		return errors.New("garbage of images is collected while nobody pushes, and other replicas may take pushes: stop them all, then run proxy repo gc")
	}
	var mine []*proxy.Repository
	for _, r := range h.repositories {
		if r.Images == nil || r.Collect == nil {
			continue
		}
		resume, err := pause(ctx, r)
		if err != nil {
			return err
		}
		defer resume()
		mine = append(mine, r)
	}
	blobs, size, err := h.embedded.Size(ctx)
	if err != nil {
		return err
	}
	if untagged {
		tell("removing manifests that no tag and no tagged index names")
		if err := h.embedded.Sweep(ctx, true); err != nil {
			return err
		}
	}
	removed := 0
	for _, r := range mine {
		owns := func(name string) bool { owner, ok := h.config.RepositoryFor(name); return ok && owner == r.Name }
		n, err := r.Images.RemoveOrphans(ctx, h.embedded.As(nil), h.embedded, owns, tell)
		removed += n
		if err != nil {
			return err
		}
	}
	tell("removing blobs that no manifest names")
	if err := h.embedded.Sweep(ctx, false); err != nil {
		return err
	}
	blobsAfter, sizeAfter, err := h.embedded.Size(ctx)
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("removed %d signatures and %d blobs, %d bytes; %d blobs, %d bytes remain", removed, blobs-blobsAfter, size-sizeAfter, blobsAfter, sizeAfter))
	return nil
}
