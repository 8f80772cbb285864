package proxy

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"hallmark/proxy/config"
	"hallmark/proxy/oci"
)

// admit says who sent a request and whether it may have the access. Where the upstream decides, everybody passes, and
// who it is stands as the request claims it.
func (s *Server) admit(t *transaction, req *http.Request, repo *Repository, image string, access oci.Access) (oci.Caller, error) {
	caller := oci.Caller{By: config.Anonymous, Request: t.id}
	switch {
	case repo.Token != nil:
		caller.By = claimed(req)
	case s.auth != nil:
		user, err := s.auth.authenticate(req)
		if err != nil {
			return caller, err
		}
		t.by = user
		if err := s.auth.permit(user, access, repo, image); err != nil {
			return caller, err
		}
		if user != "" {
			caller.By = user
		}
		// Our credentials end here: the registry behind has none.
		req.Header.Del("Authorization")
	}
	t.by = caller.By
	return caller, nil
}

// claimed is who a request for an upstream says that it is: a basic user, whose password the upstream checks before
// anything is stored, or the subject of a token, which nobody here can check.
func claimed(req *http.Request) string {
	if user, _, ok := req.BasicAuth(); ok {
		return printable(user)
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return config.Anonymous
	}
	subject := "token"
	if parts := strings.Split(token, "."); len(parts) == 3 && len(token) < 64<<10 {
		var claims struct {
			Subject string `json:"sub"`
		}
		if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "=")); err == nil &&
			json.Unmarshal(raw, &claims) == nil && claims.Subject != "" {
			subject = printable(claims.Subject)
		}
	}
	return subject + " (unverified)"
}

// printable makes a name fit for a log: of bounded length, without control characters.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if len(name) > 128 {
		name = strings.ToValidUTF8(name[:128], "")
	}
	return name
}
