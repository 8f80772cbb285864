package integration

import (
	"testing"

	"hallmark/integration/world"
)

// Another image that is put under a signed one's tag behind our back is refused, and so are our signature
// under another key, and under another name.
func TestCosignRefuses(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		crane := h.crane(t)
		ref := h.ref("team/app:1.0.0")
		d := h.push(t, "team/app:1.0.0")

		t.Run("another key", func(t *testing.T) {
			h.notVerifiedBy(t, anotherKey(t), ref)
		})
		t.Run("another repository's signature", func(t *testing.T) {
			for _, tag := range []string{"1.0.0", sigTag(d)} {
				crane.Run(t, "copy", h.direct()+"/team/app:"+tag, h.direct()+"/team/other:"+tag)
			}
			for _, c := range h.cosigns(t) {
				if err := c.Verify(t, h.key(), ref, "-a", "repository=team/app"); err != nil {
					t.Errorf("cosign %d: under its own name: %v", c.Version, err)
				}
				// Cosign does not look at the name by itself: this shows that -a is what refuses.
				if err := c.Verify(t, h.key(), h.ref("team/other:1.0.0")); err != nil {
					t.Errorf("cosign %d: %v", c.Version, err)
				}
				c.NotVerify(t, h.key(), h.ref("team/other:1.0.0"), "-a", "repository=team/other")
			}
			// Pushed through us under the other name, it is signed under that name as well.
			w := h.wire(t, "team/other")
			w.put(t, "1.0.0", ociManifest, w.get(t, "/manifests/1.0.0").Body)
			for _, c := range h.cosigns(t) {
				if err := c.Verify(t, h.key(), h.ref("team/other:1.0.0"), "-a", "repository=team/other"); err != nil {
					t.Errorf("cosign %d: %v", c.Version, err)
				}
			}
		})
		t.Run("another image under the tag", func(t *testing.T) {
			if err := crane.Push(t, h.direct()+"/team/app:1.0.0"); err != nil {
				t.Fatal(err)
			}
			h.notVerified(t, ref)
			h.verified(t, h.ref("team/app@"+d))
		})
		t.Run("another image with a copied signature", func(t *testing.T) {
			tampered := digest(t, crane, ref)
			crane.Run(t, "copy", h.direct()+"/team/app:"+sigTag(d), h.direct()+"/team/app:"+sigTag(tampered))
			h.notVerified(t, ref)
		})
	})
}

// With bundles, too, -a tells one name's signature from another's.
func TestCosignRefusesAnotherNamesBundle(t *testing.T) {
	in(t, []string{stock}, settings{repository: "    signatures: [cosign, bundle]\n"}, func(t *testing.T, h *house) {
		ref := h.ref("team/app:1.0.0")
		d := h.push(t, "team/app:1.0.0")
		for _, tag := range []string{"1.0.0", fallbackTag(d)} {
			h.crane(t).Run(t, "copy", h.direct()+"/team/app:"+tag, h.direct()+"/team/other:"+tag)
		}
		c := world.NewCosign(t, 3)
		if err := c.Verify(t, h.key(), ref, "-a", "repository=team/app"); err != nil {
			t.Error(err)
		}
		if err := c.Verify(t, h.key(), h.ref("team/other:1.0.0")); err != nil {
			t.Error(err)
		}
		c.NotVerify(t, h.key(), h.ref("team/other:1.0.0"), "-a", "repository=team/other")
	})
}
