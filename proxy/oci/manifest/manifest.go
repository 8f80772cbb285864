// Package manifest reads the manifests that clients push and registries store, and tells what each of them is: something
// to be signed, or something that signs.
//
// It is the first to see hostile bytes, so it opens nothing, holds no keys and keeps nothing between calls. A manifest
// that two parsers could read in two ways is refused: whoever verifies a signature must see what whoever runs the image
// sees (CVE-2021-41190 is the case that made the field learn this).
//
// The formats are those of the OCI image specification 1.1 (https://github.com/opencontainers/image-spec), of its
// withdrawn artifact manifest, and of Docker's image manifest version 2, schema 2.
package manifest

// The media types of the manifests that Parse reads.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	OCIArtifact    = "application/vnd.oci.artifact.manifest.v1+json" // of the image specification 1.1.0-rc2, later withdrawn
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// A Manifest is what a manifest says, with nothing in it left to doubt: Parse has checked every field.
type Manifest struct {
	MediaType    string // one of the constants above
	ArtifactType string // as written in the manifest; see ReferrerType
	Digest       string // "sha256:" and the hex of the SHA-256 of the body
	Size         int64  // of the body, in bytes

	Config    *Descriptor  // nil for indexes and artifact manifests
	Layers    []Descriptor // the layers, or the blobs of an artifact manifest
	Manifests []Descriptor // the entries of an index

	Subject     *Descriptor // the manifest that this one refers to, or nil
	Annotations map[string]string
}

// A Descriptor names a blob or a manifest.
type Descriptor struct {
	MediaType    string // never empty
	Digest       string // well-formed: sha256, sha384 or sha512, a colon and lower-case hex
	Size         int64  // never negative
	ArtifactType string
	Annotations  map[string]string
	Platform     *Platform // nil if the descriptor names none
}

// A Platform is what the entry of an index runs on.
type Platform struct {
	Architecture string
	OS           string
	OSVersion    string
	Variant      string
}

// IsIndex reports whether the manifest lists manifests.
func (m *Manifest) IsIndex() bool {
	return m.MediaType == OCIIndex || m.MediaType == DockerList
}

// ReferrerType returns the artifact type under which a list of referrers names the manifest: its artifactType, else the
// media type of its config. It is empty for an index without an artifactType. See the distribution specification,
// "Listing Referrers".
func (m *Manifest) ReferrerType() string {
	if m.ArtifactType == "" && m.Config != nil {
		return m.Config.MediaType
	}
	return m.ArtifactType
}
