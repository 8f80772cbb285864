package integration

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"go.yaml.in/yaml/v3"

	"hallmark/integration/world"
)

// A cluster is what the profile of that name in docker-compose.yml describes, as processes of this machine.
type cluster struct {
	replicas []*world.Proxy
	balancer string // its URL
}

// asCI is the header of the user who may upload there.
var asCI = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ci:hallmark"))

// composed returns the contents of the configs in docker-compose.yml, with addresses of this machine in place of those
// that they name. An address that is not there fails the test.
func composed(t *testing.T, name string, addresses map[string]string) string {
	t.Helper()
	data, err := os.ReadFile("../docker-compose.yml")
	must(t, err)
	var compose struct {
		Configs map[string]struct{ Content string }
	}
	must(t, yaml.Unmarshal(data, &compose))
	text := strings.ReplaceAll(compose.Configs[name].Content, "$$", "$")
	for from, to := range addresses {
		if !strings.Contains(text, from) {
			t.Fatalf("the config %s of docker-compose.yml has no %q", name, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	pg, s3, balancer := world.StartPostgres(t), world.StartS3(t), world.FreeAddr(t)
	users := write(t, "users", composed(t, "users", nil))
	config := composed(t, "cluster", map[string]string{
		"postgres://hallmark:hallmark@postgres/hallmark": pg.Database(t, "hallmark"),
		"http://s3:7070":        s3.URL,
		"/etc/users":            users,
		"http://127.0.0.1:8081": "http://" + balancer,
	})
	made := t.TempDir()
	(&replicas{}).command(t, made, config).Run(t, "keys", "generate")
	keys := &replicas{keys: filepath.Join(made, "keys")}
	c := &cluster{balancer: "http://" + balancer}
	for i := range 2 {
		data := t.TempDir()
		keys.give(t, data)
		c.replicas = append(c.replicas, world.StartProxy(t, world.ProxyOptions{Config: config, Data: data, Scenario: fmt.Sprint("cluster-", i+1)}))
	}
	own := t.TempDir()
	nginx := composed(t, "balancer", map[string]string{
		"cluster-1:8080": c.replicas[0].Addr, "cluster-2:8080": c.replicas[1].Addr, "listen 80": "listen " + balancer,
		"events {}": "daemon off; master_process off; pid " + own + "/pid; events {}",
		"http {": fmt.Sprintf("http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; "+
			"uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;", own),
	})
	n := world.Start(t, "balancer", exec.Command(world.Installed(t, "nginx-light", "nginx"), "-e", "stderr", "-c", write(t, "nginx.conf", nginx)))
	n.Await(t, world.Answers(c.balancer+"/healthz", http.StatusOK))
	return c
}

func TestTheClusterOfDockerComposeServesPackagesAndImages(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	if status, _ := world.Send(t, http.MethodPut, c.balancer+"/raw/anybody", []byte("x")); status != http.StatusUnauthorized {
		t.Errorf("anybody may upload: %d", status)
	}
	b := world.Package{Name: "clustered", Version: "1.0.0"}.Build(t, world.Deb)
	body, err := os.ReadFile(b.Path)
	must(t, err)
	if status, said := world.Send(t, http.MethodPut, c.balancer+"/debian/stable/main/"+b.File(), body, asCI); status != http.StatusCreated {
		t.Fatalf("upload: %d %s", status, said)
	}
	apt := world.NewAPT(t)
	must(t, apt.Setup(t, world.Get(t, c.balancer+"/-/setup/debian?client=apt")))
	must(t, apt.Refresh(t))
	installs(t, apt, "", b)

	image := strings.TrimPrefix(c.balancer, "http://") + "/team/app:1"
	pushed := world.Image(t)
	must(t, crane.Push(pushed, image, crane.Insecure, crane.WithAuth(&authn.Basic{Username: "ci", Password: "hallmark"})))
	must(t, world.NewCosign(t, 3).Verify(t, c.balancer+"/-/keys/images/cosign.pub", image))

	for _, gone := range c.replicas {
		gone.Terminate()
		for _, path := range []string{"/debian/dists/stable/InRelease", "/v2/team/app/tags/list"} {
			world.Get(t, c.balancer+path)
		}
		gone.Start(t)
	}
}

// Uploads go to both replicas, of which one is killed again and again; clients update through the other. An upload that is
// cut off is sent again, as a person would.
func TestNothingIsLostWhileAReplicaOfTheClusterIsKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	killFor := 15 * time.Second
	if text := os.Getenv("HALLMARK_KILL_FOR"); text != "" {
		var err error
		killFor, err = time.ParseDuration(text)
		must(t, err)
	}
	first := world.Package{Name: "first", Version: "1.0.0"}.Build(t, world.Deb)
	body, err := os.ReadFile(first.Path)
	must(t, err)
	if status, said := world.Send(t, http.MethodPut, c.replicas[0].URL+"/debian/stable/main/"+first.File(), body, asCI); status != http.StatusCreated {
		t.Fatalf("upload: %d %s", status, said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string][]byte{}
	for who := range 8 {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				path := fmt.Sprintf("/raw/%d/%d", who, n)
				data := fmt.Appendf(nil, "file %d of %d", n, who)
				status, err := uploadUntilAnswered(ctx, c.replicas[who%2].URL+path, data)
				if ctx.Err() != nil {
					return
				}
				if err != nil || status != http.StatusCreated && status != http.StatusOK {
					t.Errorf("PUT %s: %d, %v", path, status, err)
					return
				}
				mu.Lock()
				acknowledged[path] = data
				mu.Unlock()
			}
		})
	}
	refreshes := 0
	apt := world.NewAPT(t)
	must(t, apt.Setup(t, world.Get(t, c.replicas[0].URL+"/-/setup/debian?client=apt")))
	work.Go(func() {
		for ; ctx.Err() == nil; refreshes++ {
			if err := apt.Refresh(t); err != nil && ctx.Err() == nil {
				t.Errorf("apt: %v", err)
				return
			}
		}
	})
	kills := 0
	for end := time.Now().Add(killFor); time.Now().Before(end) && !t.Failed(); kills++ {
		time.Sleep(time.Duration(500+mathrand.IntN(2000)) * time.Millisecond) // the moment is the point
		c.replicas[1].Restart(t)
	}
	cancel()
	work.Wait()
	t.Logf("%d files were acknowledged through %d kills, while apt refreshed %d times", len(acknowledged), kills, refreshes)
	if kills < 2 || refreshes < 2 || len(acknowledged) < 20 {
		t.Error("this is too little to show anything")
	}
	for path, data := range acknowledged {
		if got := world.Get(t, c.replicas[0].URL+path); got != string(data) {
			t.Errorf("%s was acknowledged and is %q", path, got)
		}
		world.Get(t, c.replicas[1].URL+path+".asc")
	}
	for _, repository := range []string{"raw", "debian"} {
		c.replicas[0].Command(t).Run(t, "repo", "verify", repository)
	}
}

// uploadUntilAnswered sends a file again and again until somebody answers.
func uploadUntilAnswered(ctx context.Context, url string, data []byte) (status int, err error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(data))
		if err != nil {
			return 0, err
		}
		req.SetBasicAuth("ci", "hallmark")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err == nil {
				return resp.StatusCode, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(20 * time.Millisecond): // it is being started again
		}
	}
}
