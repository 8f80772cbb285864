package timestamp_test

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hallmark/proxy/timestamp"
	"hallmark/proxy/timestamp/timestamptest"
)

func TestAServerStamps(t *testing.T) {
	s := timestamptest.New(t)
	data := []byte("a signature")
	sum := sha256.Sum256(data)
	token, err := timestamp.Client{HTTP: http.DefaultClient}.Stamp(t.Context(), s.URL, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t, token, data); err != nil {
		t.Error(err)
	}
	if s.Verify(t, token, []byte("another")) == nil || timestamptest.New(t).Verify(t, token, data) == nil {
		t.Error("it is a timestamp of anything, or by anybody")
	}
}

func TestAServerThatDoesNotStamp(t *testing.T) {
	sum := sha256.Sum256(nil)
	for name, tt := range map[string]struct {
		kind, body string
		status     int
		want       string
	}{
		"an error":             {"text/plain", "no", 500, "500"},
		"a page":               {"text/html", "welcome", 200, "text/html"},
		"no DER":               {"application/timestamp-reply", "no", 200, "RFC 3161"},
		"nothing":              {"application/timestamp-reply", "", 200, "RFC 3161"},
		"a refusal":            {"application/timestamp-reply", "\x30\x0c\x30\x0a\x02\x01\x02\x30\x05\x0c\x03bad", 200, `(status 2): "bad"`},
		"a grant of nothing":   {"application/timestamp-reply", "\x30\x05\x30\x03\x02\x01\x00", 200, "status 0"},
		"more than it may say": {"application/timestamp-reply", strings.Repeat("x", 1<<20), 200, "RFC 3161"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}))
			defer server.Close()
			token, err := timestamp.Client{HTTP: http.DefaultClient}.Stamp(t.Context(), server.URL, sum[:])
			if err == nil || token != nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), server.URL) {
				t.Errorf("%d bytes, %v; want %q", len(token), err, tt.want)
			}
		})
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := (timestamp.Client{HTTP: http.DefaultClient}).Stamp(t.Context(), server.URL, sum[:]); err == nil {
		t.Error("nobody answers, and there is a timestamp")
	}
}
