package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/oci"
)

// transaction is one request on its way: the response, what is known of who sent it, and what goes into its log line.
type transaction struct {
	http.ResponseWriter
	server *Server
	req    *http.Request
	id     string
	began  time.Time

	plain      bool // errors are told in plain text, or as speak has it
	speak      func(format.Answer) format.Answer
	by         string // who sent it; "" is nobody that we know
	repository string
	status     int
	sent       int64
	received   counter
	err        error // why it failed, for the log
}

func (s *Server) begin(rw http.ResponseWriter, req *http.Request) *transaction {
	t := &transaction{ResponseWriter: rw, server: s, id: newRequestID(), began: time.Now()}
	rw.Header().Set("X-Request-Id", t.id)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	if req.Body != nil && req.Body != http.NoBody {
		t.received.ReadCloser = req.Body
		req = req.WithContext(req.Context())
		req.Body = &t.received
	}
	t.req = req
	return t
}

func newRequestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// counter counts what is read of a body.
type counter struct {
	io.ReadCloser
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

func (t *transaction) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *transaction) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	n, err := t.ResponseWriter.Write(p)
	t.sent += int64(n)
	return n, err
}

// ReadFrom lets the connection take the bytes of a file without our looking at them.
func (t *transaction) ReadFrom(r io.Reader) (int64, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	send := func() (int64, error) { return io.Copy(t.ResponseWriter, r) }
	if limited, ok := r.(*io.LimitedReader); ok {
		if content, ok := limited.R.(*watched); ok {
			if p, ok := content.ReadSeeker.(pieces); ok {
				send = func() (int64, error) { return content.send(t.ResponseWriter, p, limited.N) }
			}
		}
	}
	n, err := send()
	t.sent += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (t *transaction) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// fail answers the request with err, unless an answer has begun.
func (t *transaction) fail(err error) {
	t.err = err
	if t.status != 0 {
		return
	}
	if t.plain {
		t.failPlainly(err)
		return
	}
	if strings.HasPrefix(t.req.URL.Path, "/v2/") {
		t.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	}
	oci.WriteError(t, err)
}

// end writes the one log line of the request and counts it. A panic of a handler is logged and passed on.
func (t *transaction) end() {
	panicked := recover()
	if panicked != nil && t.err == nil {
		if err, ok := panicked.(error); ok {
			t.err = err
		} else {
			t.err = errors.New("panic in a handler")
		}
	}
	took := time.Since(t.began)
	t.server.metrics.request(t.req.Method, t.status, t.received.n, t.sent, took)
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request", t.id), slog.String("method", t.req.Method), slog.String("path", t.req.URL.Path),
		slog.Int("status", t.status), slog.Int64("received", t.received.n), slog.Int64("sent", t.sent),
		slog.Duration("took", took), slog.String("remote", t.req.RemoteAddr),
	}
	if t.by != "" {
		attrs = append(attrs, slog.String("by", t.by))
	}
	if t.repository != "" {
		attrs = append(attrs, slog.String("repository", t.repository))
	}
	if t.err != nil {
		attrs = append(attrs, slog.String("error", t.err.Error()))
	}
	switch gone := t.req.Context().Err() != nil; {
	case (t.status >= 500 || panicked != nil) && !gone:
		level = slog.LevelError
	case t.status == http.StatusOK && isProbe(t.req.URL.Path):
		level = slog.LevelDebug // a line every few seconds that says nothing
	}
	t.server.log.LogAttrs(t.req.Context(), level, "request", attrs...)
	if panicked != nil {
		panic(panicked)
	}
}

func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

func notFound(format string, args ...any) error {
	return oci.Errorf(http.StatusNotFound, oci.CodeNameUnknown, format, args...)
}
