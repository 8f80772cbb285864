package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// A client sends one registry what crane would send it, over a pool of connections of its own. It is the same for both
// sides of every comparison.
type client struct {
	base string
	http *http.Client
}

func newClient(base string, connections int) *client {
	return &client{base: base, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true,
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request and returns the answer, whose body the caller closes. Any status but want is an error.
func (c *client) do(ctx context.Context, method, target, contentType string, body io.Reader, want int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("%s %s: %s %s", method, target, resp.Status, said)
	}
	return resp, nil
}

// send is do for an answer whose body does not matter. It returns the Location.
func (c *client) send(ctx context.Context, method, target, contentType string, body io.Reader, want int) (*url.URL, error) {
	resp, err := c.do(ctx, method, target, contentType, body, want)
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	return resp.Request.URL.ResolveReference(location), nil
}

// pushBlob uploads content in one stream of unknown length: POST, PATCH, PUT.
func (c *client) pushBlob(ctx context.Context, name string, content io.Reader, d digest.Digest) error {
	at, err := c.send(ctx, http.MethodPost, c.base+"/v2/"+name+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	at, err = c.send(ctx, http.MethodPatch, at.String(), "application/octet-stream", io.MultiReader(content), http.StatusAccepted)
	if err != nil {
		return err
	}
	query := at.Query()
	query.Set("digest", d.String())
	at.RawQuery = query.Encode()
	_, err = c.send(ctx, http.MethodPut, at.String(), "", nil, http.StatusCreated)
	return err
}

// pullBlob reads a blob and throws it away.
func (c *client) pullBlob(ctx context.Context, name string, d digest.Digest, size int64) error {
	resp, err := c.do(ctx, http.MethodGet, c.base+"/v2/"+name+"/blobs/"+d.String(), "", nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
	if err == nil && n != size {
		err = fmt.Errorf("blob %s has %d bytes, not %d", d, n, size)
	}
	return err
}

// An image is a config and a layer, tiny and in the registry: what manifests without end can name.
type image struct {
	name          string
	config, layer ocispec.Descriptor
}

// pushBlobsOf stores the blobs of a new image.
func (c *client) pushBlobsOf(ctx context.Context, name string) (image, error) {
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}`)
	layer := []byte("a layer of " + name)
	im := image{
		name:   name,
		config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		layer:  ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(layer), Size: int64(len(layer))},
	}
	if err := c.pushBlob(ctx, name, bytes.NewReader(config), im.config.Digest); err != nil {
		return im, err
	}
	return im, c.pushBlob(ctx, name, bytes.NewReader(layer), im.layer.Digest)
}

// serial makes every manifest, and every blob, one that was never there before.
var serial atomic.Int64

// newManifest returns a manifest of the image that is like no other, and a tag for it.
func (im image) newManifest() (body []byte, tag string) {
	tag = "v" + strconv.FormatInt(serial.Add(1), 10)
	body, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: im.config, Layers: []ocispec.Descriptor{im.layer},
		Annotations: map[string]string{ocispec.AnnotationVersion: tag, ocispec.AnnotationRefName: im.name},
	})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	return body, tag
}

func (c *client) pushManifest(ctx context.Context, name, tag string, body []byte) error {
	_, err := c.send(ctx, http.MethodPut, c.base+"/v2/"+name+"/manifests/"+tag, ocispec.MediaTypeImageManifest, bytes.NewReader(body), http.StatusCreated)
	return err
}

// warmUp opens n connections.
func (c *client) warmUp(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		g.Go(func() error {
			_, err := c.send(ctx, http.MethodGet, c.base+"/v2/", "", nil, http.StatusOK)
			return err
		})
	}
	return g.Wait()
}
