package publish_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/blob"
	"hallmark/proxy/ledger"
	"hallmark/proxy/ledger/ledgertest"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/signing"
	"hallmark/signing/signingtest"
)

// A house is a repository on a data folder, with faults on demand.
type house struct {
	t      testing.TB
	dir    string
	place  ledgertest.Place
	format format.Format
	ring   *signing.Ring
	now    time.Time

	ledger *ledger.Ledger
	tree   *hosted.Repository
	repo   *publish.Repository
	faults *faults
	far    *far // nil: it stands in front of nobody
}

func newHouse(t testing.TB, f format.Format) *house {
	return (&house{faults: &faults{}}).begin(t, f)
}

func (h *house) begin(t testing.TB, f format.Format) *house {
	h.t, h.dir, h.place, h.format, h.ring = t, t.TempDir(), ledgertest.New(t), f, signingtest.Packages(t, "shelf")
	h.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h.open()
	t.Cleanup(h.close)
	return h
}

func rawFormat(t testing.TB, s raw.Settings) format.Format {
	f, err := raw.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (h *house) open() {
	h.t.Helper()
	ctx := context.Background()
	var err error
	if h.ledger, err = h.place.TryOpen(ctx); err != nil {
		h.t.Fatal(err)
	}
	blobs, err := blob.Open(ctx, "filesystem", map[string]any{"rootdirectory": filepath.Join(h.dir, "storage")}, func(ctx context.Context, b backend.Digest) error {
		return h.ledger.Keep(ctx, b, time.Now())
	})
	if err != nil {
		h.t.Fatal(err)
	}
	spooled, err := spool.Open(filepath.Join(h.dir, "spool"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.tree = hosted.New("shelf", h.ledger, blobs)
	o := publish.Options{
		Name: "shelf", Format: h.format, Ring: h.ring, State: faultyState{h.tree, h.faults}, Tree: h.tree,
		Blobs: faultyBlobs{blobs, h.faults}, Spool: spooled, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: func() time.Time { return h.now },
	}
	if h.far != nil {
		h.far.Repository = h.tree
		o.Tree, o.Upstream, o.Behind = h.far, h.far, &format.Behind{}
	}
	h.repo, err = publish.Open(ctx, o)
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	h.repo.Close()
	if err := h.ledger.Close(); err != nil {
		h.t.Error(err)
	}
}

// restart is what a new process finds.
func (h *house) restart() {
	h.close()
	h.open()
}

func (h *house) put(path, data string) (publish.Result, error) {
	op, err := h.repo.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		return publish.Result{}, err
	}
	return h.repo.Upload(context.Background(), op, publish.Upload{
		Body: strings.NewReader(data), Limit: 1 << 20, Caller: publish.Caller{By: "ci", Request: "r1"},
	})
}

func (h *house) mustPut(path, data string) publish.Result {
	h.t.Helper()
	r, err := h.put(path, data)
	if err != nil {
		h.t.Fatalf("put %s: %v", path, err)
	}
	return r
}

func (h *house) delete(path string) error {
	op, err := h.repo.Route(format.Request{Method: "DELETE", Path: path})
	if err != nil {
		return err
	}
	return h.repo.Delete(context.Background(), op, publish.Caller{})
}

// get returns what a reader sees at a path, "" for nothing.
func (h *house) get(path string) string {
	h.t.Helper()
	var tree backend.Tree = h.tree
	if h.far != nil {
		tree = h.far
	}
	f, err := tree.Open(context.Background(), backend.Current, path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		h.t.Fatal(err)
	}
	if int64(len(data)) != f.Size {
		h.t.Errorf("%s has %d bytes and says %d", path, len(data), f.Size)
	}
	return string(data)
}

func (h *house) generation() int64 {
	h.t.Helper()
	head, err := h.tree.Head(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return head.Generation
}

// verify runs the repository's own verification.
func (h *house) verify() error { return h.repo.Verify(context.Background(), func(string) {}) }

func (h *house) mustVerify() {
	h.t.Helper()
	if err := h.verify(); err != nil {
		h.t.Errorf("verify: %v", err)
	}
}

// faults makes a step fail, before it is done or after, until it is set otherwise.
type faults struct {
	mu   sync.Mutex
	step string
	done bool  // fail although it was done
	err  error // nil: do not fail

	steps map[string]int // how often each was taken
}

func (f *faults) set(step string, done bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step, f.done, f.err = step, done, err
}

// forget makes taken begin at zero.
func (f *faults) forget() { f.mu.Lock(); defer f.mu.Unlock(); f.steps = nil }

// taken returns how often a step was taken.
func (f *faults) taken(step string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps[step]
}

func (f *faults) at(step string, do func() error) error {
	f.mu.Lock()
	if f.steps == nil {
		f.steps = make(map[string]int)
	}
	f.steps[step]++
	fails := f.step == step && f.err != nil
	err, done := f.err, f.done
	if fails && err == backend.ErrLost {
		f.err = nil // once
	}
	f.mu.Unlock()
	if !fails {
		return do()
	}
	if done {
		do() // whatever comes of it, nobody is told
	}
	return err
}

type faultyState struct {
	*hosted.Repository
	faults *faults
}

func (s faultyState) Commit(ctx context.Context, c backend.Commit) error {
	return s.faults.at("commit", func() error {
		return s.faults.at(commitOf(c), func() error { return s.Repository.Commit(ctx, c) })
	})
}

// commitOf returns what a commit does: it lists packages or removes them, claims a path or releases one.
func commitOf(c backend.Commit) string {
	if len(c.Packages)+len(c.Removed) > 0 {
		return "list"
	}
	for key, value := range c.State {
		if strings.HasPrefix(key, "c\n") && value != nil {
			return "claim"
		} else if strings.HasPrefix(key, "c\n") {
			return "release"
		}
	}
	return "another commit"
}

func (s faultyState) Head(ctx context.Context) (head backend.Head, err error) {
	err = s.faults.at("head", func() error { head, err = s.Repository.Head(ctx); return err })
	return head, err
}

func (s faultyState) Find(ctx context.Context, paths, slots []string) (found []backend.Package, err error) {
	err = s.faults.at("find", func() error { found, err = s.Repository.Find(ctx, paths, slots); return err })
	return found, err
}

func (s faultyState) Get(ctx context.Context, key string) (value []byte, err error) {
	err = s.faults.at("get", func() error { value, err = s.Repository.Get(ctx, key); return err })
	return value, err
}

type faultyBlobs struct {
	backend.Blobs
	faults *faults
}

func (b faultyBlobs) Put(ctx context.Context, d backend.Digest, size int64, r io.Reader) error {
	return b.faults.at("blob", func() error { return b.Blobs.Put(ctx, d, size, r) })
}
