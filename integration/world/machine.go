package world

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Machine is this computer as it would be if a client were let loose on it. It has the same programs, a
// root folder that is this one's with every change kept apart in memory, and processes of its own. Scripts
// that write to /etc and package managers that unpack to /usr run on it as they are; nothing of that is
// ever seen outside, and all of it is gone with the test. The network is the host's, save that no name but
// localhost resolves: a client that asks a key server gets its answer at once.
type Machine struct {
	holder *Process
	root   string // its root folder, in its own mount namespace
	enter  Command
}

// The script mounts the changes over the host's root and then does nothing but reap: it is the first process
// of the machine, which ends with it. /tmp is empty, since the host's changes underneath.
const machineScript = `set -e
top=$1
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
mount -t proc proc "$top/root/proc"
mount --rbind /dev "$top/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$top/root/tmp"
rm -f "$top/root/etc/resolv.conf"
: > "$top/root/etc/resolv.conf"
echo ready
while :; do sleep 2; done
`

// NewMachine returns a machine. It takes root's rights and a kernel with overlayfs.
func NewMachine(t T) *Machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("package managers run as root only, so the tests with clients do")
	}
	nsenter := Installed(t, "util-linux", "nsenter")
	top := shortDir(t)
	m := &Machine{root: filepath.Join(top, "root")}
	m.holder = hold(t, "machine", []string{"--mount"}, machineScript, top)
	ns := fmt.Sprintf("/proc/%d/ns/", m.holder.Pid())
	m.enter = Command{Path: nsenter, Args: []string{
		"--mount=" + ns + "mnt", "--pid=" + ns + "pid_for_children", "chroot", m.root, "env", "-i",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
	}}
	return m
}

// Command returns a program of the machine, with arguments that stand before those of each call.
func (m *Machine) Command(program string, args ...string) Command {
	c := m.enter
	c.Args = append(append(append([]string{}, c.Args...), program), args...)
	return c
}

// Setup runs a script by sh, as somebody does who pastes it into root's shell: a command that fails does
// not end the script, unless it says so itself.
func (m *Machine) Setup(t T, script string) error {
	t.Helper()
	_, err := m.Command("sh").Try(t, "-c", script)
	return err
}

// mustSetup is Setup for a script of ours, which ends with the first command that fails.
func (m *Machine) mustSetup(t T, script string) {
	t.Helper()
	if err := m.Setup(t, "set -e\n"+script); err != nil {
		t.Fatalf("%v", err)
	}
}

// Root opens the machine's root folder, until the test ends.
func (m *Machine) Root(t T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root%s", m.holder.Pid(), m.root))
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// Copy copies a file of the host to the machine, to an absolute path whose folder exists.
func (m *Machine) Copy(t T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatalf("%v", err)
	}
	root := m.Root(t)
	defer root.Close()
	if err := root.WriteFile(strings.TrimPrefix(to, "/"), data, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
}
