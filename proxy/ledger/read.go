package ledger

import (
	"context"
	"time"
)

const (
	isSigned = `SELECT EXISTS (SELECT 1 FROM signatures
		WHERE repository = $1 AND name = $2 AND digest = $3 AND state = 'made')`
	isReferred = `SELECT EXISTS (SELECT 1 FROM referrers
		WHERE repository = $1 AND name = $2 AND subject = $3)`
	selectSignatures = `SELECT id, time, repository, name, digest, scheme, key, pusher, request, message, value, state, leaf
		FROM signatures WHERE repository = $1 AND name = $2 AND digest = $3 ORDER BY id`
	selectSignaturesAt = `SELECT id, time, repository, name, digest, scheme, key, pusher, request, message, value, state, leaf
		FROM signatures WHERE repository = $1 AND name = $2 ORDER BY id DESC LIMIT $3`
	countSignatures = `SELECT state, COUNT(*) FROM signatures WHERE repository = $1 GROUP BY state`
)

// Signatures returns the signatures that were made of a digest under a name, the void ones too, oldest first. Where
// there are none, it returns none and no error.
func (l *Ledger) Signatures(ctx context.Context, repository, name, digest string) ([]Signature, error) {
	return l.readSignatures(ctx, selectSignatures, repository, name, digest)
}

// SignaturesAt returns the newest signatures of whatever had a name, the void ones too, at most limit, newest first.
func (l *Ledger) SignaturesAt(ctx context.Context, repository, name string, limit int) ([]Signature, error) {
	return l.readSignatures(ctx, selectSignaturesAt, repository, name, limit)
}

func (l *Ledger) readSignatures(ctx context.Context, query string, args ...any) ([]Signature, error) {
	const what = "read signatures"
	rows, err := l.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, l.failRead(what, err)
	}
	defer rows.Close()
	var all []Signature
	for rows.Next() {
		var s Signature
		var made int64
		if err := rows.Scan(&s.ID, &made, &s.Repository, &s.Name, &s.Digest, &s.Scheme, &s.Key,
			&s.By, &s.Request, &s.Message, &s.Value, &s.State, &s.Leaf); err != nil {
			return nil, l.failRead(what, err)
		}
		s.Time = time.UnixMicro(made).UTC()
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, l.failRead(what, err)
	}
	return all, nil
}

// Signed reports whether the ledger has a signature of a digest under a name that is not void. It is a hint for where
// to look first: the signature itself may have been removed since, so that nothing may be left unsigned for its sake.
func (l *Ledger) Signed(ctx context.Context, repository, name, digest string) (signed bool, err error) {
	if err := l.signed.QueryRowContext(ctx, repository, name, digest).Scan(&signed); err != nil {
		return false, l.failRead("look for signatures", err)
	}
	return signed, nil
}

// HasReferrer reports whether NoteReferrer was called for a subject.
func (l *Ledger) HasReferrer(ctx context.Context, repository, name, subject string) (noted bool, err error) {
	if err := l.hasReferrer.QueryRowContext(ctx, repository, name, subject).Scan(&noted); err != nil {
		return false, l.failRead("look for referrers", err)
	}
	return noted, nil
}

// Counts says how many signatures a repository has in the ledger, by state.
type Counts struct {
	Made, Void int64
}

// Count counts the signatures of a repository. It reads all that belongs to the repository in an index, so it is for
// people who ask and not for every request.
func (l *Ledger) Count(ctx context.Context, repository string) (Counts, error) {
	const what = "count signatures"
	rows, err := l.read.QueryContext(ctx, countSignatures, repository)
	if err != nil {
		return Counts{}, l.failRead(what, err)
	}
	defer rows.Close()
	var c Counts
	for rows.Next() {
		var state State
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return Counts{}, l.failRead(what, err)
		}
		switch state {
		case Made:
			c.Made = n
		case Void:
			c.Void = n
		}
	}
	if err := rows.Err(); err != nil {
		return Counts{}, l.failRead(what, err)
	}
	return c, nil
}

// failRead is fail for reads, which Close may end at any point.
func (l *Ledger) failRead(what string, err error) error {
	select {
	case <-l.closing:
		err = ErrClosed
	default:
	}
	return l.fail(what, err)
}
