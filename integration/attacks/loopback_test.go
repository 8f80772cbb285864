package attacks

import (
	"net/http"
	"strings"
	"testing"
)

// Rule: without auth, to reach us is to be allowed, so only loopback is served, and a web page in the browser of somebody
// on this machine does not count as loopback.

// DNS rebinding: the page's own name resolves to loopback, and stands in Host.
func TestAForeignHostIsRefusedWithoutAuth(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		if h.up != nil {
			return // there the upstream says who may do what
		}
		port := h.proxy.Addr[strings.LastIndexByte(h.proxy.Addr, ':'):]
		body := h.api.tiny(t, "team/app")
		before := h.state(t, "team/app", digestOf(body))
		for _, host := range []string{"evil.example", "evil.example" + port, "127.0.0.1.evil.example" + port, "localhost.evil.example",
			"evil.example:127.0.0.1", "192.168.1.1" + port, "[2001:db8::1]" + port, "0.0.0.0" + port, "127.0.0.1@evil.example", ""} {
			if host != "" {
				for _, w := range []answer{
					h.api.get(t, "/v2/team/app/tags/list", "Host", host),
					h.api.do(t, http.MethodPut, "/v2/team/app/manifests/1", body, "Host", host, "Content-Type", ociManifest),
					h.api.do(t, http.MethodPost, "/-/api/v1/repositories/images/sign?image=team/app&reference=1", nil, "Host", host),
					h.api.get(t, "/-/signatures/images/team/app@"+digestOf(body), "Host", host),
				} {
					w.refused(t, 400)
				}
			}
		}
		h.unchanged(t, before, "team/app", digestOf(body))
		for i, host := range []string{"localhost" + port, "LOCALHOST", "127.0.0.1", "127.1.2.3" + port, "[::1]" + port} {
			h.api.do(t, http.MethodPut, "/v2/team/app/manifests/"+string(rune('a'+i)), body, "Host", host, "Content-Type", ociManifest).expect(t, http.StatusCreated)
		}
		h.mustBeSigned(t, "team/app", "a")
	})
}

// A page of another origin may send simple requests anywhere, and what it cannot read it could still write.
func TestAWebPageCannotWrite(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		body := h.api.tiny(t, "team/app")
		before := h.state(t, "team/app", digestOf(body), digest)
		for _, page := range [][]string{
			{"Origin", "http://evil.example"},
			{"Origin", "null"},
			{"Origin", "http://127.0.0.1:1"},
			{"Origin", "https://" + h.proxy.Addr + ".evil.example"},
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "cross-site", "Origin", h.proxy.URL},
		} {
			for _, asked := range [][2]string{
				{http.MethodPut, "/v2/team/app/manifests/2"},
				{http.MethodPost, "/v2/team/app/blobs/uploads/"},
				{http.MethodDelete, "/v2/team/app/manifests/1"},
				{http.MethodDelete, "/v2/team/app/manifests/" + digest},
				{http.MethodPatch, "/v2/team/app/blobs/uploads/x"},
				{http.MethodPost, "/-/api/v1/repositories/images/sign?image=team/app&reference=1"},
				{http.MethodPost, "/-/api/v1/repositories/images/gc"},
			} {
				h.api.do(t, asked[0], asked[1], body, append(page, "Content-Type", ociManifest)...).refused(t, http.StatusForbidden)
			}
			if w := h.api.get(t, "/v2/team/app/tags/list", page...); w.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("another origin may read: %v", w.header)
			}
		}
		h.unchanged(t, before, "team/app", digestOf(body), digest)
		// Its twin: our own page, and clients that are no browsers.
		h.api.do(t, http.MethodPut, "/v2/team/app/manifests/2", body, "Content-Type", ociManifest, "Origin", h.proxy.URL, "Sec-Fetch-Site", "same-origin").expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "2")
	})
}
