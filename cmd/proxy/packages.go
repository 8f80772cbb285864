package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"hallmark/formats"
	"hallmark/proxy"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/blob"
	"hallmark/proxy/config"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/proxy/timestamp"
	"hallmark/signing"

	"go.yaml.in/yaml/v3"
)

// packageFormats is the table of formats as the configuration needs it.
func packageFormats() []config.PackageFormat {
	var all []config.PackageFormat
	for _, f := range formats.Table() {
		all = append(all, config.PackageFormat{
			Name: f.Name, Alias: f.Alias, Defaults: f.Defaults,
			Open: func(settings any) ([]config.KeyUse, error) {
				opened, err := f.New(settings)
				if err != nil {
					return nil, err
				}
				var uses []config.KeyUse
				for _, use := range append(opened.Spec().Keys, publish.Sidecars()...) {
					uses = append(uses, config.KeyUse{
						Purpose: string(use.Purpose), Scheme: string(use.Family), Generate: use.Generate,
						Kinds: use.Kinds, Refused: use.Refused, Optional: use.Shared, Certificate: use.Certificate,
					})
				}
				return uses, nil
			},
		})
	}
	return all
}

// openPackages opens a package repository.
func (h *house) openPackages(name string, c config.Repository, ring *signing.Ring) (*proxy.Repository, error) {
	ctx := context.Background()
	if err := h.openStorage(ctx); err != nil {
		return nil, err
	}
	for _, entry := range formats.Table() {
		if entry.Name != c.Format {
			continue
		}
		f, err := entry.New(c.Settings)
		if err != nil {
			return nil, err
		}
		settings, err := yaml.Marshal(c.Settings)
		if err != nil {
			return nil, err
		}
		kept := hosted.New(name, h.ledger, h.blobs)
		o := publish.Options{
			Name: name, Format: f, Settings: string(settings), Ring: ring, State: kept, Tree: kept, Blobs: h.blobs,
			Spool: h.spool, Log: h.log, Now: time.Now, Observe: h.metrics.Committed(name), Stamp: timestamp.Client{HTTP: http.DefaultClient}.Stamp,
			URL:  h.config.BaseURL() + "/" + name,
			Turn: func(ctx context.Context) (done func()) { return h.ledger.Turn(ctx, "generations of "+name) },
		}
		repo := &proxy.Repository{
			Name: name, Ring: ring, Ready: h.blobs.Ready, Packages: &proxy.Packages{Format: f, Tree: kept},
			Collect: func(ctx context.Context, _ bool, tell func(string)) error { return h.collectPackages(ctx, tell) },
		}
		if c.Upstream != nil {
			err = h.openInFront(c.Upstream, kept, &o, repo)
		} else {
			err = openPublish(ctx, o, repo)
		}
		return repo, err
	}
	return nil, fmt.Errorf("there is no format %q", c.Format)
}

// openPublish opens the write path of a repository.
func openPublish(ctx context.Context, o publish.Options, repo *proxy.Repository) error {
	p, err := publish.Open(ctx, o)
	if err != nil {
		return err
	}
	if err := p.Refresh(ctx); err != nil {
		p.Close()
		return err
	}
	repo.Packages.Publish = p
	return nil
}

// openStorage opens where package repositories keep bytes.
func (h *house) openStorage(ctx context.Context) (err error) {
	if h.blobs != nil {
		return nil
	}
	driver, parameters := h.config.StorageDriver()
	keep := func(ctx context.Context, d backend.Digest) error { return h.ledger.Keep(ctx, d, time.Now()) }
	if h.blobs, err = blob.Open(ctx, driver, parameters, keep); err != nil {
		return err
	}
	h.spool, err = spool.Open(h.data.file("spool"))
	return err
}

// collectPackages removes what no package repository needs any more.
func (h *house) collectPackages(ctx context.Context, tell func(string)) error {
	var names []string
	waiting := func(yield func(backend.Digest, error) bool) {
		for _, r := range h.repositories {
			if r.Packages == nil {
				continue
			}
			for d, err := range r.Packages.Publish.Waiting(ctx) {
				if !yield(d, err) {
					return
				}
			}
		}
	}
	for _, r := range h.repositories {
		if r.Packages == nil {
			continue
		}
		names = append(names, r.Name)
		if err := r.Packages.Publish.Expire(ctx); err != nil {
			return err
		}
	}
	return hosted.Collect(ctx, h.ledger, h.blobs, names, waiting, time.Now(), tell)
}

// collectEvery is how often a server removes what its package repositories do not need any more.
const collectEvery = time.Hour

// collectNowAndThen collects, until ctx ends.
func (h *house) collectNowAndThen(ctx context.Context) {
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		done, free := h.ledger.Free(ctx, "garbage")
		if !free {
			continue // another replica is at it
		}
		if err := h.collectPackages(ctx, func(line string) { h.log.Debug(line) }); err != nil && ctx.Err() == nil {
			h.log.Error("collecting garbage failed", "error", err)
		}
		done()
	}
}
