package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
)

const (
	packageColumns = `path, name, version, arch, slot, variant, shard, uploaded, digest, size, pusher, time, record, removed`
	packageAt      = `SELECT ` + packageColumns + ` FROM packages WHERE repository = $1 AND path = $2`
	packagesAt     = `SELECT ` + packageColumns + ` FROM packages WHERE repository = $1
		AND path IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	packageIn    = `SELECT ` + packageColumns + ` FROM packages WHERE repository = $1 AND slot = $2 AND slot <> '' AND removed = 0`
	packagesFrom = `SELECT ` + packageColumns + ` FROM packages WHERE repository = $1 AND path > $2 AND removed = 0 ORDER BY path LIMIT 500`

	fileColumns = `path, since, until, is_index, lasting, size, tag, time, data, parts`
	fileNow     = `SELECT ` + fileColumns + ` FROM files WHERE repository = $1 AND path = $2 AND until = 9223372036854775807`
	fileThen    = `SELECT ` + fileColumns + ` FROM files WHERE repository = $1 AND path = $2 AND since <= $3 ORDER BY since DESC LIMIT 1`
	fileLasting = `SELECT ` + fileColumns + ` FROM files WHERE repository = $1 AND path = $2 AND lasting = 1 ORDER BY since DESC LIMIT 1`
	filesFrom   = `SELECT ` + fileColumns + ` FROM files WHERE repository = $1 AND path >= $2 AND until = 9223372036854775807 ORDER BY path LIMIT $3`

	selectObject = `SELECT data FROM objects WHERE digest = $1`
	selectState  = `SELECT value FROM state WHERE repository = $1 AND key = $2`
	scanState    = `SELECT key, value FROM state WHERE repository = $1 AND key >= $2 AND key < $3 ORDER BY key`
)

// A File is a row of the tree.
type File struct {
	Path           string
	Since, Until   int64 // the generations since <= g < until
	Index, Lasting bool
	backend.Content
	Time time.Time
}

// Current reports whether the file is in the newest generation.
func (f *File) Current() bool { return f.Until == forever }

// Find returns packages by path or slot: see [backend.State].
func (l *Ledger) Find(ctx context.Context, repository string, paths, slots []string) ([]backend.Package, error) {
	var found []backend.Package
	look := func(statement *sql.Stmt, values ...string) error {
		args := []any{repository}
		for _, value := range values {
			args = append(args, value)
		}
		rows, err := statement.QueryContext(ctx, args...)
		if err == nil {
			found, err = appendPackages(found, rows)
		}
		if err != nil {
			return l.failRead(fmt.Sprintf("look for %s in %s", values[0], repository), err)
		}
		return nil
	}
	for some := range slices.Chunk(paths, pathsAtOnce) {
		statement := l.packageAt
		if len(some) > 1 {
			statement = l.packagesAt
			some = append(some, slices.Repeat(some[:1], pathsAtOnce-len(some))...)
		}
		if err := look(statement, some...); err != nil {
			return nil, err
		}
	}
	for _, slot := range slots {
		if err := look(l.packageIn, slot); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// pathsAtOnce is how many paths packagesAt takes.
const pathsAtOnce = 16

// Packages yields all packages of a repository in the order of their paths. Those that come or go meanwhile may be
// missing or not.
func (l *Ledger) Packages(ctx context.Context, repository string) iter.Seq2[backend.Package, error] {
	return func(yield func(backend.Package, error) bool) {
		for after := ""; ; {
			rows, err := l.packagesFrom.QueryContext(ctx, repository, after)
			var page []backend.Package
			if err == nil {
				page, err = appendPackages(nil, rows)
			}
			if err != nil {
				yield(backend.Package{}, l.failRead("read the packages of "+repository, err))
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].Path
		}
	}
}

func appendPackages(to []backend.Package, rows *sql.Rows) ([]backend.Package, error) {
	defer rows.Close()
	for rows.Next() {
		var p backend.Package
		var uploaded, digest []byte
		var at, removed int64
		if err := rows.Scan(&p.Path, &p.Name, &p.Version, &p.Arch, &p.Slot, &p.Variant, &p.Shard, &uploaded, &digest, &p.Size, &p.By,
			&at, &p.Record, &removed); err != nil {
			return nil, err
		}
		if len(uploaded) != len(p.Uploaded) || len(digest) != len(p.Digest) {
			return nil, fmt.Errorf("the row of %s has a digest of %d bytes", p.Path, len(digest))
		}
		p.Uploaded, p.Digest, p.Time = backend.Digest(uploaded), backend.Digest(digest), time.UnixMicro(at).UTC()
		if removed != 0 {
			p.Removed = time.UnixMicro(removed).UTC()
		}
		to = append(to, p)
	}
	return to, rows.Err()
}

// File returns the file at a path in a generation, or in the current one: see [backend.Tree]. The error wraps
// fs.ErrNotExist if there is none.
func (l *Ledger) File(ctx context.Context, repository, path string, at int64) (File, error) {
	var f File
	var err error
	if at == backend.Current {
		f, err = scanFile(l.fileNow.QueryRowContext(ctx, repository, path))
		if errors.Is(err, sql.ErrNoRows) {
			f, err = scanFile(l.fileLasting.QueryRowContext(ctx, repository, path))
		}
	} else {
		f, err = scanFile(l.fileThen.QueryRowContext(ctx, repository, path, at))
		if err == nil && f.Until <= at {
			err = sql.ErrNoRows
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return File{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return File{}, l.failRead(fmt.Sprintf("look for %s in %s", path, repository), err)
	}
	return f, nil
}

// Files returns at most limit files of the current generation, in the order of their paths, from the path from on.
func (l *Ledger) Files(ctx context.Context, repository, from string, limit int) ([]File, error) {
	what := "list files of " + repository
	rows, err := l.filesFrom.QueryContext(ctx, repository, from, limit)
	if err != nil {
		return nil, l.failRead(what, err)
	}
	defer rows.Close()
	var all []File
	for rows.Next() {
		f, err := scanFile(rows)
		if err != nil {
			return nil, l.failRead(what, err)
		}
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		return nil, l.failRead(what, err)
	}
	return all, nil
}

func scanFile(row interface{ Scan(...any) error }) (File, error) {
	var f File
	var isIndex, lasting int
	var tag, parts []byte
	var at int64
	if err := row.Scan(&f.Path, &f.Since, &f.Until, &isIndex, &lasting, &f.Size, &tag, &at, &f.Data, &parts); err != nil {
		return File{}, err
	}
	f.Index, f.Lasting, f.Time = isIndex == 1, lasting == 1, time.UnixMicro(at).UTC()
	if len(tag) != len(f.Tag) {
		return File{}, fmt.Errorf("the row of %s has a tag of %d bytes", f.Path, len(tag))
	}
	f.Tag = backend.Digest(tag)
	if parts != nil {
		var err error
		if f.Parts, err = listing.DecodeParts(parts); err != nil {
			return File{}, fmt.Errorf("the row of %s: %w", f.Path, err)
		}
	}
	return f, nil
}

// Object returns a small immutable piece of files. The error wraps fs.ErrNotExist if there is none.
func (l *Ledger) Object(ctx context.Context, d backend.Digest) ([]byte, error) {
	var data []byte
	err := l.object.QueryRowContext(ctx, d[:]).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("object %x: %w", d, fs.ErrNotExist)
	}
	if err != nil {
		return nil, l.failRead("read an object", err)
	}
	return data, nil
}

// Get returns a value of a repository's state. The error wraps fs.ErrNotExist if there is none.
func (l *Ledger) Get(ctx context.Context, repository, key string) ([]byte, error) {
	var value []byte
	err := l.state.QueryRowContext(ctx, repository, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	if err != nil {
		return nil, l.failRead("read the state of "+repository, err)
	}
	return value, nil
}

// Scan yields the keys of a repository's state that begin with prefix, in their order, with their values.
func (l *Ledger) Scan(ctx context.Context, repository, prefix string) iter.Seq2[listing.KeyValue, error] {
	return func(yield func(listing.KeyValue, error) bool) {
		rows, err := l.scan.QueryContext(ctx, repository, prefix, after(prefix))
		if err != nil {
			yield(listing.KeyValue{}, l.failRead("read the state of "+repository, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var kv listing.KeyValue
			if err := rows.Scan(&kv.Key, &kv.Value); err != nil {
				yield(listing.KeyValue{}, l.failRead("read the state of "+repository, err))
				return
			}
			if !yield(kv, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(listing.KeyValue{}, l.failRead("read the state of "+repository, err))
		}
	}
}

// after returns the first string after all that begin with prefix, whose last byte is below 0x7f.
func after(prefix string) string {
	if prefix == "" {
		return "\xf4\x8f\xbf\xbf" // the last character of all
	}
	last := len(prefix) - 1
	return strings.Clone(prefix[:last]) + string(prefix[last]+1)
}
