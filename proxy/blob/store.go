// Package blob keeps immutable bytes under their SHA-256, on a storage driver of CNCF distribution.
//
// A blob is at packages/sha256/<2 hex>/<62 hex> of the driver. What is at packages/uploads/ is on its way; it is left
// there by a crash, and may be removed when it is a day old.
package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hallmark/proxy/backend"

	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the drivers that config takes
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

const (
	folder  = "/packages/sha256"
	uploads = "/packages/uploads"
)

// small is the size up to which a blob is written in one call of the driver.
const small = 1 << 20

// A Store keeps blobs. It is safe for concurrent use, also by several processes.
type Store struct {
	driver driver.StorageDriver
	root   string // of the filesystem driver, which is told to sync folders; otherwise empty
	keep   Keep
}

// Keep is told of a blob that is there already and is put again. Once it returns nil, whoever removes what nobody names
// leaves the blob alone for an hour, if it has not removed it before. Nil: nobody removes anything.
type Keep func(ctx context.Context, d backend.Digest) error

// Open opens the store on a driver with its parameters, as in the configuration.
func Open(ctx context.Context, name string, parameters map[string]any, keep Keep) (*Store, error) {
	d, err := factory.Create(ctx, name, parameters)
	if err != nil {
		return nil, fmt.Errorf("storage %s: %w", name, err)
	}
	s := &Store{driver: d, keep: keep}
	if name == "filesystem" {
		s.root, _ = parameters["rootdirectory"].(string)
		if err := s.makeFolders(); err != nil {
			return nil, fmt.Errorf("storage %s: %w", name, err)
		}
	}
	return s, nil
}

// makeFolders makes all folders that blobs go to, so that to put one syncs no more than its own folder.
func (s *Store) makeFolders() error {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(s.root, folder, hex.EncodeToString([]byte{byte(i)})), 0o777); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(s.root, uploads), 0o777); err != nil {
		return err
	}
	for dir := filepath.Join(s.root, folder); len(dir) >= len(s.root); dir = filepath.Dir(dir) {
		if err := syncFolder(dir); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func path(d backend.Digest) string {
	name := hex.EncodeToString(d[:])
	return folder + "/" + name[:2] + "/" + name[2:]
}

// Put stores a blob: see [backend.Blobs]. If r does not have the digest and the size, nothing is stored.
func (s *Store) Put(ctx context.Context, d backend.Digest, size int64, r io.Reader) error {
	if err := s.put(ctx, d, size, r); err != nil {
		var hidden driver.Error // which does not unwrap
		full := func(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
		if full(err) || errors.As(err, &hidden) && full(hidden.Detail) {
			err = fmt.Errorf("%w: %w", backend.ErrFull, err)
		}
		return fmt.Errorf("store blob %x: %w", d, err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, d backend.Digest, size int64, r io.Reader) error {
	if kept, err := s.kept(ctx, d, size); err != nil || kept {
		return err
	}
	sum := sha256.New()
	r = io.TeeReader(io.LimitReader(r, size+1), sum)
	check := func(n int64) error {
		if n != size || !bytes.Equal(sum.Sum(nil), d[:]) {
			return fmt.Errorf("its %d bytes have the SHA-256 %x", n, sum.Sum(nil))
		}
		return nil
	}
	if size <= small {
		data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
		n, err := data.ReadFrom(r)
		if err == nil {
			err = check(n)
		}
		if err == nil {
			err = s.driver.PutContent(ctx, path(d), data.Bytes())
		}
		return err
	}
	upload := uploads + "/" + rand.Text()
	if err := s.upload(ctx, upload, r, check); err != nil {
		return errors.Join(err, s.forget(upload))
	}
	if err := s.driver.Move(ctx, upload, path(d)); err != nil {
		return errors.Join(err, s.forget(upload))
	}
	if s.root == "" {
		return nil
	}
	return syncFolder(filepath.Dir(filepath.Join(s.root, path(d))))
}

// kept reports whether a blob is there and stays until the commit that will name it.
func (s *Store) kept(ctx context.Context, d backend.Digest, size int64) (bool, error) {
	there := s.holds(ctx, d, size)
	if !there || s.keep == nil {
		return there, nil
	}
	if err := s.keep(ctx, d); err != nil {
		return false, err
	}
	return s.holds(ctx, d, size), nil // it may have been removed before it was kept
}

func (s *Store) holds(ctx context.Context, d backend.Digest, size int64) bool {
	info, err := s.driver.Stat(ctx, path(d))
	return err == nil && info.Size() == size
}

func (s *Store) upload(ctx context.Context, path string, r io.Reader, check func(int64) error) error {
	w, err := s.driver.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil {
		err = check(n)
	}
	if err == nil {
		err = w.Commit(ctx)
	}
	return errors.Join(err, w.Close())
}

// forget removes an upload that failed. The request may have ended.
func (s *Store) forget(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.driver.Delete(ctx, path)
	if errors.As(err, new(driver.PathNotFoundError)) {
		return nil
	}
	return err
}

// Open returns a blob: see [backend.Blobs].
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
	info, err := s.driver.Stat(ctx, path(d))
	if err != nil {
		if errors.As(err, new(driver.PathNotFoundError)) {
			err = fs.ErrNotExist
		}
		return nil, fmt.Errorf("blob %x: %w", d, err)
	}
	return &remote{ctx: ctx, driver: s.driver, path: path(d), size: info.Size()}, nil
}

type file struct {
	*os.File
	size int64
}

func (f *file) Size() int64 { return f.size }

// Ready returns nil if the storage answers.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.driver.Stat(ctx, folder)
	if errors.As(err, new(driver.PathNotFoundError)) {
		return nil
	}
	return err
}

// Walk calls visit for each blob, with the time at which it was put. It stops at the first error.
func (s *Store) Walk(ctx context.Context, visit func(d backend.Digest, size int64, put time.Time) error) error {
	err := s.driver.Walk(ctx, folder, func(info driver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		name := filepath.Base(filepath.Dir(info.Path())) + filepath.Base(info.Path())
		var d backend.Digest
		if n, err := hex.Decode(d[:], []byte(name)); len(name) != 2*len(d) || err != nil || n != len(d) {
			return nil // not a blob: a crash leaves parts of files
		}
		return visit(d, info.Size(), info.ModTime())
	})
	if errors.As(err, new(driver.PathNotFoundError)) {
		return nil
	}
	return err
}

// Delete removes a blob, unless it was put after a time. It reports whether it did. One process deletes at a time.
func (s *Store) Delete(ctx context.Context, d backend.Digest, before time.Time) (bool, error) {
	info, err := s.driver.Stat(ctx, path(d))
	if err == nil && !info.ModTime().Before(before) {
		return false, nil // another has removed it, and it was put anew
	}
	if err == nil {
		err = s.driver.Delete(ctx, path(d))
	}
	if errors.As(err, new(driver.PathNotFoundError)) {
		return false, nil
	}
	return err == nil, err
}
