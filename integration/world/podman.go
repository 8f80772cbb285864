package world

import "path/filepath"

// Podman keeps its images, its state and its credentials in the test's folders.
type Podman struct{ Command }

// NewPodman returns a podman that needs no storage driver of the kernel.
func NewPodman(t T) *Podman {
	t.Helper()
	dir := shortDir(t) // podman refuses a longer --runroot
	return &Podman{Command{
		Path: Installed(t, "podman", "podman"),
		Args: []string{
			"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
			"--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "vfs",
			"--cgroup-manager", "cgroupfs", "--events-backend", "none",
		},
		Env: []string{
			"REGISTRY_AUTH_FILE=" + emptyJSON(t), // podman push wants it to be there
			"CONTAINERS_REGISTRIES_CONF=" + emptyFile(t),
			"CONTAINERS_CONF=" + emptyFile(t),
		},
	}}
}

// Name returns the client's name.
func (p *Podman) Name() string { return "podman" }

// Login gives the client the user's credentials for a registry.
func (p *Podman) Login(t T, registry string, u User) {
	t.Helper()
	p.Run(t, "login", "--tls-verify=false", "--username", u.Name, "--password", u.Password, registry)
}

// Push makes an image that is like no other and pushes it under ref.
func (p *Podman) Push(t T, ref string) error {
	t.Helper()
	p.Run(t, "import", "--signature-policy", policy(t), RootTar(t), ref)
	_, err := p.Try(t, "push", "--tls-verify=false", "--signature-policy", policy(t), ref)
	return err
}

// Pull fetches ref, whether or not the storage has it.
func (p *Podman) Pull(t T, ref string) error {
	t.Helper()
	p.Try(t, "image", "rm", "--force", ref)
	_, err := p.Try(t, "pull", "--tls-verify=false", "--signature-policy", policy(t), ref)
	return err
}
