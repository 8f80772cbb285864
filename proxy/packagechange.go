package proxy

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/config"
	"hallmark/proxy/oci"
	"hallmark/proxy/publish"
)

const (
	maxChecksum = 1 << 10  // bytes of a checksum that a client sends
	maxLogin    = 64 << 10 // bytes of what a client sends to log in
)

// serveChange answers a request that changes something and is no upload of a bare file.
func (s *Server) serveChange(t *transaction, req *http.Request, repo *Repository, r format.Request, op format.Op, by publish.Caller) error {
	p := repo.Packages
	switch op.Kind {
	case format.Unwrap:
		return s.serveEnvelope(t, req, repo, r, op, by)
	case format.Delete:
		if err := p.Publish.Delete(req.Context(), op, by); err != nil {
			return err
		}
		return t.answer(format.Answer{Status: http.StatusNoContent, Op: op, Paths: op.Paths[:1]})
	case format.Mark, format.Clear:
		_, err := p.Publish.Change(context.WithoutCancel(req.Context()), []format.Change{{Op: op}}, 0, by)
		if err != nil {
			return err
		}
		return t.answer(format.Answer{Status: http.StatusOK, Text: op.Paths[0] + " is changed, signed and listed", Op: op, Paths: op.Paths[:1]})
	case format.Check:
		if err := p.check(req, op.Paths); err != nil {
			return err
		}
		return t.answer(format.Answer{Status: http.StatusCreated, Text: "the checksum is that of the file", Op: op})
	case format.Ignore:
		limit := int64(s.config.Limits.Upload)
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(t, req.Body, limit)); err != nil {
			return oci.Errorf(http.StatusRequestEntityTooLarge, oci.CodeSizeInvalid, "the body has more than %d bytes (limits.upload)", limit)
		}
		return t.answer(format.Answer{Status: http.StatusCreated, Text: "taken, and made here from what there is", Op: op})
	}
	return fmt.Errorf("the format asks for an operation %d", op.Kind)
}

// serveEnvelope takes in what a request wraps up.
func (s *Server) serveEnvelope(t *transaction, req *http.Request, repo *Repository, r format.Request, op format.Op, by publish.Caller) error {
	upload, err := s.upload(req, by)
	if err != nil {
		return err
	}
	upload.Permit = func(kind format.Kind) error { return s.permit(repo, r.Path, by, kind) }
	results, err := repo.Packages.Publish.Unwrap(req.Context(), r, upload)
	if err != nil {
		return err
	}
	a := format.Answer{Status: http.StatusOK, Op: op}
	var said []string
	for _, result := range results {
		if !result.Same {
			a.Status = http.StatusCreated
		}
		a.Paths = append(a.Paths, result.Path)
		said = append(said, result.String())
	}
	a.Text = strings.Join(said, "; ")
	return t.answer(a)
}

// permit returns an error if who sent an envelope does not have the right to a change that is in it: its method has told of one
// right alone.
func (s *Server) permit(repo *Repository, path string, by publish.Caller, kind format.Kind) error {
	if s.auth == nil {
		return nil
	}
	access := oci.Push
	if kind == format.Delete || kind == format.Clear {
		access = oci.Delete
	}
	return s.auth.permit(strings.TrimPrefix(by.By, config.Anonymous), access, repo, path)
}

// check compares the checksum that a client sends with the one that is at a path.
func (p *Packages) check(req *http.Request, paths []string) error {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxChecksum+1))
	if err != nil || len(body) > maxChecksum {
		return format.Malformedf("a checksum has at most %d bytes", maxChecksum)
	}
	f, err := p.Tree.Open(req.Context(), backend.Current, paths...)
	if err != nil {
		return err
	}
	defer f.Close()
	ours, err := io.ReadAll(io.LimitReader(f, maxChecksum))
	if err != nil {
		return err
	}
	theirs, want := firstField(body), firstField(ours)
	if !strings.EqualFold(theirs, want) {
		return format.Malformedf("the checksum %.140q is not that of the file that is here, which is %s: upload the file again", theirs, want)
	}
	return nil
}

// firstField returns what stands before the first blank.
func firstField(data []byte) string {
	fields := bytes.Fields(data)
	if len(fields) == 0 {
		return ""
	}
	return string(fields[0])
}

// serveLogin answers a client that exchanges a name and a password for an API key.
func (s *Server) serveLogin(t *transaction, req *http.Request, repo *Repository, r format.Request) error {
	registrar, ok := repo.Packages.Format.(format.Registrar)
	if !ok {
		return fmt.Errorf("the format of %s takes no logins", repo.Name)
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxLogin+1))
	if err != nil || len(body) > maxLogin {
		return format.Malformedf("a login has at most %d bytes", maxLogin)
	}
	user, password, err := registrar.Login(r, body)
	if err != nil {
		return err
	}
	if s.auth != nil {
		as := req.Clone(req.Context())
		as.SetBasicAuth(user, password)
		if _, err := s.auth.authenticate(as); err != nil {
			return err
		}
		t.by = user
	}
	return t.answer(format.Answer{
		Status: http.StatusCreated, Text: "logged in as " + printable(user), Op: format.Op{Kind: format.Login},
		Key: base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
	})
}

// takeKey reads an API key, which is a user and a password with a colon between them or the base64 of that, from the header
// that clients send it in: as a bearer's token, as a bare Authorization, or in a header of their own.
func (s *Server) takeKey(req *http.Request, header string) {
	if s.auth == nil {
		return
	}
	key := req.Header.Get("Authorization")
	if header != "" && req.Header.Get(header) != "" {
		key = req.Header.Get(header)
		req.Header.Del(header)
	}
	if _, _, basic := req.BasicAuth(); basic && key == req.Header.Get("Authorization") {
		return
	}
	if token, ok := strings.CutPrefix(key, "Bearer "); ok {
		key = token
	}
	user, password, ok := strings.Cut(key, ":")
	if !ok {
		if raw, err := base64.StdEncoding.DecodeString(key); err == nil {
			user, password, ok = strings.Cut(string(raw), ":")
		}
	}
	if ok {
		req.SetBasicAuth(user, password)
	}
}

// speaker returns what puts an answer into the form of the clients of a repository; nil where that is plain text.
func (s *Server) speaker(req *http.Request, repo *Repository, r format.Request) func(format.Answer) format.Answer {
	speaker, ok := repo.Packages.Format.(format.Speaker)
	if !ok {
		return nil
	}
	site := format.Site{Repository: repo.Name, URL: s.SelfURL(req) + "/" + repo.Name}
	return func(a format.Answer) format.Answer { return speaker.Answer(site, r, a) }
}

// answer sends an answer, in the form of the repository's clients.
func (t *transaction) answer(a format.Answer) error {
	if t.speak != nil {
		status := a.Status
		if a = t.speak(a); a.Status/100 != status/100 {
			return fmt.Errorf("the format turns the status %d into %d", status, a.Status)
		}
	}
	for name, value := range a.Header {
		t.Header().Set(name, value)
	}
	if a.Data == nil && a.Type == "" {
		if a.Text == "" || a.Status == http.StatusNoContent {
			t.WriteHeader(a.Status)
			return nil
		}
		return t.server.serveText(t, a.Status, a.Text+"\n")
	}
	t.Header().Set("Content-Type", a.Type)
	if t.sendReason(a) {
		return nil
	}
	t.WriteHeader(a.Status)
	t.Write(a.Data)
	return nil
}
