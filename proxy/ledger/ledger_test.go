package ledger_test

import (
	"context"
	"errors"
	"testing"

	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
)

func TestOpenLeavesANewerSchemaAlone(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	record(t, l, row("a"))
	shut(t, l)
	tamper(t, place, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, true)`)
	if _, err := place.TryOpen(t.Context()); err == nil {
		t.Fatal("opened")
	}
	tamper(t, place, `DELETE FROM goose_db_version WHERE version_id = 4711`)
	if got := len(signatures(t, place.Open(t), "a")); got != 1 {
		t.Errorf("%d signatures are left, want 1", got)
	}
}

func TestClosedLedgerRefusesEverything(t *testing.T) {
	l := ledgertest.Open(t)
	ids := record(t, l, row("a"))
	shut(t, l)
	if err := l.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	for name, call := range map[string]func(context.Context) error{
		"Append":       func(ctx context.Context) error { _, err := l.Append(ctx, row("b")); return err },
		"Void":         func(ctx context.Context) error { return l.Void(ctx, ids...) },
		"NoteReferrer": func(ctx context.Context) error { return l.NoteReferrer(ctx, "images", "app", digestOf("a")) },
		"HasReferrer": func(ctx context.Context) error {
			_, err := l.HasReferrer(ctx, "images", "app", digestOf("a"))
			return err
		},
		"Signatures": func(ctx context.Context) error {
			_, err := l.Signatures(ctx, "images", "app", digestOf("a"))
			return err
		},
		"Signed": func(ctx context.Context) error { _, err := l.Signed(ctx, "images", "app", digestOf("a")); return err },
		"Count":  func(ctx context.Context) error { _, err := l.Count(ctx, "images"); return err },
	} {
		if err := call(t.Context()); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("%s after Close = %v, want ErrClosed", name, err)
		}
	}
}

func TestReopenedLedgerHasWhatWasAcknowledged(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	record(t, l, row("a"))
	shut(t, l)

	l = place.Open(t)
	if ids := record(t, l, row("b")); ids[0] != 2 {
		t.Errorf("the first ID after the restart is %d, want 2", ids[0])
	}
	if got := signatures(t, l, "a"); len(got) != 1 || got[0].ID != 1 {
		t.Errorf("signatures after the restart: %+v", got)
	}
}

// tamper runs SQL on a database behind the ledger's back.
func tamper(t testing.TB, place ledgertest.Place, text string) {
	t.Helper()
	if place.Path != "" {
		execute(t, place.Path, text)
	} else {
		ledgertest.Execute(t, place.Address, text)
	}
}

func shut(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func record(t testing.TB, l *ledger.Ledger, rows ...ledger.Signature) []int64 {
	t.Helper()
	ids, err := l.Append(t.Context(), rows...)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != len(rows) {
		t.Fatalf("%d ids for %d rows", len(ids), len(rows))
	}
	return ids
}

// signatures returns the signatures of row(what).
func signatures(t testing.TB, l *ledger.Ledger, what string) []ledger.Signature {
	t.Helper()
	all, err := l.Signatures(t.Context(), "images", "app", digestOf(what))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
