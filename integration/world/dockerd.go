package world

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Dockerd starts Debian's dockerd, with a containerd of its own, and returns a docker client for it. It
// has no network of its own and never touches the host's firewall. Registries on loopback may be plain
// HTTP: dockerd takes 127.0.0.0/8 for insecure by itself.
func Dockerd(t T) *Docker {
	t.Helper()
	daemon := Installed(t, "docker.io", "dockerd", "/usr/sbin/dockerd")
	if os.Geteuid() != 0 {
		t.Fatalf("dockerd runs as root only, so the tests with clients do")
	}
	client := Installed(t, "docker.io", "/usr/bin/docker", "docker")

	dir := shortDir(t) // a socket's path has 107 bytes at most, and containerd's lies in a folder of a folder
	host := "unix://" + filepath.Join(dir, "docker.sock")
	cmd := exec.Command(daemon,
		"--host="+host,
		"--data-root="+filepath.Join(dir, "data"),
		"--exec-root="+filepath.Join(dir, "exec"),
		"--pidfile="+filepath.Join(dir, "docker.pid"),
		"--config-file="+emptyJSON(t),
		"--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
		"--log-level=warn")
	// What it mounts is gone with it, even after a kill.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	d := &Docker{Host: host, Process: Start(t, "dockerd", cmd), Command: Command{
		Path: client,
		Env:  []string{"DOCKER_HOST=" + host, "DOCKER_CONFIG=" + t.TempDir(), "DOCKER_CONTEXT="},
	}}
	d.Await(t, func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, client, "version", "--format", "{{.Server.Version}}")
		cmd.Env = append(os.Environ(), d.Env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.New(string(out))
		}
		return nil
	})
	// A clean end lets dockerd stop its containerd; this runs before the kill that Start has arranged.
	t.Cleanup(func() { d.Terminate() })
	return d
}

// Docker is a dockerd that runs, and a client that speaks to it.
type Docker struct {
	Host string // for DOCKER_HOST
	*Process
	Command
}

// Name returns the client's name.
func (d *Docker) Name() string { return "docker" }

// Login gives the client the user's credentials for a registry.
func (d *Docker) Login(t T, registry string, u User) {
	t.Helper()
	d.Run(t, "login", "--username", u.Name, "--password", u.Password, registry)
}

// Push makes an image that is like no other and pushes it under ref.
func (d *Docker) Push(t T, ref string) error {
	t.Helper()
	d.Run(t, "import", RootTar(t), ref)
	_, err := d.Try(t, "push", ref)
	return err
}

// Pull fetches ref, whether or not this dockerd has it.
func (d *Docker) Pull(t T, ref string) error {
	t.Helper()
	d.Try(t, "image", "rm", "--force", ref)
	_, err := d.Try(t, "pull", ref)
	return err
}
