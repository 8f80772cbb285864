package integration

import (
	"fmt"
	"testing"

	"hallmark/integration/world"
)

// Cosign tells a signed image from an unsigned one, and the right key from a wrong one, by tag and by
// digest. It is what every scene through the proxy ends with, so it is shown here that it can say no.
func TestStockCosign(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	crane := world.NewCrane(t)
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			cosign := world.NewCosign(t, version)
			private, public := cosign.GenerateKey(t)
			_, other := cosign.GenerateKey(t)
			name := fmt.Sprintf("%s/stock/cosign%d", reg.Addr, version)
			ref := name + ":1.0.0"
			if err := crane.Push(t, ref); err != nil {
				t.Fatal(err)
			}
			byDigest := name + "@" + digest(t, crane, ref)

			cosign.NotVerify(t, public, ref)
			cosign.Sign(t, private, byDigest)
			for _, signed := range []string{ref, byDigest} {
				if err := cosign.Verify(t, public, signed); err != nil {
					t.Error(err)
				}
				cosign.NotVerify(t, other, signed)
			}
			cosign.NotVerify(t, public, ref, "-a", "repository=another")

			if err := crane.Push(t, ref); err != nil { // another image, under the signed one's tag
				t.Fatal(err)
			}
			cosign.NotVerify(t, public, ref)
			if err := cosign.Verify(t, public, byDigest); err != nil {
				t.Errorf("the signed image is not verified any more by its digest: %v", err)
			}
		})
	}
}

// Cosign 3 verifies what cosign 2 signed.
func TestStockCosignVersionsAgree(t *testing.T) {
	reg := world.StartRegistry(t, world.RegistryOptions{Auth: world.Token})
	crane, two, three := world.NewCrane(t), world.NewCosign(t, 2), world.NewCosign(t, 3)
	for _, client := range []interface {
		Login(world.T, string, world.User)
	}{crane, two, three} {
		client.Login(t, reg.Addr, world.CI)
	}
	ref := reg.Addr + "/stock/app:1.0.0"
	if err := crane.Push(t, ref); err != nil {
		t.Fatal(err)
	}
	private, public := two.GenerateKey(t)
	two.Sign(t, private, ref)
	if err := three.Verify(t, public, ref); err != nil {
		t.Error(err)
	}
}
