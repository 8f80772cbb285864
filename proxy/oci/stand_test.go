package oci_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
	"hallmark/proxy/oci/embedded"
	"hallmark/proxy/oci/upstream"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// stand is the middleware in front of a real registry, which is in memory and reached by HTTP, so that a test can see
// and change what is asked of it.
type stand struct {
	t      *testing.T
	repo   *oci.Repository
	ring   *signing.Ring
	ledger *ledger.Ledger
	front  *httptest.Server // through the middleware
	back   *httptest.Server // past it

	mu        sync.Mutex
	requests  []string
	intercept func(rw http.ResponseWriter, req *http.Request, next http.Handler)
}

func newStand(t *testing.T, change func(*oci.Options)) *stand {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	behind, err := embedded.Open(embedded.Options{Driver: "inmemory", Secret: "secret", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, ring: newRing(t, 1)}
	s.back = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, req.Method+" "+shorten(req.URL.Path))
		intercept := s.intercept
		s.mu.Unlock()
		if intercept != nil {
			intercept(rw, req, behind)
			return
		}
		behind.ServeHTTP(rw, req)
	}))
	t.Cleanup(s.back.Close)
	s.ledger, err = ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.ledger.Close() })
	u, err := url.Parse(s.back.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := oci.Options{
		Name: "images", Host: "registry.test", Ring: s.ring, Ledger: s.ledger, Log: log,
		Registry: upstream.New(upstream.Options{URL: u, TokenPath: "/-/token/images", Timeout: 10 * time.Second, Log: log,
			SelfURL: func(*http.Request) string { return "http://registry.test" }}),
	}
	if change != nil {
		change(&o)
	}
	s.ring, s.repo = o.Ring, oci.New(o)
	s.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rt, err := oci.ParseRoute(req.URL.EscapedPath())
		if err == nil {
			err = s.repo.Serve(rw, req, rt, oci.Caller{By: "ci", Request: "r1"})
		}
		if err != nil {
			oci.WriteError(rw, err)
		}
	}))
	t.Cleanup(s.front.Close)
	return s
}

func newRing(t *testing.T, n int) *signing.Ring {
	t.Helper()
	var keys []*signing.Key
	for i := range n {
		k, err := ecdsa.GenerateKey(elliptic.P256(), nil)
		if err != nil {
			t.Fatal(err)
		}
		key, err := signing.NewKey(fmt.Sprintf("key-%d", i+1), scheme.Image, k)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	ring, err := signing.NewRing("images", keys)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// shorten makes a path readable in an expectation.
func shorten(path string) string {
	if i := strings.Index(path, "/blobs/uploads/"); i >= 0 && len(path) > i+len("/blobs/uploads/") {
		return path[:i] + "/blobs/uploads/…"
	}
	if i := strings.Index(path, "sha256-"); i >= 0 {
		return path[:i] + "sha256-…" + path[i+7+64:]
	}
	if i := strings.Index(path, "sha256:"); i >= 0 {
		return path[:i] + "sha256:…"
	}
	return path
}

// seen returns the requests that reached the registry since the last call.
func (s *stand) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

func (s *stand) interceptWith(f func(rw http.ResponseWriter, req *http.Request, next http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the code of the OCI error in an answer.
func (a answer) code() string {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.body, &doc) != nil || len(doc.Errors) == 0 || doc.Errors[0].Message == "" {
		return ""
	}
	return doc.Errors[0].Code
}

func (s *stand) do(base *httptest.Server, method, path, contentType string, body []byte) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, base.URL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", strings.Join([]string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex}, ", "))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, content}
}

func (s *stand) want(a answer, status int) answer {
	s.t.Helper()
	if a.status != status {
		s.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// blob stores content past the middleware.
func (s *stand) blob(name string, content []byte) ocispec.Descriptor {
	s.t.Helper()
	a := s.want(s.do(s.back, "POST", "/v2/"+name+"/blobs/uploads/", "", nil), http.StatusAccepted)
	d := digest.FromBytes(content)
	location := a.header.Get("Location")
	s.want(s.do(s.back, "PUT", location+"&digest="+d.String(), "application/octet-stream", content), http.StatusCreated)
	return ocispec.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: int64(len(content))}
}

// image makes a manifest whose blobs are stored, different for each text.
func (s *stand) image(name, text string, change func(*ocispec.Manifest)) (body []byte, dgst string) {
	s.t.Helper()
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: s.blob(name, []byte(`{"`+text+`":1}`))}
	m.SchemaVersion = 2
	m.Config.MediaType = ocispec.MediaTypeImageConfig
	layer := s.blob(name, []byte(text))
	layer.MediaType = ocispec.MediaTypeImageLayer
	m.Layers = []ocispec.Descriptor{layer}
	if change != nil {
		change(&m)
	}
	return s.json(m)
}

func (s *stand) json(v any) (body []byte, dgst string) {
	s.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return body, digest.FromBytes(body).String()
}

// push stores a manifest through the middleware.
func (s *stand) push(name, reference string, body []byte) answer {
	s.t.Helper()
	return s.want(s.putThrough(name, reference, body), http.StatusCreated)
}

func (s *stand) putThrough(name, reference string, body []byte) answer {
	s.t.Helper()
	var doc struct{ MediaType string }
	if err := json.Unmarshal(body, &doc); err != nil {
		s.t.Fatal(err)
	}
	return s.do(s.front, "PUT", "/v2/"+name+"/manifests/"+reference, doc.MediaType, body)
}

// putBehind stores a manifest past the middleware.
func (s *stand) putBehind(name, reference string, body []byte) {
	s.t.Helper()
	var doc struct{ MediaType string }
	if err := json.Unmarshal(body, &doc); err != nil {
		s.t.Fatal(err)
	}
	s.want(s.do(s.back, "PUT", "/v2/"+name+"/manifests/"+reference, doc.MediaType, body), http.StatusCreated)
}

func signatureTag(dgst string) string { return strings.Replace(dgst, ":", "-", 1) + ".sig" }

// signatures returns the layers under the signature tag of a digest, as the registry has them, none if there is no tag.
func (s *stand) signatures(name, dgst string) []ocispec.Descriptor {
	s.t.Helper()
	a := s.do(s.back, "GET", "/v2/"+name+"/manifests/"+signatureTag(dgst), "", nil)
	if a.status == http.StatusNotFound {
		return nil
	}
	s.want(a, http.StatusOK)
	var m ocispec.Manifest
	if err := json.Unmarshal(a.body, &m); err != nil {
		s.t.Fatal(err)
	}
	return m.Layers
}

// signedBy reports whether a key's signature of the digest stands in the registry and verifies.
func (s *stand) signedBy(k signing.PublicKey, name, dgst string) bool {
	s.t.Helper()
	img := signing.Image{Reference: "registry.test/" + name, Name: name, Digest: dgst}
	for _, l := range s.signatures(name, dgst) {
		payload := s.want(s.do(s.back, "GET", "/v2/"+name+"/blobs/"+l.Digest.String(), "", nil), http.StatusOK).body
		sig, err := base64.StdEncoding.DecodeString(l.Annotations["dev.cosignproject.cosign/signature"])
		if err == nil && signing.VerifyImage(k, payload, sig, img) == nil {
			return true
		}
	}
	return false
}

func (s *stand) mustBeSigned(name, dgst string) {
	s.t.Helper()
	for _, k := range s.ring.Keys(scheme.Image) {
		if !s.signedBy(k.Public(), name, dgst) {
			s.t.Errorf("%s@%s is not signed by %s", name, dgst, k.Name())
		}
	}
}

func (s *stand) rows(name, dgst string) (states []ledger.State) {
	s.t.Helper()
	rows, err := s.ledger.Signatures(s.t.Context(), "images", name, dgst)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		states = append(states, r.State)
	}
	return states
}
