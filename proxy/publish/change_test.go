package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/formattest"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// batch sends an envelope.
func (h *house) batch(lines ...string) ([]publish.Result, error) {
	return h.repo.Unwrap(context.Background(), format.Request{Method: "POST", Path: "batch"}, publish.Upload{
		Body: strings.NewReader(strings.Join(lines, "\n") + "\n"), Limit: 1 << 20, Caller: publish.Caller{By: "ci", Request: "r1"},
	})
}

func (h *house) mustBatch(lines ...string) {
	h.t.Helper()
	if _, err := h.batch(lines...); err != nil {
		h.t.Fatalf("%s: %v", strings.Join(lines, "; "), err)
	}
}

func parcels(t *testing.T) *house { return newHouse(t, formattest.Parcels{}) }

func TestAnEnvelopeIsOneGeneration(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1", "put a 2", "put b 1")
	if h.generation() != 1 {
		t.Errorf("generation %d", h.generation())
	}
	if names := h.get("NAMES"); names != "a 2\nb 1\n" {
		t.Errorf("NAMES is %q", names)
	}
	for _, path := range []string{"a/1.parcel", "a/2.parcel", "b/1.parcel"} {
		h.signed(path)
		if h.get(path+".size") != "11\n" {
			t.Errorf("beside %s is %q", path, h.get(path+".size"))
		}
	}
	results, err := h.batch("put a 1", "put b 2")
	if err != nil || len(results) != 2 || !results[0].Same || results[1].Same {
		t.Errorf("%+v, %v", results, err)
	}
	h.mustVerify()
	h.restart()
	h.mustVerify()
}

func TestAnEnvelopeIsTakenAsAWholeOrNotAtAll(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1")
	names, generation := h.get("NAMES"), h.generation()
	for last, want := range map[string]error{
		"delete a/7.parcel":    fs.ErrNotExist,
		"yank b/7.parcel x":    fs.ErrNotExist,
		"clear nobody":         fs.ErrNotExist,
		"put a UPPER":          format.ErrMalformed,
		"put a/b.asc 1":        format.ErrMalformed,
		"shred a":              format.ErrMalformed,
		"yank a/2.parcel late": fs.ErrNotExist, // it is not there before the envelope
		"delete a/2.parcel":    publish.ErrConflict,
	} {
		if _, err := h.batch("put a 2", "delete a/1.parcel", last); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", last, err, want)
		}
		if h.get("NAMES") != names || h.generation() != generation || h.get("a/2.parcel") != "" || h.get("a/1.parcel") == "" {
			t.Fatalf("%s has left something behind", last)
		}
	}
	h.mustVerify()
}

func TestAMarkChangesWhatIsListed(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1", "put a 2")
	before := h.get("a/INDEX")
	h.mustBatch("yank a/1.parcel it leaks")
	if index := h.get("a/INDEX"); !strings.Contains(index, `"it leaks"`) || strings.Index(index, "a/1.") > strings.Index(index, "a/2.") {
		t.Errorf("the index is %q", index)
	}
	h.signed("a/1.parcel")
	h.mustVerify()
	generation := h.generation()
	if h.mustBatch("yank a/1.parcel it leaks", "yank a/2.parcel "); h.generation() != generation {
		t.Error("marks that are there already make a generation")
	}
	h.restart()
	if err := h.repo.Reindex(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(h.get("a/INDEX"), `"it leaks"`) {
		t.Error("the mark is forgotten when everything is read again")
	}
	h.mustBatch("yank a/1.parcel ")
	if h.get("a/INDEX") != before {
		t.Errorf("without the mark the index is %q", h.get("a/INDEX"))
	}
	h.mustVerify()
}

// An author's signature may come with a file that is there already.
func TestAnUploadOfWhatIsThereBringsItsMarks(t *testing.T) {
	h := parcels(t)
	put := func(marks map[string]string) []publish.Result {
		t.Helper()
		results, err := h.repo.Change(t.Context(), []format.Change{{
			Op: format.Op{Kind: format.Put, Dir: "a", Name: "1.parcel", Marks: marks}, Body: strings.NewReader("PARCEL a 1\n"),
		}}, 1<<20, publish.Caller{By: "ci", Request: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	put(nil)
	generation := h.generation()
	if results := put(nil); !results[0].Same || h.generation() != generation {
		t.Errorf("the same bytes again are %+v", results)
	}
	put(map[string]string{"yanked": "it leaks"})
	if index := h.get("a/INDEX"); !strings.Contains(index, `"it leaks"`) {
		t.Errorf("the index is %q", index)
	}
	generation = h.generation()
	if results := put(map[string]string{"yanked": "it leaks"}); !results[0].Same || h.generation() != generation {
		t.Errorf("the same bytes and marks again are %+v", results)
	}
	h.mustVerify()
}

func TestMarksAndUploadsAtTheSameTime(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := h.batch(fmt.Sprintf("put a 2.%d", i)); err != nil {
				t.Error(err)
			}
			if _, err := h.batch(fmt.Sprintf("yank a/2.%d.parcel %d", i, i)); err != nil {
				t.Error(err)
			}
			if _, err := h.batch(fmt.Sprintf("yank a/1.parcel %d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if index := h.get("a/INDEX"); strings.Count(index, "\n") != 9 || strings.Count(index, `""`) != 0 {
		t.Errorf("the index is %q", index)
	}
	h.mustVerify()
}

func TestWhatIsRaisedGoesWithTheLastOfItsPackages(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1", "put b 1", "put c 1", "put c 2")
	h.mustBatch("clear c")
	if err := h.delete("a/1.parcel"); err != nil {
		t.Fatal(err)
	}
	if names := h.get("NAMES"); names != "b 1\n" {
		t.Errorf("NAMES is %q", names)
	}
	for _, gone := range []string{"a/INDEX", "a/INDEX.json", "a/1.parcel.size", "a/1.parcel.asc", "c/INDEX", "c/2.parcel.size"} {
		if h.get(gone) != "" {
			t.Errorf("%s is still there", gone)
		}
	}
	h.mustVerify()
}

func TestTheAddressesBeginWithoutAComma(t *testing.T) {
	h := parcels(t)
	for i := range 150 { // more than a segment
		h.mustPut(fmt.Sprintf("a/%03d.parcel", i), fmt.Sprintf("PARCEL a %03d\n", i))
	}
	for i := range 70 {
		if err := h.delete(fmt.Sprintf("a/%03d.parcel", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.get("a/INDEX.json"); !strings.HasPrefix(got, "[\"\x01/a/070.parcel\",") || !strings.HasSuffix(got, "/a/149.parcel\"]\n") {
		t.Errorf("%.40q … %.40q", got, got[len(got)-40:])
	}
	h.mustVerify()
}

// Every step of an envelope may fail, done or not.
func TestEveryStepOfAnEnvelopeMayFail(t *testing.T) {
	broken := errors.New("broken")
	for _, step := range []string{"blob", "head", "find", "get", "commit"} {
		for _, fault := range []struct {
			name string
			done bool
			err  error
		}{{"not done", false, broken}, {"done all the same", true, broken}, {"another was first", false, backend.ErrLost}} {
			if fault.err == backend.ErrLost && step != "commit" {
				continue
			}
			t.Run(step+" fails, "+fault.name, func(t *testing.T) {
				h := parcels(t)
				h.mustBatch("put a 1", "put b 1")
				lines := []string{"put c 1", "yank a/1.parcel why", "delete b/1.parcel"}
				h.faults.set(step, fault.done, fault.err)
				_, err := h.batch(lines...)
				if (err == nil) != (fault.err == backend.ErrLost) || err != nil && !errors.Is(err, fault.err) {
					t.Errorf("the envelope gets %v", err)
				}
				there := h.get("c/1.parcel") != ""
				if marked, deleted := strings.Contains(h.get("a/INDEX"), "why"), h.get("b/1.parcel") == ""; marked != there || deleted != there {
					t.Errorf("put %t, marked %t, deleted %t", there, marked, deleted)
				}
				h.faults.set("", false, nil)
				h.mustVerify()
				if _, err := h.batch(lines[:2]...); err != nil {
					t.Errorf("again: %v", err)
				}
				h.restart()
				h.signed("c/1.parcel")
				h.mustVerify()
			})
		}
	}
}

func TestWhatIsAtThePathsOfUploadsIsAskedForAtOnce(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Settings{}))
	var wanted []format.Change
	for i := range 8 {
		op, err := h.repo.Route(format.Request{Method: "PUT", Path: fmt.Sprintf("file-%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		wanted = append(wanted, format.Change{Op: op, Body: strings.NewReader("data")})
	}
	if _, err := h.repo.Change(t.Context(), wanted, 1<<20, publish.Caller{}); err != nil {
		t.Fatal(err)
	}
	asked := h.faults.taken("find")
	// For each one before it is signed, and once in the generation; raw files also ask for the folders above them.
	if most := 2*len(wanted) + 1; asked == 0 || asked > most {
		t.Errorf("the database is asked %d times, want %d", asked, most)
	}
}

// The signature of a parcel stands in the index: with another key it is made again, and the parcel stays as it is.
func TestReindexMakesSignaturesInTheIndexWithTheKeysOfNow(t *testing.T) {
	h := parcels(t)
	h.mustBatch("put a 1", "put a 2")
	h.mustBatch("yank a/1.parcel why")
	before, sidecar := h.get("a/INDEX"), h.get("a/1.parcel.asc")
	files := h.ring.Keys(scheme.File)
	h.ring = signingtest.Ring(t, "shelf", append(files, signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519"))...)
	h.restart()
	if err := h.repo.Reindex(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	was, now := strings.Fields(before), strings.Fields(h.get("a/INDEX"))
	if len(was) != len(now) || was[0] != now[0] || was[1] != now[1] || was[2] == now[2] || was[3] != now[3] {
		t.Errorf("the index was\n%s\nand is\n%s", before, h.get("a/INDEX"))
	}
	if h.get("a/1.parcel.asc") != sidecar {
		t.Error("the signature beside the parcel is another")
	}
	h.mustVerify()
}
