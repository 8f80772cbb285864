package integration

import (
	"encoding/base64"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"

	"hallmark/integration/world"
)

// asCI is the header of the user who may upload there.
var asCI = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ci:hallmark"))

func TestTheClusterOfDockerComposeServesPackagesAndImages(t *testing.T) {
	t.Parallel()
	c := world.StartCluster(t, "../docker-compose.yml", "")
	if status, _ := world.Send(t, http.MethodPut, c.Balancer+"/raw/anybody", []byte("x")); status != http.StatusUnauthorized {
		t.Errorf("anybody may upload: %d", status)
	}
	b := world.Package{Name: "clustered", Version: "1.0.0"}.Build(t, world.Deb)
	body, err := os.ReadFile(b.Path)
	must(t, err)
	if status, said := world.Send(t, http.MethodPut, c.Balancer+"/debian/stable/main/"+b.File(), body, asCI); status != http.StatusCreated {
		t.Fatalf("upload: %d %s", status, said)
	}
	apt := world.NewAPT(t)
	must(t, apt.Setup(t, world.Get(t, c.Balancer+"/-/setup/debian?client=apt")))
	must(t, apt.Refresh(t))
	installs(t, apt, "", b)

	image := strings.TrimPrefix(c.Balancer, "http://") + "/team/app:1"
	pushed := world.Image(t)
	must(t, crane.Push(pushed, image, crane.Insecure, crane.WithAuth(&authn.Basic{Username: "ci", Password: "hallmark"})))
	must(t, world.NewCosign(t, 3).Verify(t, c.Balancer+"/-/keys/images/cosign.pub", image))

	for _, gone := range c.Replicas {
		gone.Terminate()
		for _, path := range []string{"/debian/dists/stable/InRelease", "/v2/team/app/tags/list"} {
			world.Get(t, c.Balancer+path)
		}
		gone.Start(t)
	}
}
