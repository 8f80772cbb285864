package attacks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hallmark/integration/world"
)

// Rule: nothing is inferred from an error, and a failure behind us is told as one. What cannot be signed, or cannot be
// logged, does not become visible.

const shortTimeout = "      timeout: 1s\n"

// hangs takes requests and never answers them, until the client gives up or release is closed.
func hangs(release <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		select {
		case <-release:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
}

// garbage answers with something that is no HTTP.
func garbage(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	io.WriteString(conn, "220 mail.example.com ESMTP\r\n\r\n")
}

// truncated answers with less than it promises.
func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", ociManifest)
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, `{"schemaVersion":2,`)
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// only has the requests that match fail, and the others pass.
func only(match func(*http.Request) bool, fail http.HandlerFunc) world.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if match(r) {
			fail(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}
}

func everything(*http.Request) bool { return true }

func readsSignature(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".sig")
}

// The requests of a push that sign, by what they are for.
var signingRequests = map[string]func(*http.Request) bool{
	"reading the signature": readsSignature,
	"beginning an upload":   func(r *http.Request) bool { return r.Method == http.MethodPost },
	"uploading": func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/")
	},
	"storing the signature": func(r *http.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".sig") },
	"storing the manifest": func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !strings.HasSuffix(r.URL.Path, ".sig")
	},
}

// unavailable asks for everything that a client may ask for of an image that is there, and wants to hear each time that
// the upstream is not.
func (h *house) unavailable(t *testing.T, name, tag string, body []byte) {
	t.Helper()
	digest := digestOf(body)
	var image manifestJSON
	if err := (answer{body: body}).decode(&image); err != nil {
		t.Fatal(err)
	}
	blob := image.Config.Digest
	for _, ask := range []struct{ method, path string }{
		{http.MethodGet, "manifests/" + tag},
		{http.MethodHead, "manifests/" + tag},
		{http.MethodGet, "manifests/" + digest},
		{http.MethodGet, "manifests/" + sigTag(digest)},
		{http.MethodGet, "blobs/" + blob},
		{http.MethodHead, "blobs/" + blob},
		{http.MethodGet, "tags/list"},
		{http.MethodGet, "referrers/" + digest},
		{http.MethodPost, "blobs/uploads/"},
		{http.MethodPut, "manifests/" + tag},
		{http.MethodPut, "manifests/" + digest},
		{http.MethodDelete, "manifests/" + tag},
		{http.MethodDelete, "manifests/" + digest},
		{http.MethodDelete, "manifests/" + sigTag(digest)},
		{http.MethodDelete, "blobs/" + blob},
	} {
		var content []byte
		if ask.method == http.MethodPut {
			content = body
		}
		w := h.api.do(t, ask.method, "/v2/"+name+"/"+ask.path, content, "Content-Type", ociManifest)
		w.refused(t, http.StatusBadGateway)
	}
	h.api.get(t, "/-/signatures/images/"+name+"@"+digest).refused(t, http.StatusBadGateway)
}

// becomes waits until /readyz has a status.
func (h *house) becomes(t *testing.T, status int) {
	t.Helper()
	if err := world.Poll(t.Context(), world.Answers(h.proxy.URL+"/readyz", status)); err != nil {
		t.Fatal(err)
	}
}

// nothing fails the test if anything of an image is visible behind the proxy.
func (h *house) nothing(t *testing.T, name, tag, digest string) {
	t.Helper()
	for _, reference := range []string{tag, digest} {
		if w := h.behind.get(t, "/v2/"+name+"/manifests/"+reference); w.status != http.StatusNotFound {
			t.Errorf("%s is there: %d\n%s", reference, w.status, h.lastRequests())
		}
	}
}

func TestAHangingUpstreamIsGivenUp(t *testing.T) {
	h := upstream(t, settings{upstream: shortTimeout})
	body := h.api.tiny(t, "team/app")
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)

	h.up.Intercept(only(everything, hangs(nil)))
	began := time.Now()
	h.api.get(t, "/v2/team/app/manifests/1").refused(t, http.StatusBadGateway)
	if took := time.Since(began); took < time.Second || took > world.Patience/2 {
		t.Errorf("given up after %s, upstream.timeout is 1s", took)
	}
	h.becomes(t, http.StatusServiceUnavailable)
	h.api.get(t, "/healthz").expect(t, http.StatusOK)

	for what, match := range signingRequests {
		h.up.Intercept(nil)
		next := h.api.tiny(t, "team/app")
		h.up.Intercept(only(match, hangs(nil)))
		code := h.api.put(t, "team/app", "2", ociManifest, next).refused(t, http.StatusBadGateway)
		if code != "UNAVAILABLE" {
			t.Errorf("%s hangs: %s", what, code)
		}
		h.nothing(t, "team/app", "2", digestOf(next))
	}
	h.up.Intercept(nil)
	h.becomes(t, http.StatusOK)
	h.api.push(t, "team/app", "2")
	h.mustBeSigned(t, "team/app", "1")
	h.mustBeSigned(t, "team/app", "2")
}

// A push hangs at each of its requests in turn, and everybody else is served all the same: other images of the same
// upstream, and other repositories.
func TestAHangingUpstreamHoldsUpNobodyElse(t *testing.T) {
	h := upstream(t, settings{upstream: "      timeout: 10m\n  local:\n    format: oci\n    images: [\"local/*\"]\n"})
	for what, match := range signingRequests {
		body := h.api.tiny(t, "team/app")
		release, arrived := make(chan struct{}), make(chan struct{}, 16)
		hang := hangs(release)
		h.up.Intercept(only(func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/v2/team/app/") && match(r)
		}, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			hang(w, r)
		}))
		ended := make(chan answer, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			w, _ := h.api.send(ctx, http.MethodPut, "/v2/team/app/manifests/1", body, "Content-Type", ociManifest)
			ended <- w
		}()
		select {
		case <-arrived:
		case w := <-ended:
			t.Fatalf("%s: not asked for: %d %s", what, w.status, w.body)
		}
		h.api.push(t, "team/other", "1")
		h.api.push(t, "local/app", "1")
		h.api.get(t, "/v2/team/other/manifests/1").expect(t, http.StatusOK)
		h.api.get(t, "/v2/local/app/manifests/1").expect(t, http.StatusOK)
		h.api.get(t, "/readyz").expect(t, http.StatusOK)
		h.up.Intercept(nil)
		h.api.push(t, "team/app", "2") // the same name, another digest
		select {
		case w := <-ended:
			t.Errorf("%s: the push that should hang has ended: %d %s", what, w.status, w.body)
		default:
		}
		close(release)
		if w := <-ended; w.status != http.StatusCreated { // a read that is cut off may be asked for again
			w.refused(t, http.StatusBadGateway)
		}
		cancel()
		h.invariant(t, "team/app", digestOf(body))
		h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "1")
	}
}

func TestAnUpstreamThatIsDown(t *testing.T) {
	h := &house{reg: world.StartRegistry(t, world.RegistryOptions{})}
	config := settings{}.repository() + "    upstream:\n      url: " + h.reg.URL + "\n"
	h.start(t, config, settings{})
	h.behind = newAPI(h.reg.URL, world.User{})
	body := h.api.tiny(t, "team/app")
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)

	h.reg.Kill()
	h.unavailable(t, "team/app", "1", body)
	h.becomes(t, http.StatusServiceUnavailable)
	h.api.get(t, "/healthz").expect(t, http.StatusOK)

	// A proxy that starts meanwhile lives, too.
	late := world.StartProxy(t, world.ProxyOptions{Config: config, Unready: true, Scenario: "late"})
	api := newAPI(late.URL, world.User{})
	api.get(t, "/readyz").expect(t, http.StatusServiceUnavailable)
	api.get(t, "/v2/team/app/manifests/1").refused(t, http.StatusBadGateway)

	h.reg.Start(t)
	h.becomes(t, http.StatusOK)
	h.mustBeSigned(t, "team/app", "1")
	h.api.push(t, "team/app", "2")
	h.mustBeSigned(t, "team/app", "2")
	if err := world.Poll(t.Context(), world.Answers(late.URL+"/readyz", http.StatusOK)); err != nil {
		t.Error(err)
	}
}

func TestAnUpstreamThatAnswersGarbage(t *testing.T) {
	h := upstream(t, settings{upstream: shortTimeout})
	body := h.api.tiny(t, "team/app")
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
	h.up.Intercept(only(everything, garbage))
	h.unavailable(t, "team/app", "1", body)
	h.becomes(t, http.StatusServiceUnavailable)

	for what, match := range signingRequests {
		for how, fail := range map[string]http.HandlerFunc{"garbage": garbage, "a truncated answer": truncated} {
			h.up.Intercept(nil)
			next := h.api.tiny(t, "team/app")
			h.up.Intercept(only(match, fail))
			w, err := h.api.try(http.MethodPut, "/v2/team/app/manifests/2", next, "Content-Type", ociManifest)
			if err != nil {
				t.Errorf("%s gets %s, and the client: %v", what, how, err)
				continue
			}
			w.refused(t, http.StatusBadGateway)
			h.nothing(t, "team/app", "2", digestOf(next))
		}
	}
	h.up.Intercept(nil)
	h.becomes(t, http.StatusOK)
	h.mustBeSigned(t, "team/app", "1")
	h.api.push(t, "team/app", "2")
	h.mustBeSigned(t, "team/app", "2")
}

// A signature that cannot be read is not one that is absent.
func TestAThrottledReadIsNoAbsence(t *testing.T) {
	h := upstream(t, settings{})
	body := h.api.tiny(t, "team/app")
	digest := digestOf(body)
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
	signature := func() string {
		return string(h.behind.get(t, "/v2/team/app/manifests/"+sigTag(digest)).expect(t, http.StatusOK).body)
	}
	before := signature()
	readsPayload := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
	}
	for _, forgetful := range []bool{false, true} {
		if forgetful { // its ledger no longer tells that it has signed the image
			h.proxy.Kill()
			ledger, err := filepath.Glob(filepath.Join(h.proxy.Data, "ledger.db*"))
			if err != nil || len(ledger) == 0 {
				t.Fatalf("there is no ledger to remove: %v", err)
			}
			for _, file := range ledger {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			h.proxy.Start(t)
		}
		for status, want := range map[int]int{429: 429, 500: 502, 502: 502, 503: 502} {
			for what, match := range map[string]func(*http.Request) bool{"signature": readsSignature, "payload": readsPayload} {
				h.up.Reset()
				h.up.Intercept(only(match, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(status)
				}))
				h.api.put(t, "team/app", "2", ociManifest, body).refused(t, want)
				h.up.Intercept(nil)
				for _, r := range h.up.Requests() {
					if r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/") {
						t.Errorf("reading the %s gets %d, and then: %s", what, status, r.Line())
					}
				}
				if after := signature(); after != before {
					t.Fatalf("reading the %s gets %d, and the signatures become\n%s\nfrom\n%s", what, status, after, before)
				}
			}
		}
		h.api.put(t, "team/app", "2", ociManifest, body).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "2")
		if after := signature(); after != before {
			t.Errorf("another push made the signatures\n%s\nfrom\n%s", after, before)
		}
		if states := h.states(t, "team/app", digest); !forgetful && states != "made" {
			t.Errorf("the ledger has %q, want one row", states)
		}
	}
}

func TestNothingIsPushedThatCannotBeLogged(t *testing.T) {
	for what, start := range map[string]func(*testing.T, settings) *house{"embedded": embedded, "upstream": upstream} {
		t.Run(what, func(t *testing.T) {
			disk := smallDisk(t)
			h := start(t, settings{config: "storage:\n  inmemory: {}\n", args: []string{"--data", disk}})
			first := h.api.push(t, "team/app", "first")
			filler := fill(t, disk)

			// The ledger has some room of its own left.
			const most = 1000
			for i := range most + 1 {
				if i == most {
					t.Fatalf("%d pushes after the disk was full, all of them are logged", most)
				}
				body := h.api.tiny(t, "team/app")
				w := h.api.put(t, "team/app", "next", ociManifest, body)
				if w.status == http.StatusCreated {
					h.mustBeSigned(t, "team/app", "next")
					h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digestOf(body), nil).expect(t, http.StatusAccepted)
					fill(t, disk)
					continue
				}
				w.refused(t, http.StatusInternalServerError)
				h.nothing(t, "team/app", "next", digestOf(body))
				h.nothing(t, "team/app", sigTag(digestOf(body)), digestOf(body))
				if rows := h.rows(t, "team/app", digestOf(body)); rows != nil {
					t.Errorf("the ledger has %v", rows)
				}
				break
			}
			if d := h.mustBeSigned(t, "team/app", "first"); d != first {
				t.Errorf("the first image is now %s", d)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			h.api.push(t, "team/app", "last")
			h.mustBeSigned(t, "team/app", "last")
		})
	}
}

// smallDisk mounts a file system of one MiB, for a data folder that gets full.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("hallmark-test", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Fatalf("this test mounts a small tmpfs for the data folder, and may not: %v; run it as root, in a namespace that lets it mount", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill writes a file until the disk is full, and returns it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return path
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
