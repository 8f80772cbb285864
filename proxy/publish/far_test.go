package publish_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/publish"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// A far is the server that a house stands in front of, and the tree of both.
type far struct {
	*hosted.Repository
	faults *faults
	down   bool   // it takes no change
	stops  string // it takes no file at this path

	mu    sync.Mutex
	files map[string]string
}

var errDown = fmt.Errorf("it is down: %w", backend.ErrUpstream)

func newFront(t testing.TB) *house {
	f := &faults{}
	h := &house{faults: f, far: &far{faults: f, files: map[string]string{}}}
	return h.begin(t, rawFormat(t, raw.Defaults()))
}

func (u *far) Freshen(context.Context, string) error { return nil }

func (u *far) at(path string) (string, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	data, ok := u.files[path]
	return data, ok
}

func (u *far) Put(_ context.Context, path string, _ int64, r io.Reader) error {
	if u.down || path == u.stops {
		return errDown
	}
	return u.faults.at("far put", func() error {
		data, err := io.ReadAll(r)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.files[path] = string(data)
		return err
	})
}

func (u *far) Delete(_ context.Context, path string) error {
	return u.faults.at("far delete", func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.files, path)
		return nil
	})
}

func (u *far) Digest(_ context.Context, path string) (d backend.Digest, err error) {
	err = u.faults.at("far digest", func() error {
		data, ok := u.at(path)
		if !ok {
			return fs.ErrNotExist
		}
		d = sha256.Sum256([]byte(data))
		return nil
	})
	return d, err
}

func (u *far) Kept(context.Context, backend.Digest) (backend.Blob, error) { return nil, fs.ErrNotExist }

// Open implements [backend.Tree]: the bytes of packages are the far server's.
func (u *far) Open(ctx context.Context, at int64, paths ...string) (f *backend.File, err error) {
	err = u.faults.at("open", func() error {
		if f, err = u.Repository.Open(ctx, at, paths...); err != nil {
			return err
		}
		if data, ok := u.at(f.Path); ok && !f.Index {
			f.ReadSeeker = bytes.NewReader([]byte(data))
		}
		return nil
	})
	return f, err
}

// list returns what an index says of a file that the far server has from now on.
func (h *house) list(path, data string) publish.Listed {
	h.t.Helper()
	h.far.mu.Lock()
	h.far.files[path] = data
	h.far.mu.Unlock()
	sum := sha256.Sum256([]byte(data))
	f, err := h.format.(*raw.Format).Found(path, sum[:], int64(len(data)))
	if err != nil {
		h.t.Fatal(err)
	}
	return publish.Listed{Foreign: f, Content: sum, Print: sum[:16]}
}

// notAndDone are the two ways to fail, and that of a generation which another replica was faster with.
var notAndDone = []struct {
	name string
	done bool
	err  error
}{
	{"not done", false, errors.New("broken")},
	{"done all the same", true, errors.New("broken")},
	{"another was first", false, backend.ErrLost},
}

// eachFault runs a test for each step and each way in which it may fail, and sees to it that the step was taken.
func eachFault(t *testing.T, steps []string, test func(t *testing.T, h *house, lost bool, want error, step string, done bool)) {
	for _, step := range steps {
		for _, fault := range notAndDone {
			lost := fault.err == backend.ErrLost
			if lost && step != "claim" && step != "list" && step != "release" {
				continue
			}
			t.Run(step+" fails, "+fault.name, func(t *testing.T) {
				h := newFront(t)
				h.faults.forget()
				test(t, h, lost, fault.err, step, fault.done)
				if h.faults.taken(step) == 0 {
					t.Errorf("there is no step %q", step)
				}
			})
		}
	}
}

// Whatever fails, what is listed is signed and is what the far server has, no path is claimed for ever, and the same upload
// goes through afterwards.
func TestEveryStepOfAForwardedUploadMayFail(t *testing.T) {
	steps := []string{"blob", "head", "find", "get", "far digest", "claim", "far put", "list"}
	eachFault(t, steps, func(t *testing.T, h *house, lost bool, want error, step string, done bool) {
		h.mustPut("before", "0")
		h.faults.set(step, done, want)
		_, err := h.put("a", "1")
		if lost != (err == nil) || err != nil && !errors.Is(err, want) {
			t.Fatalf("the upload ends with %v", err)
		}
		h.faults.set("", false, nil)
		there, sent := h.far.at("a")
		if claimed := step == "far put" || step == "list" || lost; sent && !claimed || sent && there != "1" {
			t.Errorf("before the path is claimed the far server has %q", there)
		}
		if got := h.get("a"); got != "" && (got != there || !strings.Contains(h.get("SHA256SUMS"), sum("1", "a"))) {
			t.Errorf("%q is served, the far server has %q, and SHA256SUMS is %q", got, there, h.get("SHA256SUMS"))
		} else if got == "" && strings.Contains(h.get("SHA256SUMS"), sum("1", "a")) {
			t.Error("it is listed and not visible")
		}
		h.mustVerify()

		h.restart()
		_, err = h.put("a", "other")
		stuck := step == "claim" && done // nobody knows of this claim
		if conflict := errors.Is(err, publish.ErrConflict); conflict != (sent || stuck) || err != nil && !conflict {
			t.Fatalf("other bytes after that: %v", err)
		}
		data := "other"
		if err != nil {
			data = "1"
			if _, err := h.put("a", data); err != nil {
				t.Errorf("the same again: %v", err)
			}
		}
		if there, _ := h.far.at("a"); h.get("a") != data || there != data {
			t.Errorf("%q is served, and the far server has %q", h.get("a"), there)
		}
		h.signed("before")
		h.signed("a")
		h.mustVerify()
	})
}

func TestAClaimThatNobodyReleasedEnds(t *testing.T) {
	eachFault(t, []string{"release"}, func(t *testing.T, h *house, lost bool, want error, step string, done bool) {
		h.far.down = true
		h.faults.set(step, done, want)
		if _, err := h.put("a", "1"); !errors.Is(err, errDown) || !lost && !errors.Is(err, want) {
			t.Fatalf("the upload ends with %v", err)
		}
		h.faults.set("", false, nil)
		h.far.down = false
		if _, err := h.put("a", "2"); errors.Is(err, publish.ErrConflict) != (!done && !lost) {
			t.Fatalf("other bytes: %v", err)
		}
		h.now = h.now.Add(time.Hour)
		if _, err := h.put("a", "2"); err != nil {
			t.Errorf("other bytes an hour later: %v", err)
		}
		h.signed("a")
		h.mustVerify()
	})
}

func TestEveryStepOfAForwardedDeletionMayFail(t *testing.T) {
	eachFault(t, []string{"head", "find", "get", "far delete", "list"}, func(t *testing.T, h *house, lost bool, want error, step string, done bool) {
		h.mustPut("a", "1")
		h.mustPut("b", "2")
		h.faults.forget()
		h.faults.set(step, done, want)
		err := h.delete("a")
		if lost != (err == nil) || err != nil && !errors.Is(err, want) {
			t.Fatalf("the deletion ends with %v", err)
		}
		h.faults.set("", false, nil)
		if _, there := h.far.at("a"); there && !strings.Contains(h.get("SHA256SUMS"), sum("1", "a")) {
			t.Error("it is listed no more, and the far server has it still")
		}
		if listed := strings.Contains(h.get("SHA256SUMS"), sum("1", "a")); !listed && h.get("a.asc") != "" {
			t.Error("it is gone, and its signature is there")
		} else if listed {
			if err := h.delete("a"); err != nil {
				t.Errorf("the same again: %v", err)
			}
		}
		if _, there := h.far.at("a"); there || h.get("a") != "" || strings.Contains(h.get("SHA256SUMS"), sum("1", "a")) {
			t.Errorf("in the end the far server has it: %t; served: %q", there, h.get("a"))
		}
		h.mustVerify()
		h.restart()
		h.signed("b")
		h.mustVerify()
	})
}

// A change of the upstream's index is there as a whole or not at all.
func TestEveryStepOfFollowingMayFail(t *testing.T) {
	eachFault(t, []string{"head", "find", "get", "list"}, func(t *testing.T, h *house, lost bool, want error, step string, done bool) {
		following := func(order int64, add ...publish.Listed) publish.Following {
			return publish.Following{Scope: "a", Edition: format.Edition{Shard: "a", Order: order}, Add: add, Note: fmt.Append(nil, order)}
		}
		if err := h.repo.Follow(t.Context(), following(1, h.list("a/gone", "g"), h.list("a/same", "s"), h.list("a/other", "o"))); err != nil {
			t.Fatal(err)
		}
		if err := h.repo.Attest(t.Context(), "a/other"); err != nil {
			t.Fatal(err)
		}
		before := h.get("a/SHA256SUMS")
		if before != sum("g", "gone")+sum("s", "same")+sum("o", "other") {
			t.Fatalf("it lists %q", before)
		}
		second := following(2, h.list("a/other", "O"), h.list("a/new", "n"))
		second.Remove = []string{"a/gone"}
		after := sum("s", "same") + sum("O", "other") + sum("n", "new")

		h.faults.forget()
		h.faults.set(step, done, want)
		err := h.repo.Follow(t.Context(), second)
		if lost != (err == nil) || err != nil && !errors.Is(err, want) {
			t.Fatalf("it ends with %v", err)
		}
		h.faults.set("", false, nil)
		check := func(when string) {
			t.Helper()
			got := h.get("a/SHA256SUMS")
			followed, err := h.repo.Followed(t.Context(), "a")
			if err != nil || got != before && got != after || (got == after) != (followed.Order == 2) || string(followed.Note) != fmt.Sprint(followed.Order) {
				t.Errorf("%s it lists %q, of the edition %+v, %v", when, got, followed, err)
			}
			if err := signing.VerifyOpenPGP(h.ring.Keys(scheme.Index)[0].Public(), signing.Bytes(got), []byte(h.get("a/SHA256SUMS.asc"))); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			if old := h.get("a/other.asc") != ""; old != (got == before) {
				t.Errorf("%s the signature of the file before is there: %t", when, old)
			}
		}
		check("after the fault")
		if got := h.get("a/SHA256SUMS"); (lost || done && step == "list") != (got == after) {
			t.Errorf("after the fault it lists %q", got)
		}
		if err := h.repo.Follow(t.Context(), second); err != nil {
			t.Errorf("the same again: %v", err)
		}
		check("in the end")
		if got := h.get("a/SHA256SUMS"); got != after {
			t.Errorf("in the end it lists %q", got)
		}
		h.mustVerify()
		h.restart()
		check("after a restart")
		h.mustVerify()
	})
}

// Signatures beside a file of the upstream are all there or none.
func TestEveryStepOfAttestingMayFail(t *testing.T) {
	eachFault(t, []string{"head", "find", "open", "list"}, func(t *testing.T, h *house, lost bool, want error, step string, done bool) {
		if err := h.repo.Follow(t.Context(), publish.Following{Scope: "a", Edition: format.Edition{Shard: "a", Order: 1}, Add: []publish.Listed{h.list("a/file", "f")}}); err != nil {
			t.Fatal(err)
		}
		h.faults.forget()
		h.faults.set(step, done, want)
		err := h.repo.Attest(t.Context(), "a/file")
		if lost != (err == nil) || err != nil && !errors.Is(err, want) {
			t.Fatalf("it ends with %v", err)
		}
		h.faults.set("", false, nil)
		if asc, bundle := h.get("a/file.asc") != "", h.get("a/file.sigstore.json") != ""; asc != bundle || asc != (lost || done && step == "list") {
			t.Errorf("after the fault there is the one: %t, the other: %t", asc, bundle)
		}
		h.mustVerify()
		for range 2 {
			if err := h.repo.Attest(t.Context(), "a/file"); err != nil {
				t.Errorf("again: %v", err)
			}
		}
		h.restart()
		h.signed("a/file")
		h.mustVerify()
		rows, err := h.ledger.SignaturesAt(t.Context(), "shelf", "a/file", 10)
		if err != nil || len(rows) != 2 || rows[0].By != "upstream" {
			t.Errorf("the ledger has %+v, %v", rows, err)
		}
	})
}

// Nothing of an envelope goes to the far server before all of it is found to be good.
func TestAnEnvelopeIsForwardedOnceAllOfItIsStaged(t *testing.T) {
	f := &faults{}
	h := (&house{faults: f, far: &far{faults: f, files: map[string]string{}}}).begin(t, formattest.Parcels{})
	h.mustBatch("put b 1")
	for last, want := range map[string]error{
		"put a UPPER":        format.ErrMalformed,
		"yank c/1.parcel x":  fs.ErrNotExist,
		"shred a":            format.ErrMalformed,
		"put a/b.asc 1":      format.ErrMalformed,
		"yank a/1.parcel no": fs.ErrNotExist,
	} {
		if _, err := h.batch("put a 1", "delete b/1.parcel", last); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", last, err, want)
		}
		if _, sent := h.far.at("a/1.parcel"); sent {
			t.Fatalf("before %s was found to be bad, the upload was sent", last)
		}
		if _, there := h.far.at("b/1.parcel"); !there {
			t.Fatalf("before %s was found to be bad, the deletion was sent", last)
		}
	}
	h.far.stops = "a/2.parcel"
	if _, err := h.batch("put a 1", "put a 2"); !errors.Is(err, backend.ErrUpstream) || h.get("NAMES") != "b 1\n" {
		t.Errorf("an upload that the far server does not take gets %v and %q", err, h.get("NAMES"))
	}
	h.far.stops = ""
	h.mustBatch("put a 1", "put a 2") // nobody has a claim any more
	if h.get("NAMES") != "b 1\na 2\n" {
		t.Errorf("NAMES is %q", h.get("NAMES"))
	}
	h.mustBatch("delete b/1.parcel")
	if _, there := h.far.at("b/1.parcel"); there {
		t.Error("the far server has what was deleted")
	}
}
