package integration

import (
	"net/http"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Pushing the same image again, by tag, by another tag or by digest, adds no signature and no row.
func TestPushingAgainAddsNothing(t *testing.T) {
	for name, repository := range map[string]string{
		"cosign":            "",
		"cosign and bundle": "    signatures: [cosign, bundle]\n",
	} {
		t.Run(name, func(t *testing.T) {
			in(t, []string{embedded, stock, stockBasic}, settings{repository: repository}, func(t *testing.T, h *house) {
				layout, crane := world.Layout(t, world.Image(t)), h.crane(t)
				crane.Run(t, "push", layout, h.ref("team/app:1.0.0"))
				d := digest(t, crane, h.ref("team/app:1.0.0"))
				w := h.wire(t, "team/app")
				body := w.get(t, "/manifests/"+d).Body
				sig := w.get(t, "/manifests/"+sigTag(d)).Body
				rows := h.rows(t, "team/app", d)
				if want := 1 + strings.Count(repository, "bundle"); len(rows) != want {
					t.Fatalf("%d rows after the first push, want %d: %+v", len(rows), want, rows)
				}
				if h.upstream != nil {
					h.upstream.Reset()
				}

				crane.Run(t, "push", layout, h.ref("team/app:1.0.0"))
				w.put(t, "1.0.0", ociManifest, body)
				w.put(t, "2.0.0", ociManifest, body)
				w.put(t, d, ociManifest, body)

				if again := w.get(t, "/manifests/"+sigTag(d)).Body; string(again) != string(sig) {
					t.Errorf("the signature changed from\n%s\nto\n%s", sig, again)
				}
				if again := h.rows(t, "team/app", d); len(again) != len(rows) {
					t.Errorf("%d rows became %d", len(rows), len(again))
				}
				h.verified(t, h.ref("team/app:2.0.0"))
				if h.upstream == nil {
					return
				}
				for _, r := range h.upstream.Requests() {
					put := r.Method == http.MethodPut || r.Method == http.MethodPost
					if put && !strings.HasSuffix(r.Path, "/1.0.0") && !strings.HasSuffix(r.Path, "/2.0.0") && !strings.HasSuffix(r.Path, d) {
						t.Errorf("the second push writes upstream: %s", r.Line())
					}
				}
			})
		})
	}
}

// What is not ours does not count as signed: neither a signature of another key, nor one of ours for
// another image, nor one whose payload has gone.
func TestPushingAgainMendsTheSignature(t *testing.T) {
	for what, damage := range map[string]func(t *testing.T, h *house, w *wire, d string){
		"the tag has gone": func(t *testing.T, h *house, w *wire, d string) {
			w.drop(t, w.get(t, "/manifests/"+sigTag(d)).Header.Get("Docker-Content-Digest"))
		},
		"it is another image's": func(t *testing.T, h *house, w *wire, d string) {
			other := h.push(t, "team/app:other")
			w.put(t, sigTag(d), ociManifest, w.get(t, "/manifests/"+sigTag(other)).Body)
		},
		"it is another key's": func(t *testing.T, h *house, w *wire, d string) {
			w.put(t, sigTag(d), ociManifest, signatureManifest(t, w, d, "c3RyYW5nZXI="))
		},
	} {
		t.Run(what, func(t *testing.T) {
			in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
				d := h.push(t, "team/app:1.0.0")
				ref := h.ref("team/app@" + d)
				h.verified(t, ref)
				damage(t, h, h.directWire(t, "team/app"), d)
				h.notVerified(t, ref)
				w := h.wire(t, "team/app")
				w.put(t, "1.0.0", ociManifest, w.get(t, "/manifests/"+d).Body)
				h.verified(t, ref)
			})
		})
	}
}

// drop deletes a manifest, which must be there.
func (w *wire) drop(t *testing.T, reference string) {
	t.Helper()
	if a := w.do(t, http.MethodDelete, "/manifests/"+reference, nil); a.Status != http.StatusAccepted {
		t.Fatalf("DELETE %s/manifests/%s: %d %s", w.base, reference, a.Status, a.Body)
	}
}

// signatureManifest stores the payload and config of a signature in cosign's layout and returns its
// manifest. The signature is whatever the caller says.
func signatureManifest(t *testing.T, w *wire, digest, signature string) []byte {
	t.Helper()
	payload := `{"critical":{"identity":{"docker-reference":"elsewhere/app"},"image":{"docker-manifest-digest":"` + digest +
		`"},"type":"cosign container image signature"},"optional":null}`
	layer := w.blob(t, "application/vnd.dev.cosign.simplesigning.v1+json", []byte(payload))
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": signature}
	return encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": ociManifest,
		"config": w.blob(t, "application/vnd.oci.image.config.v1+json", []byte(`{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}`)),
		"layers": []any{layer},
	})
}
