package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// hold starts a process namespace, and whatever others unshare's arguments ask for, whose first process runs a
// script of sh. The script says "ready", on a line, and does not end. When the test ends, all processes of the
// namespace are gone before anything that was arranged before hold is cleaned up.
func hold(t T, name string, unshare []string, script string, args ...string) *Process {
	t.Helper()
	var first int
	t.Cleanup(func() { // after the kill that Start arranges
		err := Poll(context.Background(), func(context.Context) error { return gone(first) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	cmd := exec.Command(Installed(t, "util-linux", "unshare"), unshare...)
	cmd.Args = append(cmd.Args, "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh")
	cmd.Args = append(cmd.Args, args...)
	p := Start(t, name, cmd)
	p.Await(t, func(context.Context) error {
		if !strings.Contains("\n"+Tail(p.Log, 8<<10), "\nready\n") {
			return errors.New("it has not said that it is")
		}
		return nil
	})
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.Pid()))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if _, err := fmt.Sscan(string(children), &first); err != nil {
		t.Fatalf("%s has no child: %v", name, err)
	}
	return p
}

// gone returns an error while a process is alive. The first process of a namespace that is killed dies last.
func gone(pid int) error {
	if pid == 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return nil // gone, or nothing but an entry that nobody reads
	}
	return fmt.Errorf("process %d is still there", pid)
}
