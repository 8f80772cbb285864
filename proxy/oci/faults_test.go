package oci_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// A request that fails on the way to the registry may have been done or not, and nobody knows. Here every step of every
// kind of write fails in every way, once or for as long as the write lasts, and a reader looks between the steps.

var faults = []struct {
	name    string
	answer  http.HandlerFunc // what the proxy gets
	done    bool             // the registry did what it was asked
	lasting bool             // the same requests fail again until the operation ends
}{
	{"failed", status(500), false, true},
	{"refused", status(403), false, true},
	{"done and the answer lost", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, true},
	{"done and answered 500 once", status(500), true, false},
	{"done and the answer broken off once", breakOff, true, false},
}

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
}

// breakOff sends less of an answer than it promises.
func breakOff(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Length", "1000")
	rw.WriteHeader(http.StatusOK)
	http.NewResponseController(rw).Flush()
	panic(http.ErrAbortHandler)
}

// An operation is a client's request for which the proxy makes several, the steps.
type operation struct {
	name    string
	order   oci.Order
	prepare func(*trial)        // what was there before
	do      func(*trial) answer // the request
	steps   []string            // what the registry is asked if nothing fails, in the words of trial.step
	done    func(*trial)        // checks what must be true after a 2xx
}

const trialTag = "1"

func push(tr *trial) answer { return tr.putThrough(tr.name, trialTag, tr.body) }

// pushed checks that the image is there and signed, once by each key.
func pushed(tr *trial) {
	tr.t.Helper()
	tr.past.want(tr.past.do(tr.past.back, "GET", "/v2/"+tr.name+"/manifests/"+tr.digest, "", nil), http.StatusOK)
	if got := tr.resolve(trialTag); got != tr.digest {
		tr.t.Errorf("the tag names %q, want %q", got, tr.digest)
	}
	tr.past.mustBeSigned(tr.name, tr.digest)
	if want := 1 + len(tr.others); len(tr.past.signatures(tr.name, tr.digest)) != want {
		tr.t.Errorf("%d signatures, want %d", len(tr.past.signatures(tr.name, tr.digest)), want)
	}
	if !slices.Contains(tr.rows(tr.name, tr.digest), ledger.Made) {
		tr.t.Errorf("the ledger has %q", tr.rows(tr.name, tr.digest))
	}
}

func older(tr *trial) {
	body, _ := tr.image(tr.name, "an older one", nil)
	tr.push(tr.name, trialTag, body)
}

var operations = []operation{
	{
		name: "first push", do: push, done: pushed,
		steps: []string{
			"GET the signature", "POST an upload", "POST an upload again", "PUT the payload", "PUT the config",
			"PUT the signature", "PUT the tag",
		},
	},
	{
		name: "push over an older image", prepare: older, do: push, done: pushed,
		steps: []string{"GET the signature", "POST an upload", "PUT the payload", "PUT the signature", "PUT the tag"},
	},
	{
		name: "push of an image that somebody else signed", do: push, done: pushed,
		prepare: func(tr *trial) {
			user, key := tr.userSignature(tr.name, tr.digest)
			tr.putBehind(tr.name, signatureTag(tr.digest), user)
			tr.others = append(tr.others, key)
		},
		steps: []string{
			"GET the signature", "POST an upload", "POST an upload again", "PUT the payload", "PUT the config",
			"GET the payload", "PUT the signature", "GET the signature again", "PUT the tag",
		},
	},
	{
		name: "another push", do: push, done: pushed,
		prepare: func(tr *trial) { tr.want(push(tr), http.StatusCreated) },
		steps:   []string{"GET the signature", "GET the payload", "PUT the tag"},
	},
	{
		name: "push over an older image, image first", order: oci.ImageFirst, prepare: older, do: push, done: pushed,
		steps: []string{
			"HEAD the digest", "PUT the digest", "GET the signature", "POST an upload", "PUT the payload",
			"PUT the signature", "PUT the tag",
		},
	},
	{
		name: "a user's signature",
		prepare: func(tr *trial) {
			tr.want(push(tr), http.StatusCreated)
			tr.user, tr.key = tr.userSignature(tr.name, tr.digest)
		},
		do:    func(tr *trial) answer { return tr.putThrough(tr.name, signatureTag(tr.digest), tr.user) },
		steps: []string{"GET the signature", "GET the payload", "PUT another manifest", "PUT the signature", "HEAD the signature"},
		done: func(tr *trial) {
			tr.others = []signing.PublicKey{tr.key}
			pushed(tr)
		},
	},
	{
		name:    "deletion",
		prepare: func(tr *trial) { tr.want(push(tr), http.StatusCreated) },
		do: func(tr *trial) answer {
			a := tr.do(tr.front, "DELETE", "/v2/"+tr.name+"/manifests/"+tr.digest, "", nil)
			if a.status == http.StatusNotFound && tr.resolve(tr.digest) == "" {
				a.status = http.StatusAccepted // it has gone before
			}
			return a
		},
		steps: []string{
			"GET the digest", "DELETE the digest", "HEAD the digest", "HEAD the signature", "GET another manifest", "GET the payload",
			"DELETE another manifest", "HEAD another manifest", "GET the digest again",
		},
		done: func(tr *trial) {
			if tr.resolve(tr.digest) != "" {
				tr.t.Error("the image is still there")
			}
		},
	},
}

func TestEveryStepMayFail(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(o *oci.Options) { o.Order = op.order })
			past := behind(s)
			tr := newTrial(t, s, past, op)
			a := op.do(tr)
			if a.status >= 300 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			op.done(tr)
			asked := slices.Sorted(slices.Values(tr.steps()))
			if want := slices.Sorted(slices.Values(op.steps)); !slices.Equal(asked, want) {
				t.Fatalf("without any failure the registry is asked\n%q, want\n%q", asked, want)
			}
			for _, step := range op.steps {
				for i, f := range faults {
					t.Run(step+" "+f.name, func(t *testing.T) { newTrial(t, s, past, op).fails(step, i) })
				}
			}
		})
	}
}

// A trial is one operation on one image.
type trial struct {
	*stand
	op     operation
	past   *stand // behind the failures, and behind the watching
	name   string // of the image
	body   []byte // of the image
	digest string
	others []signing.PublicKey // who else signed the image
	user   []byte              // a signature manifest
	key    signing.PublicKey   // of user

	mu    sync.Mutex
	asked []string
}

// newTrial makes a trial under a name of its own.
func newTrial(t *testing.T, s, past *stand, op operation) *trial {
	t.Helper()
	s.t, past.t = t, t
	tr := &trial{stand: s, past: past, op: op, name: "app/" + strings.ToLower(rand.Text())}
	s.interceptWith(nil)
	tr.body, tr.digest = tr.image(tr.name, "x", nil)
	if op.prepare != nil {
		op.prepare(tr)
	}
	tr.interceptWith(tr.intercept("", 0))
	return tr
}

// behind returns a stand whose back goes past whatever intercepts the requests of s.
func behind(s *stand) *stand {
	s.t.Helper()
	var registry http.Handler
	s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		registry = next
		next.ServeHTTP(rw, req)
	})
	s.do(s.back, "GET", "/v2/", "", nil)
	past := httptest.NewServer(registry)
	s.t.Cleanup(past.Close)
	return &stand{t: s.t, ring: s.ring, back: past}
}

// fails does the operation while a step fails, and then again.
func (tr *trial) fails(step string, fault int) {
	t := tr.t
	tr.interceptWith(tr.intercept(step, fault))
	a := tr.op.do(tr)
	tr.interceptWith(tr.intercept("", 0))
	if asked := tr.steps(); !slices.Contains(asked, step) {
		t.Fatalf("nothing failed: the registry was asked %q", asked)
	}
	switch {
	case a.status < 300:
		tr.op.done(tr)
	case a.code() == "" || a.status != http.StatusForbidden && a.status < 500:
		t.Errorf("answer %d %s", a.status, a.body)
	}
	tr.look("afterwards", true)

	if a = tr.op.do(tr); a.status >= 300 {
		t.Fatalf("again: %d %s", a.status, a.body)
	}
	tr.op.done(tr)
	tr.look("after another try", true)
	if tr.resolve(tr.digest) != "" {
		return
	}
	if a = push(tr); a.status != http.StatusCreated {
		t.Fatalf("a push after the deletion: %d %s", a.status, a.body)
	}
	tr.past.mustBeSigned(tr.name, tr.digest)
	if !slices.Contains(tr.rows(tr.name, tr.digest), ledger.Made) {
		t.Errorf("the ledger has %q", tr.rows(tr.name, tr.digest))
	}
}

// intercept has a step fail. Before each request it looks at what is visible, if a manifest was written since it looked.
func (tr *trial) intercept(step string, fault int) func(http.ResponseWriter, *http.Request, http.Handler) {
	failed, changed := false, true // under tr.mu
	return func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		if !strings.HasPrefix(req.URL.Path, "/v2/"+tr.name+"/") {
			next.ServeHTTP(rw, req) // given up by the trial before
			return
		}
		word := tr.step(req)
		tr.mu.Lock()
		now := word
		if slices.Contains(tr.asked, word) {
			now += " again"
		}
		tr.asked = append(tr.asked, now)
		fail := !failed && now == step || failed && faults[fault].lasting && word == strings.TrimSuffix(step, " again")
		failed = failed || fail
		look := changed
		changed = req.Method == "DELETE" || strings.HasPrefix(word, "PUT") && strings.Contains(req.URL.Path, "/manifests/")
		tr.mu.Unlock()

		if look {
			tr.look("before "+now, tr.op.order != oci.ImageFirst)
		}
		do := next
		if tr.op.order == oci.ImageFirst {
			do = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { refusesEarly(tr.past)(rw, req, next) })
		}
		if !fail {
			do.ServeHTTP(rw, req)
			return
		}
		if faults[fault].done {
			do.ServeHTTP(httptest.NewRecorder(), req)
		}
		faults[fault].answer(rw, req)
	}
}

// step says what a request to the registry is for.
func (tr *trial) step(req *http.Request) string {
	_, path, _ := strings.Cut(req.URL.Path, "/v2/"+tr.name+"/")
	payload := digest.FromBytes(signing.Image{Reference: "registry.test/" + tr.name, Name: tr.name, Digest: tr.digest}.Payload()).String()
	what := "another manifest"
	switch {
	case path == "manifests/"+tr.digest:
		what = "the digest"
	case path == "manifests/"+signatureTag(tr.digest):
		what = "the signature"
	case path == "manifests/"+trialTag:
		what = "the tag"
	case path == "blobs/uploads/":
		what = "an upload"
	case path == "blobs/"+payload, strings.HasPrefix(path, "blobs/uploads/") && req.URL.Query().Get("digest") == payload:
		what = "the payload"
	case strings.HasPrefix(path, "blobs/"):
		what = "the config"
	}
	return req.Method + " " + what
}

// steps returns what the registry was asked so far.
func (tr *trial) steps() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.asked)
}

// look fails the test if a tag is visible and what it names is not signed by us, and if byDigest also if the image is
// visible at all. Signatures of others must stay as long as the image does.
func (tr *trial) look(when string, byDigest bool) {
	tr.t.Helper()
	ours := tr.ring.Keys(scheme.Image)[0].Public()
	references := []string{trialTag}
	if byDigest {
		references = append(references, tr.digest)
	}
	for _, ref := range references {
		if d := tr.resolve(ref); d != "" && !tr.past.signedBy(ours, tr.name, d) {
			tr.t.Errorf("%s: %s is visible and not signed", when, shorten(ref))
		}
	}
	for _, k := range tr.others {
		if !tr.past.signedBy(k, tr.name, tr.digest) {
			tr.t.Errorf("%s: the signature of somebody else has gone", when)
		}
	}
}

// resolve returns the digest of the manifest that the registry has under a reference, "" if there is none.
func (tr *trial) resolve(reference string) string {
	tr.t.Helper()
	a := tr.past.do(tr.past.back, "GET", "/v2/"+tr.name+"/manifests/"+reference, "", nil)
	if a.status == http.StatusNotFound {
		return ""
	}
	return digest.FromBytes(tr.past.want(a, http.StatusOK).body).String()
}
