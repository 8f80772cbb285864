package ledger_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The schemas of the two databases say the same, but for the words that each has for it.
func TestTheSchemasAreEquivalent(t *testing.T) {
	sqlite, postgres := schema(t, "sqlite"), schema(t, "postgres")
	if len(sqlite) < 3 || !slices.Equal(slices.Sorted(maps.Keys(sqlite)), slices.Sorted(maps.Keys(postgres))) {
		t.Fatalf("the migrations are %v and %v", slices.Sorted(maps.Keys(sqlite)), slices.Sorted(maps.Keys(postgres)))
	}
	for file, want := range sqlite {
		words := strings.NewReplacer(` COLLATE "C"`, "", "BYTEA", "BLOB", "CREATE TABLE writer (); ", "", "DROP TABLE writer; ", "")
		got, want := words.Replace(postgres[file]), strings.ReplaceAll(want, ") WITHOUT ROWID;", ");")
		if got != want {
			t.Errorf("%s says\n%s\non SQLite, and on PostgreSQL\n%s", file, want, got)
		}
		if text := regexp.MustCompile(`TEXT (NOT NULL|,)`).FindString(postgres[file]); text != "" {
			t.Errorf("%s has text that PostgreSQL would sort by the rules of a language", file)
		}
	}
}

// schema returns the migrations of a database by file, without comments and in single spaces.
func schema(t *testing.T, database string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("migrations", database, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bare := regexp.MustCompile(`--.*`).ReplaceAllString(string(text), "")
		all[filepath.Base(file)] = strings.Join(strings.Fields(bare), " ") + " "
	}
	return all
}
