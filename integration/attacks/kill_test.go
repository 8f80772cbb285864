package attacks

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallmark/integration/world"
	"hallmark/signing"
)

// Rule: two things are true after a kill at any moment. What was acknowledged is there and verifies; what is visible
// verifies. And there is no moment in between: a reader watches all the time.

const (
	killPushes  = 100
	killPushers = 4
	killReaders = 2
	leastKills  = 5
	maxKills    = 60 // in each place; the pushes that are left then go on undisturbed
)

func TestNothingIsVisibleUnsignedWhileTheProxyIsKilled(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		h.push100(t, &killed{known: make(map[string]bool)})
	})
}

// killed is what the pushers and readers of the kill test know.
type killed struct {
	mu           sync.Mutex
	known        map[string]bool   // digests that were sent, answered or not
	acknowledged []acknowledgement // what the proxy said is there
	seen         int               // how often a reader saw a manifest, and its signature
}

type acknowledgement struct{ reference, digest string }

const killedName = "team/killed"

func (k *killed) sent(digest string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known[digest] = true
}

func (k *killed) answered(reference, digest string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acknowledged = append(k.acknowledged, acknowledgement{reference, digest})
	return len(k.acknowledged)
}

// count returns how many pushes were acknowledged.
func (k *killed) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.acknowledged)
}

func (k *killed) digests() (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d := range k.known {
		all = append(all, d)
	}
	return all
}

func (k *killed) saw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen++
}

func (h *house) push100(t *testing.T, k *killed) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	faults := make(chan error, 1000)
	fault := func(err error) {
		select {
		case faults <- err:
		default:
		}
	}
	var readers, pushers sync.WaitGroup
	for range killReaders {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := h.look(ctx, k); err != nil {
					fault(err)
				}
			}
		})
	}
	work := make(chan int)
	for range killPushers {
		pushers.Go(func() {
			for n := range work {
				if err := h.pushUntilItIsThere(ctx, k, n); err != nil {
					fault(err)
				}
			}
		})
	}
	pushed := make(chan struct{})
	var killed atomic.Int64
	go func() {
		// A machine that is done before the proxy was killed a few times goes on.
		for n := 0; n < killPushes || int(killed.Load()) < leastKills && ctx.Err() == nil; n++ {
			work <- n
		}
		close(work)
		pushers.Wait()
		close(pushed)
	}()

	kills, life, acknowledged := 0, time.Duration(1), 0
	for done := false; !done; {
		var moment <-chan time.Time // never, once there were enough
		if kills < maxKills {
			moment = time.After(life * time.Duration(mathrand.IntN(700)) * time.Millisecond) // the moment is the point
		}
		select {
		case <-pushed:
			done = true
		case <-moment:
			h.proxy.Restart(t)
			kills++
			killed.Add(1)
			// On a slow machine a short life gets nothing done: then the next one is longer.
			if n := k.count(); n == acknowledged {
				life = min(2*life, 16)
			} else {
				life, acknowledged = 1, n
			}
		}
	}
	cancel()
	readers.Wait()
	close(faults)
	for err := range faults {
		t.Errorf("%v\n%s", err, h.lastRequests())
	}
	h.afterwards(t, k)
	t.Logf("%d acknowledged pushes, %d kills, %d looks at what was visible and signed", len(k.acknowledged), kills, k.seen)
	if kills < leastKills || k.seen < 100 {
		t.Errorf("%d kills and %d looks are too few to show anything", kills, k.seen)
	}
}

// pushUntilItIsThere pushes an image or, every fifth time, an index of two, by tag or by digest.
func (h *house) pushUntilItIsThere(ctx context.Context, k *killed, n int) error {
	config := describe(ociConfig, []byte(tinyConfig))
	put := func(reference, mediaType string, body []byte) error {
		k.sent(digestOf(body))
		w, err := h.retry(ctx, func() (answer, error) {
			if _, err := h.api.tryBlob(killedName, ociConfig, []byte(tinyConfig)); err != nil {
				return answer{}, err
			}
			return h.api.send(ctx, http.MethodPut, "/v2/"+killedName+"/manifests/"+reference, body, "Content-Type", mediaType)
		})
		if err != nil {
			return err
		}
		if w.status != http.StatusCreated {
			return fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
		k.answered(reference, digestOf(body))
		return nil
	}
	one := unique(config).encode()
	if n%5 != 0 {
		reference := digestOf(one)
		if n%3 != 0 {
			reference = fmt.Sprintf("tag%d", n%20) // several pushes move one tag
		}
		return put(reference, ociManifest, one)
	}
	two := unique(config).encode()
	index := manifestJSON{SchemaVersion: 2, MediaType: ociIndex, Manifests: []descriptor{describe(ociManifest, one), describe(ociManifest, two)},
		Annotations: map[string]string{"unique": rand.Text()}}
	for _, child := range [][]byte{one, two} {
		if err := put(digestOf(child), ociManifest, child); err != nil {
			return err
		}
	}
	return put(fmt.Sprintf("index%d", n), ociIndex, index.encode())
}

// retry asks until somebody answers: whoever is just being killed does not. Any answer counts.
func (h *house) retry(ctx context.Context, ask func() (answer, error)) (w answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, world.Patience)
	defer cancel()
	for pause := time.NewTicker(3 * time.Millisecond); ; {
		if w, err = ask(); err == nil {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return w, err
		case <-pause.C: // the proxy is being started
		}
	}
}

// look reads what is visible once: the tags, and all digests that were ever sent.
func (h *house) look(ctx context.Context, k *killed) error {
	w, err := h.retry(ctx, func() (answer, error) {
		return h.behind.send(ctx, http.MethodGet, "/v2/"+killedName+"/tags/list?n=1000", nil)
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil || w.status == http.StatusNotFound {
		return err
	}
	var list struct{ Tags []string }
	if err := w.decode(&list); err != nil {
		return err
	}
	references := k.digests()
	for _, tag := range list.Tags {
		if !strings.HasPrefix(tag, "sha256-") {
			references = append(references, tag)
		}
	}
	mathrand.Shuffle(len(references), func(i, j int) { references[i], references[j] = references[j], references[i] })
	for _, reference := range references[:min(len(references), 25)] {
		if err := h.lookAt(ctx, k, reference); err != nil {
			return err
		}
	}
	return nil
}

// lookAt reads a manifest, and then its signature, which must be there, since it was there first.
func (h *house) lookAt(ctx context.Context, k *killed, reference string) error {
	get := func(path string) (answer, error) {
		return h.retry(ctx, func() (answer, error) { return h.behind.send(ctx, http.MethodGet, "/v2/"+killedName+path, nil) })
	}
	w, err := get("/manifests/" + reference)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil || w.status == http.StatusNotFound {
		return err
	}
	if w.status != http.StatusOK {
		return fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
	}
	digest := digestOf(w.body)
	var m manifestJSON
	sig, err := get("/manifests/" + sigTag(digest))
	if ctx.Err() != nil {
		return nil
	}
	if err == nil && sig.status != http.StatusOK {
		err = fmt.Errorf("%d %s", sig.status, sig.body)
	}
	if err == nil {
		err = sig.decode(&m)
	}
	if err != nil {
		return fmt.Errorf("%s is visible (as %s) and has no signature: %w", digest, reference, err)
	}
	for _, l := range m.Layers {
		p, err := get("/blobs/" + l.Digest)
		if ctx.Err() != nil {
			return nil
		}
		signature, berr := decodeBase64(l.Annotations[signatureAnnotation])
		if err == nil && berr == nil && p.status == http.StatusOK && signing.VerifyImage(h.key, p.body, signature, h.image(killedName, digest)) == nil {
			k.saw()
			return nil
		}
	}
	return fmt.Errorf("%s is visible (as %s) and no signature of its %d verifies", digest, reference, len(m.Layers))
}

// afterwards checks that all that was acknowledged is there and verifies; cosign has a look at some of it.
func (h *house) afterwards(t *testing.T, k *killed) {
	t.Helper()
	if len(k.acknowledged) < killPushes {
		t.Errorf("%d of %d pushes were acknowledged", len(k.acknowledged), killPushes)
	}
	for _, a := range k.acknowledged {
		w := h.behind.get(t, "/v2/"+killedName+"/manifests/"+a.digest)
		if w.status != http.StatusOK || digestOf(w.body) != a.digest {
			t.Errorf("%s was acknowledged, as %s, and is not there: %d %s", a.digest, a.reference, w.status, w.body)
			continue
		}
		if err := h.signed(h.behind, killedName, a.digest); err != nil {
			t.Error(err)
		}
		if !strings.Contains(h.states(t, killedName, a.digest), "made") {
			t.Errorf("the ledger has no signature of %s", a.digest)
		}
		if strings.HasPrefix(a.reference, "sha256:") {
			continue
		}
		if w := h.behind.get(t, "/v2/"+killedName+"/manifests/"+a.reference); w.status != http.StatusOK {
			t.Errorf("the tag %s was acknowledged and is not there: %d", a.reference, w.status)
		}
	}
	for _, a := range k.acknowledged[:min(3, len(k.acknowledged))] {
		verifies(t, h, killedName+"@"+a.digest)
	}
	index := k.acknowledged[len(k.acknowledged)-1]
	verifies(t, h, killedName+"@"+index.digest)
}
