package world

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// A Postgres is a PostgreSQL server of the test's own, with Debian's program. It syncs what it commits, as it does for
// everybody.
type Postgres struct {
	Addr string // host:port
	*Process

	dir string
	bin string // the folder of its programs
	run *syscall.SysProcAttr
}

// postgresUser is who owns the server and everything in it. No password is asked for on loopback.
const postgresUser = "hallmark"

// StartPostgres starts a server and waits until it answers.
func StartPostgres(t T) *Postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatalf("PostgreSQL is missing: run `make deps`, or `apt-get install --no-install-recommends postgresql`")
	}
	slices.Sort(found)
	pg := &Postgres{Addr: FreeAddr(t), dir: shortDir(t), bin: filepath.Dir(found[len(found)-1])}
	if os.Geteuid() == 0 { // whom PostgreSQL does not run for
		pg.asUser(t, "postgres")
	}
	initdb := pg.command("initdb", "--pgdata", pg.data(), "--username", postgresUser, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", initdb, err, out)
	}
	pg.Start(t)
	return pg
}

func (pg *Postgres) data() string { return filepath.Join(pg.dir, "data") }

// asUser has the server's programs run by a user, to whom its folder is given.
func (pg *Postgres) asUser(t T, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers, on every system that PostgreSQL runs on here
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(pg.dir, uid, gid); err != nil {
		t.Fatalf("%v", err)
	}
	pg.run = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func (pg *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(pg.bin, program), args...)
	cmd.Dir = pg.dir
	if pg.run != nil {
		attr := *pg.run
		cmd.SysProcAttr = &attr
	}
	return cmd
}

// Start starts the server again on its address and files, after a Kill.
func (pg *Postgres) Start(t T) {
	t.Helper()
	port := pg.Addr[len("127.0.0.1:"):]
	pg.Process = Start(t, "postgres", pg.command("postgres", "-D", pg.data(), "-k", pg.dir, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"))
	pg.Await(t, func(ctx context.Context) error {
		return exec.CommandContext(ctx, filepath.Join(pg.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run()
	})
}

// URL returns the address of a database of the server; there is one named postgres.
func (pg *Postgres) URL(database string) string {
	return "postgres://" + postgresUser + "@" + pg.Addr + "/" + database
}

// Database makes a database and returns its address.
func (pg *Postgres) Database(t T, name string) string {
	t.Helper()
	pg.SQL(t, "postgres", "CREATE DATABASE "+name)
	return pg.URL(name)
}

// SQL runs statements in a database and returns what they say, a line for each row.
func (pg *Postgres) SQL(t T, database, text string) string {
	t.Helper()
	return Command{Path: filepath.Join(pg.bin, "psql")}.Run(t, "--no-psqlrc", "-qAtX", "-v", "ON_ERROR_STOP=1", pg.URL(database), "-c", text)
}
