package attacks

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/integration/world"
)

// Round trips are what signing costs, so they are counted by the upstream.
func TestAFirstSignatureCostsFiveRequests(t *testing.T) {
	h := upstream(t, settings{})
	h.api.push(t, "team/app", "1") // the first of the repository also stores the config of all signatures
	for _, reference := range []string{"2", ""} {
		body := h.api.tiny(t, "team/app")
		if reference == "" {
			reference = digestOf(body)
		}
		h.up.Reset()
		h.meet(http.MethodGet, http.MethodPost)
		h.api.put(t, "team/app", reference, ociManifest, body).expect(t, http.StatusCreated)
		h.up.Intercept(nil)
		asked := h.up.Requests()
		if n := len(asked); n > 5 {
			t.Errorf("by %s: %d requests, want at most 5\n%s", reference, n, h.lastRequests())
		}
		if n := world.InSequence(asked); n > 4 {
			t.Errorf("by %s: %d one after another, want at most 4\n%s", reference, n, h.lastRequests())
		}
		puts := 0
		for _, r := range asked {
			if r.Method == http.MethodPut && r.Path == "/v2/team/app/manifests/"+reference {
				puts++
			}
		}
		if last := asked[len(asked)-1]; puts != 1 || last.Path != "/v2/team/app/manifests/"+reference {
			t.Errorf("by %s: the manifest was not stored once, and last\n%s", reference, h.lastRequests())
		}
		h.mustBeSigned(t, "team/app", reference)

		// Again: nothing is written but what the client sent.
		h.up.Reset()
		h.api.put(t, "team/app", reference, ociManifest, body).expect(t, http.StatusCreated)
		for _, r := range h.up.Requests() {
			read := r.Method == http.MethodGet || r.Method == http.MethodHead
			if !read && r.Path != "/v2/team/app/manifests/"+reference || strings.Contains(r.Path, "uploads") {
				t.Errorf("a push of what is there wrote %s", r.Line())
			}
		}
		if states := h.states(t, "team/app", digestOf(body)); states != "made" {
			t.Errorf("the ledger has %q, want one row", states)
		}
	}
}

// meet holds the first request of each of two methods back until the other has come, so that whether they are made at
// the same time does not depend on how fast the machine is. If they are not, each is let go after a while, and they are
// seen one after another.
func (h *house) meet(one, other string) {
	came := map[string]chan struct{}{one: make(chan struct{}), other: make(chan struct{})}
	once := map[string]*sync.Once{one: {}, other: {}}
	partner := map[string]string{one: other, other: one}
	h.up.Intercept(func(rw http.ResponseWriter, req *http.Request, forward http.Handler) {
		if o := once[req.Method]; o != nil {
			o.Do(func() { close(came[req.Method]) })
			select {
			case <-came[partner[req.Method]]:
			case <-time.After(world.Patience / 10):
			}
		}
		forward.ServeHTTP(rw, req)
	})
}
