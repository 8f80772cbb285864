package embedded

import (
	"context"
	"errors"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// revisions is a store in which a manifest is there only if it was pushed as one. distribution's cache knows digests and
// not what they are: a manifest that somebody uploads as a blob, which nobody signs, would be served as an image.
type revisions struct {
	distribution.Namespace
	distribution.RepositoryRemover // distribution looks for it
	driver                         driver.StorageDriver
}

// onlyRevisions wraps distribution's own store.
func onlyRevisions(store distribution.Namespace, d driver.StorageDriver) distribution.Namespace {
	remover, ok := store.(distribution.RepositoryRemover)
	if !ok {
		panic("distribution's store cannot remove repositories") // newApp recovers
	}
	return revisions{store, remover, d}
}

func (r revisions) Repository(ctx context.Context, name reference.Named) (distribution.Repository, error) {
	repo, err := r.Namespace.Repository(ctx, name)
	return revisedRepository{repo, r.driver}, err
}

type revisedRepository struct {
	distribution.Repository
	driver driver.StorageDriver
}

func (r revisedRepository) Manifests(ctx context.Context, options ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	ms, err := r.Repository.Manifests(ctx, options...)
	return revisedManifests{ms, r.Named().Name(), r.driver}, err
}

type revisedManifests struct {
	distribution.ManifestService
	name   string
	driver driver.StorageDriver
}

// Exists is false for a digest that was not pushed as a manifest.
func (m revisedManifests) Exists(ctx context.Context, d digest.Digest) (bool, error) {
	if pushed, err := m.pushed(ctx, d); err != nil || !pushed {
		return false, err
	}
	return m.ManifestService.Exists(ctx, d)
}

// Get is distribution.ErrManifestUnknownRevision for a digest that was not pushed as a manifest.
func (m revisedManifests) Get(ctx context.Context, d digest.Digest, options ...distribution.ManifestServiceOption) (distribution.Manifest, error) {
	pushed, err := m.pushed(ctx, d)
	if err != nil {
		return nil, err
	}
	if !pushed {
		return nil, distribution.ErrManifestUnknownRevision{Name: m.name, Revision: d}
	}
	return m.ManifestService.Get(ctx, d, options...)
}

// pushed looks for the link that distribution makes for a manifest; its path is that of the package storage (paths.go).
func (m revisedManifests) pushed(ctx context.Context, d digest.Digest) (bool, error) {
	if err := d.Validate(); err != nil {
		return false, nil
	}
	_, err := m.driver.Stat(ctx, "/docker/registry/v2/repositories/"+m.name+"/_manifests/revisions/"+d.Algorithm().String()+"/"+d.Encoded()+"/link")
	if errors.As(err, new(driver.PathNotFoundError)) {
		return false, nil
	}
	return err == nil, err
}
