package manifest

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// TagSubject reads the tags that cosign and the distribution specification derive from the digest of a manifest:
// sha256-<64 lower-case hex>, alone or followed by .sig, .att or .sbom. It returns that digest, as "sha256:<hex>", and
// the suffix, which is empty for the fallback tag of the referrers. Other tags are not ok, and return nothing.
func TagSubject(tag string) (subject, suffix string, ok bool) {
	hex, found := strings.CutPrefix(tag, "sha256-")
	if !found {
		return "", "", false
	}
	if i := strings.IndexByte(hex, '.'); i >= 0 {
		hex, suffix = hex[:i], hex[i:]
	}
	switch suffix {
	case "", ".sig", ".att", ".sbom":
	default:
		return "", "", false
	}
	if digest.SHA256.Validate(hex) != nil {
		return "", "", false
	}
	return "sha256:" + hex, suffix, true
}

// SignatureTag returns the tag under which cosign keeps the signatures of a manifest. It fails for digests other
// than SHA-256: those of SHA-512 make a tag that is longer than the 128 characters that registries allow.
func SignatureTag(subject string) (string, error) {
	d, err := digest.Parse(subject)
	if err != nil {
		return "", fmt.Errorf("digest %s: %w", quoted(subject), err)
	}
	if d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("digest %s: cosign has no tag for signatures of %s digests; push the manifest under its sha256 digest", quoted(subject), d.Algorithm())
	}
	return "sha256-" + d.Encoded() + ".sig", nil
}

// FallbackTag returns the tag of the index that lists the referrers of a manifest where the registry has no referrers
// API: the algorithm, a hyphen and the first 64 digits. See the distribution specification, "Referrers Tag Schema".
// Two SHA-512 digests that begin alike share a tag, so a reader checks the subjects of what is listed.
func FallbackTag(subject string) (string, error) {
	d, err := digest.Parse(subject)
	if err != nil {
		return "", fmt.Errorf("digest %s: %w", quoted(subject), err)
	}
	return d.Algorithm().String() + "-" + d.Encoded()[:64], nil
}
