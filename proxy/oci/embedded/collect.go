package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"

	"hallmark/proxy/oci"
)

// abandonedUpload is how old an upload must be to be given up.
const abandonedUpload = 24 * time.Hour

// Names calls f for each image name that the registry has, in no particular order.
func (r *Registry) Names(ctx context.Context, f func(name string) error) error {
	err := r.app.Load().store.(distribution.RepositoryEnumerator).Enumerate(ctx, f)
	if err = translate(err); errors.Is(err, fs.ErrNotExist) {
		return nil // an empty registry has no folder yet
	}
	return err
}

// Tags returns the tags of an image, sorted.
func (r *Registry) Tags(ctx context.Context, name string) ([]string, error) {
	repo, err := session{r.app.Load().store}.repository(ctx, name)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx).All(ctx)
	if err = translate(err); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return tags, err
}

// Sweep removes the blobs that no manifest names, uploads that were given up a day ago, and, if untagged is set, the
// manifests that neither a tag nor a tagged index names. Nobody may push meanwhile; reading goes on.
func (r *Registry) Sweep(ctx context.Context, untagged bool) error {
	a := r.app.Load()
	// A store without a cache sees the disk as it is.
	store, err := storage.NewRegistry(ctx, a.driver, storage.EnableDelete)
	if err != nil {
		return err
	}
	if _, err := a.driver.Stat(ctx, "/docker/registry/v2/repositories"); err != nil {
		if errors.As(err, new(driver.PathNotFoundError)) {
			return nil // nothing was ever pushed
		}
		return err
	}
	if _, faults := storage.PurgeUploads(ctx, a.driver, time.Now().Add(-abandonedUpload), true); len(faults) > 0 {
		return fmt.Errorf("remove abandoned uploads: %w", errors.Join(faults...))
	}
	if err := storage.MarkAndSweep(ctx, a.driver, store, storage.GCOpts{RemoveUntagged: untagged, Quiet: true}); err != nil {
		return fmt.Errorf("remove what nothing names: %w", err)
	}
	if r.options.Driver == volatile {
		return nil
	}
	// The cache of the old handlers still knows blobs that have gone, and would let clients skip their upload.
	fresh, err := newApp(r.options)
	if err != nil {
		return err
	}
	r.app.Store(fresh)
	return nil
}

// Size returns the number and bytes of the blobs that are stored.
func (r *Registry) Size(ctx context.Context) (blobs int, bytes int64, err error) {
	err = r.app.Load().driver.Walk(ctx, "/docker/registry/v2/blobs", func(fi driver.FileInfo) error {
		if !fi.IsDir() && path.Base(fi.Path()) == "data" {
			blobs++
			bytes += fi.Size()
		}
		return nil
	})
	if err = translate(err); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return blobs, bytes, err
}

var _ oci.Registry = (*Registry)(nil)
