package hosted_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/debian"
	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/blob"
	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/signing/signingtest"
)

// A depot is a repository on a data folder, with a clock of its own.
type depot struct {
	t      *testing.T
	dir    string
	ledger *ledger.Ledger
	blobs  *blob.Store
	tree   *hosted.Repository
	repo   *publish.Repository

	mu  sync.Mutex
	now time.Time
}

func openDepot(t *testing.T, f format.Format) *depot {
	t.Helper()
	d := &depot{t: t, dir: t.TempDir(), now: time.Now()}
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	d.ledger, err = ledgertest.New(t).TryOpen(ctx)
	must(err)
	d.blobs, err = blob.Open(ctx, "filesystem", map[string]any{"rootdirectory": filepath.Join(d.dir, "storage")}, func(ctx context.Context, b backend.Digest) error {
		return d.ledger.Keep(ctx, b, d.clock())
	})
	must(err)
	spooled, err := spool.Open(filepath.Join(d.dir, "spool"))
	must(err)
	d.tree = hosted.New("depot", d.ledger, d.blobs)
	d.repo, err = publish.Open(ctx, publish.Options{
		Name: "depot", Format: f, Ring: signingtest.Packages(t, "depot"), State: d.tree, Tree: d.tree, Blobs: d.blobs, Spool: spooled,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: d.clock,
	})
	must(err)
	t.Cleanup(func() {
		d.repo.Close()
		if err := d.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func rawFormat(t *testing.T) format.Format {
	f, err := raw.New(raw.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (d *depot) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// later moves the clock.
func (d *depot) later(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *depot) put(path, data string) error {
	op, err := d.repo.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		return err
	}
	_, err = d.repo.Upload(context.Background(), op, publish.Upload{Body: strings.NewReader(data), Limit: 1 << 20})
	return err
}

func (d *depot) mustPut(path, data string) {
	d.t.Helper()
	if err := d.put(path, data); err != nil {
		d.t.Fatalf("put %s: %v", path, err)
	}
}

func (d *depot) mustDelete(path string) {
	d.t.Helper()
	op, err := d.repo.Route(format.Request{Method: "DELETE", Path: path})
	if err == nil {
		err = d.repo.Delete(context.Background(), op, publish.Caller{})
	}
	if err != nil {
		d.t.Fatalf("delete %s: %v", path, err)
	}
}

// collect does what a server does every hour, at the time of the clock.
func (d *depot) collect() (said string) {
	d.t.Helper()
	ctx := context.Background()
	err := d.repo.Expire(ctx)
	if err == nil {
		err = hosted.Collect(ctx, d.ledger, d.blobs, []string{"depot"}, d.repo.Waiting(ctx), d.clock(), func(line string) { said += line })
	}
	if err != nil {
		d.t.Fatalf("collect: %v", err)
	}
	return said
}

// has reports whether the storage keeps bytes.
func (d *depot) has(data string) bool {
	b, err := d.blobs.Open(context.Background(), sha256.Sum256([]byte(data)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatal(err)
	}
	if err == nil {
		b.Close()
	}
	return err == nil
}

// age makes bytes look as if they had been put a while ago.
func (d *depot) age(data string, by time.Duration) {
	d.t.Helper()
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
	at := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(d.dir, "storage/packages/sha256", name[:2], name[2:]), at, at); err != nil {
		d.t.Fatal(err)
	}
}

// litter stores bytes that no commit names, as a crash leaves them.
func (d *depot) litter(data string, ago time.Duration) {
	d.t.Helper()
	if err := d.blobs.Put(context.Background(), sha256.Sum256([]byte(data)), int64(len(data)), strings.NewReader(data)); err != nil {
		d.t.Fatal(err)
	}
	d.age(data, ago)
}

func (d *depot) verify() {
	d.t.Helper()
	if err := d.repo.Verify(context.Background(), func(string) {}); err != nil {
		d.t.Errorf("verify: %v", err)
	}
}

func none(func(backend.Digest, error) bool) {}

func TestBytesOfADeletedPackageGoAfterAnHour(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	d.mustPut("a/gone", "these go")
	d.mustPut("a/stays", "these stay")
	d.later(3 * time.Hour) // what nobody deletes does not get too old
	d.collect()
	if !d.has("these go") || !d.has("these stay") {
		t.Fatal("bytes of packages that are there were removed")
	}
	d.mustDelete("a/gone")
	d.later(hosted.Grace - time.Minute)
	d.collect()
	if !d.has("these go") {
		t.Error("the bytes were removed within the hour in which clients may ask for them")
	}
	if err := d.put("a/gone", "others"); !errors.Is(err, publish.ErrConflict) {
		t.Errorf("other bytes within the hour: %v", err)
	}
	d.later(2 * time.Minute)
	d.collect()
	if d.has("these go") {
		t.Error("the bytes are still there after their hour")
	}
	if !d.has("these stay") {
		t.Error("the neighbour's bytes were removed")
	}
	d.mustPut("a/gone", "others")
	d.verify()
}

// The same bytes under two names are there as long as one of them is.
func TestBytesStayWhileOneNameHasThem(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	d.mustPut("one", "shared")
	d.mustPut("two", "shared")
	d.mustDelete("one")
	d.later(3 * time.Hour)
	d.collect()
	if !d.has("shared") {
		t.Fatal("the bytes of a package were removed with its twin")
	}
	d.verify()
	d.mustDelete("two")
	d.later(3 * time.Hour)
	d.collect()
	if d.has("shared") {
		t.Error("the bytes are still there though no name has them")
	}
}

func TestLitterGoesAfterAnHour(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	d.mustPut("a", "package")
	d.age("package", 24*time.Hour)
	d.litter("young", 0)
	d.litter("nearly old", hosted.Grace-time.Minute)
	d.litter("old", hosted.Grace+time.Minute)
	if said := d.collect(); !strings.Contains(said, "1 blobs") || !strings.Contains(said, fmt.Sprint(len("old"))+" bytes") {
		t.Errorf("it says %q", said)
	}
	for data, want := range map[string]bool{"young": true, "nearly old": true, "old": false, "package": true} {
		if d.has(data) != want {
			t.Errorf("%s is there: %t", data, !want)
		}
	}
}

// Bytes that somebody puts again are on their way to a commit, however long they have been lying about.
func TestLitterThatIsPutAgainStays(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	d.litter("wanted again", 10*time.Hour)
	d.litter("not wanted", 10*time.Hour)
	d.litter("wanted again", 10*time.Hour) // which finds it there
	d.collect()
	if !d.has("wanted again") || d.has("not wanted") {
		t.Errorf("wanted is there: %t, not wanted: %t", d.has("wanted again"), d.has("not wanted"))
	}
}

func TestUploadsOnTheirWayAreNotCollected(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	const n = 150
	data := func(i int) string { return fmt.Sprintf("bytes of upload %d", i) }
	for i := range n {
		d.litter(data(i), 10*time.Hour) // they were there before, and old
	}
	var uploads sync.WaitGroup
	errs := make([]error, n)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if err := hosted.Collect(context.Background(), d.ledger, d.blobs, []string{"depot"}, none, time.Now(), func(string) {}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	for u := range 6 {
		uploads.Go(func() {
			for i := u; i < n; i += 6 {
				errs[i] = d.put(fmt.Sprintf("folder%d/%d", u, i), data(i))
			}
		})
	}
	uploads.Wait()
	close(stop)
	<-stopped
	for i, err := range errs {
		if err != nil || !d.has(data(i)) {
			t.Errorf("upload %d: %v, its bytes are there: %t", i, err, d.has(data(i)))
		}
	}
	d.verify()
}

// What dput has uploaded waits for a day, and is not litter meanwhile.
func TestUploadsThatWaitForTheirSetStayForADay(t *testing.T) {
	f, err := debian.New(debian.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	d := openDepot(t, f)
	source := "\x1f\x8b\x08 a tarball"
	d.mustPut("stable/main/hello_1.0.tar.gz", source)
	d.age(source, 23*time.Hour)
	d.later(23 * time.Hour)
	d.collect()
	if !d.has(source) {
		t.Fatal("a file that waits was removed within a day")
	}
	d.later(2 * time.Hour)
	d.collect()
	if d.has(source) {
		t.Error("a file still waits after a day")
	}
	d.mustPut("stable/main/hello_1.0.tar.gz", source) // it may come again
	if !d.has(source) {
		t.Error("a file that came again is not there")
	}
}

// Old generations are forgotten with their pieces, and nothing of the current one.
func TestPiecesOfOldIndexesGo(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	for i := range 300 {
		d.mustPut(fmt.Sprintf("folder/file%d", i), fmt.Sprint(i))
	}
	head, err := d.tree.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.later(2 * time.Hour)
	d.mustPut("folder/last", "last")
	if said := d.collect(); strings.HasPrefix(said, "removed 0 ") {
		t.Errorf("it says %q", said)
	}
	d.verify()
	if _, err := d.tree.Open(t.Context(), head.Generation-100, "folder/SHA256SUMS"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old generation: %v", err)
	}
	// The one before was current until a moment ago.
	old, err := d.tree.Open(t.Context(), head.Generation, "folder/SHA256SUMS")
	if err != nil {
		t.Fatalf("the generation that clients may be reading: %v", err)
	}
	defer old.Close()
	if data, err := io.ReadAll(old); err != nil || strings.Count(string(data), "\n") != 300 {
		t.Errorf("it has %d bytes, %v", len(data), err)
	}
}

// A collection that cannot tell what is named removes nothing.
func TestACollectionThatFailsRemovesNothing(t *testing.T) {
	d := openDepot(t, rawFormat(t))
	d.mustPut("a", "package")
	d.litter("old", 10*time.Hour)
	d.age("package", 10*time.Hour)
	broken := errors.New("broken")
	var fails iter.Seq2[backend.Digest, error] = func(yield func(backend.Digest, error) bool) { yield(backend.Digest{}, broken) }
	err := hosted.Collect(t.Context(), d.ledger, d.blobs, []string{"depot"}, fails, d.clock(), func(line string) { t.Errorf("it says %q", line) })
	if !errors.Is(err, broken) || !d.has("package") || !d.has("old") {
		t.Errorf("%v; the package is there: %t, the litter: %t", err, d.has("package"), d.has("old"))
	}
}
