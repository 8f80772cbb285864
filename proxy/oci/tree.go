package oci

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hallmark/proxy/oci/manifest"
)

const (
	maxDepth       = 4 // indexes within indexes; deeper ones are not followed
	parallelChilds = 4
)

// signTree signs a manifest and, if it is an index, what belongs to it, children first. What is no image is left alone.
// It returns how many digests got a signature. No lock is held by the caller.
func (w *work) signTree(ctx context.Context, m *manifest.Manifest, tag string, depth int) (added int, err error) {
	if manifest.Classify(m, tag) != manifest.Image {
		return 0, nil
	}
	added, err = w.signChildren(ctx, m, depth)
	if err != nil {
		return added, err
	}
	unlock, err := w.locks.lock(ctx, w.name, m.Digest)
	if err != nil {
		return added, err
	}
	defer unlock()
	s, err := w.signAll(ctx, m)
	if err == nil && (s.after != "" || len(s.bundles) > 0) {
		added++
	}
	return added, err
}

// signChildren signs the manifests that an index names and the registry has. One that is not there yet is signed when
// it is pushed; one that cannot be signed was there before us, and is served as it is.
func (w *work) signChildren(ctx context.Context, index *manifest.Manifest, depth int) (added int, err error) {
	if depth >= maxDepth {
		return 0, nil
	}
	var total atomic.Int64
	seen := make(map[string]bool)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelChilds)
	for _, child := range index.Manifests {
		if seen[child.Digest] || !strings.HasPrefix(child.Digest, "sha256:") {
			continue
		}
		seen[child.Digest] = true
		g.Go(func() error {
			stored, err := w.Manifest(ctx, w.name, child.Digest)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			m, err := manifest.Parse(stored.MediaType, stored.Body)
			if err != nil {
				w.Log.Warn("a child of an index cannot be signed", "name", w.name, "digest", child.Digest, "error", err)
				return nil
			}
			n, err := w.signTree(ctx, m, "", depth+1)
			total.Add(int64(n))
			return err
		})
	}
	err = g.Wait()
	return int(total.Load()), err
}
