package main

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"hallmark/proxy/config"
)

// composeConfig loads a configuration of docker-compose.yml.
func composeConfig(t *testing.T, name string) *config.Config {
	t.Helper()
	data, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hallmark.yml")
	if err := os.WriteFile(path, []byte(compose.Configs[name].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, func(string) string { return "" }, config.Overrides{}, packageFormats()...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheConfigurationsInDockerComposeAreRight(t *testing.T) {
	c := composeConfig(t, "hallmark")
	if up := c.Repositories["images"].Upstream; up == nil || up.URL != "http://registry:5000" {
		t.Errorf("the upstream is %v", up)
	}
	c = composeConfig(t, "cluster")
	if driver, _ := c.StorageDriver(); driver != "s3" || c.Database == "" {
		t.Errorf("the cluster's storage is %s, and its database %q", driver, c.Database)
	}
}
