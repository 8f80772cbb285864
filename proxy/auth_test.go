package proxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"hallmark/proxy/config"
	"hallmark/proxy/oci"
)

func htpasswd(t *testing.T, users ...string) string {
	t.Helper()
	var lines []string
	for _, u := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(u+"-password"), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, u+":"+string(hash))
	}
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func basic(user, password string) *http.Request {
	r := httptest.NewRequest("GET", "/v2/", nil)
	r.SetBasicAuth(user, password)
	return r
}

func statusOf(err error) int {
	var e *oci.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

func TestAuthenticate(t *testing.T) {
	a, err := newAuthenticator(&config.Auth{Htpasswd: htpasswd(t, "ci", "reader")}, "the-token")
	if err != nil {
		t.Fatal(err)
	}
	bearer := httptest.NewRequest("GET", "/v2/", nil)
	bearer.Header.Set("Authorization", "Bearer abc")
	for _, c := range []struct {
		name   string
		req    *http.Request
		user   string
		status int
	}{
		{"nobody", httptest.NewRequest("GET", "/v2/", nil), "", 0},
		{"a user", basic("ci", "ci-password"), "ci", 0},
		{"the same again, without bcrypt", basic("ci", "ci-password"), "ci", 0},
		{"a wrong password", basic("ci", "reader-password"), "", 401},
		{"an unknown user", basic("nobody", "nobody-password"), "", 401},
		{"an empty password", basic("ci", ""), "", 401},
		{"more than bcrypt reads", basic("ci", "ci-password"+strings.Repeat("x", 100)), "", 401},
		{"another scheme", bearer, "", 401},
		{"this program", basic("_admin", "the-token"), "_admin", 0},
		{"who says that it is this program", basic("_admin", "other"), "", 401},
	} {
		user, err := a.authenticate(c.req)
		if statusOf(err) != c.status || err == nil && user != c.user {
			t.Errorf("%s: %q, %v", c.name, user, err)
		}
	}
	var e *oci.Error
	if _, err := a.authenticate(basic("ci", "wrong")); !errors.As(err, &e) || !strings.HasPrefix(e.Header.Get("Www-Authenticate"), "Basic realm=") {
		t.Errorf("the challenge is %v", err)
	}
}

func TestGuessingPasswordsIsSlow(t *testing.T) {
	a, err := newAuthenticator(&config.Auth{Htpasswd: htpasswd(t, "ci")}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.authenticate(basic("ci", "ci-password")); err != nil {
		t.Fatal(err)
	}
	for range guessBurst {
		if _, err := a.authenticate(basic("ci", "guess")); statusOf(err) != 401 {
			t.Fatal(err)
		}
	}
	if _, err := a.authenticate(basic("ci", "another guess")); statusOf(err) != 429 {
		t.Errorf("after %d guesses: %v", guessBurst, err)
	}
	other := basic("ci", "guess")
	other.RemoteAddr = "192.0.2.99:1"
	if _, err := a.authenticate(other); statusOf(err) != 401 {
		t.Errorf("from another address: %v", err)
	}
	// Whoever is known already is not locked out by a neighbour.
	if _, err := a.authenticate(basic("ci", "ci-password")); err != nil {
		t.Errorf("the user, meanwhile: %v", err)
	}
}

func TestHtpasswdIsReadAgainWhenItChanges(t *testing.T) {
	path := htpasswd(t, "ci")
	a, err := newAuthenticator(&config.Auth{Htpasswd: path}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.authenticate(basic("ci", "ci-password")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(htpasswd(t, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	a.looked = time.Time{}
	if _, err := a.authenticate(basic("ci", "ci-password")); statusOf(err) != 401 {
		t.Errorf("a user who was removed: %v", err)
	}
	if user, err := a.authenticate(basic("other", "other-password")); err != nil || user != "other" {
		t.Errorf("a user who was added: %q, %v", user, err)
	}
	os.Remove(path)
	a.looked = time.Time{}
	if _, err := a.authenticate(basic("other", "other-password")); err == nil {
		t.Error("without its file, it lets somebody in")
	}
}

func TestBadHtpasswd(t *testing.T) {
	for text, want := range map[string]string{
		"ci":                                   ":1: a line is name:hash",
		"ci:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=": "not hashed with bcrypt",
		"anonymous:" + "$2a$04$":               "anonymous",
	} {
		_, _, err := parseHtpasswd("htpasswd", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
}

func TestGuard(t *testing.T) {
	open := &Server{config: &config.Config{Listen: "127.0.0.1:8080", PublicURL: "http://hallmark.test:8080"}, crossOrigin: http.NewCrossOriginProtection()}
	closed := &Server{config: &config.Config{Listen: "0.0.0.0:8080", Auth: &config.Auth{}}, crossOrigin: http.NewCrossOriginProtection()}
	for _, c := range []struct {
		name   string
		server *Server
		method string
		host   string
		header http.Header
		status int
	}{
		{"loopback by address", open, "GET", "127.0.0.1:8080", nil, 0},
		{"loopback by name", open, "PUT", "localhost:8080", nil, 0},
		{"loopback, IPv6", open, "PUT", "[::1]:8080", nil, 0},
		{"public_url", open, "GET", "Hallmark.test:8080", nil, 0},
		{"a name that a page made resolve to us", open, "GET", "evil.test:8080", nil, 403},
		{"no name", open, "GET", "", nil, 403},
		{"a name that only looks like loopback", open, "GET", "127.0.0.1.evil.test", nil, 403},
		{"a write by a page elsewhere", open, "PUT", "127.0.0.1:8080", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a write by an old browser", open, "POST", "127.0.0.1:8080", http.Header{"Origin": {"http://evil.test"}}, 403},
		{"a page of our own", open, "POST", "127.0.0.1:8080", http.Header{"Origin": {"http://127.0.0.1:8080"}}, 0},
		{"a read by a page elsewhere", open, "GET", "127.0.0.1:8080", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 0},
		{"any name, with auth", closed, "GET", "registry.test", nil, 0},
		{"a write by a page, with auth", closed, "DELETE", "registry.test", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
	} {
		req := httptest.NewRequest(c.method, "/v2/", nil)
		req.Host = c.host
		for k, v := range c.header {
			req.Header[k] = v
		}
		if got := statusOf(c.server.guard(req)); got != c.status {
			t.Errorf("%s: %d, want %d", c.name, got, c.status)
		}
	}
}

func TestClaimed(t *testing.T) {
	for header, want := range map[string]string{
		"":                                  "anonymous",
		"Bearer opaque":                     "token (unverified)",
		"Bearer e30.eyJzdWIiOiJhbGljZSJ9.x": "alice (unverified)",
		"Bearer e30.!!!.x":                  "token (unverified)",
		"Bearer e30.eyJzdWIiOiJhXG5iIn0.x":  "a?b (unverified)",
		"Negotiate x":                       "anonymous",
	} {
		req := httptest.NewRequest("GET", "/v2/", nil)
		req.Header.Set("Authorization", header)
		if got := claimed(req); got != want {
			t.Errorf("%q is %q, want %q", header, got, want)
		}
	}
	if got := claimed(basic("al\nice", "x")); got != "al?ice" {
		t.Errorf("a basic user is %q", got)
	}
}

func FuzzClaimed(f *testing.F) {
	for _, s := range []string{"Bearer e30.eyJzdWIiOiJhbGljZSJ9.x", "Basic Y2k6cw==", "Bearer a.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		req := httptest.NewRequest("GET", "/v2/", nil)
		req.Header.Set("Authorization", header)
		if got := claimed(req); got == "" || len(got) > 256 || printable(got) != got && len(got) <= 128 {
			t.Errorf("%q is %q", header, got)
		}
	})
}
