// Package hosted keeps a repository in our own ledger and blob store.
package hosted

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/ledger"
	"hallmark/proxy/listing"
)

// A Repository is one repository: a [backend.State] and a [backend.Tree]. All methods may be called concurrently.
type Repository struct {
	name   string
	ledger *ledger.Ledger
	blobs  backend.Blobs
	read   reading
}

// New returns the repository of that name. Blobs are shared by all repositories.
func New(name string, l *ledger.Ledger, blobs backend.Blobs) *Repository {
	return &Repository{name: name, ledger: l, blobs: blobs}
}

// Head implements [backend.State] and [backend.Tree].
func (r *Repository) Head(ctx context.Context) (backend.Head, error) {
	return r.ledger.Head(ctx, r.name)
}

// Get implements [backend.State].
func (r *Repository) Get(ctx context.Context, key string) ([]byte, error) {
	return r.ledger.Get(ctx, r.name, key)
}

// Scan implements [backend.State].
func (r *Repository) Scan(ctx context.Context, prefix string) iter.Seq2[listing.KeyValue, error] {
	return r.ledger.Scan(ctx, r.name, prefix)
}

// Object implements [backend.State].
func (r *Repository) Object(ctx context.Context, d backend.Digest) ([]byte, error) {
	return r.ledger.Object(ctx, d)
}

// Find implements [backend.State].
func (r *Repository) Find(ctx context.Context, paths, slots []string) ([]backend.Package, error) {
	return r.ledger.Find(ctx, r.name, paths, slots)
}

// Commit implements [backend.State].
func (r *Repository) Commit(ctx context.Context, c backend.Commit) error {
	if !r.ledger.Shared() { // otherwise others may have read what we have not
		c.Unread = r.read.unread(time.Now())
	}
	err := r.ledger.Commit(ctx, r.name, c)
	if err == nil {
		r.read.over(c.Base, time.Now())
	}
	return err
}

// Hold implements [backend.Tree].
func (r *Repository) Hold(generation int64) { r.read.mark(generation) }

// Packages implements [backend.Tree].
func (r *Repository) Packages(ctx context.Context) iter.Seq2[backend.Package, error] {
	return r.ledger.Packages(ctx, r.name)
}

// places are where the bytes of files are.
type places struct {
	backend.Blobs
	*ledger.Ledger
}

// Open implements [backend.Tree].
func (r *Repository) Open(ctx context.Context, at int64, paths ...string) (*backend.File, error) {
	var f ledger.File
	err := fs.ErrNotExist
	for _, path := range paths {
		if f, err = r.ledger.File(ctx, r.name, path, at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if f.Index {
		r.read.mark(f.Since)
	}
	open := &backend.File{Path: f.Path, Size: f.Size, Tag: f.Tag, Time: f.Time, Index: f.Index, Lasting: f.Lasting}
	if f.Parts == nil {
		open.ReadSeeker, open.Close = strings.NewReader(string(f.Data)), func() error { return nil }
		return open, nil
	}
	reader := listing.NewReader(ctx, places{r.blobs, r.ledger}, f.Parts)
	open.ReadSeeker, open.Close = reader, reader.Close
	return open, nil
}

// maxLook is how many rows are read at a time to list a folder.
const maxLook = 1000

// List implements [backend.Tree].
func (r *Repository) List(ctx context.Context, folder, after string, limit int) ([]backend.Name, error) {
	from := folder
	if after != "" {
		from = next(folder + after)
	}
	var names []backend.Name
	for len(names) < limit {
		look := min(maxLook, limit)
		files, err := r.ledger.Files(ctx, r.name, from, look)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			rest, inside := strings.CutPrefix(f.Path, folder)
			if !inside || len(names) == limit {
				return names, nil
			}
			if name, _, deeper := strings.Cut(rest, "/"); deeper {
				names = append(names, backend.Name{Name: name + "/"})
				from = next(folder + name + "/")
				break // over all that is below it
			}
			names = append(names, backend.Name{Name: rest, Size: f.Size, Digest: f.Tag, Time: f.Time})
			from = f.Path + "\x01"
		}
		if len(files) == 0 {
			return names, nil
		}
	}
	return names, nil
}

// next returns the first path after a name: for a folder, after all that is below it.
func next(path string) string {
	if folder, ok := strings.CutSuffix(path, "/"); ok {
		return folder + "0" // the character after the slash
	}
	return path + "\x01" // paths hold no control characters
}
