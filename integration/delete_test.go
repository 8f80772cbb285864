package integration

import (
	"net/http"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// While an image is there, its signature stays; with the image it goes.
func TestDeletion(t *testing.T) {
	in(t, everywhere, settings{}, func(t *testing.T, h *house) {
		crane, w := h.crane(t), h.wire(t, "team/app")
		kept := h.push(t, "team/app:kept")
		d := h.push(t, "team/app:1.0.0")
		w.put(t, "2.0.0", ociManifest, w.get(t, "/manifests/"+d).Body)

		sig := w.get(t, "/manifests/"+sigTag(d))
		sigDigest := sig.Header.Get("Docker-Content-Digest")
		m := decode[v1.Manifest](t, sig.Body)
		payload, config := m.Layers[0].Digest.String(), m.Config.Digest.String()

		for what, path := range map[string]string{
			"our signature by its tag":    "/manifests/" + sigTag(d),
			"our signature by its digest": "/manifests/" + sigDigest,
			"the payload":                 "/blobs/" + payload,
			"the config":                  "/blobs/" + config,
		} {
			w.do(t, http.MethodDelete, path, nil).refused(t, "DELETE of "+what)
		}
		h.verified(t, h.ref("team/app:1.0.0"), h.ref("team/app@"+d))

		if a := w.do(t, http.MethodDelete, "/manifests/2.0.0", nil); a.Status != http.StatusAccepted {
			t.Fatalf("DELETE of a tag: %d %s", a.Status, a.Body)
		}
		if a := w.do(t, http.MethodGet, "/manifests/2.0.0", nil); a.Status != http.StatusNotFound {
			t.Errorf("the tag is still there: %d", a.Status)
		}
		h.verified(t, h.ref("team/app:1.0.0"), h.ref("team/app@"+d))

		crane.Run(t, "delete", h.ref("team/app@"+d))
		for what, path := range map[string]string{
			"the image":                   "/manifests/" + d,
			"its tag":                     "/manifests/1.0.0",
			"our signature by its tag":    "/manifests/" + sigTag(d),
			"our signature by its digest": "/manifests/" + sigDigest,
		} {
			if a := w.do(t, http.MethodGet, path, nil); a.Status != http.StatusNotFound {
				t.Errorf("%s is still there: %d", what, a.Status)
			}
		}
		if a := w.do(t, http.MethodDelete, "/blobs/"+payload, nil); a.Status != http.StatusAccepted {
			t.Errorf("DELETE of the payload of an image that has gone: %d %s", a.Status, a.Body)
		}
		h.verified(t, h.ref("team/app@"+kept))

		// What was deleted can come back, and is signed again.
		for _, row := range h.rows(t, "team/app", d) {
			if row.State != "made" {
				t.Errorf("a signature that was made has become %q", row.State)
			}
		}
	})
}

// A user's signature may be deleted, as long as ours does not go with it; without a living image, all may.
func TestDeletionOfWhatIsNotOurs(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		w := h.wire(t, "team/app")
		theirs := signatureManifest(t, w, d, "c3RyYW5nZXI=")
		w.put(t, sigTag(d), ociManifest, theirs) // ours is merged in under the tag
		w.drop(t, hashOf(theirs).String())
		h.verified(t, h.ref("team/app:1.0.0"))

		unsigned := "sha256:1111111111111111111111111111111111111111111111111111111111111111"
		orphan := signatureManifest(t, w, unsigned, "c3RyYW5nZXI=")
		w.put(t, sigTag(unsigned), ociManifest, orphan)
		w.drop(t, sigTag(unsigned))
	})
}

// An image that is deleted and pushed again is signed again.
func TestAnImageComesBack(t *testing.T) {
	in(t, bothKinds, settings{repository: "    signatures: [cosign, bundle]\n"}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		w := h.wire(t, "team/app")
		body := w.get(t, "/manifests/"+d).Body
		for range 3 {
			w.drop(t, d)
			if a := w.do(t, http.MethodGet, "/manifests/"+sigTag(d), nil); a.Status != http.StatusNotFound {
				t.Errorf("the signature outlived its image: %d", a.Status)
			}
			w.put(t, "1.0.0", ociManifest, body)
			h.verified(t, h.ref("team/app@"+d))
		}
	})
}
