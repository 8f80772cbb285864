package embedded

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage/driver"

	"hallmark/proxy/oci"
)

// translate gives an error of distribution the meaning that oci.Session promises.
func translate(err error) error {
	var (
		manifest distribution.ErrManifestUnknown
		revision distribution.ErrManifestUnknownRevision
		tag      distribution.ErrTagUnknown
		repo     distribution.ErrRepositoryUnknown
		path     driver.PathNotFoundError
		invalid  distribution.ErrManifestVerification
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, distribution.ErrBlobUnknown), errors.As(err, &manifest), errors.As(err, &revision),
		errors.As(err, &tag), errors.As(err, &repo), errors.As(err, &path):
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	case errors.As(err, &invalid):
		for _, e := range invalid {
			if _, ok := e.(distribution.ErrManifestBlobUnknown); ok {
				return fmt.Errorf("%w: %w", err, oci.ErrBlobUnknown)
			}
		}
	}
	return err
}
