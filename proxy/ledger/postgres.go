package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

const (
	// oneWriter is what a transaction that writes begins with. So there is one writer at a time in all processes, as with
	// SQLite: the log's ids have no gap, and nobody waits in a circle. Readers do not wait.
	oneWriter = `LOCK TABLE writer IN EXCLUSIVE MODE`

	// writePatience is how long a transaction may take, all waiting included, before its connection is given up.
	writePatience = time.Minute
	// hintPatience is how long to wait for a lock that is nothing but a hint.
	hintPatience = time.Second
	// hinting is how many locks a process may hold, or wait for, at once.
	hinting = 4
	// dialTimeout and keepAlive find out that a server is gone.
	dialTimeout = 10 * time.Second
	keepAlive   = 15 * time.Second
)

// The codes of PostgreSQL that matter here: see https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
)

// openPostgres returns the database at an address postgres://…. It connects to nothing.
func openPostgres(address string) (d *database, err error) {
	d = &database{
		name: withoutPassword(address), dialect: goose.DialectPostgres,
		shared: true, begin: oneWriter, patience: writePatience,
		full:   func(err error) bool { return hasCode(err, diskFull) },
		undone: func(err error) bool { return hasCode(err, serializationFailure, deadlockDetected) },
		lost:   isLost,
	}
	if d.migrations, err = fs.Sub(postgresMigrations, "migrations/postgres"); err != nil {
		return nil, err
	}
	if _, err := pgx.ParseConfig(address); err != nil {
		return nil, err // it hides passwords
	}
	d.write = connectPostgres(address, 1, map[string]string{
		// Whoever hangs in the middle of a transaction holds up all replicas.
		"idle_in_transaction_session_timeout": milliseconds(writePatience),
	})
	d.read = connectPostgres(address, readers, map[string]string{"default_transaction_read_only": "on"})
	d.hints = connectPostgres(address, hinting, map[string]string{"lock_timeout": milliseconds(hintPatience)})
	return d, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

func connectPostgres(address string, n int, params map[string]string) *sql.DB {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		panic(err) // it was parsed before
	}
	for name, value := range params {
		c.RuntimeParams[name] = value
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "hallmark"
	}
	c.DialFunc = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	return pool(stdlib.OpenDB(*c, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		var encoding string
		if err := conn.QueryRow(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
			return err
		}
		if encoding != "UTF8" {
			return fmt.Errorf("the encoding of the database is %s and must be UTF8: make one by createdb --encoding=UTF8 --template=template0", encoding)
		}
		// A commit that returns before it is on the disk could be taken back by a power cut.
		_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	})), n)
}

// withoutPassword returns an address as it may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "postgres"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Del(name)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func hasCode(err error, codes ...string) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && slices.Contains(codes, fault.Code)
}

// isLost reports whether an error means that the connection is gone, so that the server undoes what was not committed.
func isLost(err error) bool {
	var network net.Error
	return hasCode(err, adminShutdown, crashShutdown, cannotConnectNow) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}

// exclusively runs f while no other process does the same.
func (d *database) exclusively(ctx context.Context, what string, f func() error) error {
	if !d.shared {
		return f()
	}
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, lockNumber(what)); err != nil {
		return err
	}
	return errors.Join(f(), unlock(conn, what))
}
