package world

import (
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestProxyIsStartedKilledAndStopped(t *testing.T) {
	t.Setenv("HALLMARK_PROXY", os.Args[0])
	t.Setenv("HALLMARK_LISTEN", "nobody should see this")
	p := StartProxy(t, ProxyOptions{Config: "data: elsewhere\n", Env: []string{"WORLD_TEST_PROXY=1"}})
	if got := get(t, p.URL+"/config"); got != "data: elsewhere\n" {
		t.Errorf("the config file holds %q", got)
	}
	if got := get(t, p.URL+"/env"); got != "" {
		t.Errorf("the proxy sees HALLMARK_LISTEN=%s of the tests", got)
	}
	before, addr := p.Pid(), p.Addr
	p.Restart(t)
	if p.Pid() == before || p.Addr != addr {
		t.Errorf("restarted as process %d at %s; before, process %d at %s", p.Pid(), p.Addr, before, addr)
	}
	if got := get(t, p.URL+"/starts"); got != "xx" {
		t.Errorf("the data folder has seen the starts %q, want two", got)
	}
	if status := p.Terminate(); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	if err := Answers(p.URL+"/readyz", http.StatusOK)(t.Context()); err == nil {
		t.Error("it still answers")
	}
}

func TestProxyThatIsNotReadyIsStartedIfAsked(t *testing.T) {
	t.Setenv("HALLMARK_PROXY", os.Args[0])
	p := StartProxy(t, ProxyOptions{Unready: true, Env: []string{"WORLD_TEST_PROXY=never ready"}})
	if err := Answers(p.URL+"/readyz", http.StatusServiceUnavailable)(t.Context()); err != nil {
		t.Error(err)
	}
}

// stubProxy has the flags and the operations' addresses of the proxy, and is ready at the third question.
func stubProxy(args []string) int {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen, data, config := flags.String("listen", "", ""), flags.String("data", "", ""), flags.String("config", "", "")
	flags.Parse(args[1:])

	starts := filepath.Join(*data, "starts")
	os.MkdirAll(*data, 0o755)
	f, err := os.OpenFile(starts, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 1
	}
	f.WriteString("x")
	f.Close()

	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if os.Getenv("WORLD_TEST_PROXY") != "1" || asked.Add(1) < 3 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/config", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, *config) })
	mux.HandleFunc("/starts", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, starts) })
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, os.Getenv("HALLMARK_LISTEN")) })

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go http.ListenAndServe(*listen, mux)
	<-ctx.Done()
	return 0
}

func get(t *testing.T, url string) string {
	t.Helper()
	w, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
