package world

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRecorderNotesWhatWasAsked(t *testing.T) {
	target := Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Host)
	}))
	rec := Record(t, target)

	post(t, rec.URL+"/v2/a%2Fb?x=1", http.StatusOK, rec.Addr)
	rec.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.URL.Path == "/down" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	})
	post(t, rec.URL+"/down", http.StatusServiceUnavailable, "down\n")
	post(t, rec.URL+"/up", http.StatusOK, rec.Addr)
	rec.Intercept(nil)
	post(t, rec.URL+"/down", http.StatusOK, rec.Addr)

	var got []string
	for _, r := range rec.Requests() {
		got = append(got, r.Line())
	}
	want := "POST /v2/a%2Fb?x=1 200\nPOST /down 503\nPOST /up 200\nPOST /down 200"
	if strings.Join(got, "\n") != want {
		t.Errorf("noted\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if n := InSequence(rec.Requests()); n != 4 {
		t.Errorf("%d requests one after another, want 4", n)
	}
	rec.Reset()
	if n := len(rec.Requests()); n != 0 {
		t.Errorf("%d requests are noted after Reset", n)
	}
}

func TestInSequenceTellsOverlapsFromTurns(t *testing.T) {
	epoch := time.Now()
	span := func(start, end int) Request {
		return Request{Start: epoch.Add(time.Duration(start)), End: epoch.Add(time.Duration(end))}
	}
	for name, test := range map[string]struct {
		requests []Request
		want     int
	}{
		"none":                     {nil, 0},
		"one":                      {[]Request{span(0, 1)}, 1},
		"two at once":              {[]Request{span(0, 5), span(1, 4)}, 1},
		"two in turn":              {[]Request{span(0, 5), span(5, 9)}, 2},
		"two at once, then one":    {[]Request{span(0, 5), span(1, 6), span(6, 9)}, 2},
		"a long one beside three":  {[]Request{span(0, 20), span(1, 2), span(3, 4), span(5, 6)}, 3},
		"one that never was ended": {[]Request{span(0, 1), {Start: epoch}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := InSequence(test.requests); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func post(t *testing.T, url string, status int, body string) {
	t.Helper()
	w, err := http.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	got, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.StatusCode != status || string(got) != body {
		t.Errorf("POST %s: %d %q, want %d %q", url, w.StatusCode, got, status, body)
	}
}
