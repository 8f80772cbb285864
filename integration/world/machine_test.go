package world

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWhatAMachineDoesIsNeverSeenOutside(t *testing.T) {
	t.Parallel()
	mark := filepath.Base(t.TempDir()) + fmt.Sprint(os.Getpid())
	a, b := NewMachine(t), NewMachine(t)
	must(t, a.Setup(t, `set -e
for dir in /etc /usr/bin /var/lib /opt /tmp; do echo here > "$dir/`+mark+`"; done
rm -rf /etc/apt /var/lib/dpkg
mkdir /mnt/`+mark+`
mount -t tmpfs tmpfs /mnt/`+mark+`
sleep 600 >/dev/null 2>&1 &
`))
	for _, dir := range []string{"/etc", "/usr/bin", "/var/lib", "/opt", "/tmp", "/mnt"} {
		path := filepath.Join(dir, mark)
		if err := a.Setup(t, "test -e "+path); err != nil {
			t.Errorf("%s is not on the machine: %v", path, err)
		}
		if err := b.Setup(t, "test -e "+path); err == nil {
			t.Errorf("%s is on another machine", path)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is on the host: %v", path, err)
		}
	}
	if _, err := os.Stat("/var/lib/dpkg/status"); err != nil {
		t.Errorf("the host has lost its packages: %v", err)
	}
	if out := b.Command("sh").Run(t, "-c", "ls /var/lib/dpkg/status; cat /etc/resolv.conf; ps ax || true"); strings.Contains(out, "sleep 600") {
		t.Errorf("a process of another machine is there:\n%s", out)
	}
}

func TestAMachineReachesTheHostsLoopback(t *testing.T) {
	t.Parallel()
	m := NewMachine(t)
	address := Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	must(t, m.Setup(t, `test "$(curl -fsS `+address+`)" = hello`))
	if err := m.Setup(t, "exit 7"); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("a script that fails: %v", err)
	}
	must(t, m.Setup(t, "false\nexit 0"))
	m.Copy(t, file(t, "text", "text"), "/opt/text")
	if out := m.Command("cat").Run(t, "/opt/text"); out != "text" {
		t.Errorf("a file that was copied holds %q", out)
	}
}

func TestProcessesOfARoomEndWithTheirTest(t *testing.T) {
	t.Parallel()
	var pid int
	err := Run(t.Context(), "room", func(w T) {
		r := NewRoom(w)
		out := r.Command(Command{Path: "sh"}).Run(w, "-c", "sleep 600 >/dev/null 2>&1 & echo started")
		if out != "started\n" {
			w.Fatalf("it says %q", out)
		}
		pid = find(t, "sleep\x00600\x00", r.holder.Pid())
	})
	must(t, err)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d has outlived its room: %v", pid, err)
	}
}

// find returns the process with a command line that is in the namespace of a room.
func find(t *testing.T, line string, room int) int {
	t.Helper()
	want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid_for_children", room))
	must(t, err)
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range all {
		ns, err := os.Readlink(filepath.Join(filepath.Dir(path), "ns", "pid"))
		text, err2 := os.ReadFile(path)
		if err == nil && err2 == nil && ns == want && string(text) == line {
			var pid int
			fmt.Sscan(filepath.Base(filepath.Dir(path)), &pid)
			return pid
		}
	}
	t.Fatalf("no process %q in the room", line)
	return 0
}

func serveFile(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
}
