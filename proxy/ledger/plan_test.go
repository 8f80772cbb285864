package ledger_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
)

// What is asked at every upload or request must not look at more than it is about: no statement scans a table, and those
// about files that are there, or that are over, use the index of these.
//
// PostgreSQL scans small tables whatever indexes they have. It is told that this is dear, and to plan without knowing
// the arguments: what it scans then, it must scan.
func TestStatementsUseTheirIndexes(t *testing.T) {
	place := ledgertest.New(t)
	place.Open(t)
	driver, name := "sqlite", "file:"+place.Path
	if place.Path == "" {
		driver, name = "pgx", place.Address+"?enable_seqscan=off&enable_bitmapscan=off&plan_cache_mode=force_generic_plan"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	explain := explainSQLite
	if place.Path == "" {
		explain = explainPostgres
	}
	statements := ledger.Statements()
	if _, scans, err := explain(t.Context(), db, `SELECT name FROM packages WHERE version = $1`); err != nil || !scans {
		t.Fatalf("a scan is not told: %v", err)
	}
	for _, statement := range slices.Sorted(maps.Keys(statements)) {
		how, scans, err := explain(t.Context(), db, statement)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		if scans {
			t.Errorf("%s\nscans: %s", statement, how)
		}
		if want := statements[statement]; want != "" && !strings.Contains(how, want) {
			t.Errorf("%s\ndoes not use %s: %s", statement, want, how)
		}
	}
}

func explainSQLite(ctx context.Context, db *sql.DB, statement string) (how string, scans bool, err error) {
	var args []any
	for range parameters(statement) {
		args = append(args, "")
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		return "", false, err
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", false, err
		}
		plan = append(plan, detail)
	}
	how = strings.Join(plan, "; ")
	return how, strings.Contains(how, "SCAN") && !strings.Contains(how, "CONSTANT ROW"), rows.Err()
}

func explainPostgres(ctx context.Context, db *sql.DB, statement string) (how string, scans bool, err error) {
	if _, err := db.ExecContext(ctx, "PREPARE explained AS "+statement); err != nil {
		return "", false, err
	}
	defer db.ExecContext(ctx, "DEALLOCATE explained")
	execute := "EXPLAIN EXECUTE explained"
	if n := parameters(statement); n > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
	}
	rows, err := db.QueryContext(ctx, execute)
	if err != nil {
		return "", false, err
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", false, err
		}
		plan = append(plan, strings.TrimSpace(line))
	}
	how = strings.Join(plan, "; ")
	// Who reads all of an index scans, too.
	return how, strings.Contains(how, "Seq Scan") || strings.Contains(how, "Index") && !strings.Contains(how, "Index Cond"), rows.Err()
}

// parameters returns how many parameters a statement has.
func parameters(statement string) (n int) {
	for strings.Contains(statement, fmt.Sprintf("$%d", n+1)) {
		n++
	}
	return n
}
