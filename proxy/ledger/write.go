package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

const (
	lastSignature   = `SELECT COALESCE(MAX(id), 0) FROM signatures`
	insertSignature = `INSERT INTO signatures
		(id, time, repository, name, digest, scheme, key, pusher, request, message, value, state, leaf)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	voidSignature  = `UPDATE signatures SET state = 'void' WHERE id = $1`
	insertReferrer = `INSERT INTO referrers (repository, name, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
)

// Append records signatures and returns their IDs, in the order of the rows, which are neighbours in the log. It sets
// ID, State and Leaf itself. The rows are durable once it returns nil; on an error none of them is there.
//
// Callers that come at the same time share one transaction and one sync of the disk, but not their failures. A row that
// is incomplete or holds control characters fails its own caller alone. If ctx ends before the rows are taken, nothing
// is written; after that, Append waits for the outcome, so that its answer is always certain. That takes milliseconds,
// and longer only where another program has locked the database: seconds with SQLite, a minute with PostgreSQL.
func (l *Ledger) Append(ctx context.Context, rows ...Signature) ([]int64, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	leaves, err := makeLeaves(rows)
	if err != nil {
		return nil, err
	}
	var ids []int64
	err = l.do(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		ids, err = l.insertSignatures(ctx, tx, rows, leaves)
		return err
	})
	if err != nil {
		return nil, l.fail("record a signature", err)
	}
	return ids, nil
}

// makeLeaves checks rows and returns the leaf of each.
func makeLeaves(rows []Signature) ([][]byte, error) {
	leaves := make([][]byte, len(rows))
	for i := range rows {
		s := &rows[i]
		err := s.check()
		if err == nil {
			leaves[i], err = s.leaf()
		}
		if err != nil {
			return nil, fmt.Errorf("record the signature of %s/%s@%s: %w", s.Repository, s.Name, s.Digest, err)
		}
	}
	return leaves, nil
}

// insertSignatures adds rows at the end of the log.
func (l *Ledger) insertSignatures(ctx context.Context, tx *sql.Tx, rows []Signature, leaves [][]byte) (ids []int64, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var last int64
	if err := tx.StmtContext(ctx, l.last).QueryRowContext(ctx).Scan(&last); err != nil {
		return nil, err
	}
	insert := tx.StmtContext(ctx, l.insert)
	ids = make([]int64, len(rows))
	for i, s := range rows {
		ids[i] = last + 1 + int64(i)
		if _, err := insert.ExecContext(ctx, ids[i], s.Time.UnixMicro(), s.Repository, s.Name, s.Digest, s.Scheme, s.Key,
			s.By, s.Request, s.Message, s.Value, string(Made), string(leaves[i])); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Void says of signatures that they do not count. It may be repeated. If one of the IDs is unknown, the error wraps
// fs.ErrNotExist and no row is changed.
func (l *Ledger) Void(ctx context.Context, ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		void := tx.StmtContext(ctx, l.void)
		for _, id := range ids {
			result, err := void.ExecContext(ctx, id)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				return fmt.Errorf("signature %d: %w", id, fs.ErrNotExist)
			}
		}
		return nil
	})
	if err != nil {
		return l.fail("void signatures", err)
	}
	return nil
}

// NoteReferrer remembers that a Sigstore bundle which is not ours names subject, a digest that was not signed at that
// time. It may be repeated, which costs a read.
func (l *Ledger) NoteReferrer(ctx context.Context, repository, name, subject string) error {
	if known, err := l.HasReferrer(ctx, repository, name, subject); err != nil || known {
		return err
	}
	err := l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, l.note).ExecContext(ctx, repository, name, subject)
		return err
	})
	if err != nil {
		return l.fail("note a referrer", err)
	}
	return nil
}

// A change is something to be written: all of it or nothing.
type change struct {
	ctx   context.Context // the caller's
	apply func(context.Context, *sql.Tx) error
	done  chan error
}

// do hands a change to the writer and waits until it is durable, or has failed.
func (l *Ledger) do(ctx context.Context, apply func(context.Context, *sql.Tx) error) error {
	c := &change{ctx: ctx, apply: apply, done: make(chan error, 1)}
	select {
	case l.queue <- c:
		return <-c.done
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.closing:
		return ErrClosed
	}
}

// run is the writer, the only one of this process to change the database. While it commits, changes gather in front of the queue, and
// all that have gathered make the next transaction.
func (l *Ledger) run() {
	defer close(l.stopped)
	for {
		select {
		case <-l.closing:
			return
		case c := <-l.queue:
			l.commit(l.gather(c))
		}
	}
}

// gather returns the first change and all that wait behind it, without those whose callers have given up.
func (l *Ledger) gather(first *change) []*change {
	var batch []*change
	for c := first; c != nil; {
		if c.ctx.Err() != nil {
			c.done <- context.Cause(c.ctx)
		} else {
			batch = append(batch, c)
		}
		select {
		case c = <-l.queue:
		default:
			c = nil
		}
	}
	return batch
}

// maxTries is how often a batch is tried that the database has undone for no fault of its own.
const maxTries = 10

// commit writes a batch and tells its callers. A change that fails is taken out, and the others are tried again.
func (l *Ledger) commit(batch []*change) {
	for tries := 1; len(batch) > 0; {
		failed, err := l.transact(batch)
		var again *errUndone
		if errors.As(err, &again) && tries < maxTries {
			tries++
			continue
		}
		if failed == nil {
			for _, c := range batch {
				c.done <- err
			}
			return
		}
		failed.done <- err
		batch = slices.DeleteFunc(batch, func(c *change) bool { return c == failed })
	}
}

// errUndone is the error of a transaction of which nothing is there, and that may succeed if it is tried again.
type errUndone struct{ error }

func (u *errUndone) Unwrap() error { return u.error }

// transact applies a batch in one transaction. On an error nothing of the batch is there, and the change that is to
// blame is returned; none is, if the transaction could not begin or end. An error of the end that is not an errUndone leaves
// open whether the batch is there. The callers' contexts have no part in it: one that ends would take the others down.
func (l *Ledger) transact(batch []*change) (failed *change, err error) {
	ctx := context.Background()
	if l.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.patience)
		defer cancel()
	}
	tx, err := l.write.BeginTx(ctx, nil)
	if err == nil {
		defer tx.Rollback()
		if l.begin != "" {
			_, err = tx.ExecContext(ctx, l.begin)
		}
	}
	if err != nil {
		return nil, l.maybeUndone(err)
	}
	for _, c := range batch {
		if err := c.apply(ctx, tx); err != nil {
			if l.undone(err) || l.lost(err) {
				return nil, l.maybeUndone(err)
			}
			return c, err
		}
	}
	if err := tx.Commit(); err != nil && l.undone(err) {
		return nil, &errUndone{err}
	} else {
		return nil, err
	}
}

// maybeUndone is for errors that came before the end of a transaction.
func (l *Ledger) maybeUndone(err error) error {
	if l.undone(err) || l.lost(err) {
		return &errUndone{err}
	}
	return err
}
