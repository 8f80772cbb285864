package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hallmark/proxy/oci"
)

// stripped are headers that speak for an origin, and must not speak for ours.
var stripped = []string{"Set-Cookie", "Alt-Svc", "Strict-Transport-Security", "Public-Key-Pins", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"}

// modify rewrites an answer for the client. An error becomes a 502, and nothing of the answer is passed on.
func (r *Registry) modify(resp *http.Response) error {
	redirect := resp.StatusCode >= 300 && resp.StatusCode < 400
	read := resp.Request.Method == http.MethodGet || resp.Request.Method == http.MethodHead
	blob := strings.Contains(resp.Request.URL.Path, "/blobs/")
	// Storage behind a registry is reached by a redirect to a signed address, which only reading a blob may follow.
	// Only the client's own request tells by which name it knows us: the one that went upstream names the upstream.
	client, ok := resp.Request.Context().Value(clientRequest{}).(*http.Request)
	if !ok {
		return errors.New("an answer to a request that nobody made")
	}
	if err := r.rewriteHeader(client, resp.Header, redirect && read && blob); err != nil {
		return err
	}
	return r.explain(resp)
}

// explain puts an OCI error in place of the body of a failure that has none: a page of some server in between tells
// clients nothing.
func (r *Registry) explain(resp *http.Response) error {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode < 400 || mediaType == "application/json" || resp.Request.Method == http.MethodHead {
		return nil
	}
	resp.Body.Close()
	e := oci.Error{Code: oci.CodeFor(resp.StatusCode), Message: fmt.Sprintf("the upstream registry %s answered %s", r.URL.Host, resp.Status)}
	body := e.JSON()
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Header.Del("Content-Encoding")
	return nil
}

// rewriteHeader rewrites the addresses in an answer's header. elsewhere says whether its Location may name another origin.
func (r *Registry) rewriteHeader(req *http.Request, h http.Header, elsewhere bool) error {
	for _, k := range stripped {
		h.Del(k)
	}
	if len(h.Values("Location")) > 1 {
		return oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sent several Locations", r.URL.Host)
	}
	if l := h.Get("Location"); l != "" {
		u, err := r.resolve(req, l)
		switch {
		case err == nil:
			h.Set("Location", pathOf(u))
		case !elsewhere:
			return err
		}
	}
	if link := h.Get("Link"); link != "" {
		h.Del("Link")
		if l, ok := r.rewriteLink(req, link); ok {
			h.Set("Link", l)
		}
	}
	return r.rewriteChallenges(req, h)
}

// resolve reads an address in an answer to req, which must be on the registry's own origin.
func (r *Registry) resolve(req *http.Request, location string) (*url.URL, error) {
	base := &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: req.URL.Path, RawPath: req.URL.RawPath}
	u, err := base.Parse(location)
	if err != nil {
		return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sent a Location that is no address", r.URL.Host)
	}
	// A path that begins with two slashes would name another host, once the origin is taken from before it.
	if origin(u) != origin(r.URL) || u.User != nil || strings.HasPrefix(u.EscapedPath(), "//") {
		return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sends the client on to %.100q, which is not its own address; nothing was sent there", r.URL.Host, u.Host)
	}
	return u, nil
}

// pathOf is u without its origin: right for every address under which a client may know us.
func pathOf(u *url.URL) string {
	p := u.EscapedPath()
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return p
}

// rewriteLink rewrites the address of the next page of a list (RFC 8288).
func (r *Registry) rewriteLink(req *http.Request, link string) (string, bool) {
	target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
	if !ok || !strings.HasPrefix(target, "<") {
		return "", false
	}
	u, err := r.resolve(req, target[1:])
	if err != nil {
		return "", false
	}
	return "<" + pathOf(u) + ">" + params, true
}
