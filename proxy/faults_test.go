package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/oci"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
)

func TestEachFaultHasItsStatus(t *testing.T) {
	h := openShelf(t)
	const secret = "/var/lib/secret: permission denied"
	for _, c := range []struct {
		name   string
		err    error
		status int
		text   string // what the client is told; empty: the error itself
		header string // that the answer has
	}{
		{"malformed", format.Malformedf("the field %q is there twice", "x"), 400, "", ""},
		{"malformed, in its context", fmt.Errorf("after it was signed: %w", format.Malformedf("broken")), 400, "", ""},
		{"a body that was cut", fmt.Errorf("%w: unexpected EOF", spool.ErrBody), 400, "", ""},
		{"not there", format.NotFoundf("there is no package at x"), 404, "", ""},
		{"not there, by the standard's word", fmt.Errorf("x: %w", fs.ErrNotExist), 404, "", ""},
		{"not allowed", format.NotAllowedf("nothing can be put there"), 405, "", "Allow"},
		{"refused by the upstream", fmt.Errorf("%w: %w", backend.ErrRefused, backend.ErrUpstream), 405, "", "Allow"},
		{"the upstream fails", fmt.Errorf("%w: it answers 503", backend.ErrUpstream), 502, "", ""},
		{"the upstream sends nonsense", fmt.Errorf("%w: %w", backend.ErrUpstream, format.Malformedf("broken")), 502, "", ""},
		{"the upstream lists what it does not have", fmt.Errorf("%w: %w", backend.ErrUpstream, fs.ErrNotExist), 502, "", ""},
		{"in conflict", fmt.Errorf("x is there: %w", publish.ErrConflict), 409, "", ""},
		{"too large", fmt.Errorf("%w: more than 5 bytes", spool.ErrTooLarge), 413, "", ""},
		{"no space for the body", fmt.Errorf("keep: %w: %s", spool.ErrFull, secret), 507, "no space left", ""},
		{"no space in the storage", fmt.Errorf("%w: %w", backend.ErrFull, errors.New(secret)), 507, "no space left", ""},
		{"shutting down", publish.ErrClosed, 503, "", "Retry-After"},
		{"lost to others", fmt.Errorf("%w: %s", backend.ErrLost, secret), 500, "internal error", ""},
		{"unknown", errors.New(secret), 500, "internal error", ""},
		{"of HTTP", &oci.Error{Status: 415, Code: oci.CodeUnsupported, Message: "no", Header: http.Header{"X-Why": {"because"}}}, 415, "", "X-Why"},
	} {
		w := httptest.NewRecorder()
		tr := h.server.begin(w, httptest.NewRequest(http.MethodPut, "http://127.0.0.1/raw/a", nil))
		tr.plain = true
		tr.fail(c.err)
		text := c.text
		if text == "" {
			text = c.err.Error()
		}
		if w.Code != c.status || !strings.Contains(w.Body.String(), text) || strings.Contains(w.Body.String(), "secret") || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: %d %q, want %d %q", c.name, w.Code, w.Body, c.status, text)
		}
		if c.header != "" && w.Header().Get(c.header) == "" {
			t.Errorf("%s: the answer has no %s: %v", c.name, c.header, w.Header())
		}
		if c.status == 500 && !strings.Contains(w.Body.String(), w.Header().Get("X-Request-Id")) {
			t.Errorf("%s: %q does not name the request %s", c.name, w.Body, w.Header().Get("X-Request-Id"))
		}
	}
}

// An answer that has begun is not begun again.
func TestAFaultAfterTheAnswerBeganIsOnlyLogged(t *testing.T) {
	h := openShelf(t)
	w := httptest.NewRecorder()
	tr := h.server.begin(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/raw/a", nil))
	tr.plain = true
	tr.Write([]byte("half"))
	tr.fail(errors.New("the disk went away"))
	if w.Code != http.StatusOK || w.Body.String() != "half" || tr.err == nil {
		t.Errorf("%d %q, %v", w.Code, w.Body, tr.err)
	}
}
