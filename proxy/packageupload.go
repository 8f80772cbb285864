package proxy

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/oci"
	"hallmark/proxy/publish"
)

// serveUpload takes a package in.
func (s *Server) serveUpload(t *transaction, req *http.Request, repo *Repository, op format.Op, caller oci.Caller) error {
	upload, err := s.upload(req, publish.Caller(caller))
	if err != nil {
		return err
	}
	result, err := repo.Packages.Publish.Upload(req.Context(), op, upload)
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
	return t.answer(format.Answer{Status: status, Text: result.String(), Op: op, Paths: []string{result.Path}})
}

// upload returns the body of a request with what its headers say of it.
func (s *Server) upload(req *http.Request, by publish.Caller) (publish.Upload, error) {
	limit := int64(s.config.Limits.Upload)
	if req.ContentLength > limit {
		return publish.Upload{}, oci.Errorf(http.StatusRequestEntityTooLarge, oci.CodeSizeInvalid,
			"the upload has %d bytes and the limit here is %d (limits.upload)", req.ContentLength, limit)
	}
	declared, err := declaredDigest(req.Header)
	if err != nil {
		return publish.Upload{}, err
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return publish.Upload{}, oci.Errorf(http.StatusUnsupportedMediaType, oci.CodeUnsupported,
			"an upload has no Content-Encoding: send the file as it is")
	}
	if req.Header.Get("Content-Range") != "" {
		return publish.Upload{}, format.Malformedf("an upload is a whole file: Content-Range is not for PUT")
	}
	return publish.Upload{Body: req.Body, Limit: limit, SHA256: declared, Caller: by}, nil
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
