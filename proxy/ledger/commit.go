package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"hallmark/proxy/backend"
)

const (
	selectHead       = `SELECT generation, time, date FROM repositories WHERE name = $1`
	insertRepository = `INSERT INTO repositories (name, generation, time, date) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	updateRepository = `UPDATE repositories SET generation = $1, time = $2, date = $3 WHERE name = $4 AND generation = $5`
	insertGeneration = `INSERT INTO generations (repository, generation, time) VALUES ($1, $2, $3)`

	insertPackage = `INSERT INTO packages
		(repository, path, name, version, arch, slot, variant, shard, uploaded, digest, size, pusher, time, record, removed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0)
		ON CONFLICT (repository, path) DO UPDATE SET name = excluded.name, version = excluded.version, arch = excluded.arch,
			slot = excluded.slot, variant = excluded.variant, shard = excluded.shard, uploaded = excluded.uploaded, digest = excluded.digest,
			size = excluded.size, pusher = excluded.pusher, time = excluded.time, record = excluded.record, removed = 0`
	removePackage = `UPDATE packages SET removed = $1 WHERE repository = $2 AND path = $3`

	insertFile = `INSERT INTO files (repository, path, since, until, is_index, lasting, size, tag, time, data, parts)
		VALUES ($1, $2, $3, 9223372036854775807, $4, $5, $6, $7, $8, $9, $10)`
	endFile  = `UPDATE files SET until = $1 WHERE repository = $2 AND path = $3 AND until = 9223372036854775807`
	lastFile = `UPDATE files SET until = $1, lasting = 1 WHERE repository = $2 AND path = $3 AND until = 9223372036854775807`

	// With until = $2, SQLite would conclude that it may leave out the other condition, and then could not use the index.
	forgetFiles = `DELETE FROM files WHERE repository = $1 AND until <> 9223372036854775807 AND until BETWEEN $2 AND $2 AND since = $3`

	insertObject = `INSERT INTO objects (digest, time, data) VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET time = excluded.time`
	setState     = `INSERT INTO state (repository, key, value) VALUES ($1, $2, $3) ON CONFLICT (repository, key) DO UPDATE SET value = excluded.value`
	deleteState  = `DELETE FROM state WHERE repository = $1 AND key = $2`
)

func commitStatements() []string {
	return []string{
		insertRepository, updateRepository, insertGeneration, insertPackage, removePackage, insertFile, endFile, lastFile,
		insertObject, setState, deleteState, forgetFiles,
	}
}

// Head returns the current generation of a repository: the zero Head if nothing was committed to it.
func (l *Ledger) Head(ctx context.Context, repository string) (backend.Head, error) {
	var generation, committed, date int64
	err := l.head.QueryRowContext(ctx, repository).Scan(&generation, &committed, &date)
	if errors.Is(err, sql.ErrNoRows) {
		return backend.Head{}, nil
	}
	if err != nil {
		return backend.Head{}, l.failRead("read the generation of "+repository, err)
	}
	return backend.Head{Generation: generation, Time: time.UnixMicro(committed).UTC(), Date: time.Unix(date, 0).UTC()}, nil
}

// Commit makes a new generation of a repository: see [backend.State].
func (l *Ledger) Commit(ctx context.Context, repository string, c backend.Commit) error {
	signatures := make([]Signature, len(c.Signatures))
	for i, s := range c.Signatures {
		signatures[i] = Signature{
			Time: s.Time, Repository: repository, Name: s.Name, Digest: digestOf(s.Digest), Scheme: s.Scheme, Key: s.Key,
			By: s.By, Request: s.Request, Message: digestOf(s.Message), Value: digestOf(s.Value),
		}
	}
	leaves, err := makeLeaves(signatures)
	if err != nil {
		return err
	}
	lost := false
	err = l.do(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx, repository: repository, statements: l.commits}
		if lost = !w.flip(c); lost {
			return backend.ErrLost
		}
		if w.err == nil {
			_, w.err = l.insertSignatures(ctx, tx, signatures, leaves)
		}
		w.write(c)
		return w.err
	})
	if lost {
		return backend.ErrLost
	}
	if err != nil && l.full(err) {
		err = fmt.Errorf("%w: %w", backend.ErrFull, err)
	}
	if err != nil {
		return l.fail("commit a generation of "+repository, err)
	}
	return nil
}

func digestOf(d backend.Digest) string { return "sha256:" + hex.EncodeToString(d[:]) }

// A writer writes the rows of one commit. After the first error it writes nothing more.
type writer struct {
	ctx        context.Context
	tx         *sql.Tx
	repository string
	statements map[string]*sql.Stmt
	err        error
}

func (w *writer) exec(statement string, args ...any) (rows int64) {
	if w.err != nil {
		return 0
	}
	result, err := w.tx.StmtContext(w.ctx, w.statements[statement]).ExecContext(w.ctx, args...)
	if err == nil {
		rows, err = result.RowsAffected()
	}
	w.err = err
	return rows
}

// flip moves the repository from c.Base to the next generation. It reports whether it was there.
func (w *writer) flip(c backend.Commit) bool {
	next, at, date := c.Base+1, c.Time.UnixMicro(), c.Date.Unix()
	var n int64
	if c.Base == 0 {
		n = w.exec(insertRepository, w.repository, next, at, date)
	} else {
		n = w.exec(updateRepository, next, at, date, w.repository, c.Base)
	}
	if n == 0 && w.err == nil {
		return false
	}
	w.exec(insertGeneration, w.repository, next, at)
	return true
}

func (w *writer) write(c backend.Commit) {
	next, at := c.Base+1, c.Time.UnixMicro()
	for _, path := range c.Removed {
		w.exec(removePackage, at, w.repository, path)
	}
	for _, g := range c.Gone {
		if g.Lasting {
			w.exec(lastFile, next, w.repository, g.Path)
		} else {
			w.exec(endFile, next, w.repository, g.Path)
		}
	}
	for _, p := range c.Packages {
		w.exec(insertPackage, w.repository, p.Path, p.Name, p.Version, p.Arch, p.Slot, p.Variant, p.Shard, p.Uploaded[:], p.Digest[:],
			p.Size, p.By, p.Time.UnixMicro(), p.Record)
	}
	for _, f := range c.Files {
		if f.Index {
			w.exec(endFile, next, w.repository, f.Path)
		}
		data, parts := f.Data, []byte(nil)
		if len(f.Parts) > 0 {
			data, parts = nil, f.Parts.Encode()
		} else if data == nil {
			data = []byte{}
		}
		w.exec(insertFile, w.repository, f.Path, next, flag(f.Index), flag(f.Lasting), f.Size, f.Tag[:], at, data, parts)
	}
	for _, g := range c.Unread {
		w.exec(forgetFiles, w.repository, g+1, g)
	}
	for d, data := range c.Objects {
		w.exec(insertObject, d[:], at, data)
	}
	for key, value := range c.State {
		if value == nil {
			w.exec(deleteState, w.repository, key)
		} else {
			w.exec(setState, w.repository, key, value)
		}
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// forever is the until of a file that is there.
const forever = math.MaxInt64
