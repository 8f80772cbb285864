package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"syscall"
	"time"

	"hallmark/integration/world"
)

// index is the big index file of debGoods, below its repository.
const index = "dists/stable/main/binary-" + runtime.GOARCH + "/Packages.gz"

// onS3 compares a repository on PostgreSQL and S3 with one on disk, all servers being on the same machine and disk: how long the whole
// of its largest index takes to be read, a range of it, and how long an add takes.
func (b *bench) onS3(t world.T) {
	size := min(goalSize, b.sizes[len(b.sizes)-1])
	g := debGoods
	s3 := world.StartS3(t)
	_, disk := startShelf(t, g, "on-disk", ed25519, clientsAtOnce, places{})
	_, object := startShelf(t, g, "on-s3", ed25519, clientsAtOnce, places{world.StartPostgres(t).URL("postgres"), s3.Storage(s3.URL)})
	both := []*shelf{disk, object}
	for i, s := range both {
		t.Logf("s3, %s: %s packages get to %s", g.title, thousands(size), []string{"disk", "S3"}[i])
		if err := s.fill(t.Context(), 0, size); err != nil {
			t.Fatalf("s3: %v", err)
		}
	}
	syscall.Sync()
	what := fmt.Sprintf(" of %s packages, %s: on disk, on S3", thousands(size), g.title)
	whole := func(s *shelf, _ int) error { return s.readIndex(t.Context(), "") }
	part := func(s *shelf, _ int) error { return s.readIndex(t.Context(), "bytes=-65536") }
	put := func(s *shelf, n int) error { return s.put(t.Context(), g.make(size+n, 1)) }
	b.add(b.onBoth(t, "read the index"+what, both, 2, whole))
	b.add(b.onBoth(t, "read the last 64 KiB of the index"+what, both, 0, part))
	b.add(b.onBoth(t, "add a package"+what, both, 3, put))
	disk.stop()
	object.stop()
}

// samples is how often something short is done to be timed once.
const samples = 5

// onBoth measures by turns. A goal of 0 is none.
func (b *bench) onBoth(t world.T, what string, both []*shelf, goal float64, do func(s *shelf, n int) error) row {
	var times [2][]float64
	n := 0
	for range b.pairs + 1 {
		for i, s := range both {
			var each []float64
			for range samples {
				n++
				began := time.Now()
				if err := do(s, n); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				each = append(each, milliseconds(time.Since(began)))
			}
			times[i] = append(times[i], median(each))
		}
	}
	disk, object := times[0][1:], times[1][1:] // the first is to warm up
	got := median(pairwise(object, disk, ratio))
	r := row{
		what: what, theirs: fmt.Sprintf("%.2f ms", median(disk)), ours: fmt.Sprintf("%.2f ms", median(object)),
		outcome: fmt.Sprintf("%.2f times", got), pass: got <= goal, pairs: len(disk),
	}
	if goal > 0 {
		r.goal = fmt.Sprintf("≤ %.0f times", goal)
	}
	return r
}

// readIndex reads the largest index, or a range of it, and throws it away.
func (s *shelf) readIndex(ctx context.Context, part string) error {
	at := s.url + index
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	want := http.StatusOK
	if part != "" {
		req.Header.Set("Range", part)
		want = http.StatusPartialContent
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != want:
		return fmt.Errorf("GET %s: %s", at, resp.Status)
	case n != resp.ContentLength:
		return fmt.Errorf("GET %s: %d of %d bytes", at, n, resp.ContentLength)
	}
	return nil
}
