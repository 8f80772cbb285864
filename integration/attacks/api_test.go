package attacks

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// An api is a client that sends exactly what it is told to, and follows no redirect.
type api struct {
	base   string
	user   world.User
	client *http.Client
}

func newAPI(base string, user world.User) *api {
	return &api{base: base, user: user, client: &http.Client{
		Timeout:       world.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
	}}
}

type answer struct {
	status int
	header http.Header
	body   []byte
	line   string // what was asked
}

// try sends a request. The path goes out as it is written, whatever it holds. Headers are pairs; "Host" is the host.
func (a *api) try(method, path string, body []byte, headers ...string) (answer, error) {
	return a.send(context.Background(), method, path, body, headers...)
}

func (a *api) send(ctx context.Context, method, path string, body []byte, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, world.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, a.base, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	plain, query, _ := strings.Cut(path, "?")
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Opaque: plain, RawQuery: query}
	if a.user.Name != "" {
		r.SetBasicAuth(a.user.Name, a.user.Password)
	}
	if method == http.MethodGet || method == http.MethodHead {
		r.Header.Set("Accept", strings.Join([]string{ociManifest, ociIndex, dockerManifest, dockerList}, ", "))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := a.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer w.Body.Close()
	content, err := io.ReadAll(w.Body)
	return answer{w.StatusCode, w.Header, content, method + " " + path}, err
}

func (a *api) do(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	w, err := a.try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (a *api) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	return a.do(t, http.MethodGet, path, nil, headers...)
}

func (w answer) decode(v any) error {
	if err := json.Unmarshal(w.body, v); err != nil {
		return fmt.Errorf("%s: %w: %.200s", w.line, err, w.body)
	}
	return nil
}

func (w answer) expect(t *testing.T, status int) answer {
	t.Helper()
	if w.status != status {
		t.Fatalf("%.200s: %d, want %d: %.500s", w.line, w.status, status, w.body)
	}
	return w
}

// refused fails the test unless the answer is an error of the wanted class (400: any 4xx; else that status) in the form
// of the specification. It returns the code.
func (w answer) refused(t *testing.T, want int) string {
	t.Helper()
	if want == 400 && w.status >= 400 && w.status < 500 {
		want = w.status
	}
	if w.status != want {
		t.Errorf("%.200s: %d, want %d: %.500s", w.line, w.status, want, w.body)
		return ""
	}
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if strings.HasPrefix(w.line, http.MethodHead) {
		return ""
	}
	if err := json.Unmarshal(w.body, &doc); err != nil || len(doc.Errors) == 0 || doc.Errors[0].Code == "" || doc.Errors[0].Message == "" {
		t.Errorf("%.200s: %d with a body that is no OCI error with a code and a message: %.500s", w.line, w.status, w.body)
		return ""
	}
	return doc.Errors[0].Code
}

const (
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar"
	emptyType      = "application/vnd.oci.empty.v1+json"
	simpleSigning  = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundleType     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	dsseType       = "application/vnd.dsse.envelope.v1+json"

	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// manifestJSON is a manifest or an index, as it is written.
type manifestJSON struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     map[string]string `json:"platform,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func (m manifestJSON) encode() []byte {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and numbers
	}
	return body
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func sigTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

func fallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decodeBase64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// describe returns the descriptor of content.
func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digestOf(content), Size: int64(len(content))}
}

// blob uploads content and returns its descriptor.
func (a *api) blob(t *testing.T, name, mediaType string, content []byte) descriptor {
	t.Helper()
	d, err := a.tryBlob(name, mediaType, content)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (a *api) tryBlob(name, mediaType string, content []byte) (descriptor, error) {
	d := describe(mediaType, content)
	w, err := a.try(http.MethodPost, "/v2/"+name+"/blobs/uploads/", nil)
	if err != nil {
		return d, err
	}
	if w.status != http.StatusAccepted {
		return d, fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
	}
	location, err := url.Parse(w.header.Get("Location"))
	if err != nil {
		return d, err
	}
	query := location.Query()
	query.Set("digest", d.Digest)
	w, err = a.try(http.MethodPut, location.EscapedPath()+"?"+query.Encode(), content, "Content-Type", "application/octet-stream")
	if err == nil && w.status != http.StatusCreated {
		err = fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
	}
	return d, err
}

// put pushes a manifest.
func (a *api) put(t *testing.T, name, reference, mediaType string, body []byte) answer {
	t.Helper()
	return a.do(t, http.MethodPut, "/v2/"+name+"/manifests/"+reference, body, "Content-Type", mediaType)
}

// tiny returns the manifest of an image that is like no other, its blobs uploaded.
func (a *api) tiny(t *testing.T, name string) []byte {
	t.Helper()
	body, err := a.tryTiny(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

const tinyConfig = `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`

func (a *api) tryTiny(name string) ([]byte, error) {
	config, err := a.tryBlob(name, ociConfig, []byte(tinyConfig))
	return unique(config).encode(), err
}

// unique returns a manifest with the config, and like no other.
func unique(config descriptor) manifestJSON {
	return manifestJSON{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []descriptor{config},
		Annotations: map[string]string{"unique": rand.Text()}}
}

// push pushes a tiny image under a tag and returns its digest.
func (a *api) push(t *testing.T, name, tag string) string {
	t.Helper()
	body := a.tiny(t, name)
	a.put(t, name, tag, ociManifest, body).expect(t, http.StatusCreated)
	return digestOf(body)
}

// manifest reads a manifest.
func (a *api) manifest(t *testing.T, name, reference string) manifestJSON {
	t.Helper()
	var m manifestJSON
	if err := a.get(t, "/v2/"+name+"/manifests/"+reference).expect(t, http.StatusOK).decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// tags lists the tags of a name, none if it is not there.
func (a *api) tags(t *testing.T, name string) []string {
	t.Helper()
	w := a.get(t, "/v2/"+name+"/tags/list?n=1000")
	if w.status == http.StatusNotFound {
		return nil
	}
	var doc struct{ Tags []string }
	if err := w.expect(t, http.StatusOK).decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.Tags
}
