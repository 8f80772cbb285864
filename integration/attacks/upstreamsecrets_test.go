package attacks

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hallmark/integration/world"
)

// Rule: the upstream gets our credentials and nobody else's; nobody else gets ours. Of what a client sends, nothing goes
// on but the path.

func TestNothingOfAClientGoesToTheUpstreamButThePath(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("our-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var moved sync.Map // what is elsewhere, by its path
	elsewhere := world.Record(t, world.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := moved.Load(r.URL.Path)
		w.Write(body.([]byte))
	})))
	listed, err := url.Parse(elsewhere.URL)
	if err != nil {
		t.Fatal(err)
	}
	openOutposts(t, ", user: hallmark, password_file: "+password+", redirect_origins: ["+elsewhere.URL+"]", func(t *testing.T, o *outpost) {
		path := o.publish(t, "hello", 1)
		good := o.read(t, path)
		// Its files have moved, within the upstream and then to somebody whom it trusts.
		o.behind.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/moved/"):
				listed := *listed
				listed.Path, listed.RawQuery = "/"+o.name+r.URL.Path, "token=of-the-upstream"
				http.Redirect(w, r, listed.String(), http.StatusFound)
			case strings.HasSuffix(r.URL.Path, path):
				http.Redirect(w, r, "/moved/"+path, http.StatusMovedPermanently)
			default:
				forward.ServeHTTP(w, r)
			}
		})
		moved.Store("/"+o.name+"/moved/"+path, good)
		o.index(t)
		w := o.api.get(t, "/"+o.name+"/"+path+"?secret=query", "Cookie", "secret=cookie", "Referer", "http://secret.example/",
			"User-Agent", "secret-agent", "X-Secret", "secret", "Forwarded", "for=secret", "X-Forwarded-For", "203.0.113.7", "Accept-Language", "secret")
		if w.expect(t, http.StatusOK); string(w.body) != string(good) {
			t.Errorf("it has %d bytes, want %d", len(w.body), len(good))
		}
		// Nor through an upload.
		folder := map[string]string{"debian": "stable/main/", "rpm": ""}[o.name]
		b := world.Package{Name: "upload", Version: "1.0.0"}.Build(t, o.kind)
		o.api.do(t, http.MethodPut, "/"+o.name+"/"+folder+b.File()+"?secret=query", b.Bytes(t), "Cookie", "secret=cookie", "X-Secret", "secret")

		asked := o.behind.Requests()
		puts := 0
		for _, r := range asked {
			if r.Method == http.MethodPut {
				puts++
			}
			if user, secret, ok := basic(r); !ok || user != "hallmark" || secret != "our-secret" {
				t.Errorf("%s has the credentials %s:%s", r.Line(), user, secret)
			}
			withoutSecrets(t, r)
		}
		if puts == 0 {
			t.Error("the upload was not forwarded")
		}
		followed := 0
		for _, r := range elsewhere.Requests() {
			if !strings.HasPrefix(r.Path, "/"+o.name+"/moved/") {
				continue
			}
			followed++
			if value := r.Header.Get("Authorization"); value != "" {
				t.Errorf("%s has credentials: %s", r.Line(), value)
			}
			withoutSecrets(t, r)
		}
		if followed != 1 {
			t.Errorf("the redirect to an origin that is listed was followed %d times", followed)
		}
		if log := o.log(t); strings.Contains(log, "our-secret") || strings.Contains(log, "of-the-upstream") {
			t.Error("the log has a secret")
		}
	})
}

func basic(r world.Request) (user, password string, ok bool) {
	return (&http.Request{Header: r.Header}).BasicAuth()
}

// withoutSecrets fails the test if a request has something of a client's.
func withoutSecrets(t *testing.T, r world.Request) {
	t.Helper()
	if strings.Contains(r.Query, "secret") {
		t.Errorf("the query of a client goes on: %s", r.Line())
	}
	for name, values := range r.Header {
		if text := strings.Join(values, " "); strings.Contains(text, "secret") || strings.Contains(text, "203.0.113.7") {
			t.Errorf("%s has a client's %s: %s", r.Line(), name, text)
		}
	}
}
