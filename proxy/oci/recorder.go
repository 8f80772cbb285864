package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

const maxAnswer = 64 << 10 // bytes of an answer to a PUT or DELETE that are kept; registries send none or an error

// recorder is an http.ResponseWriter that holds a registry's answer back until it has been judged.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	max    int // bytes of the body that are kept
}

func newRecorder() *recorder { return &recorder{header: make(http.Header), max: maxAnswer} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if room := r.max - r.body.Len(); room > 0 {
		r.body.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// ask records the registry's answer. One that breaks off, where a handler panics to have the client see the same, is
// recorded as a 502: nobody can tell what it was to say.
func (r *recorder) ask(registry http.Handler, req *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			r.header, r.status = make(http.Header), 0
			r.body.Reset()
			WriteError(r, gatewayError("the registry's answer to %s of %s broke off", req.Method, req.URL.Path))
		default:
			panic(p)
		}
	}()
	registry.ServeHTTP(r, req)
}

// replay sends the recorded answer.
func (r *recorder) replay(rw http.ResponseWriter) {
	for k, v := range r.header {
		rw.Header()[k] = v
	}
	rw.Header().Del("Content-Length")
	rw.WriteHeader(r.status)
	rw.Write(r.body.Bytes())
}

// put sends a manifest to the registry under a reference, in the client's own words otherwise, and holds the answer back.
func (w *work) put(req *http.Request, reference, contentType string, body []byte) *recorder {
	out := req.Clone(req.Context())
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	out.Header.Set("Content-Type", contentType)
	out.Header.Del("Content-Length")
	out.URL.Path = "/v2/" + w.name + "/manifests/" + reference
	out.URL.RawPath = ""
	out.URL.RawQuery = "" // a draft of the specification has it name tags, and we have judged but one
	rec := newRecorder()
	rec.ask(w.Registry, out)
	return rec
}

// stored judges the answer to the PUT of a manifest. It returns nil if the registry has stored these very bytes. Where
// it clearly refused them, refused is true; otherwise an error leaves open whether they are there.
func (w *work) stored(req *http.Request, rec *recorder, digest string) (refused bool, err error) {
	what := fmt.Sprintf("PUT of the manifest %s of %s", digest, w.name)
	switch got := rec.header.Get("Docker-Content-Digest"); {
	case rec.status >= 400 && rec.status < 500:
		return true, &Answer{Request: what, Status: rec.status, Header: rec.header, Body: rec.body.Bytes()}
	case rec.status >= 500:
		return false, gatewayError("%s: the registry answered %d%s", what, rec.status, rec.reason())
	case rec.status != http.StatusCreated && rec.status != http.StatusOK && rec.status != http.StatusNoContent:
		return false, gatewayError("%s: the registry answered %d, which does not say that it is stored", what, rec.status)
	case got == digest:
		return false, nil
	case got != "":
		return false, gatewayError("%s: the registry says that it stored %.200q instead", what, got)
	}
	// The header is optional: then the registry is asked.
	_, err = w.Stat(req.Context(), w.name, digest)
	if errors.Is(err, fs.ErrNotExist) {
		return false, gatewayError("%s: the registry accepted it, and does not have it", what)
	}
	return false, err
}

// reason is what the recorded answer says of itself, for a message.
func (r *recorder) reason() string {
	if _, message := (&Answer{Body: r.body.Bytes()}).code(); message != "" {
		return ": " + strings.TrimSpace(message)
	}
	return ""
}

func gatewayError(format string, args ...any) error {
	return errorf(http.StatusBadGateway, CodeUnavailable, format, args...)
}
