package integration

import (
	"testing"

	"hallmark/integration/world"
)

// Images that are copied out of the proxy by cosign take their signatures along; the registry that they go
// to needs no proxy. Crane copies the image alone, and all tags with -a.
func TestCopiesOut(t *testing.T) {
	in(t, []string{embedded, embeddedHtpasswd, stock, stockToken}, settings{}, func(t *testing.T, h *house) {
		to := world.StartRegistry(t, world.RegistryOptions{})
		d := h.push(t, "team/app:1.0.0")
		crane, cosigns := h.crane(t), h.cosigns(t)
		for _, c := range cosigns {
			image := to.Addr + "/copied/cosign" + string(rune('0'+c.Version))
			c.Run(t, "copy", h.ref("team/app:1.0.0"), image+":1.0.0")
			h.verified(t, image+":1.0.0", image+"@"+d)
			h.notVerifiedBy(t, anotherKey(t), image+":1.0.0")
		}
		crane.Run(t, "copy", "--all-tags", h.ref("team/app"), to.Addr+"/copied/crane")
		h.verified(t, to.Addr+"/copied/crane:1.0.0")

		crane.Run(t, "copy", h.ref("team/app:1.0.0"), to.Addr+"/copied/alone:1.0.0")
		h.notVerified(t, to.Addr+"/copied/alone:1.0.0")
	})
}

// Images that are copied into the proxy are signed as if they were pushed, and keep the signatures that
// cosign brings along.
func TestCopiesIn(t *testing.T) {
	in(t, []string{embedded, embeddedHtpasswd, stock, stockToken}, settings{}, func(t *testing.T, h *house) {
		from := world.StartRegistry(t, world.RegistryOptions{})
		crane, signer := h.crane(t), world.NewCosign(t, 2)
		private, public := signer.GenerateKey(t)
		origin := from.Addr + "/origin/app:1.0.0"
		if err := crane.PushIndex(t, origin); err != nil {
			t.Fatal(err)
		}
		signer.Sign(t, private, origin)

		crane.Run(t, "copy", origin, h.ref("copied/crane:1.0.0"))
		h.verified(t, h.ref("copied/crane:1.0.0"))
		for _, child := range children(t, h.wire(t, "copied/crane"), "1.0.0") {
			h.verified(t, h.ref("copied/crane@"+child))
		}
		for _, c := range h.cosigns(t) {
			ref := h.ref("copied/cosign" + string(rune('0'+c.Version)) + ":1.0.0")
			c.Run(t, "copy", origin, ref)
			h.verified(t, ref)
			if err := c.Verify(t, public, ref); err != nil {
				t.Errorf("the signature that was brought along: %v", err)
			}
		}
	})
}
