package integration

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"hallmark/integration/world"
)

// legacySign are the arguments that make a cosign sign in the layout of tags.
func legacySign(c *world.Cosign) []string {
	if c.Version == 3 {
		return []string{"--new-bundle-format=false"}
	}
	return nil
}

// A user signs through the proxy what the proxy has signed: both keys verify, with both cosigns.
func TestAUsersSignatureStandsBesideOurs(t *testing.T) {
	in(t, []string{embedded, embeddedHtpasswd, stock, stockBasic, stockToken}, settings{}, func(t *testing.T, h *house) {
		for _, signer := range h.cosigns(t) {
			image := fmt.Sprintf("team/cosign%d", signer.Version)
			ref := h.ref(image + "@" + h.push(t, image+":1.0.0"))
			private, public := signer.GenerateKey(t)
			for _, c := range h.cosigns(t) {
				c.NotVerify(t, public, ref)
			}
			signer.Sign(t, private, ref, legacySign(signer)...)
			signer.Sign(t, private, ref, legacySign(signer)...) // again, which changes nothing
			h.verified(t, ref)
			h.notVerifiedBy(t, anotherKey(t), ref)
			for _, c := range h.cosigns(t) {
				if err := c.Verify(t, public, ref); err != nil {
					t.Errorf("the user's key, by cosign %d: %v", c.Version, err)
				}
			}
		}
	})
}

// A user's signature that was there first stays when the image is pushed.
func TestASignatureThatWasThereFirstStays(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		if err := h.crane(t).Push(t, h.direct()+"/team/app:1.0.0"); err != nil {
			t.Fatal(err)
		}
		signer, ref := world.NewCosign(t, 2), h.ref("team/app:1.0.0")
		private, public := signer.GenerateKey(t)
		signer.Sign(t, private, h.direct()+"/team/app:1.0.0")
		h.notVerified(t, ref)

		w := h.wire(t, "team/app")
		w.put(t, "1.0.0", ociManifest, w.get(t, "/manifests/1.0.0").Body)
		h.verified(t, ref)
		if err := signer.Verify(t, public, ref); err != nil {
			t.Error(err)
		}
	})
}

// A client that writes the signatures anew, without ours, gets what it asked for by its digest. Under the
// tag ours is there at any time, for a reader of the proxy and for one of the registry itself.
func TestOurSignatureIsNeverGone(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		w, tag := h.wire(t, "team/app"), sigTag(d)
		ours := decode[v1.Manifest](t, w.get(t, "/manifests/"+tag).Body).Layers[0]

		stop, readers := make(chan struct{}), make(chan error)
		for _, reader := range []*wire{h.wire(t, "team/app"), h.directWire(t, "team/app")} {
			go func() { readers <- watch(reader, tag, ours, stop) }()
		}
		for i := range 10 {
			theirs := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "signature %d", i))
			body := signatureManifest(t, w, d, theirs)
			a := w.put(t, tag, ociManifest, body)
			if got, want := a.Header.Get("Docker-Content-Digest"), hashOf(body).String(); got != want {
				t.Errorf("the client pushed %s and is told %s", want, got)
			}
			if got := w.get(t, "/manifests/"+hashOf(body).String()).Body; string(got) != string(body) {
				t.Errorf("the client pushed\n%s\nand reads\n%s", body, got)
			}
			if got := string(w.get(t, "/manifests/"+tag).Body); !strings.Contains(got, theirs) {
				t.Errorf("the signature %s is not under the tag: %s", theirs, got)
			}
		}
		close(stop)
		for range 2 {
			if err := <-readers; err != nil {
				t.Error(err)
			}
		}
		h.verified(t, h.ref("team/app:1.0.0"))
	})
}

// watch reads a signature tag until stop is closed, and returns an error if layer was not there once.
func watch(w *wire, tag string, layer v1.Descriptor, stop <-chan struct{}) error {
	for n := 0; ; n++ {
		select {
		case <-stop:
			if n == 0 {
				return fmt.Errorf("%s was never read", w.base)
			}
			return nil
		default:
		}
		a, err := w.try(http.MethodGet, "/manifests/"+tag, nil)
		if err != nil {
			return err
		}
		signature := layer.Annotations["dev.cosignproject.cosign/signature"]
		if a.Status != http.StatusOK || !strings.Contains(string(a.Body), signature) {
			return fmt.Errorf("read %d of %s shows no signature of ours: %d %s", n, w.base, a.Status, a.Body)
		}
	}
}

// What stands under a signature tag must be signatures: anything else would be an unsigned image.
func TestASignatureTagTakesNothingElse(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		other := h.push(t, "team/app:2.0.0")
		w := h.wire(t, "team/app")
		before := w.get(t, "/manifests/"+sigTag(d)).Body
		a := w.do(t, http.MethodPut, "/manifests/"+sigTag(d), w.get(t, "/manifests/"+other).Body, "Content-Type", ociManifest)
		a.refused(t, "an image under a signature tag")
		if after := w.get(t, "/manifests/"+sigTag(d)).Body; string(after) != string(before) {
			t.Errorf("the signatures became %s", after)
		}
		h.verified(t, h.ref("team/app:1.0.0"))
	})
}

// A signature whose manifest has a subject, too, is listed as its referrer and hangs nobody.
func TestASignatureWithASubject(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		w := h.wire(t, "team/app")
		image := w.get(t, "/manifests/"+d).Body
		m := decode[map[string]any](t, signatureManifest(t, w, d, "c3RyYW5nZXI="))
		m["subject"] = map[string]any{"mediaType": ociManifest, "digest": d, "size": len(image)}
		body := encode(t, m)
		w.client.Timeout = world.Patience
		w.put(t, sigTag(d), ociManifest, body)
		w.put(t, "1.0.0", ociManifest, image)
		if a := w.do(t, http.MethodDelete, "/manifests/"+hashOf(body).String(), nil); a.Status != http.StatusAccepted {
			t.Errorf("the user's own signature cannot be deleted: %d %s", a.Status, a.Body)
		}
		h.verified(t, h.ref("team/app:1.0.0"))
	})
}
