package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"hallmark/proxy/backend"
	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
	"hallmark/proxy/listing"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// commit makes generation base+1 of the repository debian.
func commit(t *testing.T, l *ledger.Ledger, c backend.Commit) {
	t.Helper()
	if c.Time.IsZero() {
		c.Time = start.Add(time.Duration(c.Base) * time.Minute)
	}
	if c.Date.IsZero() {
		c.Date = c.Time
	}
	if err := l.Commit(t.Context(), "debian", c); err != nil {
		t.Fatal(err)
	}
}

func small(path, data string) backend.Put {
	return backend.Put{Path: path, Index: true, Content: backend.Content{
		Data: []byte(data), Size: int64(len(data)), Tag: sha256.Sum256([]byte(data)),
	}}
}

// at returns what a path holds in a generation, "" for nothing.
func at(t *testing.T, l *ledger.Ledger, path string, generation int64) string {
	t.Helper()
	f, err := l.File(t.Context(), "debian", path, generation)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(f.Data)
}

func TestGenerationsAreKeptApart(t *testing.T) {
	l := ledgertest.Open(t)
	if head, err := l.Head(t.Context(), "debian"); err != nil || head.Generation != 0 {
		t.Fatalf("the head of nothing = %+v, %v", head, err)
	}
	commit(t, l, backend.Commit{Base: 0, Files: []backend.Put{small("Release", "one"), small("gone", "one"), small("stays", "one")}})
	lasting := small("by-hash/1", "one")
	lasting.Lasting = true
	commit(t, l, backend.Commit{Base: 1, Files: []backend.Put{small("Release", "two"), lasting}, Gone: []backend.Gone{{Path: "gone"}}})
	commit(t, l, backend.Commit{Base: 2, Gone: []backend.Gone{{Path: "by-hash/1", Lasting: true}}})
	for _, c := range []struct {
		path       string
		generation int64
		want       string
	}{
		{"Release", 1, "one"}, {"Release", 2, "two"}, {"Release", 3, "two"}, {"Release", backend.Current, "two"},
		{"gone", 1, "one"}, {"gone", 2, ""}, {"gone", backend.Current, ""},
		{"stays", 3, "one"}, {"stays", backend.Current, "one"}, {"stays", 0, ""},
		{"by-hash/1", 1, ""}, {"by-hash/1", 2, "one"}, {"by-hash/1", 3, ""}, {"by-hash/1", backend.Current, "one"},
		{"never", backend.Current, ""},
	} {
		if got := at(t, l, c.path, c.generation); got != c.want {
			t.Errorf("%s in generation %d = %q, want %q", c.path, c.generation, got, c.want)
		}
	}
	head, err := l.Head(t.Context(), "debian")
	if err != nil || head.Generation != 3 || !head.Time.Equal(start.Add(2*time.Minute)) {
		t.Errorf("the head = %+v, %v", head, err)
	}
}

func TestALostCommitChangesNothing(t *testing.T) {
	l := ledgertest.Open(t)
	commit(t, l, backend.Commit{Base: 0, Files: []backend.Put{small("Release", "one")}})
	for _, base := range []int64{0, 2, 7} {
		err := l.Commit(t.Context(), "debian", backend.Commit{
			Base: base, Time: start, Date: start, Files: []backend.Put{small("Release", "lost")},
			State: map[string][]byte{"k": []byte("lost")}, Packages: []backend.Package{{Path: "lost", Time: start, Record: []byte{}}},
		})
		if !errors.Is(err, backend.ErrLost) {
			t.Errorf("a commit on generation %d of 1: %v, want ErrLost", base, err)
		}
	}
	if got := at(t, l, "Release", backend.Current); got != "one" {
		t.Errorf("Release = %q after lost commits", got)
	}
	if _, err := l.Get(t.Context(), "debian", "k"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lost commit has left state: %v", err)
	}
	if found, err := l.Find(t.Context(), "debian", []string{"lost"}, nil); err != nil || len(found) != 0 {
		t.Errorf("a lost commit has left a package: %v, %v", found, err)
	}
}

func TestRemovedPackagesAreFoundUntilTheyArePruned(t *testing.T) {
	l := ledgertest.Open(t)
	p := backend.Package{
		Path: "a/one", Name: "one", Version: "1", Arch: "any", Slot: "a/one", Shard: "a", Uploaded: sha256.Sum256([]byte("u")),
		Digest: sha256.Sum256([]byte("d")), Size: 7, By: "ci", Time: start, Record: []byte("{}"),
	}
	commit(t, l, backend.Commit{Base: 0, Packages: []backend.Package{p}})
	commit(t, l, backend.Commit{Base: 1, Removed: []string{p.Path}})
	found, err := l.Find(t.Context(), "debian", []string{p.Path}, []string{p.Slot})
	if err != nil || len(found) != 1 || !found[0].Removed.Equal(start.Add(time.Minute)) {
		t.Fatalf("a removed package is found as %+v, %v; and its slot is empty", found, err)
	}
	if err := l.Prune(t.Context(), "debian", start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if found, err := l.Find(t.Context(), "debian", []string{p.Path}, nil); err != nil || len(found) != 0 {
		t.Errorf("a pruned package is found: %+v, %v", found, err)
	}
	commit(t, l, backend.Commit{Base: 2, Packages: []backend.Package{p}})
	found, err = l.Find(t.Context(), "debian", nil, []string{p.Slot})
	if err != nil || len(found) != 1 || found[0].Digest != p.Digest || found[0].Uploaded != p.Uploaded || found[0].Size != 7 {
		t.Errorf("the package of the slot = %+v, %v", found, err)
	}
}

func TestManyPackagesAreFoundAtOnce(t *testing.T) {
	l := ledgertest.Open(t)
	var all []backend.Package
	var paths []string
	for i := range 40 {
		path := fmt.Sprintf("pool/%d", i)
		paths = append(paths, path)
		if i%3 > 0 {
			all = append(all, backend.Package{Path: path, Name: path, Time: start, Record: []byte("{}")})
		}
	}
	commit(t, l, backend.Commit{Base: 0, Packages: all})
	for n := range len(paths) + 1 {
		found, err := l.Find(t.Context(), "debian", paths[:n], nil)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, p := range found {
			got = append(got, p.Path)
		}
		for i, path := range paths[:n] {
			if i%3 > 0 {
				want = append(want, path)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("of %d paths, %q are found, want %q", n, got, want)
		}
	}
	if found, err := l.Find(t.Context(), "rpm", paths, nil); err != nil || len(found) != 0 {
		t.Errorf("another repository has %d, %v", len(found), err)
	}
}

func TestPruneKeepsWhatReadersMayStillAskFor(t *testing.T) {
	l := ledgertest.Open(t)
	commit(t, l, backend.Commit{Base: 0, Files: []backend.Put{small("Release", "one")}})
	commit(t, l, backend.Commit{Base: 1, Files: []backend.Put{small("Release", "two")}})
	commit(t, l, backend.Commit{Base: 2, Files: []backend.Put{small("Release", "three")}})
	// Generation 2 was committed a minute after the start and superseded after two.
	if err := l.Prune(t.Context(), "debian", start.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	for generation, want := range map[int64]string{1: "", 2: "two", 3: "three"} {
		if got := at(t, l, "Release", generation); got != want {
			t.Errorf("Release in generation %d = %q, want %q", generation, got, want)
		}
	}
}

func TestObjectsStayWhileTheyAreNamed(t *testing.T) {
	l := ledgertest.Open(t)
	named, litter := []byte("named"), []byte("litter")
	part := listing.Object(named)
	put := backend.Put{Path: "Packages", Index: true, Content: backend.Content{Parts: listing.Parts{part}, Size: part.Size, Tag: part.Digest}}
	commit(t, l, backend.Commit{Base: 0, Files: []backend.Put{put}, Objects: map[backend.Digest][]byte{
		part.Digest: named, sha256.Sum256(litter): litter,
	}})
	var refs []listing.Reference
	for ref, err := range l.Named(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	if len(refs) != 1 || refs[0].Digest != part.Digest || !refs[0].Object {
		t.Fatalf("named are %+v", refs)
	}
	is := func(d backend.Digest) bool { return d == part.Digest }
	if n, err := l.PruneObjects(t.Context(), start, is); err != nil || n != 0 {
		t.Errorf("%d young objects were removed, %v", n, err)
	}
	if n, err := l.PruneObjects(t.Context(), start.Add(time.Second), is); err != nil || n != 1 {
		t.Errorf("%d objects were removed, %v", n, err)
	}
	if data, err := l.Object(t.Context(), part.Digest); err != nil || string(data) != "named" {
		t.Errorf("the named object = %q, %v", data, err)
	}
	if _, err := l.Object(t.Context(), sha256.Sum256(litter)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the litter: %v", err)
	}
}

func TestStateIsScannedInItsOrder(t *testing.T) {
	l := ledgertest.Open(t)
	commit(t, l, backend.Commit{Base: 0, State: map[string][]byte{"b": {1}, "ab": {2}, "a\nz": {3}, "a": {4}, "c": {}}})
	commit(t, l, backend.Commit{Base: 1, State: map[string][]byte{"b": nil}})
	for prefix, want := range map[string][]string{"a": {"a", "a\nz", "ab"}, "": {"a", "a\nz", "ab", "c"}, "b": nil, "a\n": {"a\nz"}} {
		var got []string
		for kv, err := range l.Scan(context.Background(), "debian", prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, kv.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("scan of %q = %q, want %q", prefix, got, want)
		}
	}
}

func TestASignatureIsInTheLogWithItsGeneration(t *testing.T) {
	l := ledgertest.Open(t)
	s := backend.Signature{Name: "pool/one", Scheme: "openpgp-armored", Key: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("k"))), By: "ci", Request: "r", Time: start}
	commit(t, l, backend.Commit{Base: 0, Signatures: []backend.Signature{s, s}})
	rows, err := l.SignaturesAt(t.Context(), "debian", "pool/one", 10)
	if err != nil || len(rows) != 2 || rows[0].ID != 2 || rows[1].By != "ci" {
		t.Errorf("the log has %+v, %v", rows, err)
	}
	s.Name = "a\nb"
	if err := l.Commit(t.Context(), "debian", backend.Commit{Base: 1, Time: start, Date: start, Signatures: []backend.Signature{s}}); err == nil {
		t.Error("a signature of a name with a newline was recorded")
	}
	if head, err := l.Head(t.Context(), "debian"); err != nil || head.Generation != 1 {
		t.Errorf("the head = %+v, %v", head, err)
	}
}
