package publish_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

func sum(data, name string) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(data)), name)
}

// signed checks that a file's two sidecars verify, and that they do not for other bytes.
func (h *house) signed(path string) {
	h.t.Helper()
	data := h.get(path)
	r := h.ring
	for _, c := range []struct {
		suffix string
		verify func(data, sig []byte) error
	}{
		{".asc", func(data, sig []byte) error {
			return signing.VerifyOpenPGP(r.Keys(scheme.File)[0].Public(), signing.Bytes(data), sig)
		}},
		{".sigstore.json", func(data, sig []byte) error {
			return signing.VerifyBlobBundle(r.Keys(scheme.File)[1].Public(), sig, signing.Bytes(data))
		}},
	} {
		sig := []byte(h.get(path + c.suffix))
		if err := c.verify([]byte(data), sig); err != nil {
			h.t.Errorf("%s%s: %v", path, c.suffix, err)
		}
		if c.verify([]byte(data+"."), sig) == nil {
			h.t.Errorf("%s%s verifies other bytes", path, c.suffix)
		}
	}
}

func TestAnUploadIsSignedAndListed(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	if r := h.mustPut("a/one", "1"); r.Same || r.Path != "a/one" {
		t.Errorf("result %+v", r)
	}
	h.mustPut("a/two", "2")
	if got, want := h.get("a/SHA256SUMS"), sum("1", "one")+sum("2", "two"); got != want {
		t.Errorf("SHA256SUMS = %q, want %q", got, want)
	}
	index := h.ring.Keys(scheme.Index)[0].Public()
	if err := signing.VerifyOpenPGP(index, signing.Bytes(h.get("a/SHA256SUMS")), []byte(h.get("a/SHA256SUMS.asc"))); err != nil {
		t.Error(err)
	}
	if signing.VerifyOpenPGP(index, signing.Bytes(h.get("a/one")), []byte(h.get("a/one.asc"))) == nil {
		t.Error("the index's key has signed a file")
	}
	h.signed("a/one")
	h.signed("a/two")
	h.mustVerify()
	h.restart()
	h.signed("a/two")
	h.mustPut("b", "3")
	h.mustVerify()
	if rows, err := h.ledger.SignaturesAt(t.Context(), "shelf", "a/one", 10); err != nil || len(rows) != 2 || rows[0].By != "ci" || rows[0].Request != "r1" {
		t.Errorf("the ledger has %+v, %v", rows, err)
	}
}

func TestTheSameBytesAgainAreNoNewGeneration(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("a", "1")
	before := h.generation()
	if r := h.mustPut("a", "1"); !r.Same {
		t.Errorf("result %+v", r)
	}
	if h.generation() != before {
		t.Error("a generation was made")
	}
}

func TestOtherBytesAreAConflict(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("a", "1")
	refused := func(what string) {
		t.Helper()
		before := h.generation()
		if _, err := h.put("a", "2"); !errors.Is(err, publish.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
		if h.generation() != before {
			t.Errorf("%s: a generation was made", what)
		}
	}
	refused("while it is there")
	if err := h.delete("a"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a", "a.asc", "a.sigstore.json", "SHA256SUMS", "SHA256SUMS.asc"} {
		if got := h.get(path); got != "" {
			t.Errorf("%s is still there: %q", path, got)
		}
	}
	refused("shortly after it was deleted")
	if r := h.mustPut("a", "1"); r.Same {
		t.Error("what was deleted is said to be there")
	}
	h.signed("a")
	if err := h.delete("a"); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(2 * time.Hour)
	if err := h.ledger.Prune(t.Context(), "shelf", h.now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.mustPut("a", "2")
	h.mustVerify()
}

func TestOverwritingIsAllowedWhereTheFormatSaysSo(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Settings{Overwrite: true}))
	h.mustPut("a", "1")
	h.mustPut("b", "b")
	h.mustPut("a", "2")
	if h.get("a") != "2" || h.get("SHA256SUMS") != sum("b", "b")+sum("2", "a") && h.get("SHA256SUMS") != sum("2", "a")+sum("b", "b") {
		t.Errorf("a = %q, SHA256SUMS = %q", h.get("a"), h.get("SHA256SUMS"))
	}
	h.signed("a")
	h.mustVerify()
}

func TestDeletingWhatIsNotThere(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("a", "1")
	if err := h.delete("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown: %v", err)
	}
	if err := h.delete("a.asc"); err == nil {
		t.Error("a sidecar was deleted")
	}
	if err := h.delete("SHA256SUMS"); err == nil {
		t.Error("the index was deleted")
	}
	if err := h.delete("a"); err != nil {
		t.Error(err)
	}
	if err := h.delete("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted before: %v", err)
	}
	h.mustVerify()
}

func TestSidecarsCannotBeUploaded(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	for _, name := range []string{"a.asc", "a.sigstore.json", "b/c.deb.asc", "SHA256SUMS", "SHA256SUMS.asc"} {
		if _, err := h.put(name, "x"); !errors.Is(err, format.ErrNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.generation() != 0 {
		t.Error("something was committed")
	}
	h.mustPut("a.author.asc", "x")
	h.mustVerify()
}

// Many uploads at once become few generations, and each is as if it had been alone.
func TestUploadsAtTheSameTime(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("taken", "before")
	const n = 200
	var uploads sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		uploads.Go(func() {
			if i%10 == 0 {
				_, errs[i] = h.put("taken", "after")
				return
			}
			_, errs[i] = h.put(fmt.Sprintf("f%03d", i), fmt.Sprint(i))
			if errs[i] == nil && h.get(fmt.Sprintf("f%03d.asc", i)) == "" {
				errs[i] = errors.New("it is visible without its signature")
			}
		})
	}
	uploads.Wait()
	for i, err := range errs {
		if i%10 == 0 && !errors.Is(err, publish.ErrConflict) || i%10 != 0 && err != nil {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if lines := strings.Count(h.get("SHA256SUMS"), "\n"); lines != n-n/10+1 {
		t.Errorf("%d files are listed", lines)
	}
	if h.generation() > n-n/10 {
		t.Errorf("%d generations for %d uploads", h.generation(), n)
	}
	h.mustVerify()
}

func TestTheSameFileByTwoAtOnce(t *testing.T) {
	for range 20 {
		h := newHouse(t, rawFormat(t, raw.Defaults()))
		var uploads sync.WaitGroup
		var ok, conflicts int
		var mu sync.Mutex
		for i := range 8 {
			uploads.Go(func() {
				_, err := h.put("a", fmt.Sprint(i%2))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ok++
				} else if errors.Is(err, publish.ErrConflict) {
					conflicts++
				} else {
					t.Error(err)
				}
			})
		}
		uploads.Wait()
		if ok != 4 || conflicts != 4 {
			t.Errorf("%d were taken and %d refused, of two times four", ok, conflicts)
		}
		h.mustVerify()
	}
}

// Every step of an upload may fail, done or not. Then nothing is half there, the same upload again gets through, and
// everything verifies, also after a restart.
func TestEveryStepMayFail(t *testing.T) {
	broken := errors.New("broken")
	for _, step := range []string{"blob", "head", "find", "get", "commit"} {
		for _, fault := range []struct {
			name string
			done bool
			err  error
		}{
			{"not done", false, broken},
			{"done all the same", true, broken},
			{"no space", false, backend.ErrFull},
			{"another was first", false, backend.ErrLost},
		} {
			if fault.err == backend.ErrLost && step != "commit" {
				continue
			}
			t.Run(step+" fails, "+fault.name, func(t *testing.T) {
				h := newHouse(t, rawFormat(t, raw.Defaults()))
				h.mustPut("before", "0")
				h.faults.set(step, fault.done, fault.err)
				_, err := h.put("a", "1")
				if err == nil && fault.err != backend.ErrLost {
					t.Error("the upload was acknowledged")
				}
				if err != nil && !errors.Is(err, fault.err) {
					t.Errorf("the upload fails with %v", err)
				}
				if data := h.get("a"); data != "" {
					h.signed("a")
					if !strings.Contains(h.get("SHA256SUMS"), sum("1", "a")) {
						t.Error("it is visible and not listed")
					}
				} else if strings.Contains(h.get("SHA256SUMS"), sum("1", "a")) {
					t.Error("it is listed and not visible")
				}
				h.faults.set("", false, nil)
				h.mustVerify()
				if _, err := h.put("a", "1"); err != nil {
					t.Errorf("the same again: %v", err)
				}
				h.mustPut("after", "2")
				h.restart()
				for _, name := range []string{"before", "a", "after"} {
					h.signed(name)
				}
				h.mustVerify()
			})
		}
	}
}

func TestDatesNeverGoBack(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("a", "1")
	first, err := h.tree.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(-time.Hour)
	h.mustPut("b", "1")
	second, err := h.tree.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.Date.Before(first.Date) {
		t.Errorf("the date went from %v to %v", first.Date, second.Date)
	}
}

func TestVerifyFindsLies(t *testing.T) {
	for _, c := range []struct {
		name string
		lie  func(h *house)
	}{
		{"a flipped bit in a blob", func(h *house) {
			d := sha256.Sum256([]byte("some content"))
			name := fmt.Sprintf("%x", d)
			path := filepath.Join(h.dir, "storage/packages/sha256", name[:2], name[2:])
			if err := os.WriteFile(path, []byte("some contenT"), 0o644); err != nil {
				h.t.Fatal(err)
			}
		}},
		{"a missing blob", func(h *house) {
			d := sha256.Sum256([]byte("some content"))
			name := fmt.Sprintf("%x", d)
			if err := os.Remove(filepath.Join(h.dir, "storage/packages/sha256", name[:2], name[2:])); err != nil {
				h.t.Fatal(err)
			}
		}},
		{"another signature", func(h *house) { h.forge("a.asc", h.get("b.asc")) }},
		{"another bundle", func(h *house) { h.forge("a.sigstore.json", h.get("b.sigstore.json")) }},
		{"another index", func(h *house) { h.forge("SHA256SUMS", strings.ToUpper(h.get("SHA256SUMS"))) }},
		{"a signature of the index by a key of files", func(h *house) { h.forge("SHA256SUMS.asc", h.get("a.asc")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, rawFormat(t, raw.Defaults()))
			h.mustPut("a", "some content")
			h.mustPut("b", "other content")
			h.mustVerify()
			c.lie(h)
			if err := h.verify(); err == nil {
				t.Error("verify finds no fault")
			}
		})
	}
}

// forge changes a file behind the back of the repository.
func (h *house) forge(path, data string) {
	h.t.Helper()
	head, err := h.tree.Head(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	err = h.tree.Commit(context.Background(), backend.Commit{Base: head.Generation, Time: h.now, Date: h.now, Files: []backend.Put{{
		Path: path, Index: true, Content: backend.Content{Data: []byte(data), Size: int64(len(data)), Tag: sha256.Sum256([]byte(data))},
	}}})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestReindexMakesEverythingAnew(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	for i := range 150 {
		h.mustPut(fmt.Sprintf("f%d", i), fmt.Sprint(i))
	}
	want := h.get("SHA256SUMS")
	h.forge("SHA256SUMS", "lies")
	if h.verify() == nil {
		t.Fatal("verify finds no fault")
	}
	if err := h.repo.Reindex(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	if got := h.get("SHA256SUMS"); got != want {
		t.Errorf("SHA256SUMS has %d bytes, and had %d", len(got), len(want))
	}
	h.mustVerify()
}

// spliced is raw with the signature of its index in front of it, as Alpine has it.
type spliced struct{ format.Format }

func (s spliced) Index(site format.Site, in format.Shard, emit func(format.File) error) error {
	return s.Format.Index(site, in, func(f format.File) error {
		f.Seals[0].Path, f.Seals[0].Scheme = "", scheme.OpenPGPBinary
		f.Splice = func(sigs []format.Signature) ([]format.Patch, error) {
			return []format.Patch{{Data: append(sigs[0].Value, '\n')}}, nil
		}
		return emit(f)
	})
}

func TestASignatureInFrontOfAListing(t *testing.T) {
	h := newHouse(t, spliced{rawFormat(t, raw.Defaults())})
	h.mustPut("a", "1")
	h.mustPut("b/c", "2")
	first := h.get("SHA256SUMS")
	h.mustVerify()
	h.mustPut("b/d", "3")
	if h.get("SHA256SUMS") != first {
		t.Error("an index that has not changed was signed again")
	}
	h.mustPut("e", "4")
	sig, text, _ := strings.Cut(h.get("SHA256SUMS"), "\n"+sum("1", "a"))
	text = sum("1", "a") + text
	if err := signing.VerifyOpenPGP(h.ring.Keys(scheme.Index)[0].Public(), signing.Bytes(text), []byte(sig)); err != nil {
		t.Error(err)
	}
	h.mustVerify()
	h.forge("SHA256SUMS", "x"+h.get("SHA256SUMS")[1:])
	if h.verify() == nil {
		t.Error("verify finds no fault in another signature")
	}
}

func TestAFileIsNoFolder(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	h.mustPut("a", "1")
	h.mustPut("b/c/d", "1")
	for _, path := range []string{"a/x", "a/x/y", "b", "b/c"} {
		if _, err := h.put(path, "2"); !errors.Is(err, publish.ErrConflict) {
			t.Errorf("%s: %v", path, err)
		}
	}
	h.mustPut("b/c/e", "2")
	h.mustPut("aa", "2")
	if err := h.delete("a"); err != nil {
		t.Fatal(err)
	}
	h.mustPut("a/x", "2")
	h.mustVerify()
}
