package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What is asked at every upload or request must not look at more than it is about: no statement scans a table, and those
// about files that are there, or that are over, use the index of these.
func TestStatementsUseTheirIndexes(t *testing.T) {
	l, err := Open(context.Background(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	index := map[string]string{
		endFile: "files_now", lastFile: "files_now", fileNow: "files_now",
		forgetFiles: "files_until", pruneFiles: "files_until", packageIn: "packages_slot", prunePackages: "packages_removed",
	}
	statements := append(commitStatements(), isSigned, isReferred, selectSignatures, selectSignaturesAt, selectHead, packageAt,
		packageIn, packagesFrom, fileNow, fileThen, fileLasting, filesFrom, selectObject, selectState, scanState, lastBefore,
		pruneFiles, pruneGenerations, prunePackages, pruneObject)
	for _, statement := range statements {
		if strings.HasPrefix(statement, "INSERT") {
			continue // by its key
		}
		var args []any
		for strings.Contains(statement, fmt.Sprintf("$%d", len(args)+1)) {
			args = append(args, "")
		}
		rows, err := l.write.Query("EXPLAIN QUERY PLAN "+statement, args...)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		rows.Close()
		how := strings.Join(plan, "; ")
		if strings.Contains(how, "SCAN") && !strings.Contains(how, "CONSTANT ROW") {
			t.Errorf("%s\nscans: %s", statement, how)
		}
		if want := index[statement]; want != "" && !strings.Contains(how, want) {
			t.Errorf("%s\ndoes not use %s: %s", statement, want, how)
		}
	}
}
