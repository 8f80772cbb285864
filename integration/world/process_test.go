package world

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The test binary runs itself again: as a test that is killed while its server runs, and as a proxy.
func TestMain(m *testing.M) {
	if os.Getenv("WORLD_TEST_PROXY") != "" {
		os.Exit(stubProxy(os.Args[1:]))
	}
	if os.Getenv("WORLD_TEST_VICTIM") != "" {
		Run(context.Background(), "victim", func(t T) {
			fmt.Println(Start(t, "sleep", exec.Command("sleep", "600")).Pid())
			select {}
		})
	}
	os.Exit(m.Run())
}

func TestServersEndWhenTheTestBinaryIsKilled(t *testing.T) {
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "WORLD_TEST_VICTIM=1", "TMPDIR="+t.TempDir())
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 32)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server does not run: %v", err)
	}
	victim.Process.Kill()
	victim.Wait()
	err = Poll(t.Context(), func(context.Context) error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return nil // gone, or nothing but an entry that nobody reads
		}
		return fmt.Errorf("process %d outlived its test", pid)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTerminateTellsTheStatus(t *testing.T) {
	p := Start(t, "sh", exec.Command("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"))
	p.Await(t, func(context.Context) error {
		if !strings.Contains(Tail(p.Log, 100), "ready") {
			return fmt.Errorf("it has not said that it is")
		}
		return nil
	})
	if got := p.Terminate(); got != 7 {
		t.Errorf("status %d, want 7", got)
	}
	p.Kill() // of what is gone: nothing happens
}

func TestRunReturnsFailuresAndCleansUp(t *testing.T) {
	var dir string
	var p *Process
	err := Run(t.Context(), "bench", func(w T) {
		dir = w.TempDir()
		p = Start(w, "sleep", exec.Command("sleep", "600"))
		w.Errorf("one")
		w.Fatalf("two")
		w.Errorf("never")
	})
	if err == nil || err.Error() != "one\ntwo" {
		t.Errorf("error %v, want one and two", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if !p.Ended() {
		t.Error("the process still runs")
	}
}
