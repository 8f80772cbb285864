package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/config"
	"hallmark/proxy/oci"
	"hallmark/proxy/publish"
)

// Packages is what serves a package repository.
type Packages struct {
	Format  format.Format
	Publish *publish.Repository
	Tree    backend.Tree
	// Upstream is the server that the repository stands in front of, and UpstreamKeys the keys of its packages, armored.
	// Nil: none.
	Upstream     backend.Upstream
	UpstreamKeys []byte
	// VerifyCache verifies what is kept of the upstream, as Publish.Verify does what is published. Nil: there is nothing.
	VerifyCache func(ctx context.Context, tell func(string)) error
	pins        pins
	digestTags  digestTags
}

// verify verifies all that there is.
func (p *Packages) verify(ctx context.Context, tell func(string)) error {
	if err := p.Publish.Verify(ctx, tell); err != nil || p.VerifyCache == nil {
		return err
	}
	return p.VerifyCache(ctx, tell)
}

// maxPath is the longest path of a file in a package repository, in bytes.
const maxPath = 2048

// servePackages answers /<repository>/<path>. It reports whether there is such a repository.
func (s *Server) servePackages(t *transaction, req *http.Request, escaped string) (found bool, err error) {
	name, rest, slash := strings.Cut(strings.TrimPrefix(escaped, "/"), "/")
	repo, ok := s.repositories[name]
	if !ok || repo.Packages == nil {
		return false, nil
	}
	t.repository = name
	if !slash {
		http.Redirect(t, req, "/"+name+"/", http.StatusPermanentRedirect)
		return true, nil
	}
	return true, s.servePackage(t, req, repo, rest, backend.Current)
}

// serveSnapshot answers /-/snapshots/<repository>/<generation>/<path>: the tree as it was in one generation.
func (s *Server) serveSnapshot(t *transaction, req *http.Request, rest string) error {
	if err := onlyReading(req); err != nil {
		return err
	}
	name, rest, _ := strings.Cut(rest, "/")
	number, rest, _ := strings.Cut(rest, "/")
	repo, ok := s.repositories[name]
	at, err := strconv.ParseInt(number, 10, 64)
	if !ok || repo.Packages == nil || err != nil || at < 0 {
		return notFound("there is no such snapshot")
	}
	t.repository = name
	head, err := repo.Packages.Tree.Head(req.Context())
	if err != nil {
		return err
	}
	if at > head.Generation {
		return notFound("there is no such snapshot") // what is there now would be another thing later
	}
	return s.servePackage(t, req, repo, rest, at)
}

// servePackage answers one request for a path below a package repository, in a generation.
func (s *Server) servePackage(t *transaction, req *http.Request, repo *Repository, escaped string, at int64) error {
	t.plain = true
	spec := repo.Packages.Format.Spec()
	if spec.EscapedSlash {
		escaped = strings.NewReplacer("%2f", "/", "%2F", "/").Replace(escaped)
	}
	file, err := unescapePath(escaped)
	if err != nil {
		return err
	}
	access := map[string]oci.Access{
		http.MethodGet: oci.Read, http.MethodHead: oci.Read, http.MethodPut: oci.Push, http.MethodPost: oci.Push, http.MethodDelete: oci.Delete,
	}[req.Method]
	if access == "" {
		return format.NotAllowedf("a package repository takes GET, HEAD, PUT, POST and DELETE")
	}
	r := format.Request{
		Method: req.Method, Path: file, Query: req.URL.Query(), Accept: req.Header.Get("Accept"), Type: req.Header.Get("Content-Type"),
	}
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	t.speak = s.speaker(req, repo, r)
	op, routeErr := repo.Packages.Publish.Route(r)
	if routeErr == nil && op.Kind == format.Login {
		return s.serveLogin(t, req, repo, r)
	}
	s.takeKey(req, spec.KeyHeader)
	caller, err := s.admit(t, req, repo, file, access)
	if err != nil {
		return err
	}
	if routeErr != nil {
		return routeErr
	}
	switch op.Kind {
	case format.Get:
		return s.serveFile(t, req, repo, op, at)
	case format.List:
		return s.serveFolder(t, req, repo, op.Paths[0])
	case format.Render:
		return s.serveDocument(t, req, repo, op, caller)
	case format.Put:
		return s.serveUpload(t, req, repo, op, caller)
	}
	return s.serveChange(t, req, repo, r, op, publish.Caller(caller))
}

// unescapePath decodes and checks a path below a repository. Nothing that two programs could read differently passes.
func unescapePath(escaped string) (string, error) {
	if escaped == "" {
		return "", nil
	}
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		name, err := url.PathUnescape(segment)
		last := i == len(segments)-1
		switch {
		case err != nil:
			return "", format.Malformedf("the path has a %% that begins no escape")
		case name == "" && !last:
			return "", format.Malformedf("the path has two slashes in a row")
		case name == "." || name == "..":
			return "", format.Malformedf("the path has a segment %q", name)
		case strings.Contains(name, "/"):
			return "", format.Malformedf("the path has a slash that is escaped")
		case !utf8.ValidString(name):
			return "", format.Malformedf("the path is not UTF-8")
		case strings.ContainsFunc(name, unicode.IsControl):
			return "", format.Malformedf("the path holds a control character")
		}
		segments[i] = name
	}
	file := strings.Join(segments, "/")
	if len(file) > maxPath {
		return "", format.Malformedf("the path is longer than %d bytes", maxPath)
	}
	return file, nil
}

// serveDocument answers with what a format makes for this request.
func (s *Server) serveDocument(t *transaction, req *http.Request, repo *Repository, op format.Op, caller oci.Caller) error {
	renderer, ok := repo.Packages.Format.(format.Renderer)
	if !ok {
		return fmt.Errorf("the format of %s renders nothing", repo.Name)
	}
	if err := repo.Packages.freshen(req.Context(), []string{op.Document}); err != nil {
		return err
	}
	site, err := s.site(req, repo)
	if err != nil {
		return err
	}
	if caller.By != config.Anonymous {
		site.User = caller.By
	}
	d, err := renderer.Render(site, op)
	if err != nil {
		return err
	}
	t.Header().Set("Content-Type", d.Type)
	t.Header().Set("Cache-Control", "no-cache")
	t.Write(d.Data)
	return nil
}

// site is the repository as the client of a request sees it.
func (s *Server) site(req *http.Request, repo *Repository) (format.Site, error) {
	site, at, err := repo.Packages.Publish.Site(req.Context())
	if err != nil {
		return format.Site{}, err
	}
	repo.Packages.Tree.Hold(at)
	base := s.SelfURL(req)
	site.URL = base + "/" + repo.Name
	site.KeysURL = base + "/-/keys/" + repo.Name
	site.SnapshotURL = base + "/-/snapshots/" + repo.Name + "/" + strconv.FormatInt(at, 10)
	return site, nil
}

// serveSetup answers /-/setup/<repository>?client=….
func (s *Server) serveSetup(t *transaction, req *http.Request, name string) error {
	if err := onlyReading(req); err != nil {
		return err
	}
	repo, ok := s.repositories[name]
	if !ok || repo.Packages == nil {
		return notFound("there is no package repository %q here", name)
	}
	t.repository, t.plain = name, true
	renderer, ok := repo.Packages.Format.(format.Renderer)
	if !ok {
		return notFound("the repository %s has no set-up text", name)
	}
	clients := repo.Packages.Format.Spec().Clients
	client := req.URL.Query().Get("client")
	if client == "" {
		client = clients[0]
	}
	site, err := s.site(req, repo)
	if err != nil {
		return err
	}
	text, err := renderer.Setup(site, client)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("there is no set-up text for %q: ask for ?client= one of %s", client, strings.Join(clients, ", "))
	}
	if err != nil {
		return err
	}
	return s.serveText(t, http.StatusOK, string(text))
}
