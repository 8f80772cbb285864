package attacks

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Rule: two things are true after a kill at any moment. What was acknowledged is there, listed, and verifies; what is
// served verifies. And there is no moment in between: readers look all the time.

// killFor returns how long the proxy is killed again and again: HALLMARK_KILL_FOR, such as 60s.
func killFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("HALLMARK_KILL_FOR")
	switch {
	case text == "" && testing.Short():
		return 5 * time.Second
	case text == "":
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("HALLMARK_KILL_FOR: %v", err)
	}
	return d
}

func TestWhatIsServedVerifiesWhileTheProxyIsKilled(t *testing.T) {
	d := openDepot(t, shelf{repositories: allFormats})
	var c crowd
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	var looks, next atomic.Int64
	others := make(map[string][]string) // of the formats besides Debian, what was acknowledged
	var mu sync.Mutex
	for _, format := range allFormats[1:] {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				u := named(format, fmt.Sprintf("other%d", n))
				w, err := answered(ctx, func() (answer, error) { return d.api.send(ctx, http.MethodPut, u.path, u.body) })
				if ctx.Err() != nil {
					return
				}
				if err != nil || w.status != http.StatusCreated && w.status != http.StatusOK {
					t.Errorf("%s: %d %s %v", w.line, w.status, w.body, err)
					return
				}
				mu.Lock()
				others[format] = append(others[format], w.header.Get("Location"))
				mu.Unlock()
			}
		})
	}
	for range crowdReader {
		work.Go(func() {
			r := d.newReader().patiently(ctx)
			for ctx.Err() == nil {
				if err := r.look(crowdFolder, c.some()); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				looks.Add(1)
			}
		})
	}
	for range uploaders {
		work.Go(func() {
			for ctx.Err() == nil {
				body, file, at := c.next(int(next.Add(1)))
				w, err := answered(ctx, func() (answer, error) { // one that was cut is sent again
					return d.api.send(ctx, http.MethodPut, "/debian/stable/main/"+file, body)
				})
				if ctx.Err() != nil {
					return
				}
				if err != nil || w.status != http.StatusCreated && w.status != http.StatusOK {
					t.Errorf("%s: %d %s %v", file, w.status, w.body, err)
					return
				}
				c.answered(at, body)
			}
		})
	}

	kills, acknowledged, life := 0, 0, time.Duration(1)
	end := time.Now().Add(killFor(t))
	for time.Now().Before(end) && !t.Failed() {
		select {
		case <-time.After(life * time.Duration(mathrand.IntN(700)) * time.Millisecond): // the moment is the point
		case <-ctx.Done():
		}
		d.proxy.Restart(t)
		kills++
		// On a slow machine a short life gets nothing done: then the next one is longer.
		if n := c.count(); n == acknowledged {
			life = min(2*life, 16)
		} else {
			life, acknowledged = 1, n
		}
	}
	cancel()
	work.Wait()
	t.Logf("%d packages were acknowledged through %d kills, in %d looks", c.count(), kills, looks.Load())
	if (kills < 5 || looks.Load() < 10 || c.count() < 20) && !t.Failed() && !testing.Short() {
		t.Error("this is too little to show anything")
	}
	d.allThere(t, &c)
	for _, format := range allFormats {
		if out, err := d.repo(t, "verify", format); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for _, at := range others[format] {
			if w := d.api.do(t, http.MethodHead, at, nil); w.status != http.StatusOK {
				t.Errorf("%s was acknowledged: %d", at, w.status)
			}
		}
		if len(others[format]) == 0 && format != "debian" && !testing.Short() {
			t.Errorf("nothing of %s was acknowledged", format)
		}
	}
}

// The end of a set is one moment, too: of what dput uploads, all is listed or nothing, whenever the proxy is killed.
func TestASetIsListedAsAWholeWhileTheProxyIsKilled(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian"}})
	put := func(path string, body []byte) answer {
		w, err := answered(t.Context(), func() (answer, error) { return d.api.try(http.MethodPut, path, body) })
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for round := range 6 {
		set := newSet(round)
		for _, f := range set.files {
			if w := put("/debian/stable/main/incoming/"+f.name, []byte(f.data)); w.status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", f.name, w.status, w.body)
			}
		}
		answers := make(chan answer, 1)
		go func() { answers <- put("/debian/stable/main/incoming/"+set.changes.name, []byte(set.changes.data)) }()
		time.Sleep(time.Duration(mathrand.IntN(25)) * time.Millisecond) // the moment is the point
		d.proxy.Restart(t)
		listed, err := d.newReader().index()
		if err != nil && round > 0 {
			t.Fatal(err)
		}
		there := 0
		for _, at := range set.at {
			if _, ok := listed[at]; ok {
				there++
			}
		}
		if there != 0 && there != len(set.at) {
			t.Errorf("%d of %d files of a set are listed", there, len(set.at))
		}
		// The .changes is sent again until it is answered. If the set was complete, its files are there already.
		if w := <-answers; w.status/100 != 2 {
			t.Errorf("%s: %d %s", set.changes.name, w.status, w.body)
		}
		r := d.newReader()
		if listed, err = r.index(); err != nil {
			t.Fatal(err)
		}
		for _, at := range set.at {
			if _, ok := listed[at]; !ok {
				t.Errorf("%s is not listed after its set was acknowledged", at)
			}
		}
		if err := r.packages(listed); err != nil {
			t.Error(err)
		}
	}
	if out, err := d.repo(t, "verify", "debian"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
