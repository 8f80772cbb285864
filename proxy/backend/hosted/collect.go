package hosted

import (
	"context"
	"fmt"
	"iter"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/ledger"
)

// Grace is how long what was superseded, or what no commit has named yet, is kept: clients may be in the middle of an
// update, and an upload on its way.
const Grace = time.Hour

// A Sweeper is a store of blobs that can be swept.
type Sweeper interface {
	// Walk calls visit for each blob, with the time at which it was put last, and stops at the first error.
	Walk(ctx context.Context, visit func(d backend.Digest, size int64, put time.Time) error) error
	// Delete removes a blob, unless it was put after a time. Nobody else deletes meanwhile.
	Delete(ctx context.Context, d backend.Digest, before time.Time) (bool, error)
}

// Collect forgets old generations of the repositories, and removes the objects and blobs that nobody names any more.
// Waiting are blobs of uploads that wait for their sets. Uploads and readers go on meanwhile, and other replicas may do
// the same.
func Collect(ctx context.Context, l *ledger.Ledger, blobs Sweeper, repositories []string, waiting iter.Seq2[backend.Digest, error], now time.Time, tell func(string)) error {
	before := now.Add(-Grace)
	for _, name := range repositories {
		if err := l.Prune(ctx, name, before); err != nil {
			return err
		}
	}
	named, objects := map[backend.Digest]bool{}, map[backend.Digest]bool{}
	for d, err := range waiting {
		if err != nil {
			return err
		}
		named[d] = true
	}
	for ref, err := range l.Named(ctx) {
		if err != nil {
			return err
		}
		if ref.Object {
			objects[ref.Digest] = true
		} else {
			named[ref.Digest] = true
		}
	}
	removedObjects, err := l.PruneObjects(ctx, before, func(d backend.Digest) bool { return objects[d] })
	if err != nil {
		return err
	}
	kept, removed, freed := 0, 0, int64(0)
	err = blobs.Walk(ctx, func(d backend.Digest, size int64, put time.Time) error {
		if named[d] || !put.Before(before) {
			kept++
			return nil
		}
		gone := false
		err := l.Sweep(ctx, d, before, func(ctx context.Context) error {
			deleted, err := blobs.Delete(ctx, d, before)
			gone = gone || deleted
			return err
		})
		if gone {
			removed++
			freed += size
		}
		return err
	})
	if err == nil {
		err = l.PruneKept(ctx, before)
	}
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("removed %d index pieces and %d blobs, %d bytes; %d blobs remain", removedObjects, removed, freed, kept))
	return nil
}
