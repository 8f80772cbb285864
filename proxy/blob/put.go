package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"hallmark/proxy/backend"

	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// The sizes up to which a blob is written in one call of the driver: in general, and to an object store, where a part of
// an upload would be as big in memory.
const (
	small       = 1 << 20
	smallObject = 5 << 20
)

// slowest is the rate, in bytes a second, below which a put is given up.
const slowest = 256 << 10

// Put stores a blob: see [backend.Blobs]. If r does not have the digest and the size, nothing is stored.
func (s *Store) Put(ctx context.Context, d backend.Digest, size int64, r io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, patience+time.Duration(size/slowest)*time.Second)
	defer cancel()
	err := s.put(ctx, d, size, r)
	switch {
	case err == nil:
		return nil
	case full(err):
		err = fmt.Errorf("%w: %w", backend.ErrFull, err)
	default:
		if err = plain(ctx, err); errors.Is(err, fs.ErrNotExist) {
			err = errors.New("a file on its way is gone") // nobody has asked for anything that there is not
		}
	}
	return fmt.Errorf("store blob %x: %w", d, err)
}

// full reports whether an error is of a disk without space, also where the driver has failed to clean up after it.
func full(err error) bool {
	if hidden := (driver.Error{}); errors.As(err, &hidden) { // which does not unwrap
		err = errors.Join(err, hidden.Detail)
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (s *Store) put(ctx context.Context, d backend.Digest, size int64, r io.Reader) error {
	if kept, err := s.kept(ctx, d, size); kept || err != nil {
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
	switch {
	case size <= small, s.object && size <= smallObject:
		data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
		n, err := data.ReadFrom(r)
		if err == nil {
			err = check(n)
		}
		if err == nil {
			err = s.driver.PutContent(ctx, path(d), data.Bytes())
		}
		return err
	case s.object:
		return s.upload(ctx, path(d), r, check)
	}
	upload := uploads + "/" + rand.Text()
	err := s.upload(ctx, upload, r, check)
	if err == nil {
		if err = s.driver.Move(ctx, upload, path(d)); err != nil {
			err = errors.Join(err, s.forget(upload))
		}
	}
	if err != nil || s.root == "" {
		return err
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
	info, err := s.stat(ctx, d)
	return err == nil && info.Size() == size
}

// upload writes what r has, and lets it be seen if check agrees.
func (s *Store) upload(ctx context.Context, path string, r io.Reader, check func(int64) error) error {
	w, err := s.driver.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil {
		err = check(n)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // the request may have ended
		defer cancel()
		err = errors.Join(err, w.Cancel(ctx))
		w.Close() // for the sake of its buffer: it may try to go on, and must fail
		return err
	}
	return errors.Join(w.Commit(ctx), w.Close())
}

// forget removes an upload that failed. The request may have ended.
func (s *Store) forget(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.driver.Delete(ctx, path)
	if errors.As(err, new(driver.PathNotFoundError)) {
		return nil
	}
	return err
}
