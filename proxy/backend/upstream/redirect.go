package upstream

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

// maxRedirects bounds the redirects on the way to a file.
const maxRedirects = 10

// locate returns the address of a path below the upstream's URL. Nothing in it can lead out of there, or be read as
// anything but a path.
func locate(base *url.URL, path string) (string, error) {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
		return "", format.Malformedf("the path %.100q is not text", path)
	}
	target := strings.Builder{}
	target.WriteString(base.Scheme + "://" + base.Host)
	if below := strings.Trim(base.EscapedPath(), "/"); below != "" {
		target.WriteString("/" + below)
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", format.Malformedf("the path %.100q has a segment %q", path, segment)
		}
		target.WriteByte('/')
		// S3 reads a plus in a path as a space.
		target.WriteString(strings.ReplaceAll(url.PathEscape(segment), "+", "%2B"))
	}
	return target.String(), nil
}

// Reach returns an error unless a file may be fetched from where an index says that it is: a path, or a whole address at the
// upstream's origin or at one that is listed.
func (c *Client) Reach(source string) error {
	if !format.IsAddress(source) {
		return nil
	}
	_, err := c.address(source)
	return err
}

// address returns the whole address of a file, if we may ask there.
func (c *Client) address(source string) (string, error) {
	u, err := format.ParseAddress(source)
	switch {
	case err != nil:
		return "", c.fault("has a link: %v", err)
	case c.options.URL.Scheme == "https" && u.Scheme == "http":
		return "", c.fault("is asked by https, and links to %.200q, by http", source)
	case origin(u) != origin(c.options.URL) && !c.listed(origin(u)):
		return "", c.fault("links to %.200q, whose origin is not among upstream.redirect_origins; nothing was asked there", source)
	}
	return locate(&url.URL{Scheme: u.Scheme, Host: u.Host}, strings.TrimPrefix(u.Path, "/"))
}

// checkRedirect lets a request be sent on within the upstream's origin, and to those origins that are listed, which never
// get credentials.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer")
	asked := via[0].URL.Path
	switch to := origin(req.URL); {
	case len(via) > maxRedirects:
		return c.fault("redirects %s more than %d times", asked, maxRedirects)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https", req.URL.User != nil:
		return c.fault("redirects %s to an address that is not plain http or https", asked)
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http":
		return c.fault("redirects %s from https to http at %.100s", asked, to)
	case to == origin(c.options.URL):
	case c.listed(to):
		req.Header.Del("Authorization")
	default:
		return c.fault("redirects %s to %.100s, which is not among upstream.redirect_origins; nothing was asked there", asked, to)
	}
	return nil
}

func (c *Client) listed(to string) bool {
	for _, o := range c.options.RedirectOrigins {
		if u, err := url.Parse(o); err == nil && origin(u) == to {
			return true
		}
	}
	return false
}

// origin returns the scheme, host and port of u, in one form for each origin.
func origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
