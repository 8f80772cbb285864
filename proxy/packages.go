package proxy

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
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
	caller, err := s.admit(t, req, repo, file, access)
	if err != nil {
		return err
	}
	p := repo.Packages
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op, err := p.Publish.Route(format.Request{Method: method, Path: file})
	if err != nil {
		return err
	}
	switch op.Kind {
	case format.Get:
		return s.serveFile(t, req, repo, op, at)
	case format.List:
		return s.serveFolder(t, req, repo, op.Paths[0])
	case format.Render:
		return s.serveDocument(t, req, repo, op)
	case format.Put:
		return s.serveUpload(t, req, repo, op, caller)
	case format.Delete:
		if err := p.Publish.Delete(req.Context(), op, publish.Caller(caller)); err != nil {
			return err
		}
		t.WriteHeader(http.StatusNoContent)
		return nil
	}
	return fmt.Errorf("the format asks for an operation %d", op.Kind)
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

// serveUpload takes a package in.
func (s *Server) serveUpload(t *transaction, req *http.Request, repo *Repository, op format.Op, caller oci.Caller) error {
	limit := int64(s.config.Limits.Upload)
	if req.ContentLength > limit {
		return oci.Errorf(http.StatusRequestEntityTooLarge, oci.CodeSizeInvalid, "the upload has %d bytes and the limit here is %d (limits.upload)", req.ContentLength, limit)
	}
	declared, err := declaredDigest(req.Header)
	if err != nil {
		return err
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return oci.Errorf(http.StatusUnsupportedMediaType, oci.CodeUnsupported, "an upload has no Content-Encoding: send the file as it is")
	}
	if req.Header.Get("Content-Range") != "" {
		return format.Malformedf("an upload is a whole file: Content-Range is not for PUT")
	}
	result, err := repo.Packages.Publish.Upload(req.Context(), op, publish.Upload{
		Body: req.Body, Limit: limit, SHA256: declared, Caller: publish.Caller(caller),
	})
	if err != nil {
		return err
	}
	status := http.StatusCreated
	switch {
	case result.Same:
		status = http.StatusOK
	case result.Waits:
		status = http.StatusAccepted
	}
	if result.Path != "" {
		t.Header().Set("Location", (&url.URL{Path: "/" + repo.Name + "/" + result.Path}).EscapedPath())
	}
	return s.serveText(t, status, result.String()+"\n")
}

// declaredDigest returns the SHA-256 that a client says its upload has, in Content-Digest (RFC 9530) or
// X-Checksum-Sha256; nil if it says nothing.
func declaredDigest(h http.Header) ([]byte, error) {
	var declared []byte
	for _, value := range h.Values("X-Checksum-Sha256") {
		sum, err := hex.DecodeString(value)
		if err != nil || len(sum) != 32 || declared != nil {
			return nil, format.Malformedf("X-Checksum-Sha256 is not one SHA-256 in hex")
		}
		declared = sum
	}
	for _, member := range strings.Split(strings.Join(h.Values("Content-Digest"), ","), ",") {
		algorithm, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		if !strings.EqualFold(algorithm, "sha-256") {
			continue // others may be ignored
		}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(value, ":"), ":"))
		if err != nil || len(sum) != 32 {
			return nil, format.Malformedf("the sha-256 of Content-Digest is not 32 bytes in base64 between colons")
		}
		if declared != nil && string(declared) != string(sum) {
			return nil, format.Malformedf("the request names two different SHA-256")
		}
		declared = sum
	}
	return declared, nil
}

// settled is how old a file is when its date begins to tell it from the next one at its path: a generation becomes
// visible only when it is rendered, signed and stored, which is after the time that it bears.
const settled = 10 * time.Second

// serveFile answers with a file of the tree.
func (s *Server) serveFile(t *transaction, req *http.Request, repo *Repository, op format.Op, at int64) error {
	p := repo.Packages
	if at == backend.Current {
		if err := p.freshen(req.Context(), op.Paths); err != nil {
			return err
		}
	}
	asked := at
	if at == backend.Current {
		var err error
		if at, err = p.pinned(req, op.Paths[0]); err != nil {
			return err
		}
	}
	f, err := openFile(req.Context(), p.Tree, asked, at, op.Paths)
	if err != nil {
		return err
	}
	defer f.Close()
	h := t.Header()
	h.Set("Etag", fmt.Sprintf(`"%x"`, f.Tag[:16]))
	h.Set("Content-Type", contentType(f.Path))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // an uploaded page may do nothing here
	modified := f.Time
	together := p.Format.Spec().Together
	switch {
	case f.Lasting:
	case f.Index && together != nil && together(op.Paths[0]) != "":
		// pacman drops even a 200 that is not younger than what it has, whose age may be by its own clock.
		req.Header.Del("If-Modified-Since")
		modified = time.Time{}
	case time.Since(f.Time) < settled:
		// The next bytes of this path may be of the same second, too, and must not hide behind its date. Without a date,
		// apt would ask for what is younger than its own clock.
		req.Header.Del("If-Modified-Since")
		modified = modified.Add(-time.Second)
	}
	if f.Index && !f.Lasting && !strings.HasPrefix(req.Header.Get("If-Range"), `"`) && req.Header.Get("If-Range") != "" {
		// A date does not tell two generations apart, and what apt has begun to fetch may be another's.
		req.Header.Del("Range")
	}
	if f.Index && !f.Lasting {
		h.Set("Cache-Control", "no-cache")
	}
	if beyond(req.Header.Get("Range"), f.Size) {
		// apt takes a 416 for "you have all of it", also where what it has was tampered with.
		req.Header.Del("Range")
	}
	if f.Wait != nil && req.Header.Get("Range") != "" {
		if err := f.Wait(req.Context()); err != nil {
			return err
		}
	}
	if file, ok := f.ReadSeeker.(*os.File); ok {
		http.ServeContent(t, req, "", modified, file) // as it is, so that the kernel can send it
		p.served(req, op.Paths[0], at, t.status)
		return nil
	}
	content := &watched{ReadSeeker: f}
	http.ServeContent(t, req, "", modified, content)
	p.served(req, op.Paths[0], at, t.status)
	if content.err != nil {
		t.err = content.err
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
	return nil
}

// freshen has the upstream asked, where there is one, for what a request is about.
func (p *Packages) freshen(ctx context.Context, paths []string) error {
	if p.Upstream == nil {
		return nil
	}
	for _, path := range paths {
		if err := p.Upstream.Freshen(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// watched remembers why a file could not be read, which http.ServeContent does not tell.
type watched struct {
	io.ReadSeeker
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// beyond reports whether a Range asks for nothing but what comes after the end of a file.
func beyond(ranges string, size int64) bool {
	from, open := strings.CutSuffix(strings.TrimPrefix(ranges, "bytes="), "-")
	start, err := strconv.ParseInt(from, 10, 64)
	return open && err == nil && start >= size
}

// openFile opens the first of paths that there is. A package that is not in the generation that was asked for, since
// that is forgotten or the package is newer, is the same package in the current one.
func openFile(ctx context.Context, tree backend.Tree, asked, at int64, paths []string) (*backend.File, error) {
	f, err := tree.Open(ctx, at, paths...)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || at == backend.Current {
		return f, err
	}
	now, nowErr := tree.Open(ctx, backend.Current, paths...)
	if nowErr != nil {
		return nil, err
	}
	if now.Index && asked != backend.Current && !now.Lasting {
		now.Close()
		return nil, err
	}
	return now, nil
}

// contentType returns the media type of a file by its name. What a browser could run is not among them.
func contentType(name string) string {
	base := path.Base(name)
	switch path.Ext(base) {
	case ".deb", ".udeb":
		return "application/vnd.debian.binary-package"
	case ".rpm":
		return "application/x-rpm"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".xz":
		return "application/x-xz"
	case ".zst":
		return "application/zstd"
	case ".xml":
		return "application/xml"
	case ".json":
		return "application/json"
	case ".asc", ".gpg", ".sig":
		return "application/pgp-signature"
	case ".txt", ".dsc", ".changes", ".sha256":
		return "text/plain; charset=utf-8"
	}
	switch base {
	case "Release", "InRelease", "Packages", "Sources", "SHA256SUMS":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// serveDocument answers with what a format makes for this request.
func (s *Server) serveDocument(t *transaction, req *http.Request, repo *Repository, op format.Op) error {
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
