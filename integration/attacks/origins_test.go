package attacks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"hallmark/integration/world"
)

// Rule: credentials never cross origins. An upstream that lies, or was taken over, learns what clients send to it anyway;
// it must not get us, or the clients, to send that to somebody else.

// A listener is another origin, which nobody should speak to.
type listener struct {
	url  string
	mu   sync.Mutex
	seen []string
	body string
}

func listen(t *testing.T, body string) *listener {
	t.Helper()
	l := &listener{body: body}
	l.url = world.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seen = append(l.seen, fmt.Sprintf("%s %s Authorization=%q Cookie=%q", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Cookie")))
		io.WriteString(w, l.body)
	}))
	return l
}

func (l *listener) host() string { return strings.TrimPrefix(l.url, "http://") }

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// heardNothing fails the test if anybody spoke to the other origin, or was told to.
func (l *listener) heardNothing(t *testing.T, w answer) {
	t.Helper()
	if seen := l.heard(); len(seen) > 0 {
		t.Errorf("the other origin was asked: %q", seen)
	}
	for k, values := range w.header {
		for _, v := range values {
			if strings.Contains(v, l.host()) {
				t.Errorf("%s: the client is told %s: %s", w.line, k, v)
			}
		}
	}
}

// A Location to another origin is a 502, for whatever the client asks; and what we ask ourselves is not sent there.
func TestALocationElsewhereIsNotFollowed(t *testing.T) {
	h := upstream(t, settings{})
	body := h.api.tiny(t, "team/app")
	h.api.push(t, "team/app", "1")
	other := listen(t, "")
	for name, location := range map[string]func() string{
		"another port":        func() string { return other.url + "/upload" },
		"without a scheme":    func() string { return "//" + other.host() + "/upload" },
		"a path of two hosts": func() string { return h.up.URL + "//" + other.host() + "/upload" },
		"behind a user":       func() string { return "http://" + h.up.Addr + "@" + other.host() + "/upload" },
		"another scheme":      func() string { return "https://" + other.host() + "/upload" },
		"with backslashes":    func() string { return `\\` + other.host() + `\upload` },
		"an upper case host":  func() string { return "HTTP://" + other.host() + "/upload" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, asked := range []struct {
				method, path string
				status       int
			}{
				{http.MethodPost, "/v2/team/app/blobs/uploads/", http.StatusAccepted},
				{http.MethodPatch, "/v2/team/app/blobs/uploads/x", http.StatusAccepted},
				{http.MethodPut, "/v2/team/app/blobs/uploads/x?digest=" + digestOf(body), http.StatusCreated},
				{http.MethodGet, "/v2/team/app/manifests/1", http.StatusTemporaryRedirect},
				{http.MethodGet, "/v2/team/app/tags/list", http.StatusFound},
				{http.MethodPut, "/v2/team/app/manifests/2", http.StatusTemporaryRedirect},
				{http.MethodPut, "/v2/team/app/manifests/2", http.StatusPermanentRedirect},
				{http.MethodDelete, "/v2/team/app/manifests/1", http.StatusTemporaryRedirect},
			} {
				h.up.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
					plain, _, _ := strings.Cut(asked.path, "?")
					if r.Method == asked.method && r.URL.Path == plain {
						w.Header().Set("Location", location())
						w.WriteHeader(asked.status)
						return
					}
					forward.ServeHTTP(w, r)
				})
				w := h.api.do(t, asked.method, asked.path, body, "Content-Type", ociManifest, "Authorization", "Basic c2VjcmV0OnNlY3JldA==", "Cookie", "secret=1")
				// Backslashes are part of a path, for us and once they are written as such.
				if w.status < 400 && !strings.Contains(w.header.Get("Location"), "%5C") {
					t.Errorf("%s: %d, Location %q", w.line, w.status, w.header.Get("Location"))
				}
				if w.status >= 400 {
					w.refused(t, http.StatusBadGateway)
					other.heardNothing(t, w)
				}
			}
			h.up.Intercept(nil)
			h.invariant(t, "team/app", digestOf(body))
		})
	}
	if seen := other.heard(); len(seen) > 0 {
		t.Errorf("the other origin was asked: %q", seen)
	}
	// Its twin: a Location on the upstream itself, in any form, leads clients back to us.
	w := h.api.do(t, http.MethodPost, "/v2/team/app/blobs/uploads/", nil).expect(t, http.StatusAccepted)
	if l := w.header.Get("Location"); !strings.HasPrefix(l, "/v2/team/app/blobs/uploads/") {
		t.Errorf("Location: %s", l)
	}
}

// A blob's bytes may lie elsewhere, at an address that carries its own rights: the client goes there itself, and when we
// read one, we take no credentials along.
func TestARedirectOfABlobCarriesNoCredentials(t *testing.T) {
	h := upstream(t, settings{})
	digest := h.api.push(t, "team/app", "1")
	sig := h.api.manifest(t, "team/app", sigTag(digest))
	payload := h.api.get(t, "/v2/team/app/blobs/"+sig.Layers[0].Digest).body
	storage := listen(t, string(payload))
	h.up.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:") {
			http.Redirect(w, r, storage.url+"/bucket?signature=1", http.StatusTemporaryRedirect)
			return
		}
		forward.ServeHTTP(w, r)
	})
	w := h.api.get(t, "/v2/team/app/blobs/"+sig.Layers[0].Digest).expect(t, http.StatusTemporaryRedirect)
	if got := w.header.Get("Location"); got != storage.url+"/bucket?signature=1" {
		t.Errorf("the client is sent to %s", got)
	}
	if seen := storage.heard(); len(seen) != 0 {
		t.Errorf("we went there ourselves: %q", seen)
	}
	body := h.api.get(t, "/v2/team/app/manifests/1").body
	h.api.do(t, http.MethodPut, "/v2/team/app/manifests/2", body, "Content-Type", ociManifest, "Authorization", "Basic c2VjcmV0OnNlY3JldA==").expect(t, http.StatusCreated)
	seen := storage.heard()
	if len(seen) == 0 {
		t.Error("the payload was not read: the test shows nothing")
	}
	for _, line := range seen {
		if !strings.Contains(line, `Authorization="" Cookie=""`) {
			t.Errorf("the storage was sent credentials: %s", line)
		}
	}
	for _, r := range h.up.Requests() {
		if strings.Contains(r.Path, "/blobs/sha256:") && r.Status == http.StatusTemporaryRedirect && r.Header.Get("Authorization") != "" {
			return // the upstream itself did get them
		}
	}
	t.Error("the upstream saw no credentials: the test shows nothing")
}

// A realm elsewhere would have clients send their password there.
func TestARealmElsewhereIsNotPassedOn(t *testing.T) {
	other := listen(t, `{"token":"x"}`)
	for name, challenge := range map[string]func(up string) []string{
		"Bearer":           func(string) []string { return []string{`Bearer realm="` + other.url + `/token",service="x"`} },
		"in small letters": func(string) []string { return []string{`bearer REALM = "` + other.url + `/token"`} },
		"without quotes":   func(string) []string { return []string{`Bearer realm=` + other.url + `/token`} },
		"twice": func(up string) []string {
			return []string{`Bearer realm="` + up + `/token",realm="` + other.url + `/token"`}
		},
		"twice, once without quotes": func(up string) []string {
			return []string{`Bearer realm="` + up + `/token",realm=` + other.url + `/token`}
		},
		"in a second header": func(up string) []string {
			return []string{`Bearer realm="` + up + `/token"`, `Bearer realm="` + other.url + `/token"`}
		},
		"behind a Basic challenge": func(string) []string { return []string{`Basic realm="x", Bearer realm="` + other.url + `/token"`} },
		"behind a Bearer challenge": func(up string) []string {
			return []string{`Bearer realm="` + up + `/token", Bearer realm="` + other.url + `/token"`}
		},
		"of a scheme that is unknown": func(string) []string { return []string{`Digest realm="` + other.url + `/token"`} },
		"with a user": func(up string) []string {
			return []string{`Bearer realm="` + strings.Replace(up, "//", "//"+other.host()+"@", 1) + `/token"`}
		},
		"as no address": func(string) []string { return []string{`Bearer realm="//` + other.host() + `/token"`} },
	} {
		t.Run(name, func(t *testing.T) {
			h := upstream(t, settings{})
			body := h.api.tiny(t, "team/app")
			h.up.Intercept(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				for _, c := range challenge(h.up.URL) {
					w.Header().Add("Www-Authenticate", c)
				}
				w.WriteHeader(http.StatusUnauthorized)
			})
			for _, w := range []answer{
				h.api.get(t, "/v2/"),
				h.api.get(t, "/v2/team/app/manifests/1"),
				h.api.do(t, http.MethodPost, "/v2/team/app/blobs/uploads/", nil),
				h.api.put(t, "team/app", "1", ociManifest, body),
				h.api.get(t, "/-/token/images?service=x&scope=repository:team/app:pull", "Authorization", "Basic c2VjcmV0OnNlY3JldA=="),
			} {
				if name != "of a scheme that is unknown" {
					if w.status != http.StatusBadGateway && !strings.Contains(w.line, "/-/token/") {
						t.Errorf("%s: %d, want 502: %v", w.line, w.status, w.header)
					}
				}
				other.heardNothing(t, w)
			}
		})
	}
}

// Its twin: an origin that the configuration names may issue tokens, and clients reach it through us.
func TestTokenOriginsMayIssueTokens(t *testing.T) {
	tokens := listen(t, `{"token":"x"}`)
	for _, allowed := range []bool{false, true} {
		s := settings{}
		if allowed {
			s.upstream = "      token_origins: [\"" + tokens.url + "\"]\n"
		}
		h := upstream(t, s)
		h.up.Intercept(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Www-Authenticate", `Bearer realm="`+tokens.url+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		w := h.api.get(t, "/v2/")
		token := h.api.get(t, "/-/token/images?service=x", "Authorization", "Basic c2VjcmV0OnNlY3JldA==")
		if !allowed {
			w.refused(t, http.StatusBadGateway)
			token.refused(t, http.StatusBadGateway)
			tokens.heardNothing(t, w)
			continue
		}
		w.expect(t, http.StatusUnauthorized)
		if c := w.header.Get("Www-Authenticate"); !strings.Contains(c, h.proxy.URL+"/-/token/images") || strings.Contains(c, tokens.host()) {
			t.Errorf("the challenge is %s", c)
		}
		token.expect(t, http.StatusOK)
		if seen := tokens.heard(); len(seen) != 1 || !strings.Contains(seen[0], "Basic c2VjcmV0OnNlY3JldA==") {
			t.Errorf("the token service heard %q", seen)
		}
	}
}

// A token service that redirects gets no second request.
func TestATokenServiceThatRedirectsIsNotFollowed(t *testing.T) {
	other := listen(t, `{"token":"x"}`)
	h := upstream(t, settings{})
	h.up.Intercept(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		if r.URL.Path == "/token" {
			http.Redirect(w, r, other.url+"/token", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Www-Authenticate", `Bearer realm="`+h.up.URL+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	w := h.api.get(t, "/-/token/images", "Authorization", "Basic c2VjcmV0OnNlY3JldA==")
	w.refused(t, http.StatusBadGateway)
	other.heardNothing(t, w)
}

// The Link to the next page of a list, and cookies, speak for the upstream alone.
func TestOtherHeadersOfTheUpstreamDoNotSpeakForUs(t *testing.T) {
	h := upstream(t, settings{})
	h.api.push(t, "team/app", "1")
	other := listen(t, "")
	h.up.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		w.Header().Set("Link", `<`+other.url+`/v2/x>; rel="next"`)
		w.Header().Set("Set-Cookie", "session=1; Domain="+other.host())
		w.Header().Set("Access-Control-Allow-Origin", other.url)
		w.Header().Set("Alt-Svc", `h2="`+other.host()+`"`)
		forward.ServeHTTP(w, r)
	})
	for _, path := range []string{"/v2/team/app/tags/list", "/v2/_catalog", "/v2/team/app/manifests/1"} {
		w := h.api.get(t, path, "Cookie", "ours=1", "Origin", other.url).expect(t, http.StatusOK)
		other.heardNothing(t, w)
		if w.header.Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", path)
		}
	}
	for _, r := range h.up.Requests() {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Origin") != "" {
			t.Errorf("the upstream got our Cookie or the client's Origin: %v", r.Header)
		}
	}
}

// A tunnel through us would let a client speak to the upstream without us: an upstream, or a server in front of it, may
// agree to speak another protocol.
func TestNoTunnelToTheUpstream(t *testing.T) {
	h := upstream(t, settings{wrap: func(t *testing.T, target string) string {
		to, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		forward := httputil.NewSingleHostReverseProxy(to)
		return world.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				forward.ServeHTTP(w, r)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
			direct, err := net.Dial("tcp", to.Host)
			if err != nil {
				return
			}
			defer direct.Close()
			go io.Copy(direct, conn)
			io.Copy(conn, direct)
		}))
	}})
	for _, protocol := range []string{"h2c", "websocket", "tcp"} {
		w, err := h.api.try(http.MethodGet, "/v2/", nil, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", protocol, "Http2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
		if err == nil && w.status == http.StatusSwitchingProtocols {
			t.Errorf("%s: there is a tunnel to the upstream", protocol)
		}
	}
	for _, r := range h.up.Requests() {
		if r.Header.Get("Upgrade") != "" {
			t.Errorf("the upstream was asked for a tunnel: %v", r.Header)
		}
	}
}
