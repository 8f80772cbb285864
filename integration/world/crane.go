package world

// Crane is go-containerregistry's client.
type Crane struct{ Command }

// NewCrane returns a crane with credentials in the test's folder.
func NewCrane(t T) *Crane {
	t.Helper()
	return &Crane{Command{Path: Tool(t, "crane"), Env: []string{"DOCKER_CONFIG=" + t.TempDir()}}}
}

// Name returns the client's name.
func (c *Crane) Name() string { return "crane" }

// Login gives the client the user's credentials for a registry. Crane does not ask the registry.
func (c *Crane) Login(t T, registry string, u User) {
	t.Helper()
	c.Run(t, "auth", "login", "--username", u.Name, "--password", u.Password, registry)
}

// Push makes an image that is like no other and pushes it under ref.
func (c *Crane) Push(t T, ref string) error {
	t.Helper()
	_, err := c.Try(t, "push", Layout(t, Image(t)), ref)
	return err
}

// PushIndex makes an index of two platforms that is like no other and pushes it under ref.
func (c *Crane) PushIndex(t T, ref string) error {
	t.Helper()
	_, err := c.Try(t, "push", Layout(t, Index(t, "linux/amd64", "linux/arm64")), ref)
	return err
}

// Pull fetches everything that ref names to a folder.
func (c *Crane) Pull(t T, ref string) error {
	t.Helper()
	_, err := c.Try(t, "pull", "--format=oci", ref, t.TempDir())
	return err
}
