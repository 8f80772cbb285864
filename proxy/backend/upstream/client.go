// Package upstream keeps a repository that stands in front of another server's: it asks that server by HTTP, checks what
// comes against the server's own signatures, and lays over it what was uploaded here.
//
// An upstream is an uploader whom nobody invited. What it sends is bounded in size and time, is checked before anybody
// relies on it, and never makes "it is not there" out of "it did not answer".
package upstream

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// ClientOptions are what a [Client] is made of. URL and Timeout are required.
type ClientOptions struct {
	// URL is where the repository is: scheme, host and perhaps a path, below which all its files are.
	URL *url.URL
	// User and Password are sent to the origin of URL, and nowhere else. Empty: no credentials. Password is called for
	// each request.
	User     string
	Password func() (string, error)
	// RedirectOrigins are the other origins to which the upstream may send us on, by a redirect or by an address in its index:
	// "https://cdn.example.com".
	RedirectOrigins []string
	// Timeout bounds the wait for the first byte of an answer, and for each further one.
	Timeout time.Duration

	UserAgent string
	Observe   func(time.Duration) // is told of each answer's time to its first byte
}

// A Client asks one upstream. Nothing of a request to us goes there but the path; nothing of an answer's header comes back
// but its validators. It is safe for concurrent use.
//
// Errors are one sentence that names the upstream, the fault and the path. They wrap [backend.ErrUpstream], but for a path
// that cannot be asked for, which is a format.ErrMalformed, and for a context that is done, whose cause they wrap.
type Client struct {
	options   ClientOptions
	following *http.Client // reads
	direct    *http.Client // writes, which no redirect may move
}

// NewClient returns a Client. It makes no request.
func NewClient(o ClientOptions) *Client {
	c := &Client{options: o}
	transport := http.RoundTripper(&http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what passes stays as it is
		ForceAttemptHTTP2:      true,
		ReadBufferSize:         64 << 10,
		WriteBufferSize:        64 << 10,
	})
	if o.Observe != nil {
		transport = &timed{transport, o.Observe}
	}
	c.following = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	c.direct = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

// Host names the upstream for people.
func (c *Client) Host() string { return c.options.URL.Host }

// Validators tell whether a file has changed since it was fetched. The zero value is for one that nothing is known of.
type Validators struct {
	ETag, LastModified string
}

// A Response is a file that the upstream sends.
type Response struct {
	// Body is the file's bytes, no more and no less where Size is known. Its errors are those of [Client]. The caller
	// closes it.
	Body io.ReadCloser
	// Size is in bytes; -1: the upstream does not say.
	Size int64
	// Validators are for the next time. They are zero where they could not tell this file from one that was written
	// within the same second.
	Validators Validators
	// NotModified says that the file is the one that the request's validators are of. There is no body.
	NotModified bool
}

// Get asks for the file at a path, which is relative to the URL and not escaped, or for the page of a folder, whose path ends in a
// slash, or for the file at a whole address: see [Client.Reach]. The error wraps fs.ErrNotExist if, and only if, the upstream
// answers 404 or 410. The context ends the body too.
func (c *Client) Get(ctx context.Context, path string, since Validators) (*Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	resp, err := c.get(ctx, path, since)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		cancel(nil)
		return &Response{Body: http.NoBody, Validators: since, NotModified: true}, nil
	}
	return &Response{
		Body:       &incoming{client: c, path: path, body: resp.Body, ctx: ctx, cancel: cancel},
		Size:       resp.ContentLength,
		Validators: validators(resp.Header),
	}, nil
}

// get returns an answer with a file, or with none because it has not changed.
func (c *Client) get(ctx context.Context, path string, since Validators) (*http.Response, error) {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if since.ETag != "" {
		req.Header.Set("If-None-Match", since.ETag)
	}
	if since.LastModified != "" {
		req.Header.Set("If-Modified-Since", since.LastModified)
	}
	resp, err := c.following.Do(req)
	if err != nil {
		return nil, c.silent(ctx, path, err)
	}
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case resp.StatusCode == http.StatusNotModified && since != Validators{}:
		return resp, nil
	case resp.StatusCode == http.StatusOK && (encoding == "" || encoding == "identity"):
		return resp, nil
	}
	discard(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return nil, c.fault("sends %s in the encoding %.40q, which nobody asked for", path, encoding)
	case http.StatusNotFound, http.StatusGone:
		return nil, &fault{text: fmt.Sprintf("the upstream %s has no %s", c.Host(), path), wraps: []error{fs.ErrNotExist}}
	}
	return nil, c.fault("answers %d for %s", resp.StatusCode, path)
}

// young is how long a file may be rewritten without a change of its date: two seconds, since clocks of file systems are
// late by some milliseconds.
const young = 2 * time.Second

// validators returns those of an answer, unless the file is so young that the next one may have the same: nginx makes its
// ETags of the date and the size.
func validators(h http.Header) Validators {
	v := Validators{ETag: h.Get("Etag"), LastModified: h.Get("Last-Modified")}
	if v.LastModified == "" {
		return v
	}
	modified, err := http.ParseTime(v.LastModified)
	if err != nil {
		return Validators{}
	}
	asked, err := http.ParseTime(h.Get("Date"))
	if err != nil || asked.Sub(modified) < young {
		return Validators{}
	}
	return v
}

// eager is the size of an upload up to which it is sent before the upstream has said whether it wants it.
const eager = 1 << 20

// Put has the upstream store size bytes of r at a path. The error wraps backend.ErrRefused beside backend.ErrUpstream if the
// upstream takes no uploads. Any other error leaves open whether the file is there. Nobody reads from r after it returns.
func (c *Client) Put(ctx context.Context, path string, size int64, r io.Reader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &outgoing{source: r, timeout: c.options.Timeout, stalled: func() { cancel(errNotTaken) }}
	defer body.Close()
	req, err := c.request(ctx, http.MethodPut, path, body)
	if err != nil {
		return err
	}
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody
	}
	if size > eager {
		req.Header.Set("Expect", "100-continue")
	}
	return c.write(req, path)
}

// Delete has the upstream remove the file at a path. That there is none is fine. See [Client.Put] for errors.
func (c *Client) Delete(ctx context.Context, path string) error {
	req, err := c.request(ctx, http.MethodDelete, path, nil)
	if err != nil {
		return err
	}
	return c.write(req, path)
}

func (c *Client) write(req *http.Request, path string) error {
	resp, err := c.direct.Do(req)
	if err != nil {
		return c.silent(req.Context(), path, err)
	}
	discard(resp)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return nil
	case http.StatusNotFound, http.StatusGone:
		if req.Method == http.MethodDelete {
			return nil
		}
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return &fault{
			text:  fmt.Sprintf("the upstream %s refuses %s of %s: it answers %d", c.Host(), req.Method, path, resp.StatusCode),
			wraps: []error{backend.ErrRefused, backend.ErrUpstream},
		}
	}
	return c.fault("answers %d to %s of %s", resp.StatusCode, req.Method, path)
}

// Ready reports whether the upstream answers at all, with anything but an error of its own.
func (c *Client) Ready(ctx context.Context) error {
	req, err := c.requestURL(ctx, http.MethodHead, c.options.URL.String(), nil)
	if err != nil {
		return err
	}
	resp, err := c.direct.Do(req)
	if err != nil {
		return c.silent(ctx, "its root", err)
	}
	discard(resp)
	if resp.StatusCode >= 500 {
		return c.fault("answers %d", resp.StatusCode)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	file, folder := path, false
	if method == http.MethodGet {
		if format.IsAddress(path) {
			target, err := c.address(path)
			if err != nil {
				return nil, err
			}
			return c.requestURL(ctx, method, target, body)
		}
		file, folder = strings.CutSuffix(path, "/")
	}
	target, err := locate(c.options.URL, file)
	if err != nil {
		return nil, err
	}
	if folder {
		target += "/"
	}
	return c.requestURL(ctx, method, target, body)
}

func (c *Client) requestURL(ctx context.Context, method, target string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.options.UserAgent)
	if c.options.User == "" || origin(req.URL) != origin(c.options.URL) {
		return req, nil
	}
	password := ""
	if c.options.Password != nil {
		if password, err = c.options.Password(); err != nil {
			return nil, &fault{text: fmt.Sprintf("the password for the upstream %s cannot be read: %v", c.Host(), err), wraps: []error{backend.ErrUpstream, err}}
		}
	}
	req.SetBasicAuth(c.options.User, password)
	return req, nil
}

// discard closes an answer of which nobody wants the body; a short one is read, so that the connection is used again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
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
