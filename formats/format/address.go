package format

import (
	"net/url"
	"strings"
)

// maxAddress is how long the whole address of a file may be, in bytes.
const maxAddress = 2 << 10

// IsAddress tells the whole address of a file from a path, which has no empty segment.
func IsAddress(source string) bool { return strings.Contains(source, "://") }

// ParseAddress reads the whole address of a file: of http or https, with a host, and without user, query and fragment. The
// error wraps [ErrMalformed].
func ParseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxAddress || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return nil, Malformedf("%.200q is not a plain address of http or https", text)
	}
	return u, nil
}
