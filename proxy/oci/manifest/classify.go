package manifest

import (
	"slices"
	"strings"
)

// A Class says what a manifest is for. Only an Image is signed.
type Class int

const (
	// Image is everything that is to be signed: container images, indexes of them, Helm charts, any other artifact.
	// It is the zero Class and what Classify falls back to: what is not recognised is signed.
	Image Class = iota

	// Signature holds cosign signatures of another manifest.
	Signature

	// Bundle holds a Sigstore bundle about its subject: a signature or an attestation.
	Bundle

	// Attestation holds DSSE envelopes or in-toto statements, as cosign and BuildKit store them.
	Attestation

	// SBOM holds a bill of materials that is attached to another manifest.
	SBOM

	// Notation holds a Notary Project signature of its subject.
	Notation

	// FallbackIndex lists the referrers of a manifest, for registries without a referrers API.
	FallbackIndex
)

// String returns the name of the class as it stands in a log line.
func (c Class) String() string {
	switch c {
	case Image:
		return "image"
	case Signature:
		return "signature"
	case Bundle:
		return "bundle"
	case Attestation:
		return "attestation"
	case SBOM:
		return "sbom"
	case Notation:
		return "notation"
	case FallbackIndex:
		return "fallback index"
	}
	return "unknown"
}

// The media types by which attached manifests are known.
const (
	simpleSigning   = "application/vnd.dev.cosign.simplesigning.v1+json"
	cosignArtifact  = "application/vnd.dev.cosign.artifact.sig.v1+json"
	bundlePrefix    = "application/vnd.dev.sigstore.bundle" // a version and "+json" follow
	dsseEnvelope    = "application/vnd.dsse.envelope.v1+json"
	inToto          = "application/vnd.in-toto+json"
	notarySignature = "application/vnd.cncf.notary.signature"
)

// Classify says what a manifest is that is stored under a tag; the tag is empty for one that is pushed by digest.
//
// Two mistakes are possible. An image that is taken for an attachment stays unsigned: verifying clients refuse it, but
// it is visible, which it must not be. An attachment that is taken for an image is signed: the signature is true
// but worthless, and signing signatures never ends. The rules go by content, and follow from what clients do:
//
//   - A container runtime that verifies nothing reads neither the tag nor artifactType, but it insists on the media type
//     of the config. So artifactType makes an attachment only where the config is not an image's (isRunnable).
//   - What cosign and BuildKit attach in the old layout has an image's config, so that there the layers must decide, and
//     all of them: one layer of another type makes an image.
//   - The tag decides between meanings of the same content, and alone it decides nothing: an image under
//     sha256-<hex>.sig is an image.
//
// What remains is a manifest whose layers all claim to be signatures while they are file systems. Docker and containerd
// refuse such layers. Nothing but the blobs could tell, so a caller that must know reads them.
func Classify(m *Manifest, tag string) Class {
	switch {
	case m.IsIndex():
		if isFallbackIndex(m, tag) {
			return FallbackIndex
		}
		return Image
	case isSignature(m):
		return Signature
	case isBundle(m):
		return Bundle
	case isNotation(m):
		return Notation
	case isAttestation(m):
		return Attestation
	case isSBOM(m, tag):
		return SBOM
	}
	return Image
}

// OffersBundle reports whether cosign, looking for signatures of the subject, takes this manifest for a Sigstore bundle
// and ignores the subject's .sig tag from then on. It goes by what a list of referrers says, and so also holds for
// manifests that Classify calls an Image because a container runtime would run them.
func (m *Manifest) OffersBundle() bool {
	return m.Subject != nil && strings.HasPrefix(m.ReferrerType(), bundlePrefix)
}

// isRunnable reports whether container runtimes go by the config and run the manifest. They refuse OCI manifests whose
// config has another type than these: containerd and Docker do not unpack them, podman calls them artifacts. Of a
// manifest of Docker's, podman does not read the type of the config at all.
func isRunnable(m *Manifest) bool {
	if m.Config == nil {
		return false
	}
	if m.MediaType == DockerManifest {
		return true
	}
	switch m.Config.MediaType {
	case "application/vnd.oci.image.config.v1+json",
		"application/vnd.docker.container.image.v1+json",
		"application/vnd.docker.plugin.v1+json",
		"application/octet-stream", "application/json", "text/html": // what registries made of it once, so Docker takes them
		return true
	}
	return false
}

// isSignature holds for cosign's layout, in which each layer is the signed payload and carries its signature as an
// annotation, and for the artifact that cosign pushes in its experimental referrers mode. A manifest without layers is
// no signature: there is nothing in it that could be verified.
func isSignature(m *Manifest) bool {
	return allLayers(m, is(simpleSigning)) || !isRunnable(m) && hasType(m, is(cosignArtifact))
}

// isBundle holds for a bundle of any version. Without a subject, nobody can find it as a signature of anything, so that
// it is an artifact like others. The type may stand with the only layer alone, as some clients leave artifactType out.
func isBundle(m *Manifest) bool {
	if m.Subject == nil || isRunnable(m) {
		return false
	}
	return hasType(m, IsBundleType) || len(m.Layers) == 1 && IsBundleType(m.Layers[0].MediaType)
}

// IsBundleType reports whether an artifact type is that of a Sigstore bundle, of any version.
func IsBundleType(mediaType string) bool { return strings.HasPrefix(mediaType, bundlePrefix) }

// isNotation holds for signatures of the Notary Project, whose specification demands a subject. Their layers are not
// looked at: the envelope's type (JOSE, COSE) is open to additions.
func isNotation(m *Manifest) bool {
	return m.Subject != nil && !isRunnable(m) && hasType(m, is(notarySignature))
}

// isAttestation holds for cosign's .att manifests, and for BuildKit's, which sit in an index beside the image and are
// covered by the signature of that index. A mixture of the two types is neither tool's work.
func isAttestation(m *Manifest) bool {
	return allLayers(m, is(dsseEnvelope)) || allLayers(m, is(inToto))
}

// isSBOM holds for a bill of materials that is attached, by cosign's tag or by a subject. One that stands alone under a
// name of its own is an artifact that people publish, and signed like others.
func isSBOM(m *Manifest, tag string) bool {
	_, suffix, _ := TagSubject(tag)
	return (suffix == ".sbom" || m.Subject != nil) && allLayers(m, isSBOMType)
}

// isSBOMType reports whether a media type, whose parameters may give a version, is one of the formats that cosign
// attaches.
func isSBOMType(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	switch strings.TrimSpace(mediaType) {
	case "text/spdx", "text/spdx+json", "text/spdx+xml",
		"application/spdx", "application/spdx+json", "application/spdx+xml",
		"application/vnd.cyclonedx", "application/vnd.cyclonedx+json", "application/vnd.cyclonedx+xml",
		"application/vnd.syft+json":
		return true
	}
	return false
}

// isFallbackIndex holds for an OCI index under the tag that the distribution specification gives to the list of
// referrers of a digest. The entry of a multi-platform image names a platform and the entry of such a list does not; an
// index that a client could choose a platform from is an image under any tag. An empty list is what the removal
// of the last referrer leaves. Whoever pulls an image through an index that passes here gets a manifest that was judged
// on its own, when it was pushed.
func isFallbackIndex(m *Manifest, tag string) bool {
	_, suffix, ok := TagSubject(tag)
	return ok && suffix == "" && m.MediaType == OCIIndex &&
		!slices.ContainsFunc(m.Manifests, func(d Descriptor) bool { return d.Platform != nil })
}

// allLayers reports whether there are layers and all are of a type.
func allLayers(m *Manifest, isType func(string) bool) bool {
	return len(m.Layers) > 0 &&
		!slices.ContainsFunc(m.Layers, func(d Descriptor) bool { return !isType(d.MediaType) })
}

// hasType reports whether artifactType or the type of the config is of a type. The former outranks the latter in a list
// of referrers, but a manifest that claims a type in either place is served to those who look for it there.
func hasType(m *Manifest, isType func(string) bool) bool {
	return isType(m.ArtifactType) || m.Config != nil && isType(m.Config.MediaType)
}

func is(mediaType string) func(string) bool {
	return func(other string) bool { return other == mediaType }
}
