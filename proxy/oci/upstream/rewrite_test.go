package upstream

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hallmark/proxy/oci"
)

func newRegistry(t *testing.T, address string, change func(*Options)) *Registry {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		URL: u, TokenPath: "/-/token/images", Timeout: 2 * time.Second, Log: slog.New(slog.DiscardHandler), UserAgent: "test",
		SelfURL: func(*http.Request) string { return "https://front.test" },
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func TestAddressesInAnswers(t *testing.T) {
	r := newRegistry(t, "https://registry.test", func(o *Options) { o.TokenOrigins = []string{"https://auth.test"} })
	req := httptest.NewRequest("POST", "https://registry.test/v2/app/blobs/uploads/", nil)
	for _, c := range []struct {
		name, key, value, want string // want "" is a refusal
	}{
		{"a Location on the registry", "Location", "https://registry.test/v2/app/blobs/uploads/1?_state=x", "/v2/app/blobs/uploads/1?_state=x"},
		{"with the default port", "Location", "https://REGISTRY.test:443/v2/x", "/v2/x"},
		{"without an origin", "Location", "/v2/app/blobs/uploads/1", "/v2/app/blobs/uploads/1"},
		{"on another host", "Location", "https://elsewhere.test/v2/app/blobs/uploads/1", ""},
		{"on another port", "Location", "https://registry.test:8443/v2/", ""},
		{"by another scheme", "Location", "http://registry.test/v2/", ""},
		{"with a user", "Location", "https://a@registry.test/v2/", ""},
		{"without a scheme", "Location", "//elsewhere.test/v2/", ""},
		{"of no kind", "Location", "https://%zz/", ""},
		{"a realm on the registry", "Www-Authenticate", `Bearer realm="https://registry.test/token",service="s",scope="repository:app:pull"`,
			`Bearer realm="https://front.test/-/token/images",service="s",scope="repository:app:pull"`},
		{"a realm that is configured", "Www-Authenticate", `bearer service="s", Realm="https://auth.test/t"`, `bearer service="s", Realm="https://front.test/-/token/images"`},
		{"a realm elsewhere", "Www-Authenticate", `Bearer realm="https://elsewhere.test/token"`, ""},
		{"two realms", "Www-Authenticate", `Bearer realm="https://registry.test/token",realm="https://elsewhere.test/"`, ""},
		{"no realm", "Www-Authenticate", `Bearer service="s"`, ""},
		{"two challenges in one line", "Www-Authenticate", `Bearer service="s", Basic realm="https://registry.test/"`, ""},
		{"basic", "Www-Authenticate", `Basic realm="any"`, `Basic realm="any"`},
		{"the next page", "Link", `</v2/app/tags/list?n=1&last=a>; rel="next"`, `</v2/app/tags/list?n=1&last=a>; rel="next"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{c.key: {c.value}, "Set-Cookie": {"a=b"}, "Alt-Svc": {"h3=elsewhere"}}
			err := r.rewriteHeader(req, h, false)
			var e *oci.Error
			if c.want == "" {
				if !errors.As(err, &e) || e.Status != http.StatusBadGateway {
					t.Errorf("%v, want a 502", err)
				}
				return
			}
			if err != nil || h.Get(c.key) != c.want {
				t.Errorf("%q, %v, want %q", h.Get(c.key), err, c.want)
			}
			if h.Get("Set-Cookie") != "" || h.Get("Alt-Svc") != "" {
				t.Errorf("%v speaks for our origin", h)
			}
		})
	}
}

func TestOtherSchemesThanBasicAndBearerDoNotPass(t *testing.T) {
	h := http.Header{"Www-Authenticate": {"Negotiate", `Basic realm="x"`}}
	r := newRegistry(t, "https://registry.test", nil)
	if err := r.rewriteHeader(httptest.NewRequest("GET", "/v2/", nil), h, false); err != nil || len(h["Www-Authenticate"]) != 1 {
		t.Errorf("%v, %q", err, h["Www-Authenticate"])
	}
}

// Whoever listens at another origin must never hear from us, and never see a credential.
func TestCredentialsStayWithTheUpstream(t *testing.T) {
	var heard atomic.Int64
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		heard.Add(1)
		if req.Header.Get("Authorization") != "" {
			leaked.Store(true)
		}
		rw.Write([]byte("hello"))
	}))
	defer elsewhere.Close()
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") == "" {
			t.Errorf("the upstream did not get the credentials of %s %s", req.Method, req.URL.Path)
		}
		rw.Header().Set("Location", elsewhere.URL+"/v2/app/blobs/uploads/1")
		if req.Method == "POST" {
			rw.WriteHeader(http.StatusAccepted)
			return
		}
		rw.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer back.Close()
	r := newRegistry(t, back.URL, nil)
	client := httptest.NewRequest("PUT", "/v2/app/manifests/1", nil)
	client.SetBasicAuth("ci", "secret")
	s := r.As(client)
	var e *oci.Error
	if err := s.PutBlob(t.Context(), "app", []byte("x"), nil); !errors.As(err, &e) || e.Status != http.StatusBadGateway {
		t.Errorf("an upload that is sent elsewhere: %v", err)
	}
	if heard.Load() != 0 {
		t.Error("something was sent to the other origin")
	}
	// Storage behind a registry is another origin: reading a blob goes there, and the credentials do not.
	if _, err := s.Blob(t.Context(), "app", "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 100); err != nil {
		t.Error(err)
	}
	if heard.Load() != 1 || leaked.Load() {
		t.Errorf("the storage heard from us %d times, with credentials: %v", heard.Load(), leaked.Load())
	}
	// The client follows such a redirect itself, and only for a blob that it reads.
	for path, want := range map[string]int{"/v2/app/blobs/sha256:0": http.StatusTemporaryRedirect, "/v2/app/manifests/1": http.StatusBadGateway} {
		rec := httptest.NewRecorder()
		get := httptest.NewRequest("GET", path, nil)
		get.SetBasicAuth("ci", "secret")
		if r.ServeHTTP(rec, get); rec.Code != want {
			t.Errorf("GET %s: %d, want %d", path, rec.Code, want)
		}
	}
}

func TestAnUpstreamThatDoesNotAnswer(t *testing.T) {
	hang := make(chan struct{})
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { <-hang }))
	defer back.Close()
	defer close(hang)
	r := newRegistry(t, back.URL, func(o *Options) { o.Timeout = 50 * time.Millisecond })
	for name, req := range map[string]*http.Request{
		"a short request": httptest.NewRequest("GET", "/v2/", nil),
		"a body that nobody takes": httptest.NewRequest("PATCH", "/v2/app/blobs/uploads/1",
			io.LimitReader(zeros{}, 1<<30)),
	} {
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		if rec.Code != http.StatusBadGateway || !strings.Contains(rec.Body.String(), "UNAVAILABLE") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	if err := r.Ready(t.Context()); err == nil {
		t.Error("it is said to be ready")
	}
}

func TestAnAnswerThatDoesNotEnd(t *testing.T) {
	hang := make(chan struct{})
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Write([]byte("{"))
		http.NewResponseController(rw).Flush()
		<-hang
	}))
	defer back.Close()
	defer close(hang)
	s := newRegistry(t, back.URL, func(o *Options) { o.Timeout = 50 * time.Millisecond }).As(httptest.NewRequest("PUT", "/v2/app/manifests/1", nil))
	var e *oci.Error
	if _, err := s.Manifest(t.Context(), "app", "1"); !errors.As(err, &e) || e.Status != http.StatusBadGateway {
		t.Errorf("%v, want a 502", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTokensComeFromTheRealm(t *testing.T) {
	var realm string
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v2/" {
			rw.Header().Set("Www-Authenticate", `Bearer realm="`+realm+`",service="s"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		user, password, _ := req.BasicAuth()
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"token":"`+user+password+req.URL.Query().Get("scope")+req.URL.Query().Get("a")+`"}`)
	}))
	defer back.Close()
	realm = back.URL + "/token?a=1"
	r := newRegistry(t, back.URL, nil)
	req := httptest.NewRequest("GET", "/-/token/images?service=s&scope=x", nil)
	req.SetBasicAuth("u", "p")
	rec := httptest.NewRecorder()
	r.ServeToken(rec, req) // before any client has met the realm, as after a restart
	if rec.Code != http.StatusOK || rec.Body.String() != `{"token":"upx1"}` {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}

	realm = "http://127.0.0.2:1/token"
	rec = httptest.NewRecorder()
	newRegistry(t, back.URL, nil).ServeToken(rec, req)
	if rec.Code != http.StatusBadGateway || !strings.Contains(rec.Body.String(), "token_origins") {
		t.Errorf("a realm elsewhere: %d %s", rec.Code, rec.Body)
	}
}

func TestEveryFailureHasAnOCIError(t *testing.T) {
	for _, c := range []struct {
		status      int
		contentType string
		body        string
		want        string
	}{
		{503, "text/html", "<h1>overloaded</h1>", "UNAVAILABLE"},
		{404, "", "", "NAME_UNKNOWN"},
		{404, "application/json; charset=utf-8", `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"m"}]}`, "MANIFEST_UNKNOWN"},
		{200, "text/plain", "a blob", "a blob"},
	} {
		back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("Content-Type", c.contentType)
			rw.WriteHeader(c.status)
			io.WriteString(rw, c.body)
		}))
		rec := httptest.NewRecorder()
		newRegistry(t, back.URL, nil).ServeHTTP(rec, httptest.NewRequest("GET", "/v2/app/manifests/1", nil))
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
			t.Errorf("%d %q: %d %s", c.status, c.contentType, rec.Code, rec.Body)
		}
		back.Close()
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"https://registry.test/v2/x?a=b", "/v2/x", "//elsewhere.test", "https://registry.test@elsewhere.test/", "https:elsewhere.test", "\\\\elsewhere.test", "</v2/x>; rel=next"} {
		f.Add(s)
	}
	r := New(Options{URL: &url.URL{Scheme: "https", Host: "registry.test"}, Timeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, address string) {
		h := http.Header{"Location": {address}, "Link": {address}}
		if r.rewriteHeader(httptest.NewRequest("POST", "/v2/app/blobs/uploads/", nil), h, false) != nil {
			return
		}
		for _, got := range []string{h.Get("Location"), strings.TrimPrefix(h.Get("Link"), "<")} {
			if got != "" && (!strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.HasPrefix(got, "/\\")) {
				t.Errorf("%q sends clients to %q", address, got)
			}
		}
	})
}

func FuzzChallenge(f *testing.F) {
	for _, s := range []string{`Bearer realm="https://registry.test/token",service="s"`, `Basic realm="x"`, `Bearer realm="https://elsewhere.test"`, `Bearer realm="a", realm="b"`, `Bearer realm="https://registry.test/\"`} {
		f.Add(s)
	}
	r := New(Options{URL: &url.URL{Scheme: "https", Host: "registry.test"}, TokenPath: "/-/token/images", Timeout: time.Second,
		Log: slog.New(slog.DiscardHandler), SelfURL: func(*http.Request) string { return "https://front.test" }})
	f.Fuzz(func(t *testing.T, challenge string) {
		h := http.Header{"Www-Authenticate": {challenge}}
		if r.rewriteHeader(httptest.NewRequest("GET", "/v2/", nil), h, false) != nil {
			return
		}
		for _, c := range h.Values("Www-Authenticate") {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(c)), "bearer") && !strings.Contains(c, `"https://front.test/-/token/images"`) {
				t.Errorf("%q became %q", challenge, c)
			}
		}
	})
}
