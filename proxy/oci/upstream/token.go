package upstream

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"hallmark/proxy/oci"
)

// Tokens are those of CNCF distribution, "Token Authentication Specification": a 401 names a realm, the client asks it
// for a token, with its credentials, and shows that to the registry. Clients distrust a realm that is a private address
// other than the registry's, so the realm that they see is ours.

const maxToken = 256 << 10 // bytes of a request or an answer at the realm

// challenge reads one challenge (RFC 9110, 11.6.1) out of a WWW-Authenticate header.
var (
	challengeScheme = regexp.MustCompile(`(?:^|,)\s*([A-Za-z0-9!#$%&'*+.^_|~-]+)\s+[A-Za-z0-9_-]+\s*=`)
	realmParameter  = regexp.MustCompile(`(?i)\brealm\s*=\s*"([^"]*)"`)
	scopeParameter  = regexp.MustCompile(`(?i)(\bscope\s*=\s*")([^"]*)"`)
	anyRealm        = regexp.MustCompile(`(?i)\brealm\*?\s*=`) // also without quotation marks, which some clients take
)

// rewriteChallenges puts our token endpoint in place of the registry's realm. Schemes other than Basic and Bearer are
// bound to a connection or an origin, and do not pass a proxy.
func (r *Registry) rewriteChallenges(req *http.Request, h http.Header) error {
	challenges := h.Values("Www-Authenticate")
	if len(challenges) == 0 {
		return nil
	}
	h.Del("Www-Authenticate")
	for _, c := range challenges {
		if len(challengeScheme.FindAllString(c, -1)) > 1 {
			return oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sent several challenges in one line", r.URL.Host)
		}
		scheme, _, _ := strings.Cut(strings.TrimSpace(c), " ")
		switch strings.ToLower(scheme) {
		case "basic":
			h.Add("Www-Authenticate", c)
		case "bearer":
			rewritten, err := r.rewriteRealm(req, c)
			if err != nil {
				return err
			}
			h.Add("Www-Authenticate", rewritten)
		}
	}
	return nil
}

func (r *Registry) rewriteRealm(req *http.Request, challenge string) (string, error) {
	m := realmParameter.FindStringSubmatchIndex(challenge)
	if m == nil || len(anyRealm.FindAllString(challenge, -1)) > 1 {
		return "", oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s asks for a token and does not say clearly where to get it", r.URL.Host)
	}
	realm, err := r.checkRealm(challenge[m[2]:m[3]])
	if err != nil {
		return "", err
	}
	r.realm.Store(realm)
	rewritten := challenge[:m[2]] + r.SelfURL(req) + r.TokenPath + challenge[m[3]:]
	if req.Method == http.MethodDelete {
		rewritten = widenScope(rewritten)
	}
	return rewritten, nil
}

// widenScope adds pull and push to the scope of a challenge: a DELETE reads what it removes, and rewrites the list that it
// takes a referrer from. A token server grants what the user has of what is asked for.
func widenScope(challenge string) string {
	return scopeParameter.ReplaceAllStringFunc(challenge, func(parameter string) string {
		m := scopeParameter.FindStringSubmatch(parameter)
		scopes := strings.Fields(m[2])
		for i, scope := range scopes {
			at := strings.LastIndexByte(scope, ':')
			if at < 0 || !strings.HasPrefix(scope, "repository:") {
				continue
			}
			actions := strings.Split(scope[at+1:], ",")
			for _, action := range []string{"pull", "push", "delete"} {
				if !slices.Contains(actions, action) && !slices.Contains(actions, "*") {
					actions = append(actions, action)
				}
			}
			scopes[i] = scope[:at+1] + strings.Join(actions, ",")
		}
		return m[1] + strings.Join(scopes, " ") + `"`
	})
}

// checkRealm reads a realm, which must be on the registry's origin or on one that the configuration names.
func (r *Registry) checkRealm(realm string) (*url.URL, error) {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sends clients for a token to something that is no address", r.URL.Host)
	}
	if origin(u) == origin(r.URL) {
		return u, nil
	}
	allowed := slices.ContainsFunc(r.TokenOrigins, func(o string) bool {
		t, err := url.Parse(o)
		return err == nil && origin(t) == origin(u)
	})
	if !allowed {
		return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable,
			"the upstream registry %s sends clients for a token to %.100s://%.100s, which is not its own address; if that is right, list it under upstream.token_origins", r.URL.Host, u.Scheme, u.Host)
	}
	return u, nil
}

// ServeToken passes a client's request for a token on to the registry's realm.
func (r *Registry) ServeToken(rw http.ResponseWriter, req *http.Request) {
	if err := r.serveToken(rw, req); err != nil {
		oci.WriteError(rw, r.unavailable(err))
	}
}

func (r *Registry) serveToken(rw http.ResponseWriter, req *http.Request) error {
	if req.Method != http.MethodGet && req.Method != http.MethodPost {
		return &oci.Error{Status: http.StatusMethodNotAllowed, Code: oci.CodeUnsupported, Message: "the token endpoint takes GET and POST", Header: http.Header{"Allow": {"GET, POST"}}}
	}
	realm, err := r.learnRealm(req.Context())
	if err != nil {
		return err
	}
	target := *realm
	target.RawQuery = strings.Trim(realm.RawQuery+"&"+req.URL.RawQuery, "&")
	out, err := http.NewRequestWithContext(req.Context(), req.Method, target.String(), http.MaxBytesReader(nil, req.Body, maxToken))
	if err != nil {
		return err
	}
	out.ContentLength = req.ContentLength
	for _, k := range []string{"Authorization", "Content-Type", "Accept", "User-Agent"} {
		if v, ok := req.Header[k]; ok {
			out.Header[k] = v
		}
	}
	resp, err := r.transport.RoundTrip(out)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the token service of %s answered with a redirect; nothing was sent there", r.URL.Host)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return err
	}
	for _, k := range []string{"Content-Type", "Cache-Control", "Retry-After"} {
		if v, ok := resp.Header[k]; ok {
			rw.Header()[k] = v
		}
	}
	rw.WriteHeader(resp.StatusCode)
	rw.Write(body)
	return nil
}

// learnRealm returns the registry's realm, asking for it if no client has met it since the start.
func (r *Registry) learnRealm(ctx context.Context) (*url.URL, error) {
	if u := r.realm.Load(); u != nil {
		return u, nil
	}
	resp, err := r.ping(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range resp.Header.Values("Www-Authenticate") {
		if m := realmParameter.FindStringSubmatch(c); m != nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(c)), "bearer ") {
			u, err := r.checkRealm(m[1])
			if err == nil {
				r.realm.Store(u)
			}
			return u, err
		}
	}
	return nil, oci.Errorf(http.StatusNotFound, oci.CodeUnsupported, "the upstream registry %s asks for no token", r.URL.Host)
}
