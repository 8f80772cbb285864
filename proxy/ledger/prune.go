package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
)

const (
	// The newest generation that was superseded before a time: readers of it have had their time.
	lastBefore       = `SELECT COALESCE(MAX(generation), 0) FROM generations WHERE repository = $1 AND time < $2`
	pruneFiles       = `DELETE FROM files WHERE repository = $1 AND until <= $2 AND until <> 9223372036854775807`
	pruneGenerations = `DELETE FROM generations WHERE repository = $1 AND generation < $2`
	prunePackages    = `DELETE FROM packages WHERE repository = $1 AND removed <> 0 AND removed < $2`
	pruneObject      = `DELETE FROM objects WHERE digest = $1 AND time < $2`

	allParts     = `SELECT parts FROM files WHERE parts IS NOT NULL`
	oldObjects   = `SELECT digest FROM objects WHERE time < $1`
	repositories = `SELECT name FROM repositories ORDER BY name`
)

// Prune forgets generations of a repository that were superseded before a time, with the files that only they had, and
// packages that were removed before it.
func (l *Ledger) Prune(ctx context.Context, repository string, before time.Time) error {
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var last int64
		if err := tx.QueryRowContext(ctx, lastBefore, repository, before.UnixMicro()).Scan(&last); err != nil {
			return err
		}
		for _, prune := range []struct {
			text string
			arg  int64
		}{{pruneFiles, last}, {pruneGenerations, last}, {prunePackages, before.UnixMicro()}} {
			if _, err := tx.ExecContext(ctx, prune.text, repository, prune.arg); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return l.fail("forget old generations of "+repository, err)
	}
	return nil
}

// Named yields the blobs and objects that are named by files or by the state of a listing, of all repositories. It may
// yield one more than once, and ends after the first error.
func (l *Ledger) Named(ctx context.Context) iter.Seq2[listing.Reference, error] {
	return func(yield func(listing.Reference, error) bool) {
		const what = "look for what is named"
		names, err := l.names(ctx)
		if err != nil {
			yield(listing.Reference{}, l.failRead(what, err))
			return
		}
		for _, name := range names {
			for ref, err := range listing.References(ctx, stateOf{l, name}) {
				if !yield(ref, err) || err != nil {
					return
				}
			}
		}
		rows, err := l.read.QueryContext(ctx, allParts)
		if err != nil {
			yield(listing.Reference{}, l.failRead(what, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var data []byte
			var parts listing.Parts
			err := rows.Scan(&data)
			if err == nil {
				parts, err = listing.DecodeParts(data)
			}
			if err != nil {
				yield(listing.Reference{}, l.failRead(what, err))
				return
			}
			for d, object := range parts.Digests() {
				if !yield(listing.Reference{Digest: d, Object: object}, nil) {
					return
				}
			}
		}
		if err := rows.Err(); err != nil {
			yield(listing.Reference{}, l.failRead(what, err))
		}
	}
}

// stateOf is the state of one repository as a [listing.Store].
type stateOf struct {
	*Ledger
	repository string
}

func (s stateOf) Get(ctx context.Context, key string) ([]byte, error) {
	return s.Ledger.Get(ctx, s.repository, key)
}

func (s stateOf) Scan(ctx context.Context, prefix string) iter.Seq2[listing.KeyValue, error] {
	return s.Ledger.Scan(ctx, s.repository, prefix)
}

func (l *Ledger) names(ctx context.Context) ([]string, error) {
	rows, err := l.read.QueryContext(ctx, repositories)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// PruneObjects removes objects that no commit has named since a time and that named does not hold. It returns how many.
func (l *Ledger) PruneObjects(ctx context.Context, before time.Time, named func(backend.Digest) bool) (removed int, err error) {
	const what = "remove old objects"
	rows, err := l.read.QueryContext(ctx, oldObjects, before.UnixMicro())
	if err != nil {
		return 0, l.failRead(what, err)
	}
	var old []backend.Digest
	for rows.Next() {
		var d []byte
		if err = rows.Scan(&d); err != nil {
			break
		}
		if len(d) != len(backend.Digest{}) {
			err = fmt.Errorf("an object has a digest of %d bytes", len(d))
			break
		}
		if !named(backend.Digest(d)) {
			old = append(old, backend.Digest(d))
		}
	}
	if err == nil {
		err = rows.Err()
	}
	rows.Close()
	if err != nil {
		return 0, l.failRead(what, err)
	}
	const chunk = 500 // so that commits need not wait for long
	for len(old) > 0 {
		n := min(chunk, len(old))
		err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
			for _, d := range old[:n] {
				if _, err := tx.ExecContext(ctx, pruneObject, d[:], before.UnixMicro()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return removed, l.fail(what, err)
		}
		removed += n
		old = old[n:]
	}
	return removed, nil
}
