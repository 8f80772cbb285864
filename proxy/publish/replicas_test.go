package publish_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
)

// beside returns the house of another replica: on the same database and storage, with a clock of its own.
func (h *house) beside() *house {
	other := &house{t: h.t, dir: h.dir, place: h.place, format: h.format, ring: h.ring, now: h.now, faults: &faults{}}
	other.open()
	h.t.Cleanup(other.close)
	return other
}

// upload puts a raw file, from any goroutine.
func (h *house) upload(path, text string) error {
	op, err := h.repo.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		return err
	}
	_, err = h.repo.Upload(context.Background(), op, publish.Upload{Body: strings.NewReader(text), Limit: 1 << 20})
	return err
}

func TestReplicasThatCommitAtOnceLoseNothing(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	houses := []*house{h, h.beside()}
	const files = 30
	var work sync.WaitGroup
	for i := range files {
		work.Go(func() {
			if err := houses[i%2].upload(fmt.Sprintf("f%d", i), fmt.Sprint(i)); err != nil {
				t.Errorf("file %d: %v", i, err)
			}
		})
		work.Go(func() { // which fails, whatever is committed meanwhile
			op, err := houses[i%2].repo.Route(format.Request{Method: "DELETE", Path: "never"})
			if err == nil {
				err = houses[i%2].repo.Delete(context.Background(), op, publish.Caller{})
			}
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("delete of nothing: %v", err)
			}
		})
	}
	work.Wait()
	for i := range files {
		f, err := houses[(i+1)%2].tree.Open(t.Context(), backend.Current, fmt.Sprintf("f%d", i))
		if err != nil {
			t.Errorf("file %d: %v", i, err)
			continue
		}
		f.Close()
	}
	for _, h := range houses {
		if err := h.repo.Verify(t.Context(), func(string) {}); err != nil {
			t.Error(err)
		}
	}
}

func TestTimesNeverGoBackAcrossReplicas(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	late := h.beside()
	late.now = h.now.Add(-time.Hour)
	var last backend.Head
	for i, from := range []*house{h, late, h, late} {
		if err := from.upload(fmt.Sprint(i), "x"); err != nil {
			t.Fatal(err)
		}
		head, err := h.tree.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if head.Generation <= last.Generation || head.Date.Before(last.Date) || head.Time.Before(last.Time) {
			t.Errorf("after %+v comes %+v", last, head)
		}
		last = head
	}
}

// The longest path that is taken, of which nothing can be left out.
func TestTheLongestPathHasRoomInTheDatabase(t *testing.T) {
	h := newHouse(t, rawFormat(t, raw.Defaults()))
	var path strings.Builder
	for path.Len() < 2000 {
		path.WriteString(rand.Text() + "/")
	}
	if err := h.upload(path.String()+"file", "x"); err != nil {
		t.Fatal(err)
	}
}
