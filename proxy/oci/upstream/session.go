package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci"
)

const (
	maxAnswer    = 64 << 10 // bytes of an answer that is not content
	maxManifest  = 4 << 20  // bytes
	maxPages     = 20       // of a list of referrers
	maxRedirects = 5        // on the way to a blob
)

// manifestTypes are all kinds of manifests: CNCF distribution denies having one that the client does not list.
var manifestTypes = strings.Join([]string{
	ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
	"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.artifact.manifest.v1+json",
}, ", ")

// session makes requests with one client's credentials.
type session struct {
	*Registry
	client        *http.Request // for the addresses in what it is told
	authorization []string
}

// As opens a session with the client's Authorization.
func (r *Registry) As(req *http.Request) oci.Session {
	return &session{Registry: r, client: req, authorization: req.Header["Authorization"]}
}

// do makes a request and returns its answer, whose body the caller closes. An answer of 400 or more is an *oci.Answer.
// All of it together takes at most twice the timeout: what we ask for ourselves is small, and others may wait for it.
func (s *session) do(ctx context.Context, method string, target *url.URL, header http.Header, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.Timeout)
	resp, err := s.exchange(ctx, method, target, header, body)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, cancel}
	return resp, nil
}

// boundedBody ends the time that a request was given when its answer is read.
type boundedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func (s *session) exchange(ctx context.Context, method string, target *url.URL, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", s.UserAgent)
	if s.authorization != nil && origin(target) == origin(s.URL) {
		req.Header["Authorization"] = s.authorization
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, s.unavailable(err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	content, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := s.rewriteHeader(s.client, resp.Header, false); err != nil {
		return nil, err
	}
	answer := &oci.Answer{Request: method + " " + target.EscapedPath(), Status: resp.StatusCode, Header: resp.Header, Body: content}
	if resp.StatusCode == http.StatusNotFound && (method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete) {
		return nil, fmt.Errorf("%w: %w", answer, fs.ErrNotExist)
	}
	return nil, answer
}

func (s *session) url(name, kind, reference string) *url.URL {
	return &url.URL{Scheme: s.URL.Scheme, Host: s.URL.Host, Path: "/v2/" + name + "/" + kind + "/" + reference}
}

// unexpected is the error for an answer that does not fit its request.
func (s *session) unexpected(what string, resp *http.Response) error {
	return oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s answered %d to %s", s.URL.Host, resp.StatusCode, what)
}

func (s *session) Stat(ctx context.Context, name, reference string) (string, error) {
	resp, err := s.do(ctx, http.MethodHead, s.url(name, "manifests", reference), http.Header{"Accept": {manifestTypes}}, nil)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	d := resp.Header.Get("Docker-Content-Digest")
	switch isDigest := strings.Contains(reference, ":"); {
	case resp.StatusCode != http.StatusOK:
		return "", s.unexpected("HEAD of a manifest", resp)
	case isDigest && d != "" && d != reference:
		return "", oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s has %.100q where %s was asked for", s.URL.Host, d, reference)
	case isDigest:
		return reference, nil
	case d == "":
		m, err := s.Manifest(ctx, name, reference) // the header is optional
		if err != nil {
			return "", err
		}
		return m.Digest, nil
	}
	return d, nil
}

func (s *session) Manifest(ctx context.Context, name, reference string) (*oci.Stored, error) {
	resp, err := s.do(ctx, http.MethodGet, s.url(name, "manifests", reference), http.Header{"Accept": {manifestTypes}}, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, s.unexpected("GET of a manifest", resp)
	}
	body, err := read(resp.Body, maxManifest)
	if err != nil {
		return nil, s.unavailable(fmt.Errorf("manifest %s of %s: %w", reference, name, err))
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	stored := &oci.Stored{MediaType: strings.TrimSpace(mediaType), Digest: digest.FromBytes(body).String(), Body: body}
	if strings.HasPrefix(reference, "sha256:") && stored.Digest != reference {
		return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sent %s where %s was asked for", s.URL.Host, stored.Digest, reference)
	}
	return stored, nil
}

// read returns all of r, which must not have more than max bytes.
func read(r io.Reader, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err == nil && int64(len(b)) > max {
		err = oci.ErrTooLarge
	}
	return b, err
}

// Blob follows redirects, as storage behind a registry needs; credentials stay with the registry.
func (s *session) Blob(ctx context.Context, name, dgst string, max int64) ([]byte, error) {
	d, err := digest.Parse(dgst)
	if err != nil { // an algorithm that is not known here: nobody can say what is there
		return nil, fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	target := s.url(name, "blobs", dgst)
	for range maxRedirects {
		resp, err := s.do(ctx, http.MethodGet, target, nil, nil)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 300 && resp.StatusCode < 400 {
			resp.Body.Close()
			if target, err = target.Parse(resp.Header.Get("Location")); err != nil || target.Scheme != "http" && target.Scheme != "https" {
				return nil, s.unexpected("GET of a blob", resp)
			}
			continue
		}
		content, err := s.blobContent(resp, max)
		if err != nil {
			return nil, err
		}
		if got := d.Algorithm().FromBytes(content); got != d {
			return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s sent %s where the blob %s was asked for", s.URL.Host, got, dgst)
		}
		return content, nil
	}
	return nil, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s redirects a blob in a circle", s.URL.Host)
}

func (s *session) blobContent(resp *http.Response, max int64) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, s.unexpected("GET of a blob", resp)
	}
	if resp.ContentLength > max {
		return nil, fmt.Errorf("blob of %d bytes: %w", resp.ContentLength, oci.ErrTooLarge)
	}
	content, err := read(resp.Body, max)
	if err != nil && !errors.Is(err, oci.ErrTooLarge) {
		return nil, s.unavailable(err)
	}
	return content, err
}

func (s *session) Referrers(ctx context.Context, name, dgst string) ([]byte, error) {
	all := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	all.SchemaVersion = 2
	target := s.url(name, "referrers", dgst)
	for range maxPages {
		resp, err := s.do(ctx, http.MethodGet, target, http.Header{"Accept": {ocispec.MediaTypeImageIndex}}, nil)
		var a *oci.Answer
		if errors.As(err, &a) && (a.Status == 400 || a.Status == 404 || a.Status == 405 || a.Status == 501) {
			return nil, fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
		}
		if err != nil {
			return nil, err
		}
		body, rerr := read(resp.Body, maxManifest)
		resp.Body.Close()
		mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		if resp.StatusCode != http.StatusOK || strings.TrimSpace(mediaType) != ocispec.MediaTypeImageIndex {
			return nil, fmt.Errorf("referrers of %s: %w", dgst, errors.ErrUnsupported)
		}
		var page ocispec.Index
		if rerr != nil || json.Unmarshal(body, &page) != nil {
			return nil, s.unexpected("a list of referrers with something else", resp)
		}
		all.Manifests = append(all.Manifests, page.Manifests...)
		link, ok := s.rewriteLink(&http.Request{URL: target}, resp.Header.Get("Link"))
		if !ok {
			break
		}
		if target, err = s.URL.Parse(link[1:strings.Index(link, ">")]); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

func (s *session) PutBlob(ctx context.Context, name string, content []byte, granted func()) error {
	resp, err := s.do(ctx, http.MethodPost, s.url(name, "blobs", "uploads/"), nil, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return s.unexpected("the beginning of an upload", resp)
	}
	if granted != nil {
		granted()
	}
	location, err := s.resolve(resp.Request, resp.Header.Get("Location"))
	if err != nil {
		return err
	}
	query := location.Query()
	query.Set("digest", digest.FromBytes(content).String())
	location.RawQuery = query.Encode()
	resp, err = s.do(ctx, http.MethodPut, location, http.Header{"Content-Type": {"application/octet-stream"}}, content)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent {
		return s.unexpected("the upload of a blob", resp)
	}
	return nil
}

func (s *session) PutManifest(ctx context.Context, name, reference, mediaType string, body []byte) (listed bool, err error) {
	resp, err := s.do(ctx, http.MethodPut, s.url(name, "manifests", reference), http.Header{"Content-Type": {mediaType}}, body)
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	want := digest.FromBytes(body).String()
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return false, s.unexpected("PUT of a signature", resp)
	}
	switch got := resp.Header.Get("Docker-Content-Digest"); {
	case got == "": // the header is optional: then the registry is asked
		_, err := s.Stat(ctx, name, want)
		if errors.Is(err, fs.ErrNotExist) {
			return false, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s accepted the signature %s, and does not have it", s.URL.Host, want)
		}
		if err != nil {
			return false, err
		}
	case got != want:
		return false, oci.Errorf(http.StatusBadGateway, oci.CodeUnavailable, "the upstream registry %s says that it stored %.100q in place of %s", s.URL.Host, got, want)
	}
	return resp.Header.Get("OCI-Subject") != "", nil
}

// Delete asks for the digest: that removes the tags that name it, and most registries delete nothing else.
func (s *session) Delete(ctx context.Context, name, dgst, tag string) error {
	resp, err := s.do(ctx, http.MethodDelete, s.url(name, "manifests", dgst), nil, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	return nil
}
