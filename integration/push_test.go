package integration

import (
	"testing"

	"hallmark/integration/world"
)

// What any client pushes is signed, by tag and by digest, and can be pulled as if nothing had happened.
func TestEveryClientPushesAndPulls(t *testing.T) {
	in(t, everywhere, settings{}, func(t *testing.T, h *house) {
		for _, name := range clientNames {
			t.Run(name, func(t *testing.T) {
				c := client(t, name)
				ref := h.ref("team/" + name + ":1.0.0")
				if h.user.Name != "" {
					if err := c.Push(t, ref); !world.Denied(err) {
						t.Errorf("somebody who has not logged in pushes: %v", err)
					}
				}
				h.login(t, h.proxy.Addr, c)
				if err := c.Push(t, ref); err != nil {
					t.Fatal(err)
				}
				byDigest := h.ref("team/"+name) + "@" + digest(t, h.crane(t), ref)
				h.verified(t, ref, byDigest)
				h.notVerifiedBy(t, anotherKey(t), ref)
				if err := c.Pull(t, ref); err != nil {
					t.Error(err)
				}
			})
		}
	})
}
