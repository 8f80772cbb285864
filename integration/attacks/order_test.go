package attacks

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: the signature is there before the manifest, and it stays unless the manifest is known not to be there. What the
// upstream answers decides what we know, and it may have done what it says that it has not.

func storesTag(tag string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/"+tag)
	}
}

func storesSignature(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".sig")
}

func answers(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

func ociError(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write([]byte(`{"errors":[{"code":"` + code + `","message":"the upstream's own words"}]}`))
	}
}

func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestWhatTheAnswerToTheManifestMeans(t *testing.T) {
	h := upstream(t, settings{upstream: shortTimeout})
	for what, upstreams := range map[string]struct {
		answer http.HandlerFunc
		status int // what the client gets
	}{
		"400":            {ociError(400, "MANIFEST_INVALID"), 400},
		"403":            {ociError(403, "DENIED"), 403},
		"404":            {ociError(404, "NAME_UNKNOWN"), 404},
		"412":            {ociError(412, "DENIED"), 412},
		"429":            {ociError(429, "TOOMANYREQUESTS"), 429},
		"403 of a page":  {answers(403, "Content-Type", "text/html"), 403},
		"500":            {answers(500), 502},
		"503":            {ociError(503, "UNAVAILABLE"), 502},
		"202":            {answers(202), 502},
		"a redirect":     {answers(307, "Location", "/v2/team/app/manifests/elsewhere"), 502},
		"another digest": {answers(201, "Docker-Content-Digest", digestOf([]byte("another"))), 502},
		"garbage":        {garbage, 502},
		"a cut":          {cutOff, 502},
		"nothing":        {hangs(nil), 502},
	} {
		for _, done := range []bool{false, true} {
			body := h.api.tiny(t, "team/app")
			digest := digestOf(body)
			tag := "t" + digest[7:17]
			h.up.Reset()
			h.up.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
				if !storesTag(tag)(r) {
					forward.ServeHTTP(w, r)
					return
				}
				if done {
					forward.ServeHTTP(httptest.NewRecorder(), r)
				}
				upstreams.answer(w, r)
			})
			w := h.api.put(t, "team/app", tag, ociManifest, body)
			w.refused(t, upstreams.status)
			h.up.Intercept(nil)

			// Where it is there, or may be, its signature is, and the ledger says so.
			refused := upstreams.status < 500
			signed, states := h.signed(h.behind, "team/app", digest), h.states(t, "team/app", digest)
			switch {
			case refused && !done && (signed == nil || states != "void"):
				t.Errorf("%s, not done: the signature was not withdrawn, the ledger has %q\n%s", what, states, h.lastRequests())
			case (!refused || done) && (signed != nil || states != "made"):
				t.Errorf("%s, done %t: %v, the ledger has %q\n%s", what, done, signed, states, h.lastRequests())
			}
			h.invariant(t, "team/app", digest)
			if upstreams.status < 500 && what != "403 of a page" && !strings.Contains(string(w.body), "the upstream's own words") {
				t.Errorf("%s: the client is told %s", what, w.body)
			}
			h.api.put(t, "team/app", tag, ociManifest, body).expect(t, http.StatusCreated)
			h.mustBeSigned(t, "team/app", tag)
		}
	}
}

// A registry may lose blobs to a garbage collection of its own; what we remember of it is then wrong.
func TestALostConfigIsStoredAgain(t *testing.T) {
	h := upstream(t, settings{})
	sig := h.api.manifest(t, "team/app", sigTag(h.api.push(t, "team/app", "1")))
	h.behind.do(t, http.MethodDelete, "/v2/team/app/blobs/"+sig.Config.Digest, nil).expect(t, http.StatusAccepted)
	h.api.push(t, "team/app", "2")
	h.mustBeSigned(t, "team/app", "2")
	verifies(t, h, "team/app:2")
}

// refusesEarly is a registry that refuses the signature of an image that it does not have, as Harbor did before 2.8.
func (h *house) refusesEarly(code string) world.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if storesSignature(r) {
			hex := strings.TrimSuffix(r.URL.Path[strings.LastIndexByte(r.URL.Path, '-')+1:], ".sig")
			image, err := h.behind.try(http.MethodHead, "/v2/team/app/manifests/sha256:"+hex, nil)
			if err != nil || image.status != http.StatusOK {
				ociError(http.StatusNotFound, code)(w, r)
				return
			}
		}
		forward.ServeHTTP(w, r)
	}
}

// puts returns what manifests were stored, or tried to be: "digest", "signature" or "tag".
func (h *house) puts() (all []string) {
	for _, r := range h.up.Requests() {
		switch {
		case r.Method != http.MethodPut || !strings.Contains(r.Path, "/manifests/"):
		case strings.HasSuffix(r.Path, ".sig"):
			all = append(all, "signature")
		case strings.Contains(r.Path, "/manifests/sha256:"):
			all = append(all, "digest")
		default:
			all = append(all, "tag")
		}
	}
	return all
}

func TestARegistryThatWantsTheImageFirst(t *testing.T) {
	signatureFirst, imageFirst := []string{"signature", "tag"}, []string{"digest", "signature", "tag"}
	for order, want := range map[string][2][]string{ // of the first push and the next one; nil: it is refused
		"auto":            {append([]string{"signature"}, imageFirst...), imageFirst},
		"image-first":     {imageFirst, imageFirst},
		"signature-first": {nil, nil},
	} {
		t.Run(order, func(t *testing.T) {
			h := upstream(t, settings{upstream: "      order: " + order + "\n"})
			h.up.Intercept(h.refusesEarly("NOT_FOUND"))
			for i, tag := range []string{"1", "2"} {
				body := h.api.tiny(t, "team/app")
				h.up.Reset()
				w := h.api.put(t, "team/app", tag, ociManifest, body)
				if want[i] == nil {
					w.refused(t, http.StatusNotFound)
					h.nothing(t, "team/app", tag, digestOf(body))
					continue
				}
				w.expect(t, http.StatusCreated)
				if got := h.puts(); !slices.Equal(got, want[i]) {
					t.Errorf("push %s stored %q, want %q", tag, got, want[i])
				}
				h.mustBeSigned(t, "team/app", tag)
			}
		})
	}
	// Its twin: elsewhere the signature goes first, whatever a blob that is missing is called.
	h := upstream(t, settings{})
	for _, code := range []string{"", "BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"} {
		h.up.Intercept(nil)
		body := h.api.tiny(t, "team/app")
		if code != "" {
			h.up.Intercept(h.refusesEarly(code))
			h.api.put(t, "team/app", "3", ociManifest, body).refused(t, 400)
			h.nothing(t, "team/app", "3", digestOf(body))
		}
		h.up.Intercept(nil)
		h.up.Reset()
		h.api.put(t, "team/app", "3", ociManifest, body).expect(t, http.StatusCreated)
		if got := h.puts(); !slices.Equal(got, signatureFirst) {
			t.Errorf("after %q, a push stored %q, want %q", code, got, signatureFirst)
		}
		h.behind.do(t, http.MethodDelete, "/v2/team/app/manifests/3", nil).expect(t, http.StatusAccepted)
	}
}

// Registries know no compare-and-swap: whoever writes the signatures of others, too, may undo ours, once or many times.
func TestASecondWriterDoesNotUndoOurs(t *testing.T) {
	for _, times := range []int{1, 3, 100} {
		h := upstream(t, settings{})
		body := h.api.tiny(t, "team/app")
		digest := digestOf(body)
		foreign := h.api.blob(t, "team/app", simpleSigning, []byte(`{"critical":null}`))
		foreign.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
		config := h.api.blob(t, "team/app", ociConfig, []byte(tinyConfig))
		theirs := manifestJSON{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []descriptor{foreign}}.encode()
		h.behind.put(t, "team/app", sigTag(digest), ociManifest, theirs).expect(t, http.StatusCreated)
		left := times
		h.up.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
			forward.ServeHTTP(w, r)
			if storesSignature(r) && left > 0 {
				left--
				h.behind.try(http.MethodPut, "/v2/team/app/manifests/"+sigTag(digest), theirs, "Content-Type", ociManifest)
			}
		})
		w := h.api.put(t, "team/app", "1", ociManifest, body)
		h.up.Intercept(nil)
		if times == 100 { // then the image does not come
			w.refused(t, http.StatusConflict)
			h.nothing(t, "team/app", "1", digest)
			continue
		}
		w.expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "1")
		if m := h.behind.manifest(t, "team/app", sigTag(digest)); len(m.Layers) != 2 {
			t.Errorf("%d signatures, want theirs and ours", len(m.Layers))
		}
	}
}
