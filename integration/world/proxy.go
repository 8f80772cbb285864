package world

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hallmark/integration/tools"
)

// A Proxy is Hallmark as a process of its own, built from this tree.
type Proxy struct {
	URL    string // http://host:port
	Addr   string // host:port
	Data   string // the data folder
	Config string // the config file; empty: none

	*Process
	o ProxyOptions
}

// ProxyOptions, of which the zero value is a proxy without a config file.
type ProxyOptions struct {
	Config   string   // the text of the config file; empty: none
	Addr     string   // where to listen; empty: a free loopback port
	Data     string   // the data folder; empty: a new one
	Args     []string // more arguments to `proxy serve`
	Env      []string // more environment
	HTTPS    bool     // the config has tls
	Unready  bool     // do not wait for /readyz to be 200: its upstream is not there
	Scenario string   // the name of the log, if a test has several
}

// StartProxy starts the proxy and waits until /readyz is 200.
func StartProxy(t T, o ProxyOptions) *Proxy {
	t.Helper()
	p := &Proxy{Addr: o.Addr, Data: o.Data, o: o}
	if p.Addr == "" {
		p.Addr = FreeAddr(t)
	}
	if p.Data == "" {
		p.Data = filepath.Join(t.TempDir(), "data")
	}
	p.URL = "http://" + p.Addr
	if o.HTTPS {
		p.URL = "https://" + p.Addr
	}
	if o.Config != "" {
		p.Config = filepath.Join(t.TempDir(), "config.yml")
		if err := os.WriteFile(p.Config, []byte(o.Config), 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
	p.Start(t)
	return p
}

// Start starts the proxy again on its address and data, after a Kill or a Terminate.
func (p *Proxy) Start(t T) {
	t.Helper()
	args := []string{"serve", "--listen", p.Addr, "--data", p.Data}
	if p.Config != "" {
		args = append(args, "--config", p.Config)
	}
	name := "proxy"
	if p.o.Scenario != "" {
		name += "-" + p.o.Scenario
	}
	cmd := exec.Command(ProxyBinary(t), append(args, p.o.Args...)...)
	cmd.Env = append(plainEnv(), p.o.Env...)
	p.Process = Start(t, name, cmd)
	if p.o.Unready {
		p.Await(t, Answers(p.URL+"/healthz", http.StatusOK))
		return
	}
	p.Await(t, Answers(p.URL+"/readyz", http.StatusOK))
}

// Restart kills the proxy by SIGKILL and starts it again on its address and data.
func (p *Proxy) Restart(t T) {
	t.Helper()
	p.Kill()
	p.Start(t)
}

// Command returns the proxy's program, for its other subcommands. It has this proxy's data folder and
// config file in its environment.
func (p *Proxy) Command(t T) Command {
	t.Helper()
	env := append([]string{"HALLMARK_DATA=" + p.Data}, p.o.Env...)
	if p.Config != "" {
		env = append(env, "HALLMARK_CONFIG="+p.Config)
	}
	return Command{Path: ProxyBinary(t), Env: env}
}

// plainEnv returns the environment without what is meant for the tests, or set for another proxy.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HALLMARK_") })
}

var build struct {
	sync.Once
	path string
	err  error
}

// ProxyBinary returns the path of the proxy, built from this tree once per test binary. With
// HALLMARK_PROXY it is that program instead.
func ProxyBinary(t T) string {
	t.Helper()
	if path := os.Getenv("HALLMARK_PROXY"); path != "" {
		return path
	}
	build.Do(func() { build.path, build.err = buildProxy(t.Context()) })
	if build.err != nil {
		t.Fatalf("build the proxy: %v", build.err)
	}
	return build.path
}

// buildProxy builds the program under a name of its own and renames it: another test binary may be running
// the one that it built from the same tree.
func buildProxy(ctx context.Context) (string, error) {
	root, err := tools.Root()
	if err != nil {
		return "", err
	}
	cache, err := tools.Cache()
	if err != nil {
		return "", err
	}
	tree := sha256.Sum256([]byte(root))
	path := filepath.Join(cache, "under-test-"+hex.EncodeToString(tree[:6]), "proxy")
	unfinished := path + ".unfinished-" + strconv.Itoa(os.Getpid())
	defer os.Remove(unfinished)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", unfinished, "./cmd/proxy")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &CommandError{Line: cmd.String(), Output: string(out), Err: err}
	}
	return path, os.Rename(unfinished, path)
}
