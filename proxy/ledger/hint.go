package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"hash/fnv"
	"time"
)

// Turn waits until no other process works at what, and then makes others wait until done is called. It is a hint that
// saves work: after a second, or without a connection, it returns all the same, so that nothing may rely on it. With
// SQLite it returns at once.
func (l *Ledger) Turn(ctx context.Context, what string) (done func()) {
	done, _ = l.hint(ctx, what, `SELECT true FROM pg_advisory_lock($1)`)
	return done
}

// Free reports whether no other process works at what, as far as can be told, and makes others hear that one does until
// done is called. Like Turn, it is a hint.
func (l *Ledger) Free(ctx context.Context, what string) (done func(), free bool) {
	return l.hint(ctx, what, `SELECT pg_try_advisory_lock($1)`)
}

func (l *Ledger) hint(ctx context.Context, what, statement string) (done func(), free bool) {
	nothing := func() {}
	if !l.shared {
		return nothing, true
	}
	waiting, cancel := context.WithTimeout(ctx, 2*hintPatience)
	defer cancel()
	conn, err := l.hints.Conn(waiting)
	if err != nil {
		return nothing, true
	}
	var held bool
	if err := conn.QueryRowContext(waiting, statement, lockNumber(what)).Scan(&held); err != nil || !held {
		conn.Close()
		return nothing, err != nil // who cannot tell goes on
	}
	return func() { unlock(conn, what); conn.Close() }, true
}

// unlock gives a lock back. If that fails, the connection goes, and the lock with it.
func unlock(conn *sql.Conn, what string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, lockNumber(what))
	if err != nil {
		conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// lockNumber is how PostgreSQL names a lock.
func lockNumber(what string) int64 {
	h := fnv.New64a()
	h.Write([]byte("hallmark " + what))
	return int64(h.Sum64())
}
