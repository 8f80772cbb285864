package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"hallmark/proxy/backend"
)

// walk returns what is in the folder, the longest unused first, and removes what does not belong there.
func (c *Cache) walk() ([]*entry, error) {
	var found []*entry
	err := walkCache(c.dir, func(file string, e *entry, ok bool) error {
		if !ok || file != c.path(e) {
			return os.Remove(file)
		}
		found = append(found, e)
		return nil
	})
	slices.SortFunc(found, func(a, b *entry) int { return a.used.Compare(b.used) })
	// Two digests of one key: the process was killed between the removal of one and the arrival of the other.
	newest := map[Key]*entry{}
	for _, e := range found {
		if old := newest[e.key]; old != nil {
			os.Remove(c.path(old))
		}
		newest[e.key] = e
	}
	return slices.DeleteFunc(found, func(e *entry) bool { return newest[e.key] != e }), err
}

// walkCache calls visit for every file in the folder of a cache. It is not ok if the file's name tells of no entry.
func walkCache(dir string, visit func(file string, e *entry, ok bool) error) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file == filepath.Join(dir, "tmp"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		e, ok := parseEntry(d.Name())
		e.size, e.used, e.marked = info.Size(), info.ModTime(), info.ModTime()
		return visit(file, &e, ok && d.Type().IsRegular())
	})
}

// CacheUsage returns how many files there are in the folder of a [Cache], which may be in use, and how many bytes they
// have together. A folder that is not there has none.
func CacheUsage(dir string) (files int, bytes int64, err error) {
	err = walkCache(dir, func(_ string, e *entry, ok bool) error {
		if ok {
			files, bytes = files+1, bytes+e.size
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return files, bytes, nil
	}
	return files, bytes, err
}

// VerifyCache reads every file in the folder of a [Cache], which may be in use, and tells report of each whose bytes are
// not those of its digest. It changes nothing. A folder that is not there has no files.
func VerifyCache(ctx context.Context, dir string, report func(file string, fault error)) (files int, err error) {
	err = walkCache(dir, func(file string, e *entry, ok bool) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !ok {
			return nil
		}
		got, err := digestFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			report(file, err)
		case got != e.digest:
			report(file, fmt.Errorf("its SHA-256 is %x, and was %x when it came", got, e.digest))
		}
		files++
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	return files, err
}

func digestFile(file string) (d backend.Digest, err error) {
	f, err := os.Open(file)
	if err != nil {
		return d, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return d, err
	}
	return backend.Digest(h.Sum(nil)), nil
}
