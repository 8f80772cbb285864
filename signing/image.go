package signing

import (
	"fmt"
	"regexp"
	"strings"
)

// An Image is what a signature of purpose image is about: a manifest under a
// name.
type Image struct {
	// Reference is the public host, with a port if it has one, a slash, and
	// Name: "127.0.0.1:8080/team/app". It never comes from a request.
	Reference string
	// Name is the name under /v2/: "team/app".
	Name string
	// Digest is that of the manifest: "sha256:" and 64 lower-case hex digits.
	Digest string
}

// The patterns of the OCI distribution specification (section "Pulling
// manifests") for names, of the image specification for digests, and of
// RFC 3986 for hosts as far as references can hold them.
var (
	namePattern   = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	hostPattern   = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

// maxName bounds names and hosts: DNS ends at 253, most clients at 255.
const maxName = 255

// Validate returns an error unless all fields have the form that they are
// documented to have. Everything that signs or verifies calls it.
func (img Image) Validate() error {
	if len(img.Name) > maxName || !namePattern.MatchString(img.Name) {
		return fmt.Errorf("invalid image name %.300q", img.Name)
	}
	host, ok := strings.CutSuffix(img.Reference, "/"+img.Name)
	if !ok || len(host) > maxName || !hostPattern.MatchString(host) {
		return fmt.Errorf("invalid image reference %.600q: it is a host, a slash and the name %q", img.Reference, img.Name)
	}
	if !digestPattern.MatchString(img.Digest) {
		return fmt.Errorf("invalid image digest %.100q: it is \"sha256:\" and 64 lower-case hex digits", img.Digest)
	}
	return nil
}
