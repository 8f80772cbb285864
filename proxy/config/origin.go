package config

import (
	"errors"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// parseOrigin returns the canonical form of an address that consists of
// http:// or https://, a host and perhaps a port: all that a URL without a path
// can say. One slash at the end is dropped. The error is a sentence that names
// the fault and the way out, and never repeats the address, since there may be
// a password in it.
func parseOrigin(text string) (string, error) {
	u, err := parseURL(text)
	if err != nil {
		return "", err
	}
	if u.Path != "" && u.Path != "/" {
		return "", errors.New("has a path: leave only " + u.Scheme + "://" + u.Host)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// parseAddress is parseOrigin for an address that may have a path, which has no
// slash at its end then.
func parseAddress(text string) (string, error) {
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return "", errors.New("has a user in it: leave only the address, and write user and password_file beside it")
	}
	u, err := parseURL(text)
	if err != nil {
		return "", err
	}
	if path.Clean("/"+u.Path) != "/"+strings.Trim(u.Path, "/") {
		return "", errors.New("has a path with empty segments, . or ..: write it like https://deb.example.com/ours")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is no URL: write it like https://registry.example.com")
	case u.User != nil:
		return nil, errors.New("has a user in it: leave only https://host; credentials are the pusher's own and are never configured")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://, such as https://registry.example.com")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("has a query or a fragment: leave only " + u.Scheme + "://host")
	case !validHost(u.Hostname()):
		return nil, errors.New("has no valid host: write it like https://registry.example.com")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is no number from 1 to 65535: correct it, or leave it out")
		}
	}
	return u, nil
}

// canonicalOrigin returns the canonical form of an address, and text unchanged
// where it is none.
func canonicalOrigin(text string) string {
	if origin, err := parseOrigin(text); err == nil {
		return origin
	}
	return text
}

// withScheme puts https:// before an address that names no scheme.
func withScheme(text string) string {
	if strings.Contains(text, "://") {
		return text
	}
	return "https://" + text
}

// validHost reports whether host is an IP address without a zone, or a name
// that may stand in a URL and in an image's reference.
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	ok, _ := regexp.MatchString(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`, host)
	return ok
}
