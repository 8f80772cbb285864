package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"hallmark/integration/world"
)

// What no client would send, or would not show, goes over the wire by hand.

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	bundleType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// A wire sends requests for one image to one registry.
type wire struct {
	client *http.Client
	base   string // http://host:port/v2/<image>
}

// An answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// wire opens a wire to the proxy.
func (h *house) wire(t *testing.T, image string) *wire {
	t.Helper()
	return openWire(t, h.proxy.Addr, image, h.user)
}

// directWire opens a wire to the registry behind the proxy.
func (h *house) directWire(t *testing.T, image string) *wire {
	t.Helper()
	user := h.user
	if h.registry == nil {
		user = world.User{}
	}
	return openWire(t, h.direct(), image, user)
}

func openWire(t *testing.T, addr, image string, user world.User) *wire {
	t.Helper()
	registry, err := name.NewRegistry(addr)
	if err != nil {
		t.Fatal(err)
	}
	auth := authn.Anonymous
	if user.Name != "" {
		auth = &authn.Basic{Username: user.Name, Password: user.Password}
	}
	rt, err := transport.NewWithContext(t.Context(), registry, auth, http.DefaultTransport,
		[]string{"repository:" + image + ":pull,push,delete"})
	if err != nil {
		t.Fatal(err)
	}
	return &wire{client: &http.Client{Transport: rt}, base: "http://" + addr + "/v2/" + image}
}

// try sends a request. The path follows the name of the image; headers are pairs.
func (w *wire) try(method, path string, body []byte, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", ociManifest+", "+ociIndex+", application/vnd.docker.distribution.manifest.v2+json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, data}, err
}

// do sends a request, which must be answered.
func (w *wire) do(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	a, err := w.try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// get reads a path, which must be there.
func (w *wire) get(t *testing.T, path string) answer {
	t.Helper()
	a := w.do(t, http.MethodGet, path, nil)
	if a.Status != http.StatusOK {
		t.Fatalf("GET %s%s: %d %s", w.base, path, a.Status, a.Body)
	}
	return a
}

// put stores a manifest, which must be taken, and returns the answer.
func (w *wire) put(t *testing.T, reference, mediaType string, body []byte) answer {
	t.Helper()
	a := w.do(t, http.MethodPut, "/manifests/"+reference, body, "Content-Type", mediaType)
	if a.Status != http.StatusCreated {
		t.Fatalf("PUT %s/manifests/%s: %d %s", w.base, reference, a.Status, a.Body)
	}
	return a
}

// blob stores a blob and returns its descriptor.
func (w *wire) blob(t *testing.T, mediaType string, content []byte) v1.Descriptor {
	t.Helper()
	d := v1.Descriptor{Size: int64(len(content)), Digest: hashOf(content)}
	d.MediaType = types.MediaType(mediaType)
	begun := w.do(t, http.MethodPost, "/blobs/uploads/", nil)
	if begun.Status != http.StatusAccepted {
		t.Fatalf("begin an upload: %d %s", begun.Status, begun.Body)
	}
	base, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	query := to.Query()
	query.Set("digest", d.Digest.String())
	to.RawQuery = query.Encode()
	r, err := http.NewRequest(http.MethodPut, to.String(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("upload a blob: %s", resp.Status)
	}
	return d
}

func hashOf(content []byte) v1.Hash {
	sum := sha256.Sum256(content)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// sigTag is the tag of a digest's signatures.
func sigTag(digest string) string { return fallbackTag(digest) + ".sig" }

// fallbackTag is the tag of a digest's list of referrers.
func fallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// code returns the code of the first OCI error of an answer, and fails the test if a person would not
// understand it.
func (a answer) code(t *testing.T) string {
	t.Helper()
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.Body, &doc); err != nil || len(doc.Errors) == 0 || doc.Errors[0].Message == "" {
		t.Fatalf("not an OCI error: %d %s", a.Status, a.Body)
	}
	return doc.Errors[0].Code
}

// refused fails the test unless the answer is a 4xx with an OCI error.
func (a answer) refused(t *testing.T, what string) {
	t.Helper()
	if a.Status < 400 || a.Status > 499 {
		t.Errorf("%s: %d %s, want a refusal", what, a.Status, a.Body)
		return
	}
	a.code(t)
}

// decode reads the body of an answer.
func decode[V any](t *testing.T, body []byte) V {
	t.Helper()
	var v V
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var realmOf = regexp.MustCompile(`realm="(https?://[^/"]+)`)

// tokenOrigin returns where a registry sends clients for a token.
func tokenOrigin(t *testing.T, reg *world.Registry) string {
	t.Helper()
	resp, err := http.Get(reg.URL + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	m := realmOf.FindStringSubmatch(resp.Header.Get("Www-Authenticate"))
	if m == nil {
		t.Fatalf("the registry asks for no token: %v", resp.Header)
	}
	return m[1]
}

// A signatureRow is one entry of /-/signatures/….
type signatureRow struct {
	Time, Repository, Name, Digest, Scheme, Key, By, Request, State string
}

// rows returns what the ledger has on an image, with the rights of the house's user.
func (h *house) rows(t *testing.T, image, digest string) []signatureRow {
	t.Helper()
	w := h.wire(t, image)
	w.base = h.proxy.URL
	a := w.do(t, http.MethodGet, "/-/signatures/images/"+image+"@"+digest, nil)
	if a.Status == http.StatusNotFound {
		return nil
	}
	if a.Status != http.StatusOK {
		t.Fatalf("the rows of %s@%s: %d %s", image, digest, a.Status, a.Body)
	}
	return decode[struct{ Signatures []signatureRow }](t, a.Body).Signatures
}
