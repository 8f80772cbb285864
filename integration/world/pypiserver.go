package world

import (
	"net/http"
	"os/exec"
	"strings"
)

// A Pypiserver is pypiserver over a folder of distributions, which everybody may read.
type Pypiserver struct {
	URL string // http://host:port
	Dir string // with the distributions

	*Process
}

// StartPypiserver starts a server and waits until it answers.
func StartPypiserver(t T) *Pypiserver {
	t.Helper()
	s := &Pypiserver{Dir: t.TempDir()}
	addr := FreeAddr(t)
	s.URL = "http://" + addr
	host, port, _ := strings.Cut(addr, ":")
	s.Process = Start(t, "pypiserver", exec.Command(Tool(t, "python"), "-m", "pypiserver", "run", "--interface", host, "--port", port,
		"--disable-fallback", "--hash-algo", "sha256", "--backend", "simple-dir", s.Dir))
	s.Await(t, Answers(s.URL+"/simple/", http.StatusOK))
	return s
}
