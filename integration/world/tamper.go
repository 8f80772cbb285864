package world

import (
	"bytes"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
)

// Alter returns an Interceptor that changes the bodies of good answers to GET for paths that match. Those
// requests are passed on without conditions, ranges and compression, so that a body is always whole.
func Alter(paths *regexp.Regexp, change func(path string, body []byte) []byte) Interceptor {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if r.Method != http.MethodGet || !paths.MatchString(r.URL.Path) {
			forward.ServeHTTP(w, r)
			return
		}
		plain := r.Clone(r.Context())
		for _, name := range []string{
			"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Accept-Encoding",
		} {
			plain.Header.Del(name)
		}
		held := &heldAnswer{header: make(http.Header), status: http.StatusOK}
		forward.ServeHTTP(held, plain)
		body := held.body.Bytes()
		if held.status == http.StatusOK {
			body = change(r.URL.Path, slices.Clone(body))
		}
		maps.Copy(w.Header(), held.header)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(held.status)
		w.Write(body)
	}
}

// Flip returns an Interceptor that flips one bit in the middle of what is at paths that match.
func Flip(paths *regexp.Regexp) Interceptor {
	return Alter(paths, func(_ string, body []byte) []byte { return FlipBit(body) })
}

// FlipBit flips the lowest bit of the byte in the middle: a letter becomes its neighbour, never the same in
// the other case, which some readers would not mind.
func FlipBit(data []byte) []byte {
	if len(data) > 0 {
		data[len(data)/2] ^= 1
	}
	return data
}

// A heldAnswer keeps an answer until it is changed.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	began  bool
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if !h.began && status >= 200 {
		h.status, h.began = status, true
	}
}

func (h *heldAnswer) Write(p []byte) (int, error) {
	h.began = true
	return h.body.Write(p)
}
