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
	"strings"
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
	"hallmark/signing/keys"
	"hallmark/signing/scheme"
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

	blobs *blob.Store  // of all package repositories; nil: there is none
	spool *spool.Spool // the same
}

// openHouse puts a house together on a data folder that this process owns. The caller closes it.
func openHouse(ctx context.Context, c *config.Config, d *dataFolder, log *slog.Logger) (h *house, err error) {
	h = &house{config: c, data: d, log: log, metrics: proxy.NewMetrics()}
	if _, err := os.Stat(filepath.Join(c.Data, "keys")); errors.Is(err, fs.ErrNotExist) {
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
	if h.ledger, err = ledger.Open(ctx, d.file("ledger.db")); err != nil {
		return nil, err
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
	return h.ledger.Close()
}

func sortedNames(repositories map[string]config.Repository) []string {
	names := make([]string, 0, len(repositories))
	for name := range repositories {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// keyStore returns the store of the configuration's keys.
func keyStore(c *config.Config) (*keys.Store, error) {
	passphrase, err := keyPassphrase(c)
	return keys.Open(filepath.Join(c.Data, "keys"), passphrase), err
}

// keyPassphrase returns what keys are encrypted with, nil for nothing.
func keyPassphrase(c *config.Config) ([]byte, error) {
	if c.KeyPassphrase != "" || c.PassphraseFile == "" {
		return []byte(c.KeyPassphrase), nil
	}
	data, err := os.ReadFile(c.PassphraseFile)
	if err != nil {
		return nil, fmt.Errorf("passphrase_file: %w", err)
	}
	return []byte(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")), nil
}

// keySpecs returns what the configuration says of a repository's keys.
func keySpecs(c *config.Config, repository string) []keys.Spec {
	var specs []keys.Spec
	for _, k := range c.Keys[repository] {
		specs = append(specs, keys.Spec{Purpose: scheme.Purpose(k.Purpose), Scheme: k.Scheme, Generate: k.Generate, Key: k.Key, UID: k.UID})
	}
	return specs
}

// openRings opens the ring of every repository, generating what is lacking.
func openRings(c *config.Config) (rings map[string]*signing.Ring, generated []string, err error) {
	store, err := keyStore(c)
	if err != nil {
		return nil, nil, err
	}
	specs := make(map[string][]keys.Spec)
	for name := range c.Repositories {
		specs[name] = keySpecs(c, name)
	}
	if rings, generated, err = store.Rings(specs); err != nil {
		return nil, nil, err
	}
	var all []*signing.Ring
	for _, name := range sortedNames(c.Repositories) {
		all = append(all, rings[name])
	}
	return rings, generated, signing.CheckDistinct(all...)
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
	secret, err := h.data.secret(httpSecretFile)
	if err != nil {
		return err
	}
	driver, parameters := h.config.StorageDriver()
	h.embedded, err = embedded.Open(embedded.Options{Driver: driver, Parameters: parameters, Secret: secret, Log: h.log})
	return err
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
