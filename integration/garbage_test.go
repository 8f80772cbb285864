package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"hallmark/integration/world"
)

// While garbage is collected, pushes are told to come back in a while, pulls go on; a push that began before is waited
// for. Afterwards everything is as it was.
func TestPushesDuringAGarbageCollection(t *testing.T) {
	h := build(t, embedded, settings{})
	h.push(t, "team/app:1.0.0")
	w := h.wire(t, "team/app")
	image := w.get(t, "/manifests/1.0.0").Body

	// A layer that does not end holds the collection up.
	begun := w.do(t, http.MethodPost, "/blobs/uploads/", nil)
	if begun.Status != http.StatusAccepted {
		t.Fatalf("begin an upload: %d %s", begun.Status, begun.Body)
	}
	layer, rest := io.Pipe()
	defer rest.Close()
	upload, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, h.proxy.URL+begun.Header.Get("Location"), layer)
	if err != nil {
		t.Fatal(err)
	}
	uploaded := make(chan error, 1)
	go func() {
		resp, err := w.client.Do(upload)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				err = fmt.Errorf("the upload ends with %s", resp.Status)
			}
		}
		uploaded <- err
	}()
	fmt.Fprint(rest, "the beginning of a layer")

	proxy, collected := h.command(t), make(chan error, 1)
	go func() {
		_, err := proxy.Try(t, "repo", "gc")
		collected <- err
	}()
	var refused answer
	if err := world.Poll(t.Context(), func(context.Context) error {
		if refused = w.do(t, http.MethodPut, "/manifests/2.0.0", image, "Content-Type", ociManifest); refused.Status == http.StatusCreated {
			return fmt.Errorf("a push is taken")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if refused.Status != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
		t.Errorf("a push meanwhile: %d %s, Retry-After %q", refused.Status, refused.Body, refused.Header.Get("Retry-After"))
	}
	refused.code(t)
	if a := w.do(t, http.MethodPost, "/blobs/uploads/", nil); a.Status != http.StatusServiceUnavailable {
		t.Errorf("the beginning of a push meanwhile: %d %s", a.Status, a.Body)
	}
	h.verified(t, h.ref("team/app:1.0.0"))

	fmt.Fprint(rest, ", and its end")
	rest.Close()
	if err := <-uploaded; err != nil {
		t.Errorf("the push that began before: %v", err)
	}
	if err := <-collected; err != nil {
		t.Error(err)
	}
	w.put(t, "2.0.0", ociManifest, image)
	h.verified(t, h.ref("team/app:2.0.0"))
}
