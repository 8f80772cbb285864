package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
)

func TestConcurrentAppendsShareTransactions(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	before := commits(t, place)
	const callers = 100
	release := lock(t, place)
	ids := together(callers, release, func(i int) int64 {
		return record(t, l, row(strconv.Itoa(i)))[0]
	})

	if n := commits(t, place) - before; n > callers/4 {
		t.Errorf("%d transactions for %d callers, want far fewer", n, callers)
	}
	slices.Sort(ids)
	for i, id := range ids {
		if id != int64(i+1) {
			t.Fatalf("IDs are not 1 to %d without a gap: %v", callers, ids)
		}
	}
}

func TestOneCallersFailureIsNotAnothers(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	const callers = 40
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	release := lock(t, place)
	errs := together(callers, release, func(i int) error {
		var err error
		switch i % 4 {
		case 0:
			err = l.Void(t.Context(), 4711) // fails inside the transaction
		case 1:
			_, err = l.Append(gone, row("gone"))
		case 2:
			bad := row("bad")
			bad.Digest = "sha256:bad"
			_, err = l.Append(t.Context(), bad)
		case 3:
			_, err = l.Append(t.Context(), row("good"))
		}
		return err
	})
	for i, err := range errs {
		if want := i%4 != 3; (err != nil) != want {
			t.Errorf("caller %d: error = %v, want one: %t", i, err, want)
		}
		if i%4 == 1 && !errors.Is(err, context.Canceled) {
			t.Errorf("caller %d: error = %v, want context.Canceled", i, err)
		}
	}
	for what, want := range map[string]int{"good": callers / 4, "gone": 0, "bad": 0} {
		if got := len(signatures(t, l, what)); got != want {
			t.Errorf("%d %s rows, want %d", got, what, want)
		}
	}
}

func TestCallersThatWaitWhenTheLedgerClosesAreAnsweredTruly(t *testing.T) {
	place := ledgertest.New(t)
	l := place.Open(t)
	const callers = 20
	release := lock(t, place)
	recorded := together(callers, func() { go l.Close(); release() }, func(i int) bool {
		_, err := l.Append(t.Context(), row("a"))
		if err != nil && !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("caller %d: %v", i, err)
		}
		return err == nil
	})
	shut(t, l)
	want := 0
	for _, ok := range recorded {
		if ok {
			want++
		}
	}
	if got := len(signatures(t, place.Open(t), "a")); got != want {
		t.Errorf("%d rows are there and %d were acknowledged", got, want)
	}
}

// together starts n callers, calls start when all are under way, and returns what they return.
func together[T any](n int, start func(), call func(i int) T) []T {
	results := make([]T, n)
	var under, done sync.WaitGroup
	for i := range n {
		under.Add(1)
		done.Go(func() {
			under.Done()
			results[i] = call(i)
		})
	}
	under.Wait()
	start()
	done.Wait()
	return results
}

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8} {
		b.Run(strconv.Itoa(callers)+" callers", func(b *testing.B) {
			l := ledgertest.Open(b)
			s := row("a")
			var wg sync.WaitGroup
			work := make(chan struct{})
			for range callers {
				wg.Go(func() {
					for range work {
						if _, err := l.Append(b.Context(), s); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
		})
	}
}

func BenchmarkSigned(b *testing.B) {
	l := ledgertest.Open(b)
	rows := make([]ledger.Signature, 10000)
	for i := range rows {
		rows[i] = row(strconv.Itoa(i))
	}
	record(b, l, rows...)
	there, missing := digestOf("5000"), digestOf("none")
	for name, digest := range map[string]string{"signed": there, "not signed": missing} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Signed(b.Context(), "images", "app", digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
