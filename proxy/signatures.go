package proxy

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
)

// signatureEntry is one row of /-/signatures/…, as the ledger has it.
type signatureEntry struct {
	Time       string `json:"time"` // RFC 3339, UTC
	Repository string `json:"repository"`
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Scheme     string `json:"scheme"`
	Key        string `json:"key"`
	By         string `json:"by"`
	Request    string `json:"request"`
	State      string `json:"state"`
}

// serveSignatures answers /-/signatures/<repository>/<name>@<digest>, for whoever may read the image.
func (s *Server) serveSignatures(t *transaction, req *http.Request, rest string) error {
	if err := onlyReading(req); err != nil {
		return err
	}
	repository, image, _ := strings.Cut(rest, "/")
	if repo, ok := s.repositories[repository]; ok && repo.Packages != nil {
		return s.servePackageSignatures(t, req, repo, image)
	}
	name, digest, ok := strings.Cut(image, "@")
	if !ok {
		return oci.Errorf(http.StatusBadRequest, oci.CodeNameInvalid, "ask for /-/signatures/<repository>/<name>@sha256:<hex>")
	}
	rt, err := oci.ParseRoute("/v2/" + name + "/manifests/" + digest)
	if err != nil {
		return err
	}
	repo, err := s.repositoryFor(rt.Name)
	if err != nil {
		return err
	}
	if repo.Name != repository || rt.Digest() == "" {
		return notFound("%s is not an image of the repository %q", image, repository)
	}
	t.repository = repo.Name
	if _, err := s.admit(t, req, repo, rt.Name, oci.Read); err != nil {
		return err
	}
	// The upstream decides who may read the image; that it does not have it is no objection.
	if err := repo.Images.Readable(req, rt.Name, rt.Digest()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows, err := s.ledger.Signatures(req.Context(), repo.Name, rt.Name, rt.Digest())
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return notFound("%s was never signed here", image)
	}
	return serveJSON(t, http.StatusOK, map[string]any{"signatures": signatureEntries(rows)})
}

func signatureEntries(rows []ledger.Signature) []signatureEntry {
	entries := make([]signatureEntry, 0, len(rows))
	for _, r := range rows {
		entries = append(entries, signatureEntry{
			Time: r.Time.UTC().Format(time.RFC3339Nano), Repository: r.Repository, Name: r.Name, Digest: r.Digest,
			Scheme: r.Scheme, Key: r.Key, By: r.By, Request: r.Request, State: string(r.State),
		})
	}
	return entries
}

// maxSignatures is how many signatures of one path are told, the newest ones.
const maxSignatures = 100

// servePackageSignatures answers /-/signatures/<repository>/<path>, for whoever may read the file.
func (s *Server) servePackageSignatures(t *transaction, req *http.Request, repo *Repository, escaped string) error {
	t.repository = repo.Name
	file, err := unescapePath(escaped)
	if err != nil {
		t.plain = true
		return err
	}
	if _, err := s.admit(t, req, repo, file, oci.Read); err != nil {
		return err
	}
	rows, err := s.ledger.SignaturesAt(req.Context(), repo.Name, file, maxSignatures)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return notFound("%s was never signed here", file)
	}
	return serveJSON(t, http.StatusOK, map[string]any{"signatures": signatureEntries(rows)})
}

func onlyReading(req *http.Request) error {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return nil
	}
	return &oci.Error{Status: http.StatusMethodNotAllowed, Code: oci.CodeUnsupported, Message: "this can only be read", Header: http.Header{"Allow": {"GET, HEAD"}}}
}
