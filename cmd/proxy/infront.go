package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/backend/upstream"
	"hallmark/proxy/config"
	"hallmark/proxy/publish"
	"hallmark/signing"
)

// openInFront opens a package repository in front of an upstream: what is uploaded and what is known of the upstream are
// kept as for any other.
func (h *house) openInFront(c *config.Upstream, kept *hosted.Repository, o *publish.Options, repo *proxy.Repository) error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	keys, err := upstreamKeys(c.Key)
	if err != nil {
		return err
	}
	for _, fault := range keys.Unused() {
		h.log.Warn("a key of the upstream is not used", "repository", repo.Name, "error", fault)
	}
	if o.Behind, err = behindOf(c); err != nil {
		return err
	}
	cache, err := upstream.OpenCache(cacheFolder(h.config, repo.Name), upstream.CacheOptions{Size: int64(c.Cache.Size), Keep: c.Cache.Keep})
	if err != nil {
		return err
	}
	client := upstream.NewClient(upstream.ClientOptions{
		URL: u, User: c.User, Password: passwordIn(c.PasswordFile), RedirectOrigins: c.RedirectOrigins, Timeout: c.Timeout,
		UserAgent: "hallmark/" + version, Observe: h.metrics.Upstream(repo.Name),
	})
	front, err := upstream.New(upstream.Options{
		Name: repo.Name, Format: o.Format, Ledger: kept, Blobs: h.blobs, Client: client, Cache: cache, Keys: keys, Spool: h.spool,
		Refresh: c.Refresh, Limit: int64(h.config.Limits.Upload), Log: h.log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	o.Tree, o.Upstream = front, front
	if err := openPublish(context.Background(), *o, repo); err != nil {
		front.Close()
		return err
	}
	front.Serve(repo.Packages.Publish)
	ready := repo.Ready
	repo.Ready = func(ctx context.Context) error { return errors.Join(ready(ctx), front.Ready(ctx)) }
	repo.Packages.Tree, repo.Packages.Upstream, repo.Packages.UpstreamKeys = front, front, o.Behind.PackageKeys
	repo.Packages.VerifyCache = front.VerifyCache
	h.closers = append(h.closers, front.Close)
	return nil
}

// cacheFolder is where a repository keeps files of its upstream.
func cacheFolder(c *config.Config, repository string) string {
	return filepath.Join(c.Data, "cache", repository)
}

// upstreamKeys reads the keys that check an upstream's index; none if it is trusted without.
func upstreamKeys(file string) (*upstream.Keys, error) {
	if file == "" {
		return upstream.Unverified(), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("upstream.key: %w", err)
	}
	keys, err := upstream.ParseKeys(data, time.Now)
	if err != nil {
		return nil, fmt.Errorf("upstream.key %s: %w", file, err)
	}
	return keys, nil
}

// behindOf returns what a format is told of an upstream.
func behindOf(c *config.Upstream) (*format.Behind, error) {
	b := &format.Behind{}
	if c.PackageKey == "" {
		return b, nil
	}
	data, err := os.ReadFile(c.PackageKey)
	if err != nil {
		return nil, fmt.Errorf("upstream.package_key: %w", err)
	}
	ring, err := signing.ParseKeyring(data, time.Now())
	if err != nil {
		return nil, fmt.Errorf("upstream.package_key %s: %w", c.PackageKey, err)
	}
	b.PackageKeys = ring.Armored()
	return b, nil
}

// passwordIn returns what reads a password, anew each time, from a file with one line. Nil: there is none.
func passwordIn(file string) func() (string, error) {
	if file == "" {
		return nil
	}
	return func() (string, error) {
		data, err := os.ReadFile(file)
		return strings.TrimRight(string(data), "\r\n"), err
	}
}
