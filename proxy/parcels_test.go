package proxy

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallmark/formats/formattest"
	"hallmark/proxy/config"

	"golang.org/x/crypto/bcrypt"
)

func openParcels(t *testing.T) *shelf { return openShelfOf(t, formattest.Parcels{}) }

func TestAnEnvelopeIsAnsweredInTheClientsForm(t *testing.T) {
	h := openParcels(t)
	w := h.want(201, "POST", "/raw/batch", "put a 1\nput a 2\n")
	if got := w.Body.String(); !strings.Contains(got, `"paths":["a/1.parcel","a/2.parcel"]`) || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("X-Parcels") != "http://127.0.0.1:8080/raw" {
		t.Errorf("%s with %v", got, w.Header())
	}
	h.want(200, "POST", "/raw/batch", "put a 1\n")
	h.want(201, "POST", "/raw/batch", "put a 1\nput a 3\n")
	if w := h.want(400, "POST", "/raw/batch", "shred\n"); !strings.Contains(w.Body.String(), `"said":"a batch has no verb`) {
		t.Errorf("a refusal is %s", w.Body)
	}
	h.want(404, "POST", "/raw/batch", "delete b/1.parcel\n")
	h.want(413, "POST", "/raw/batch", strings.Repeat("put a 1\n", 1<<18))
	h.want(400, "POST", "/raw/batch", "put a 4\n", "X-Checksum-Sha256", strings.Repeat("00", 32))
	h.want(200, "DELETE", "/raw/a/3.parcel", "") // a 204, as the format has it
	if w := h.want(404, "DELETE", "/raw/a/3.parcel", ""); !strings.Contains(w.Body.String(), "there is no package at a/3.parcel") {
		t.Errorf("a refusal is %s", w.Body)
	}
}

func TestAClientsChecksumAndIndex(t *testing.T) {
	h := openParcels(t)
	h.want(201, "PUT", "/raw/a/1.parcel", "PARCEL a 1\n")
	h.want(201, "PUT", "/raw/a/1.parcel.size", "11")
	h.want(201, "PUT", "/raw/a/1.parcel.size", "11  a/1.parcel\n")
	if w := h.want(400, "PUT", "/raw/a/1.parcel.size", "12"); !strings.Contains(w.Body.String(), "which is 11: upload the file again") {
		t.Errorf("a refusal is %s", w.Body)
	}
	h.want(400, "PUT", "/raw/a/1.parcel.size", "")
	h.want(400, "PUT", "/raw/a/1.parcel.size", strings.Repeat("1", 2000))
	h.want(404, "PUT", "/raw/a/2.parcel.size", "11")
	h.want(201, "PUT", "/raw/a/INDEX", "lies")
	h.want(413, "PUT", "/raw/a/INDEX", strings.Repeat("x", 2<<20))
	if w := h.want(200, "GET", "/raw/a/INDEX", ""); strings.Contains(w.Body.String(), "lies") {
		t.Error("what a client says is believed")
	}
}

func TestAnIndexHoldsTheAddressThatAClientUses(t *testing.T) {
	h := openParcels(t)
	h.want(201, "POST", "/raw/batch", "put a 1\nput a 2\n")
	w := h.want(200, "GET", "/raw/a/INDEX.json", "")
	if got := w.Body.String(); got != `["http://127.0.0.1:8080/raw/a/1.parcel","http://127.0.0.1:8080/raw/a/2.parcel"]`+"\n" {
		t.Errorf("%s", got)
	}
	if w.Header().Get("Content-Type") != "application/vnd.parcels+json" || !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Accept") {
		t.Errorf("%v", w.Header())
	}
	tag := w.Header().Get("Etag")
	h.want(304, "GET", "/raw/a/INDEX.json", "", "If-None-Match", `"other", W/`+tag)
	h.want(200, "GET", "/raw/a/INDEX.json", "", "Range", "bytes=5-")
	if w := h.want(200, "GET", "/raw/a/INDEX.json", "", "Accept-Encoding", "br, gzip;q=0.5"); w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", w.Header())
	}
	if w := h.want(200, "GET", "/raw/a/INDEX.json", "", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%v", w.Header())
	}
	if w := h.want(200, "HEAD", "/raw/a/INDEX.json", ""); w.Body.Len() > 0 || w.Header().Get("Etag") != tag {
		t.Errorf("%v", w.Header())
	}
	other := httptest.NewRequest("GET", "http://localhost:8080/raw/a/INDEX.json", nil)
	answer := httptest.NewRecorder()
	h.server.ServeHTTP(answer, other)
	if !strings.HasPrefix(answer.Body.String(), `["http://localhost:8080/`) || answer.Header().Get("Etag") == tag {
		t.Errorf("%s with %v", answer.Body, answer.Header())
	}
}

func TestAnEscapedSlashIsASlash(t *testing.T) {
	h := openParcels(t)
	h.want(201, "PUT", "/raw/a%2f1.parcel", "PARCEL a 1\n")
	h.want(200, "GET", "/raw/a%2F1.parcel", "")
	h.want(400, "GET", "/raw/a%2f..%2f1.parcel", "")
	h.want(400, "GET", "/raw/a%2f%2f1.parcel", "")
}

// Whoever may write sends an API key in the way of his client.
func TestAPIKeys(t *testing.T) {
	h := openParcels(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret:x"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(file, []byte("alice:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.server.config.Auth = &config.Auth{Htpasswd: file, Rules: []config.Rule{
		{Users: []string{"alice"}, Repositories: []string{"raw"}, Allow: []string{"read", "push", "delete"}},
	}}
	if h.server.auth, err = newAuthenticator(h.server.config.Auth, "token"); err != nil {
		t.Fatal(err)
	}
	basic := func(user, password string) string {
		return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	}
	good, bad := basic("alice", "s3cret:x"), basic("alice", "guess")
	for _, headers := range [][]string{
		{"Authorization", "Basic " + good},
		{"Authorization", "Bearer " + good},
		{"Authorization", "Bearer alice:s3cret:x"},
		{"Authorization", good},
		{"Authorization", "alice:s3cret:x"},
		{"X-Parcel-Key", good},
		{"X-Parcel-Key", "alice:s3cret:x"},
		{"Authorization", "Basic " + bad, "X-Parcel-Key", good},
	} {
		if w := h.want(200, "GET", "/raw/whoami", "", headers...); !strings.HasPrefix(w.Body.String(), "alice: ") {
			t.Errorf("%q is %s", headers, w.Body)
		}
	}
	for _, headers := range [][]string{
		nil,
		{"Authorization", "Basic " + bad},
		{"Authorization", "Bearer " + bad},
		{"Authorization", bad},
		{"Authorization", "alice"},
		{"Authorization", "Bearer "},
		{"X-Parcel-Key", bad},
		{"X-Parcel-Key", ""},
		{"Authorization", "Basic " + good, "X-Parcel-Key", bad},
	} {
		w := h.want(401, "GET", "/raw/whoami", "", headers...)
		if w.Header().Get("Www-Authenticate") == "" || !strings.Contains(w.Body.String(), `"said":"authentication required`) {
			t.Errorf("%q gets %s", headers, w.Body)
		}
	}
	w := h.want(201, "POST", "/raw/login", "alice s3cret:x")
	if !strings.Contains(w.Body.String(), `"key":"`+good+`"`) {
		t.Errorf("a login gets %s", w.Body)
	}
	h.want(401, "POST", "/raw/login", "alice guess")
	h.want(400, "POST", "/raw/login", "alice")
	h.want(400, "POST", "/raw/login", strings.Repeat("x", 70<<10))
	h.want(http.StatusUnauthorized, "POST", "/raw/batch", "put a 1\n")
	h.want(http.StatusCreated, "POST", "/raw/batch", "put a 1\n", "Authorization", "Bearer "+good)
}

// An envelope needs the right to each of the changes in it, whatever its method.
func TestAnEnvelopeDeletesForNobodyWhoMayNot(t *testing.T) {
	h := openParcels(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("x"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(file, []byte("ci:"+string(hash)+"\nadmin:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.server.config.Auth = &config.Auth{Htpasswd: file, Rules: []config.Rule{
		{Users: []string{"ci", "admin"}, Repositories: []string{"raw"}, Allow: []string{"read", "push"}},
		{Users: []string{"admin"}, Repositories: []string{"raw"}, Allow: []string{"delete"}},
	}}
	if h.server.auth, err = newAuthenticator(h.server.config.Auth, "token"); err != nil {
		t.Fatal(err)
	}
	h.want(201, "POST", "/raw/batch", "put a 1\nput b 1\n", "Authorization", "ci:x")
	for _, lines := range []string{"delete a/1.parcel\n", "clear a\n", "put a 2\nclear b\n"} {
		w := h.want(403, "POST", "/raw/batch", lines, "Authorization", "ci:x")
		if !strings.Contains(w.Body.String(), "ci may not delete batch") {
			t.Errorf("%q gets %s", lines, w.Body)
		}
	}
	if w := h.want(200, "GET", "/raw/NAMES", "", "Authorization", "ci:x"); w.Body.String() != "a 1\nb 1\n" {
		t.Errorf("NAMES is %q", w.Body)
	}
	h.want(201, "POST", "/raw/batch", "yank a/1.parcel why\n", "Authorization", "ci:x")
	h.want(201, "POST", "/raw/batch", "put a 2\nclear b\n", "Authorization", "admin:x")
}
