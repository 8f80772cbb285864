package attacks

import (
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: passwords and tokens can be neither guessed at speed nor read in a log.

func TestWrongPasswordsAreCountedAndRefused(t *testing.T) {
	h := embedded(t, settings{user: world.CI, config: "auth:\n  htpasswd: " + passwords(t, world.CI, world.Reader) + "\n"})
	h.api.push(t, "team/app", "1")
	h.mustBeSigned(t, "team/app", "1")
	guess := newAPI(h.proxy.URL, world.User{Name: world.CI.Name, Password: "guessed"})
	var unauthorized, tooMany int
	for range 60 {
		switch w := guess.get(t, "/v2/team/app/manifests/1"); w.status {
		case http.StatusUnauthorized:
			unauthorized++
			w.refused(t, http.StatusUnauthorized)
			if w.header.Get("Www-Authenticate") == "" {
				t.Error("401 without a challenge")
			}
		case http.StatusTooManyRequests:
			tooMany++
			w.refused(t, http.StatusTooManyRequests)
			if w.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
		default:
			t.Fatalf("a guess got %d %s", w.status, w.body)
		}
	}
	if unauthorized == 0 || tooMany < 20 {
		t.Errorf("of 60 guesses %d were judged and %d turned away", unauthorized, tooMany)
	}
	// Another name, the same guesser; the right password of somebody who was not in before.
	newAPI(h.proxy.URL, world.User{Name: "nobody", Password: "x"}).get(t, "/v2/").refused(t, http.StatusTooManyRequests)
	newAPI(h.proxy.URL, world.Reader).get(t, "/v2/").refused(t, http.StatusTooManyRequests)
	// Whoever was in already is not locked out by the guesser.
	h.api.push(t, "team/app", "2")
	h.mustBeSigned(t, "team/app", "2")
}

func TestRightsAreThoseOfTheRules(t *testing.T) {
	h := embedded(t, settings{user: world.CI, config: "auth:\n  htpasswd: " + passwords(t, world.CI, world.Reader) + `
  rules:
    - {users: [ci], repositories: ["*"], allow: [read, push]}
    - {users: [reader], repositories: ["*"], allow: [read]}
`})
	digest := h.api.push(t, "team/app", "1")
	reader, anonymous := newAPI(h.proxy.URL, world.Reader), newAPI(h.proxy.URL, world.User{})
	body := h.api.tiny(t, "team/app")
	before := h.state(t, "team/app", digest, digestOf(body))
	reader.put(t, "team/app", "2", ociManifest, body).refused(t, http.StatusForbidden)
	reader.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digest, nil).refused(t, http.StatusForbidden)
	reader.do(t, http.MethodPost, "/-/api/v1/repositories/images/sign?image=team/app&reference=1", nil).refused(t, http.StatusForbidden)
	h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digest, nil).refused(t, http.StatusForbidden)
	h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+sigTag(digest), nil).refused(t, http.StatusForbidden)
	anonymous.get(t, "/v2/team/app/manifests/1").refused(t, http.StatusUnauthorized)
	anonymous.get(t, "/-/signatures/images/team/app@"+digest).refused(t, http.StatusUnauthorized)
	newAPI(h.proxy.URL, world.User{Name: "_admin", Password: "x"}).get(t, "/v2/").refused(t, http.StatusUnauthorized)
	h.api.do(t, http.MethodPost, "/-/api/v1/repositories/images/gc", nil).refused(t, http.StatusForbidden)
	reader.get(t, "/v2/team/app/manifests/1").expect(t, http.StatusOK)
	h.unchanged(t, before, "team/app", digest, digestOf(body))
}

// Every way in which a client hands over a secret, with the log at its most talkative; the log must not have one.
func TestNoSecretIsLogged(t *testing.T) {
	const secret = "Hu5h-this-is-secret"
	user := world.User{Name: "ci", Password: secret}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ci:"+secret))
	token := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"somebody","x":"`+secret+`"}`)) + "." + secret

	check := func(t *testing.T, h *house) {
		h.api.push(t, "team/app", "1")
		for _, credentials := range []string{basic, "Bearer " + token, "Bearer " + secret, "basic " + basic[6:], "Negotiate " + secret, secret,
			"Basic " + base64.StdEncoding.EncodeToString([]byte("wrong:"+secret)), "Basic " + secret} {
			for _, path := range []string{"/v2/", "/v2/team/app/manifests/1", "/v2/team/app/blobs/uploads/?token=" + secret, "/-/token/images?account=ci&password=" + secret,
				"/-/api/v1/repositories/images/gc?token=" + secret, "/v2/team/app/manifests/1?access_token=" + secret} {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
					h.api.do(t, method, path, []byte("grant_type=password&username=ci&password="+secret), "Authorization", credentials,
						"Content-Type", "application/x-www-form-urlencoded", "Cookie", "s="+secret, "Proxy-Authorization", credentials, "X-Registry-Auth", secret)
				}
			}
		}
		log, err := os.ReadFile(h.proxy.Log)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(log), "path=/v2/team/app/manifests/1") {
			t.Fatal("the log does not have the requests: the test shows nothing")
		}
		for _, s := range []string{secret, token, basic[6:], base64.StdEncoding.EncodeToString([]byte("wrong:" + secret))} {
			for _, line := range strings.Split(string(log), "\n") {
				if strings.Contains(line, s) {
					t.Errorf("the log has a secret: %s", line)
				}
			}
		}
	}
	debug := "log: {level: debug}\n"
	t.Run("embedded", func(t *testing.T) {
		check(t, embedded(t, settings{user: user, config: debug + "auth:\n  htpasswd: " + passwords(t, user) + "\n"}))
	})
	t.Run("upstream", func(t *testing.T) {
		h := upstream(t, settings{user: user, config: debug})
		check(t, h)
		h.up.Intercept(func(w http.ResponseWriter, r *http.Request, _ http.Handler) { // an upstream that breaks off
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
		})
		h.api.get(t, "/v2/team/app/manifests/1", "Authorization", basic).refused(t, http.StatusBadGateway)
		h.api.put(t, "team/app", "2", ociManifest, unique(describe(ociConfig, []byte(tinyConfig))).encode()).refused(t, http.StatusBadGateway)
		h.up.Intercept(nil)
		check(t, h)
	})
}
