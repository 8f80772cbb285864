package integration

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func children(t *testing.T, w *wire, reference string) []string {
	t.Helper()
	index := decode[v1.IndexManifest](t, w.get(t, "/manifests/"+reference).Body)
	var digests []string
	for _, m := range index.Manifests {
		digests = append(digests, m.Digest.String())
	}
	if len(digests) != 2 {
		t.Fatalf("the index has %d children, want 2", len(digests))
	}
	return digests
}

func TestAnIndexAndItsChildrenAreSigned(t *testing.T) {
	in(t, everywhere, settings{}, func(t *testing.T, h *house) {
		crane, ref := h.crane(t), h.ref("team/index:1.0.0")
		if err := crane.PushIndex(t, ref); err != nil {
			t.Fatal(err)
		}
		h.verified(t, ref, h.ref("team/index@"+digest(t, crane, ref)))
		for _, child := range children(t, h.wire(t, "team/index"), "1.0.0") {
			h.verified(t, h.ref("team/index@"+child))
		}
	})
}

// Children that the registry has from elsewhere are unsigned until an index that names them is pushed.
func TestAnIndexSignsChildrenThatWereThere(t *testing.T) {
	in(t, bothKinds, settings{}, func(t *testing.T, h *house) {
		if err := h.crane(t).PushIndex(t, h.direct()+"/team/index:old"); err != nil {
			t.Fatal(err)
		}
		w := h.wire(t, "team/index")
		before := children(t, w, "old")
		for _, child := range before {
			h.notVerified(t, h.ref("team/index@"+child))
		}
		h.notVerified(t, h.ref("team/index:old"))

		w.put(t, "new", ociIndex, w.get(t, "/manifests/old").Body)
		h.verified(t, h.ref("team/index:new"))
		for _, child := range before {
			h.verified(t, h.ref("team/index@"+child))
		}
	})
}
