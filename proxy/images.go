package proxy

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"hallmark/proxy/config"
	"hallmark/proxy/oci"
)

// serveImages answers a request under /v2/.
func (s *Server) serveImages(t *transaction, req *http.Request, path string) error {
	rt, err := oci.ParseRoute(path)
	if err != nil {
		return err
	}
	if rt.Name == "" {
		return s.serveBase(t, req, rt)
	}
	repo, err := s.repositoryFor(rt.Name)
	if err != nil {
		return err
	}
	t.repository = repo.Name
	caller, err := s.admit(t, req, repo, rt.Name, rt.Access(req.Method))
	if err != nil {
		return err
	}
	if rt.Kind == oci.Upload {
		if err := s.checkUpload(req, repo, caller); err != nil {
			return err
		}
		if req.Body != nil {
			req.Body = http.MaxBytesReader(t, req.Body, int64(s.config.Limits.Upload))
		}
	}
	return repo.Images.Serve(t, t.forwarded(req), rt, caller)
}

// repositoryFor returns the repository that serves an image's name.
func (s *Server) repositoryFor(image string) (*Repository, error) {
	name, ok := s.config.RepositoryFor(image)
	if !ok {
		return nil, notFound("no repository here serves %s: it matches none of the patterns under images: in the configuration", image)
	}
	return s.repositories[name], nil
}

// serveBase answers /v2/ and /v2/_catalog, which name no image.
func (s *Server) serveBase(t *transaction, req *http.Request, rt oci.Route) error {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return &oci.Error{Status: http.StatusMethodNotAllowed, Code: oci.CodeUnsupported, Message: "this endpoint takes GET and HEAD", Header: http.Header{"Allow": {"GET, HEAD"}}}
	}
	repo := s.baseRepository()
	if repo == nil {
		return notFound("no repository here is one of images")
	}
	t.repository = repo.Name
	if repo.Token == nil && s.auth != nil {
		user, err := s.auth.authenticate(req)
		if err != nil {
			return err
		}
		t.by = user
		// Clients learn here how to log in, so nobody gets in without credentials, whatever the rules allow them.
		if user == "" {
			return s.auth.challenge()
		}
		if rt.Kind == oci.Catalog && !s.mayListAll(user) {
			return oci.Errorf(http.StatusForbidden, oci.CodeDenied, "%s may not read every image, and so not list them all", user)
		}
	}
	repo.Registry.ServeHTTP(t, t.forwarded(req))
	return nil
}

// baseRepository is the repository whose registry answers for all: one that an upstream guards comes first, since its
// challenge is what clients need; among equals, the one with the most general pattern.
// Nil: there are no images here.
func (s *Server) baseRepository() *Repository {
	names := slices.DeleteFunc(s.repositoryNames(), func(name string) bool { return s.repositories[name].Images == nil })
	if len(names) == 0 {
		return nil
	}
	slices.SortStableFunc(names, func(a, b string) int { return s.baseRank(a) - s.baseRank(b) })
	return s.repositories[names[0]]
}

func (s *Server) baseRank(name string) int {
	rank := 0
	if s.repositories[name].Token == nil {
		rank += 2
	}
	if !slices.Contains(s.config.Repositories[name].Images, "*") {
		rank++
	}
	return rank
}

func (s *Server) mayListAll(user string) bool {
	for name, repo := range s.repositories {
		// "*" cannot be part of an image's name, so that only rules for all images match it.
		if repo.Images != nil && repo.Token == nil && !s.auth.allows(user, config.RightRead, name, "*") {
			return false
		}
	}
	return true
}

func (s *Server) repositoryNames() []string {
	names := make([]string, 0, len(s.repositories))
	for name := range s.repositories {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkUpload looks at what the beginning of an upload says of another image: a mount reads from there. A mount that
// may not be is an ordinary upload, as the specification has it.
func (s *Server) checkUpload(req *http.Request, repo *Repository, caller oci.Caller) error {
	// Registries read these parameters from a form, too.
	if ct, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); ct == "application/x-www-form-urlencoded" || ct == "multipart/form-data" {
		return oci.Errorf(http.StatusUnsupportedMediaType, oci.CodeUnsupported, "an upload is sent as application/octet-stream, not as %s", ct)
	}
	if limit := int64(s.config.Limits.Upload); req.ContentLength > limit {
		return oci.Errorf(http.StatusRequestEntityTooLarge, oci.CodeSizeInvalid, "the upload has %d bytes and the limit of this registry is %d (limits.upload)", req.ContentLength, limit)
	}
	query := req.URL.Query()
	from := query.Get("from")
	if req.Method != http.MethodPost || !query.Has("mount") && !query.Has("from") {
		return nil
	}
	source, ok := s.config.RepositoryFor(from)
	ok = ok && s.repositories[source].Registry == repo.Registry
	if ok && s.auth != nil && repo.Token == nil {
		user := caller.By
		if user == config.Anonymous {
			user = ""
		}
		ok = s.auth.allows(user, config.RightRead, source, from)
	}
	if !ok {
		query.Del("mount")
		query.Del("from")
	} else {
		query.Set("from", from) // once: of several, registries may read another
		query.Set("mount", query.Get("mount"))
	}
	req.URL.RawQuery = query.Encode()
	return nil
}

// forwarded removes what a client may say about where it came from and which address it meant: registries would believe
// it. Connection goes too: it would have the reverse proxy drop headers that we have judged, or open a tunnel in which
// the client speaks to the upstream past us.
func (t *transaction) forwarded(req *http.Request) *http.Request {
	for k := range req.Header {
		if strings.HasPrefix(k, "X-Forwarded-") {
			req.Header.Del(k)
		}
	}
	for _, k := range []string{"Connection", "Upgrade", "Http2-Settings", "Forwarded", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		req.Header.Del(k)
	}
	return req
}
