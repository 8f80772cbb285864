// Package upstream puts another registry, reached by HTTP, behind the signing middleware.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hallmark/proxy/oci"
)

// Options are what a Registry is made of. All but the last group are required.
type Options struct {
	URL       *url.URL                   // scheme and host of the registry
	TokenPath string                     // of our own token endpoint, which is Registry.ServeToken
	SelfURL   func(*http.Request) string // scheme and host under which the client reaches us
	Timeout   time.Duration              // to the first byte of an answer
	Log       *slog.Logger

	TokenOrigins []string            // other origins that may issue tokens: "https://auth.docker.io"
	UserAgent    string              // of our own requests
	Observe      func(time.Duration) // is told of each answer's time to its first byte
}

// A Registry is another registry by HTTP. Bodies stream through it and are never kept. It implements oci.Registry and is
// safe for concurrent use.
type Registry struct {
	Options
	transport http.RoundTripper
	proxy     *httputil.ReverseProxy
	realm     atomic.Pointer[url.URL] // where the registry sends clients for tokens, once it said so
}

// New returns a Registry. It makes no request.
func New(o Options) *Registry {
	if o.Observe == nil {
		o.Observe = func(time.Duration) {}
	}
	r := &Registry{Options: o}
	r.transport = &timed{
		next: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   o.Timeout,
			ResponseHeaderTimeout: o.Timeout,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   256,
			DisableCompression:    true, // what passes stays as it is
			ForceAttemptHTTP2:     true,
			ReadBufferSize:        64 << 10,
			WriteBufferSize:       64 << 10,
		},
		observe: o.Observe,
	}
	r.proxy = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		Transport:      r.transport,
		ModifyResponse: r.modify,
		ErrorHandler:   r.fail,
		ErrorLog:       slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		BufferPool:     &buffers{},
	}
	return r
}

// ServeHTTP passes a client's request on and the answer back. The Location of an answer and the realm of its challenge
// are rewritten to ourselves; an answer that sends the client elsewhere is a 502.
func (r *Registry) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	req = req.WithContext(context.WithValue(ctx, clientRequest{}, req))
	if req.Body != nil && req.Body != http.NoBody {
		body := &watchedBody{ReadCloser: req.Body, timeout: r.Timeout, stalled: func() { cancel(errStalled) }}
		defer body.stop()
		req.Body = body
	}
	r.proxy.ServeHTTP(rw, req)
}

// clientRequest is the key of a context that holds the request as the client sent it.
type clientRequest struct{}

func (r *Registry) rewrite(pr *httputil.ProxyRequest) {
	pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = r.URL.Scheme, r.URL.Host, r.URL.Host
	pr.Out.Header.Del("Cookie") // of our own origin, if any
	pr.Out.Header.Del("Origin")
}

// fail answers a request that the registry did not answer.
func (r *Registry) fail(rw http.ResponseWriter, req *http.Request, err error) {
	if cause := context.Cause(req.Context()); errors.Is(cause, errStalled) {
		err = cause
	}
	oci.WriteError(rw, r.unavailable(err))
}

// unavailable is the error for a registry that did not answer, or whose answer is not to be passed on.
func (r *Registry) unavailable(err error) error {
	var e *oci.Error
	if errors.As(err, &e) {
		return e
	}
	return oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s does not answer: %s", r.URL.Host, reason(err))
}

// reason is err without the URL that net/http puts before it.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		return "no answer within upstream.timeout"
	}
	return err.Error()
}

// Ready reports whether the registry answers at all. That it wants credentials is an answer.
func (r *Registry) Ready(ctx context.Context) error {
	resp, err := r.ping(ctx)
	if err != nil {
		return r.unavailable(err)
	}
	if resp.StatusCode >= 500 {
		return fmt.Errorf("the upstream registry %s answers %d", r.URL.Host, resp.StatusCode)
	}
	return nil
}

// ping asks for /v2/ without credentials and returns the answer, its body closed.
func (r *Registry) ping(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL.Scheme+"://"+r.URL.Host+"/v2/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.UserAgent)
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	return resp, nil
}

// timed tells of the time to the first byte of each answer.
type timed struct {
	next    http.RoundTripper
	observe func(time.Duration)
}

func (t *timed) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		t.observe(time.Since(began))
	}
	return resp, err
}

// buffers are what bodies are copied through. Large ones make fewer system calls of a layer.
type buffers struct{ pool sync.Pool }

const bufferSize = 256 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

var errStalled = errors.New("it stopped taking the request's body")

// watchedBody ends a request whose body the registry stops taking: for longer than the timeout nobody reads it. A client
// that is slow to send is none of its business.
type watchedBody struct {
	io.ReadCloser
	timeout time.Duration
	stalled func()

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.pause()
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && !b.ended {
		b.timer = time.AfterFunc(b.timeout, b.stalled)
	}
	return n, err
}

func (b *watchedBody) pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}

func (b *watchedBody) stop() {
	b.pause()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

func (b *watchedBody) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

// origin returns the scheme, host and port of u, in one form for each origin.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

var _ oci.Registry = (*Registry)(nil)
