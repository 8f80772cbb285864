package integration

import (
	"net/http"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"hallmark/integration/world"
)

const withBundles = "    signatures: [cosign, bundle]\n"

// withoutTags makes cosign 3 look at nothing but bundles: the tag with the other signatures is taken away.
func withoutTags(t *testing.T, h *house, image, digest string) {
	t.Helper()
	w := h.directWire(t, image)
	w.drop(t, w.get(t, "/manifests/"+sigTag(digest)).Header.Get("Docker-Content-Digest"))
}

func TestBundles(t *testing.T) {
	in(t, []string{embedded, stock, stockToken}, settings{repository: withBundles}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		byTag, byDigest := h.ref("team/app:1.0.0"), h.ref("team/app@"+d)
		h.verified(t, byTag, byDigest)
		h.notVerifiedBy(t, anotherKey(t), byTag)

		three := h.cosigns(t)[1]
		withoutTags(t, h, "team/app", d)
		if err := three.Verify(t, h.key(), byDigest); err != nil {
			t.Errorf("by the bundle alone: %v", err)
		}
		three.NotVerify(t, anotherKey(t), byDigest)
		three.NotVerify(t, h.key(), byDigest, "-a", "repository=team/other")
		if err := three.Verify(t, h.key(), byDigest, "-a", "repository=team/app"); err != nil {
			t.Error(err)
		}

		if err := h.crane(t).PushIndex(t, h.ref("team/index:1.0.0")); err != nil {
			t.Fatal(err)
		}
		for _, child := range children(t, h.wire(t, "team/index"), "1.0.0") {
			h.verified(t, h.ref("team/index@"+child))
		}
	})
}

// One key makes the same signatures for one image under one public_url wherever and whenever it makes them.
func TestSignaturesAreTheSameEverywhere(t *testing.T) {
	for _, kind := range []string{"pkcs8-p256.key", "pkcs8-rsa2048.key", "pkcs8-ed25519.key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			layout := world.Layout(t, world.Image(t))
			var sigs, lists []string
			for _, url := range []string{"https://registry.example.com", "https://registry.example.com", "https://other.example.com"} {
				h := build(t, embedded, settings{repository: withBundles, top: "public_url: " + url + "\n" +
					"keys:\n  images:\n    - {purpose: image, key: \"file:" + keyFile(t, kind) + "\"}\n"})
				crane := h.crane(t)
				crane.Run(t, "push", layout, h.ref("team/app:1.0.0"))
				d := digest(t, crane, h.ref("team/app:1.0.0"))
				h.verified(t, h.ref("team/app@"+d))
				sigs = append(sigs, digest(t, crane, h.ref("team/app:"+sigTag(d))))
				lists = append(lists, digest(t, crane, h.ref("team/app:"+fallbackTag(d))))
			}
			if sigs[0] != sigs[1] || lists[0] != lists[1] {
				t.Errorf("the same signature is not the same everywhere: %v, %v", sigs, lists)
			}
			if sigs[0] == sigs[2] {
				t.Error("public_url is not part of the signature")
			}
		})
	}
}

// Cosign 3 leaves a signature in the layout of tags aside as soon as an image has a bundle, be it anybody's.
// So a user's own bundle, a signature or an attestation, gets ours beside it.
func TestAUsersBundleDoesNotHideOurs(t *testing.T) {
	for _, repository := range []string{"", withBundles} {
		name := map[string]string{"": "cosign", withBundles: "cosign and bundle"}[repository]
		t.Run(name, func(t *testing.T) {
			in(t, []string{embedded, embeddedHtpasswd, stock, stockToken}, settings{repository: repository}, func(t *testing.T, h *house) {
				three := h.cosigns(t)[1]
				private, public := three.GenerateKey(t)
				for what, attach := range map[string]func(ref string){
					"sign": func(ref string) { three.Sign(t, private, ref) },
					"attest": func(ref string) {
						three.Run(t, "attest", "--key", private, "--tlog-upload=false", "--use-signing-config=false",
							"--type", "https://example.com/test", "--predicate", predicate(t), ref)
					},
				} {
					t.Run(what, func(t *testing.T) {
						ref := h.ref("team/" + what + "@" + h.push(t, "team/"+what+":1.0.0"))
						three.NotVerify(t, public, ref)
						attach(ref)
						for _, key := range []string{h.key(), public} {
							if err := three.Verify(t, key, ref); err != nil {
								t.Error(err)
							}
						}
						three.NotVerify(t, anotherKey(t), ref)
					})
				}
			})
		})
	}
}

// A user's bundle for an image that comes later does not hide our signature of it either.
func TestABundleThatWasThereFirst(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		three := h.cosigns(t)[1]
		private, public := three.GenerateKey(t)
		d := h.push(t, "team/app:1.0.0")
		w := h.wire(t, "team/app")
		image := w.get(t, "/manifests/"+d).Body
		three.Sign(t, private, h.ref("team/app@"+d))
		w.drop(t, d)

		w.put(t, "1.0.0", ociManifest, image)
		for _, key := range []string{h.key(), public} {
			if err := three.Verify(t, key, h.ref("team/app:1.0.0")); err != nil {
				t.Error(err)
			}
		}
	})
}

// A list of referrers that a client writes itself cannot drop our bundle, nor can our bundle be deleted.
func TestOurBundleStays(t *testing.T) {
	in(t, bothKinds, settings{repository: withBundles}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		w := h.wire(t, "team/app")
		list := decode[v1.IndexManifest](t, w.get(t, "/referrers/"+d).Body)
		if len(list.Manifests) != 1 {
			t.Fatalf("%d referrers, want our bundle: %+v", len(list.Manifests), list)
		}
		bundle := list.Manifests[0].Digest.String()
		w.do(t, http.MethodDelete, "/manifests/"+bundle, nil).refused(t, "DELETE of our bundle")
		w.put(t, fallbackTag(d), ociIndex, []byte(`{"schemaVersion":2,"mediaType":"`+ociIndex+`","manifests":[]}`))
		three := h.cosigns(t)[1]
		withoutTags(t, h, "team/app", d)
		if err := three.Verify(t, h.key(), h.ref("team/app@"+d)); err != nil {
			t.Error(err)
		}
		w.drop(t, d)
		if a := w.do(t, http.MethodGet, "/manifests/"+bundle, nil); a.Status != http.StatusNotFound {
			t.Errorf("our bundle outlived its image: %d", a.Status)
		}
	})
}

// predicate makes what an attestation says.
func predicate(t *testing.T) string {
	t.Helper()
	return write(t, "predicate.json", `{"tested": true}`)
}
