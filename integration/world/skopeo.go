package world

// Skopeo copies between folders and registries, and keeps nothing but its credentials.
type Skopeo struct{ Command }

// NewSkopeo returns a skopeo with credentials in the test's folder.
func NewSkopeo(t T) *Skopeo {
	t.Helper()
	return &Skopeo{Command{
		Path: Installed(t, "skopeo", "skopeo"),
		Args: []string{"--policy", policy(t), "--tmpdir", t.TempDir()},
		Env: []string{
			"REGISTRY_AUTH_FILE=" + emptyJSON(t),
			"CONTAINERS_REGISTRIES_CONF=" + emptyFile(t),
		},
	}}
}

// Name returns the client's name.
func (s *Skopeo) Name() string { return "skopeo" }

// Login gives the client the user's credentials for a registry.
func (s *Skopeo) Login(t T, registry string, u User) {
	t.Helper()
	s.Run(t, "login", "--tls-verify=false", "--username", u.Name, "--password", u.Password, registry)
}

// Push makes an image that is like no other and copies it to ref.
func (s *Skopeo) Push(t T, ref string) error {
	t.Helper()
	_, err := s.Try(t, "copy", "--dest-tls-verify=false", "oci:"+Layout(t, Image(t)), "docker://"+ref)
	return err
}

// Pull copies everything that ref names to a folder.
func (s *Skopeo) Pull(t T, ref string) error {
	t.Helper()
	_, err := s.Try(t, "copy", "--all", "--src-tls-verify=false", "docker://"+ref, "oci:"+t.TempDir())
	return err
}
