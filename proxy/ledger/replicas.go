package ledger

import (
	"context"
	"database/sql"
	"time"

	"hallmark/proxy/backend"
)

// What follows is for processes that share a database, the replicas. With SQLite it works as well, for one.

const (
	selectRing    = `SELECT purpose, fingerprint FROM ring WHERE repository = $1 ORDER BY purpose, fingerprint`
	deleteRing    = `DELETE FROM ring WHERE repository = $1`
	insertRingKey = `INSERT INTO ring (repository, purpose, fingerprint) VALUES ($1, $2, $3)`

	insertSecret = `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	selectSecret = `SELECT value FROM secrets WHERE name = $1`

	insertKept = `INSERT INTO kept (digest, time) VALUES ($1, $2) ON CONFLICT (digest) DO UPDATE SET time = excluded.time`
	isKept     = `SELECT EXISTS (SELECT 1 FROM kept WHERE digest = $1 AND time >= $2)`
	deleteKept = `DELETE FROM kept WHERE time < $1`
)

// A RingKey is a public key of a repository's ring.
type RingKey struct {
	Purpose     string
	Fingerprint string
}

// Ring returns the keys that are recorded for a repository, by purpose and fingerprint; none if nobody has recorded any.
func (l *Ledger) Ring(ctx context.Context, repository string) ([]RingKey, error) {
	ring, err := scanRing(l.read.QueryContext(ctx, selectRing, repository))
	if err != nil {
		return nil, l.failRead("read the keys of "+repository, err)
	}
	return ring, nil
}

// RecordRing records the keys of a repository unless there are some, and returns those that are recorded then. Of several
// processes that call it at once, one records its keys, and all get these.
func (l *Ledger) RecordRing(ctx context.Context, repository string, keys []RingKey) (ring []RingKey, err error) {
	err = l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if ring, err = scanRing(tx.QueryContext(ctx, selectRing, repository)); err != nil || len(ring) > 0 {
			return err
		}
		ring = keys
		return insertRing(ctx, tx, repository, keys)
	})
	if err != nil {
		return nil, l.fail("record the keys of "+repository, err)
	}
	return ring, nil
}

// ReplaceRing records the keys of a repository, whatever was recorded before.
func (l *Ledger) ReplaceRing(ctx context.Context, repository string, keys []RingKey) error {
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, deleteRing, repository); err != nil {
			return err
		}
		return insertRing(ctx, tx, repository, keys)
	})
	if err != nil {
		return l.fail("record the keys of "+repository, err)
	}
	return nil
}

func insertRing(ctx context.Context, tx *sql.Tx, repository string, keys []RingKey) error {
	for _, k := range keys {
		if _, err := tx.ExecContext(ctx, insertRingKey, repository, k.Purpose, k.Fingerprint); err != nil {
			return err
		}
	}
	return nil
}

func scanRing(rows *sql.Rows, err error) ([]RingKey, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ring []RingKey
	for rows.Next() {
		var k RingKey
		if err := rows.Scan(&k.Purpose, &k.Fingerprint); err != nil {
			return nil, err
		}
		ring = append(ring, k)
	}
	return ring, rows.Err()
}

// Secret returns the secret of that name. Where there is none yet, fresh is kept as such; of several processes that call
// it at once, all get the same.
func (l *Ledger) Secret(ctx context.Context, name, fresh string) (secret string, err error) {
	err = l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, insertSecret, name, fresh); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, selectSecret, name).Scan(&secret)
	})
	if err != nil {
		return "", l.fail("read the secret "+name, err)
	}
	return secret, nil
}

// Keep keeps [Ledger.Sweep] from removing a blob, as if it had been stored now.
func (l *Ledger) Keep(ctx context.Context, d backend.Digest, now time.Time) error {
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertKept, d[:], now.UnixMicro())
		return err
	})
	if err != nil {
		return l.fail("keep a blob", err)
	}
	return nil
}

// Sweep calls remove unless the blob was kept since a time. A call of [Ledger.Keep], in any process, returns before that
// is decided, or after remove has returned, which may be called more than once.
func (l *Ledger) Sweep(ctx context.Context, d backend.Digest, since time.Time, remove func(context.Context) error) error {
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var kept bool
		if err := tx.QueryRowContext(ctx, isKept, d[:], since.UnixMicro()).Scan(&kept); err != nil || kept {
			return err
		}
		return remove(ctx)
	})
	if err != nil {
		return l.fail("sweep a blob", err)
	}
	return nil
}

// PruneKept forgets what was kept before a time.
func (l *Ledger) PruneKept(ctx context.Context, before time.Time) error {
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, deleteKept, before.UnixMicro())
		return err
	})
	if err != nil {
		return l.fail("forget what was kept", err)
	}
	return nil
}
