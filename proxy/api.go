package proxy

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"hallmark/proxy/oci"
)

// serveToken answers /-/token/<repository>: the realm that clients of an upstream are sent to.
func (s *Server) serveToken(t *transaction, req *http.Request, name string) error {
	repo, ok := s.repositories[name]
	if !ok || repo.Token == nil {
		return notFound("the repository %q has no tokens", name)
	}
	t.repository = name
	repo.Token.ServeHTTP(t, t.forwarded(req))
	return nil
}

// serveAPI answers /-/api/v1/repositories/<repository>/<verb>, by POST.
func (s *Server) serveAPI(t *transaction, req *http.Request, rest string) error {
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || parts[0] != "repositories" {
		return notFound("the API has /-/api/v1/repositories/<repository>/sign, /gc, /verify and /reindex")
	}
	repo, ok := s.repositories[parts[1]]
	if !ok {
		return notFound("there is no repository %q here", parts[1])
	}
	if req.Method != http.MethodPost {
		return &oci.Error{Status: http.StatusMethodNotAllowed, Code: oci.CodeUnsupported, Message: "the API takes POST", Header: http.Header{"Allow": {"POST"}}}
	}
	t.repository = repo.Name
	switch parts[2] {
	case "sign":
		return s.serveSign(t, req, repo)
	case "gc":
		return s.serveCollect(t, req, repo)
	case "verify", "reindex":
		if repo.Packages == nil {
			return notFound("the API verifies and reindexes repositories of packages; %s is one of images", repo.Name)
		}
		work := repo.Packages.verify
		if parts[2] == "reindex" {
			work = repo.Packages.Publish.Reindex
		}
		return s.administrate(t, req, parts[2], func(tell func(string)) error { return work(req.Context(), tell) })
	}
	return notFound("the API has no verb %q", parts[2])
}

// serveSign signs a stored image, ?image=NAME&reference=TAG or DIGEST, for whoever may push it.
func (s *Server) serveSign(t *transaction, req *http.Request, repo *Repository) error {
	query := req.URL.Query()
	rt, err := oci.ParseRoute("/v2/" + query.Get("image") + "/manifests/" + query.Get("reference"))
	if err != nil {
		return err
	}
	owner, err := s.repositoryFor(rt.Name)
	if err != nil {
		return err
	}
	if rt.Kind != oci.Manifest || owner != repo {
		return notFound("%s is not an image of the repository %s", query.Get("image"), repo.Name)
	}
	caller, err := s.admit(t, req, repo, rt.Name, oci.Push)
	if err != nil {
		return err
	}
	digest, added, err := repo.Images.SignStored(req.Context(), req, rt.Name, rt.Reference, caller)
	if err != nil {
		return err
	}
	return serveJSON(t, http.StatusOK, map[string]any{"name": rt.Name, "digest": digest, "signed": added})
}

// administrate does long work for whoever holds the admin token. It answers with a JSON object a line: {"progress": …} and
// last {"done": true} or {"error": …}.
func (s *Server) administrate(t *transaction, req *http.Request, what string, work func(tell func(string)) error) error {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.adminToken)) != 1 {
		return oci.Errorf(http.StatusForbidden, oci.CodeDenied, "only whoever can read the data folder may %s: run proxy repo there", what)
	}
	t.Header().Set("Content-Type", "application/x-ndjson")
	t.WriteHeader(http.StatusOK)
	lines, flush := json.NewEncoder(t), http.NewResponseController(t)
	tell := func(line map[string]any) {
		lines.Encode(line)
		flush.Flush()
	}
	if err := work(func(line string) { tell(map[string]any{"progress": line}) }); err != nil {
		t.err = err
		tell(map[string]any{"error": err.Error()})
		return nil
	}
	tell(map[string]any{"done": true})
	return nil
}

// serveCollect collects garbage, ?untagged=true to remove untagged manifests too.
func (s *Server) serveCollect(t *transaction, req *http.Request, repo *Repository) error {
	if repo.Collect == nil {
		return oci.Errorf(http.StatusConflict, oci.CodeUnsupported, "the repository %s is kept by its upstream, which collects its own garbage", repo.Name)
	}
	return s.administrate(t, req, "collect garbage", func(tell func(string)) error {
		return repo.Collect(req.Context(), req.URL.Query().Get("untagged") == "true", tell)
	})
}
