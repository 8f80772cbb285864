package attacks

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"hallmark/signing"
)

// Rule: a package is visible once it is signed and listed, and not a moment before; and once its upload is answered,
// everybody sees it.

const (
	uploaders   = 8
	crowdSize   = 300
	crowdReader = 2
)

func TestNothingIsVisibleUnlistedWhileManyUpload(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"debian"}})
	var c crowd
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers, uploads sync.WaitGroup
	var looks atomic.Int64
	for range crowdReader {
		readers.Go(func() {
			r := d.newReader()
			for ctx.Err() == nil {
				if err := r.look(crowdFolder, c.some()); err != nil {
					t.Error(err)
					return
				}
				looks.Add(1)
			}
		})
	}
	var next atomic.Int64
	for range uploaders {
		uploads.Go(func() {
			for n := next.Add(1); n <= crowdSize && !t.Failed(); n = next.Add(1) {
				body, file, at := c.next(int(n))
				w, err := d.api.try(http.MethodPut, "/debian/stable/main/"+file, body)
				if err != nil || w.status != http.StatusCreated || w.header.Get("Location") != at {
					t.Errorf("%s: %d %s %v, at %q", file, w.status, w.body, err, w.header.Get("Location"))
					return
				}
				c.answered(at, body)
				// Whoever comes now sees it, on whatever connection.
				listed, err := d.newReader().index()
				if err != nil || listed[at].sha256 != hexOf(body) {
					t.Errorf("%s was acknowledged, and the index lists it with %q, %v", at, listed[at].sha256, err)
				}
			}
		})
	}
	uploads.Wait()
	cancel()
	readers.Wait()
	t.Logf("%d looks while %d packages were uploaded", looks.Load(), c.count())
	if looks.Load() < 10 && !t.Failed() {
		t.Error("these are too few looks to show anything")
	}
	d.allThere(t, &c)
	if out, err := d.repo(t, "verify", "debian"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// maxBytes is how many packages allThere reads. All are read by proxy repo verify, which comes after it.
const maxBytes = 300

// allThere fails the test unless everything that was acknowledged is listed, and what it reads of it verifies.
func (d *depot) allThere(t *testing.T, c *crowd) {
	t.Helper()
	r := d.newReader()
	listed, err := r.index()
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for at, sum := range c.acknowledged {
		if listed[at].sha256 != sum {
			t.Errorf("%s was acknowledged and is listed with %q, not with %s", at, listed[at].sha256, sum)
		}
		if read++; read > maxBytes {
			continue
		}
		data, err := r.expect(at)
		if err == nil && hexOf(data) != sum {
			err = fmt.Errorf("%s has other bytes", at)
		}
		if err == nil {
			err = d.beside(r.get, "debian", at, data)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// The same for a folder of files: the checksums and their signature are two requests, which fit each other.
func TestChecksumsAreThoseOfOneMoment(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw"}})
	d.put(t, "/raw/tools/first", []byte("first"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers, uploads sync.WaitGroup
	for range crowdReader {
		readers.Go(func() {
			a := newAPI(d.proxy.URL, d.api.user)
			for ctx.Err() == nil {
				sums, err := a.try(http.MethodGet, "/raw/tools/SHA256SUMS", nil)
				if err != nil {
					t.Error(err)
					return
				}
				sig, err := a.try(http.MethodGet, "/raw/tools/SHA256SUMS.asc", nil)
				if err == nil {
					err = signing.VerifyOpenPGP(d.keys["raw"].index, signing.Bytes(sums.body), sig.body)
				}
				if err != nil {
					t.Errorf("the signature of the checksums: %v", err)
					return
				}
			}
		})
	}
	for u := range uploaders {
		uploads.Go(func() {
			for n := range 25 {
				path := fmt.Sprintf("/raw/tools/%d-%d", u, n)
				body := []byte(path)
				w, err := d.api.try(http.MethodPut, path, body)
				if err != nil || w.status != http.StatusCreated {
					t.Errorf("%s: %d %s %v", path, w.status, w.body, err)
					return
				}
				if err := d.beside(d.fetch, "raw", path, body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	uploads.Wait()
	cancel()
	readers.Wait()
}
