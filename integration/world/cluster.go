package world

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Cluster is what the profile of that name in docker-compose.yml describes, as processes of this machine.
type Cluster struct {
	Replicas []*Proxy
	Balancer string // its URL
}

// ClusterUser is who may upload to a cluster. Whoever asks may read.
var ClusterUser = User{Name: "ci", Password: "hallmark"}

// StartCluster starts what a docker-compose.yml describes, and waits until the balancer answers. Its config gets more
// lines; empty: it is as it is written.
func StartCluster(t T, compose, more string) *Cluster {
	t.Helper()
	pg, s3, balancer := StartPostgres(t), StartS3(t), FreeAddr(t)
	config := more + composed(t, compose, "cluster", map[string]string{
		"postgres://hallmark:hallmark@postgres/hallmark": pg.Database(t, "hallmark"),
		"http://s3:7070":        s3.URL,
		"/etc/users":            file(t, "users", composed(t, compose, "users", nil)),
		"http://127.0.0.1:8081": "http://" + balancer,
	})
	made := t.TempDir()
	Command{Path: ProxyBinary(t), Env: []string{
		"HALLMARK_DATA=" + made, "HALLMARK_CONFIG=" + file(t, "config.yml", config),
	}}.Run(t, "keys", "generate")
	c := &Cluster{Balancer: "http://" + balancer}
	for i := range 2 {
		data := t.TempDir()
		if err := copyKeys(filepath.Join(data, "keys"), filepath.Join(made, "keys")); err != nil {
			t.Fatalf("%v", err)
		}
		c.Replicas = append(c.Replicas, StartProxy(t, ProxyOptions{Config: config, Data: data, Scenario: fmt.Sprint("cluster-", i+1)}))
	}
	own := t.TempDir()
	nginx := composed(t, compose, "balancer", map[string]string{
		"cluster-1:8080": c.Replicas[0].Addr, "cluster-2:8080": c.Replicas[1].Addr, "listen 80": "listen " + balancer,
		"events {}": "daemon off; master_process off; pid " + own + "/pid; events {}",
		"http {": fmt.Sprintf("http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; "+
			"uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;", own),
	})
	n := Start(t, "balancer", exec.Command(Installed(t, "nginx-light", "nginx"), "-e", "stderr", "-c", file(t, "nginx.conf", nginx)))
	n.Await(t, Answers(c.Balancer+"/healthz", http.StatusOK))
	return c
}

// composed returns the contents of one of the configs in a docker-compose.yml, with addresses of this machine in place of
// those that it names. An address that is not there fails the test.
func composed(t T, file, name string, addresses map[string]string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var compose struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	text := strings.ReplaceAll(compose.Configs[name].Content, "$$", "$")
	for from, to := range addresses {
		if !strings.Contains(text, from) {
			t.Fatalf("the config %s of %s has no %q", name, file, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// copyKeys copies the keys that a person has made once.
func copyKeys(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	private, err := filepath.Glob(filepath.Join(to, "*", "*.key"))
	if err != nil {
		return err
	}
	for _, key := range private {
		if err := os.Chmod(key, 0o600); err != nil {
			return err
		}
	}
	return nil
}
