package world

import (
	"errors"
	"strings"
)

// A Client carries images to and from registries on loopback, each in its own way. Its methods belong to
// one test, one after another.
type Client interface {
	// Name returns the client's name: docker, podman, skopeo, crane, oras, helm.
	Name() string

	// Login gives the client the user's credentials for a registry, host:port. The test fails if the
	// registry does not take them.
	Login(t T, registry string, u User)

	// Push makes an image, or an artifact of the client's own kind, that is like no other, and pushes it.
	// ref is host:port/name:tag, with a tag that is a semantic version, since Helm has no other.
	Push(t T, ref string) error

	// Pull fetches everything that ref names.
	Pull(t T, ref string) error
}

// Clients returns one of each. It starts a dockerd, which takes a second or two.
func Clients(t T) []Client {
	t.Helper()
	return []Client{Dockerd(t), NewPodman(t), NewSkopeo(t), NewCrane(t), NewORAS(t), NewHelm(t)}
}

// Denied tells whether err is a client's account of a registry that let it do nothing: it has no
// credentials, wrong ones, or may not do what it asked. It is false for any other failure, so that a test
// of who may do what does not pass because something is broken.
func Denied(err error) bool {
	var failed *CommandError
	if !errors.As(err, &failed) {
		return false
	}
	said := strings.ToLower(failed.Output)
	for _, word := range denials {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}

// The words that clients have for 401 and 403.
var denials = [...]string{"unauthorized", "authentication required", "denied", "no basic auth credentials",
	"basic credential not found", "insufficient_scope"}
