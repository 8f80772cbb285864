// Package blob keeps immutable bytes under their SHA-256, on a storage driver of CNCF distribution.
//
// A blob is at packages/sha256/<2 hex>/<62 hex> of the driver. What is at packages/uploads/ is on its way; it is left
// there by a crash, and may be removed when it is a day old. On S3 nothing ever is there: a multipart upload makes its
// blob visible when it is complete. What a crash leaves of one is for the bucket's lifecycle rule.
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hallmark/proxy/backend"

	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the drivers that config takes
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"
)

const (
	folder  = "/packages/sha256"
	uploads = "/packages/uploads"
)

// patience is how long one call of the driver may take that carries little. An object store that takes a request and
// never answers must not hold up a commit for ever.
const patience = time.Minute

// A Store keeps blobs. It is safe for concurrent use, also by several processes.
type Store struct {
	driver driver.StorageDriver
	root   string // of the filesystem driver, which is told to sync folders; otherwise empty
	object bool   // the driver is an object store's
	keep   Keep
	sizes  sizes
}

// Keep is told of a blob that is there already and is put again. Once it returns nil, whoever removes what nobody names
// leaves the blob alone for an hour, if it has not removed it before. Nil: nobody removes anything.
type Keep func(ctx context.Context, d backend.Digest) error

// Open opens the store on a driver with its parameters, as in the configuration. The storage must answer.
func Open(ctx context.Context, name string, parameters map[string]any, keep Keep) (*Store, error) {
	d, err := factory.Create(ctx, name, parameters)
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", name, err)
	}
	s := &Store{driver: d, object: name == "s3", keep: keep}
	if name == "filesystem" {
		s.root, _ = parameters["rootdirectory"].(string)
		err = s.makeFolders()
	} else {
		err = s.Ready(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", name, err)
	}
	return s, nil
}

func path(d backend.Digest) string {
	name := hex.EncodeToString(d[:])
	return folder + "/" + name[:2] + "/" + name[2:]
}

// Open returns a blob: see [backend.Blobs]. If it was there a while ago and another process has deleted it since, the
// first read may be what tells, by an error that wraps fs.ErrNotExist.
func (s *Store) Open(ctx context.Context, d backend.Digest) (backend.Blob, error) {
	if s.root != "" {
		f, err := os.Open(filepath.Join(s.root, path(d)))
		if err != nil {
			return nil, fmt.Errorf("blob %x: %w", d, err)
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("blob %x: %w", d, err)
		}
		return &file{f, info.Size()}, nil
	}
	size, known := s.sizes.get(d)
	if !known {
		info, err := s.stat(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("blob %x: %w", d, err)
		}
		size = info.Size()
		s.sizes.set(d, size)
	}
	return &remote{ctx: ctx, driver: s.driver, path: path(d), size: size}, nil
}

type file struct {
	*os.File
	size int64
}

func (f *file) Size() int64 { return f.size }

// stat returns what the driver knows of a blob. The error wraps fs.ErrNotExist if there is none.
func (s *Store) stat(ctx context.Context, d backend.Digest) (driver.FileInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	info, err := s.driver.Stat(ctx, path(d))
	return info, plain(ctx, err)
}

// Ready returns nil if the storage answers.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := s.driver.Stat(ctx, folder)
	if err = plain(ctx, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Walk calls visit for each blob, with the time at which it was put. It stops at the first error.
func (s *Store) Walk(ctx context.Context, visit func(d backend.Digest, size int64, put time.Time) error) error {
	var visited error // which the driver may hide
	err := s.driver.Walk(ctx, folder, func(info driver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		name := filepath.Base(filepath.Dir(info.Path())) + filepath.Base(info.Path())
		var d backend.Digest
		if n, err := hex.Decode(d[:], []byte(name)); len(name) != 2*len(d) || err != nil || n != len(d) {
			return nil // not a blob: a crash leaves parts of files
		}
		visited = visit(d, info.Size(), info.ModTime())
		return visited
	})
	if visited != nil {
		return visited
	}
	if err = plain(ctx, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Delete removes a blob, unless it was put after a time. It reports whether it did. One process deletes at a time.
func (s *Store) Delete(ctx context.Context, d backend.Digest, before time.Time) (bool, error) {
	defer s.sizes.forget(d)
	info, err := s.stat(ctx, d)
	if err == nil && !info.ModTime().Before(before) {
		return false, nil // another has removed it, and it was put anew
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err = plain(ctx, s.driver.Delete(ctx, path(d)))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("delete blob %x: %w", d, err)
	}
	return true, nil
}

// plain gives an error of a driver the meaning that ours have: fs.ErrNotExist, and that of a context which has ended.
func plain(ctx context.Context, err error) error {
	if hidden := (driver.Error{}); errors.As(err, &hidden) { // which does not unwrap
		err = fmt.Errorf("%s: %w", hidden.DriverName, hidden.Detail)
	}
	switch {
	case errors.As(err, new(driver.PathNotFoundError)):
		return fs.ErrNotExist
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}
