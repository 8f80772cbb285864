package attacks

import (
	"net/http"
	"strings"
	"testing"
)

// Rule: what a client says about where it came from, and what it meant, is not believed: neither by us nor behind us.

var smuggled = []string{
	"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "1", "X-Forwarded-For", "10.0.0.1", "X-Forwarded-Prefix", "/evil",
	"X-Forwarded-Uri", "/v2/team/app/manifests/smuggled", "X-Forwarded-Method", "DELETE",
	"Forwarded", "host=evil.example;proto=https", "X-Original-Url", "/v2/team/app/manifests/smuggled", "X-Rewrite-Url", "/v2/team/app/manifests/smuggled",
	"X-Http-Method-Override", "DELETE", "X-Http-Method", "DELETE", "X-Method-Override", "DELETE",
	"Connection", "Content-Type, Authorization", "Http2-Settings", "x",
}

func TestSmuggledHeadersChangeNothing(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		body := h.api.tiny(t, "team/app")
		headers := append([]string{"Content-Type", ociManifest}, smuggled...)
		w := h.api.do(t, http.MethodPut, "/v2/team/app/manifests/1", body, headers...).expect(t, http.StatusCreated)
		digest := h.mustBeSigned(t, "team/app", "1")
		if digest != digestOf(body) {
			t.Errorf("stored %s, want %s", digest, digestOf(body))
		}
		for _, w := range []answer{
			w, h.api.do(t, http.MethodPost, "/v2/team/app/blobs/uploads/", nil, smuggled...),
			h.api.do(t, http.MethodGet, "/v2/team/app/manifests/1", nil, smuggled...),
			h.api.do(t, http.MethodHead, "/v2/team/app/manifests/1", nil, smuggled...),
			h.api.do(t, http.MethodGet, "/v2/team/app/tags/list?n=1", nil, smuggled...),
			h.api.do(t, http.MethodGet, "/", nil, smuggled...),
		} {
			if w.status >= 300 {
				t.Errorf("%s: %d %s", w.line, w.status, w.body)
			}
			for k, v := range w.header {
				if strings.Contains(strings.Join(v, " "), "evil") {
					t.Errorf("%s: %s: %s", w.line, k, v)
				}
			}
			if strings.Contains(string(w.body), "evil") {
				t.Errorf("%s: %s", w.line, w.body)
			}
		}
		h.mustBeSigned(t, "team/app", "1")
		for _, tag := range h.behind.tags(t, "team/app") {
			if tag == "smuggled" {
				t.Error("a tag was smuggled in")
			}
		}
		// The name in what is signed comes from the configuration, never from the request: mustBeSigned has compared it.
		if h.up == nil {
			return
		}
		for _, r := range h.up.Requests() {
			for i := 0; i < len(smuggled); i += 2 {
				if v := r.Header.Get(smuggled[i]); v != "" && v == smuggled[i+1] {
					t.Errorf("the upstream got %s: %s with %s", smuggled[i], v, r.Line())
				}
			}
			if r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/") && r.Header.Get("Content-Type") != ociManifest {
				t.Errorf("the upstream got %s with the Content-Type %q", r.Line(), r.Header.Get("Content-Type"))
			}
		}
	})
}

// The name that signatures are given for is the configured one, also when the client calls us by another.
func TestTheSignedNameIsTheConfiguredOne(t *testing.T) {
	h := embedded(t, settings{})
	body := h.api.tiny(t, "team/app")
	h.api.do(t, http.MethodPut, "/v2/team/app/manifests/1", body, "Content-Type", ociManifest, "Host", "localhost:1").expect(t, http.StatusCreated)
	h.mustBeSigned(t, "team/app", "1")
	sig := h.api.manifest(t, "team/app", sigTag(digestOf(body)))
	payload := string(h.api.get(t, "/v2/team/app/blobs/"+sig.Layers[0].Digest).body)
	if strings.Contains(payload, "localhost") || !strings.Contains(payload, h.proxy.Addr+"/team/app") {
		t.Errorf("the payload is %s", payload)
	}
}
