package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
)

// processes opens a ledger as several processes do, which SQLite's does not know.
func processes(t *testing.T, n int) []*ledger.Ledger {
	t.Helper()
	place := ledgertest.New(t)
	if place.Path != "" {
		n = 1
	}
	var all []*ledger.Ledger
	for range n {
		all = append(all, place.Open(t))
	}
	return all
}

func TestTheFirstRingIsTheOneThatAllGet(t *testing.T) {
	all := processes(t, 4)
	rings := together(8, func() {}, func(i int) string {
		ring, err := all[i%len(all)].RecordRing(t.Context(), "debian", []ledger.RingKey{{"file", strconv.Itoa(i)}, {"index", strconv.Itoa(i)}})
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprint(ring)
	})
	for _, l := range all {
		ring, err := l.Ring(t.Context(), "debian")
		if err != nil || len(ring) != 2 || slices.ContainsFunc(rings, func(r string) bool { return r != fmt.Sprint(ring) }) {
			t.Errorf("recorded is %v, %v; and they got %q", ring, err, rings)
		}
		if other, err := l.Ring(t.Context(), "raw"); err != nil || len(other) != 0 {
			t.Errorf("of another repository there is %v, %v", other, err)
		}
	}
	want := []ledger.RingKey{{"index", "new"}}
	if err := all[0].ReplaceRing(t.Context(), "debian", want); err != nil {
		t.Fatal(err)
	}
	if ring, err := all[len(all)-1].Ring(t.Context(), "debian"); err != nil || !slices.Equal(ring, want) {
		t.Errorf("replaced by %v is %v, %v", want, ring, err)
	}
}

func TestAllGetTheSameSecret(t *testing.T) {
	all := processes(t, 4)
	secrets := together(8, func() {}, func(i int) string {
		secret, err := all[i%len(all)].Secret(t.Context(), "http", strconv.Itoa(i))
		if err != nil {
			t.Error(err)
		}
		return secret
	})
	if slices.Sort(secrets); secrets[0] == "" || secrets[0] != secrets[len(secrets)-1] {
		t.Errorf("they got %q", secrets)
	}
	if other, err := all[0].Secret(t.Context(), "other", "mine"); err != nil || other != "mine" {
		t.Errorf("another is %q, %v", other, err)
	}
}

func TestWhatIsKeptIsNotSwept(t *testing.T) {
	all := processes(t, 2)
	one, other := all[0], all[len(all)-1]
	kept, litter := sha256.Sum256([]byte("kept")), sha256.Sum256([]byte("litter"))
	swept := func(l *ledger.Ledger, d backend.Digest, since time.Time) (removed bool) {
		t.Helper()
		if err := l.Sweep(t.Context(), d, since, func(context.Context) error { removed = true; return nil }); err != nil {
			t.Fatal(err)
		}
		return removed
	}
	if err := one.Keep(t.Context(), kept, start); err != nil {
		t.Fatal(err)
	}
	if swept(other, kept, start) || !swept(other, litter, start) {
		t.Error("the wrong one was swept")
	}
	if !swept(other, kept, start.Add(time.Second)) {
		t.Error("what was kept long ago is kept for ever")
	}
	if err := one.Keep(t.Context(), kept, start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := other.PruneKept(t.Context(), start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if swept(other, kept, start) {
		t.Error("what was kept again was forgotten")
	}
	failed := errors.New("the storage is away")
	if err := one.Sweep(t.Context(), litter, start, func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a sweep that fails: %v", err)
	}
}

// A blob is kept before it is decided whether it is removed, or after it was.
func TestNothingIsKeptInTheMiddleOfASweep(t *testing.T) {
	all := processes(t, 2)
	d := sha256.Sum256([]byte("blob"))
	var removing atomic.Bool
	done := make(chan error, 1)
	err := all[0].Sweep(t.Context(), d, start, func(context.Context) error {
		removing.Store(true)
		defer removing.Store(false)
		go func() {
			err := all[len(all)-1].Keep(t.Context(), d, start)
			if err == nil && removing.Load() {
				err = errors.New("kept while it was removed")
			}
			done <- err
		}()
		select {
		case err := <-done:
			return fmt.Errorf("Keep did not wait: %v", err)
		case <-time.After(100 * time.Millisecond): // in which it could have returned
			return nil
		}
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
}

func TestIDsHaveNoGapWithSeveralWriters(t *testing.T) {
	all := processes(t, 4)
	const callers = 80
	ids := together(callers, func() {}, func(i int) int64 { return record(t, all[i%len(all)], row(strconv.Itoa(i)))[0] })
	slices.Sort(ids)
	for i, id := range ids {
		if id != int64(i+1) {
			t.Fatalf("IDs are not 1 to %d without a gap: %v", callers, ids)
		}
	}
}

func TestOneOfSeveralCommitsOnAGenerationWins(t *testing.T) {
	all := processes(t, 4)
	for base := range int64(5) {
		var won atomic.Int64
		together(8, func() {}, func(i int) error {
			err := all[i%len(all)].Commit(t.Context(), "debian", backend.Commit{
				Base: base, Time: start, Date: start, Files: []backend.Put{small("Release", strconv.Itoa(i))},
			})
			if err == nil {
				won.Add(1)
				if got := at(t, all[(i+1)%len(all)], "Release", backend.Current); got != strconv.Itoa(i) {
					t.Errorf("%d has won, and another process reads %q", i, got)
				}
			} else if !errors.Is(err, backend.ErrLost) {
				t.Error(err)
			}
			return nil
		})
		if won.Load() != 1 {
			t.Errorf("%d commits on generation %d have won", won.Load(), base)
		}
	}
}

func TestAHintIsGivenBack(t *testing.T) {
	all := processes(t, 2)
	one, other := all[0], all[len(all)-1]
	done, free := one.Free(t.Context(), "work")
	if !free {
		t.Fatal("nobody works, and it is not free")
	}
	if other.Shared() {
		if _, free := other.Free(t.Context(), "work"); free {
			t.Error("it is free while another works")
		}
		if done, free := other.Free(t.Context(), "other work"); !free {
			t.Error("other work is not free")
		} else {
			done()
		}
	}
	done()
	other.Turn(t.Context(), "work")()
	if done, free := one.Free(t.Context(), "work"); !free {
		t.Error("it is not free any more")
	} else {
		done()
	}
}

// A change is tried again whose connection the server has ended before the commit.
func TestAChangeOutlivesALostConnection(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	record(t, l, row("a"))
	if place.Path == "" {
		ledgertest.Execute(t, place.Address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
	record(t, l, row("b"))
	if got := len(signatures(t, place.Open(t), "b")); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

func TestErrorsDoNotHoldThePassword(t *testing.T) {
	for _, address := range []string{
		"postgres://jo:hunter2@127.0.0.1:1/hallmark", "postgres://jo:hunter2@127.0.0.1:x/hallmark",
		"postgres://jo@127.0.0.1:1/hallmark?password=hunter2", "postgres://jo:hunter2@127.0.0.1:1/hallmark?sslmode=wrong",
	} {
		l, err := ledger.OpenPostgres(t.Context(), address)
		if err == nil {
			l.Close()
			t.Fatalf("%s was opened", address)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("it is in %q", err)
		}
	}
}
