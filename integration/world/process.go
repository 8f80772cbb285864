package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Patience is how long the world waits for a thing to get ready, or to end, before it gives up. It is
// long, since machines that run tests are slow: no test waits for it unless it fails.
const Patience = 60 * time.Second

// A Process is a server that runs beside the test.
type Process struct {
	Name string
	Log  string // the file that holds what it writes on both outputs

	pid   int
	ended chan struct{} // closed once the process has ended and state is set
	state *os.ProcessState
}

// Start runs cmd in a process group of its own, its output appended to a log file. The group is killed
// when the test ends, and the kernel kills the process when the test binary dies. If the test fails, the
// end of the log is shown.
func Start(t T, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL

	p := &Process{Name: name, Log: log.Name(), ended: make(chan struct{})}
	started := make(chan error)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, Tail(p.Log, 8<<10))
		}
	})
	return p
}

// run starts the process and waits for it on one locked thread: the kernel takes the death of the thread
// that started it for the death of its parent.
func (p *Process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	started <- nil
	cmd.Wait() // a status that is not 0 is in ProcessState
	p.state = cmd.ProcessState
	close(p.ended)
}

// Kill ends the process and its group by SIGKILL and waits until it is gone. It may be called twice.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// Terminate sends SIGTERM and returns the exit status. A process that takes longer than Patience is
// killed; the status is then -1, as after any signal.
func (p *Process) Terminate() int {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.Kill()
	}
	return p.state.ExitCode()
}

// Ended tells whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Pid returns the process's number.
func (p *Process) Pid() int { return p.pid }

// Await polls ready until it returns nil. The test fails if the process ends before, or if Patience ends.
func (p *Process) Await(t T, ready func(context.Context) error) {
	t.Helper()
	err := Poll(t.Context(), func(ctx context.Context) error {
		if p.Ended() {
			return stop{fmt.Errorf("it ended with %v", p.state)}
		}
		return ready(ctx)
	})
	if err != nil {
		t.Fatalf("%s does not get ready: %v\n%s", p.Name, err, Tail(p.Log, 8<<10))
	}
}

// signal reaches the whole group, and nobody once the process is gone: its number may be another's then.
func (p *Process) signal(s syscall.Signal) {
	if !p.Ended() {
		syscall.Kill(-p.pid, s)
	}
}

// stop is an error that ends a Poll.
type stop struct{ error }

// Poll calls ready, ever more slowly, until it returns nil or Patience ends; then it returns the last
// error.
func Poll(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := ready(ctx)
		var final stop
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Tail returns the last n bytes of a file, from the start of a line.
func Tail(file string, n int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if len(data) <= n {
		return string(data)
	}
	data = data[len(data)-n:]
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		data = data[i+1:]
	}
	return "[…]\n" + string(data)
}
