package integration

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"hallmark/integration/tools"
	"hallmark/integration/world"
	"hallmark/proxy/ledger/ledgertest"
)

// The suites of the ledger, of what keeps repositories in it and of the write path know one database only. Here they run
// on PostgreSQL, as make test-unit runs them on SQLite.
func TestTheSuitesPassOnPostgreSQL(t *testing.T) {
	pg := world.StartPostgres(t)
	root, err := tools.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v",
		"hallmark/proxy/ledger", "hallmark/proxy/backend/hosted", "hallmark/proxy/publish")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), ledgertest.Variable+"="+pg.URL("postgres"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		failed := regexp.MustCompile(`(?m)^\s*--- FAIL.*$`).FindAllString(string(out), -1)
		t.Fatalf("%v: %v\n%s\n%s", cmd, err, strings.Join(failed, "\n"), out)
	}
	if n := strings.Count(string(out), "on PostgreSQL, in "); n < 60 {
		t.Errorf("%d ledgers were on PostgreSQL, want more", n)
	}
}
