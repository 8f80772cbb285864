package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"hallmark/proxy/oci/manifest"
)

const subjectHex = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestClassifyKnowsWhatClientsPush(t *testing.T) {
	for _, tt := range []struct {
		file, tag string
		want      manifest.Class
	}{
		{"oci_image.json", "latest", manifest.Image},
		{"docker_image.json", "latest", manifest.Image},
		{"oci_index.json", "latest", manifest.Image},
		{"docker_list.json", "latest", manifest.Image},
		{"helm_chart.json", "1.2.3", manifest.Image},
		{"oras_artifact.json", "v1", manifest.Image},
		{"oci_artifact_manifest.json", "", manifest.Image},
		{"cosign_signature.json", "sha256-" + subjectHex + ".sig", manifest.Signature},
		{"cosign_signature.json", "", manifest.Signature},
		{"cosign_signature.json", "latest", manifest.Signature},
		{"cosign_referrer_signature.json", "", manifest.Signature},
		{"cosign_attestation.json", "sha256-" + subjectHex + ".att", manifest.Attestation},
		{"cosign_sbom.json", "sha256-" + subjectHex + ".sbom", manifest.SBOM},
		{"sigstore_bundle.json", "", manifest.Bundle},
		{"notation_signature.json", "", manifest.Notation},
		{"buildkit_attestation.json", "", manifest.Attestation},
		{"fallback_index.json", "sha256-" + subjectHex, manifest.FallbackIndex},
	} {
		t.Run(tt.file+" under "+quote(tt.tag), func(t *testing.T) {
			if got := manifest.Classify(load(t, tt.file), tt.tag); got != tt.want {
				t.Errorf("Classify = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestClassifyGoesByContentAndNotByTag(t *testing.T) {
	for _, suffix := range []string{"", ".sig", ".att", ".sbom"} {
		for _, file := range []string{"oci_image.json", "docker_image.json", "oci_index.json", "docker_list.json", "helm_chart.json", "oras_artifact.json"} {
			t.Run(file+" under a tag that ends in "+quote(suffix)+" is an image", func(t *testing.T) {
				if got := manifest.Classify(load(t, file), "sha256-"+subjectHex+suffix); got != manifest.Image {
					t.Errorf("Classify = %s, want image", got)
				}
			})
		}
	}
}

func TestClassifyIsNotFooled(t *testing.T) {
	const (
		ociConfig    = "application/vnd.oci.image.config.v1+json"
		dockerConfig = "application/vnd.docker.container.image.v1+json"
		emptyConfig  = "application/vnd.oci.empty.v1+json"
		tar          = "application/vnd.oci.image.layer.v1.tar+gzip"
		simple       = "application/vnd.dev.cosign.simplesigning.v1+json"
		dsse         = "application/vnd.dsse.envelope.v1+json"
		inToto       = "application/vnd.in-toto+json"
		bundle       = "application/vnd.dev.sigstore.bundle.v0.3+json"
		oldBundle    = "application/vnd.dev.sigstore.bundle+json;version=0.2"
		notary       = "application/vnd.cncf.notary.signature"
		artifactSig  = "application/vnd.dev.cosign.artifact.sig.v1+json"
		sbomTag      = "sha256-" + subjectHex + ".sbom"
	)
	for _, tt := range []struct {
		name string
		doc  doc
		tag  string
		want manifest.Class
	}{
		// What a runtime would run stays an image, whatever it claims.
		{"one layer of files among signatures makes an image", doc{config: ociConfig, layers: []string{simple, tar}}, "", manifest.Image},
		{"one layer of files among attestations makes an image", doc{config: ociConfig, layers: []string{dsse, tar}}, "", manifest.Image},
		{"one layer of files among bills of materials makes an image", doc{config: ociConfig, layers: []string{"text/spdx", tar}, subject: true}, sbomTag, manifest.Image},
		{"an image that claims to be a bundle", doc{config: ociConfig, layers: []string{tar}, artifactType: bundle, subject: true}, "", manifest.Image},
		{"an image of Docker's config that claims to be a bundle", doc{config: dockerConfig, layers: []string{tar}, artifactType: bundle, subject: true}, "", manifest.Image},
		{"an image whose only layer claims to be a bundle", doc{config: ociConfig, layers: []string{bundle}, subject: true}, "", manifest.Image},
		{"an image that claims to be a Notary signature", doc{config: ociConfig, layers: []string{tar}, artifactType: notary, subject: true}, "", manifest.Image},
		{"an image that claims to be a cosign signature", doc{config: ociConfig, layers: []string{tar}, artifactType: artifactSig, subject: true}, "", manifest.Image},
		{"an image whose config has a type that Docker forgives", doc{config: "application/octet-stream", layers: []string{tar}, artifactType: bundle, subject: true}, "", manifest.Image},
		{"a Docker manifest whose config claims to be a signature", doc{mediaType: manifest.DockerManifest, config: artifactSig, layers: []string{tar}}, "", manifest.Image},
		{"an index that claims to be a bundle", doc{index: true, artifactType: bundle, subject: true, entries: []string{""}}, "", manifest.Image},
		{"an index that claims to be a Notary signature", doc{index: true, artifactType: notary, subject: true}, "", manifest.Image},

		// What has nothing to verify is no signature.
		{"no layers under a signature tag", doc{config: ociConfig, layers: []string{}}, "sha256-" + subjectHex + ".sig", manifest.Image},
		{"no layers under an attestation tag", doc{config: ociConfig, layers: []string{}}, "sha256-" + subjectHex + ".att", manifest.Image},

		// Signatures stay signatures under any tag and in any wrapping.
		{"two signatures", doc{config: ociConfig, layers: []string{simple, simple}}, "latest", manifest.Signature},
		{"a signature with Docker's media types", doc{mediaType: manifest.DockerManifest, config: dockerConfig, layers: []string{simple}}, "", manifest.Signature},
		{"a signature with a subject", doc{config: ociConfig, layers: []string{simple}, subject: true}, "", manifest.Signature},
		{"a signature that says so in artifactType", doc{config: emptyConfig, layers: []string{"application/json"}, artifactType: artifactSig, subject: true}, "", manifest.Signature},

		// Bundles.
		{"a bundle of an older version", doc{config: emptyConfig, layers: []string{oldBundle}, artifactType: oldBundle, subject: true}, "", manifest.Bundle},
		{"a bundle that only its config names", doc{config: bundle, layers: []string{"application/octet-stream"}, subject: true}, "", manifest.Bundle},
		{"a bundle that only its layer names", doc{config: emptyConfig, layers: []string{bundle}, subject: true}, "", manifest.Bundle},
		{"a bundle as an artifact manifest", doc{mediaType: manifest.OCIArtifact, layers: []string{bundle}, artifactType: bundle, subject: true}, "", manifest.Bundle},
		{"a bundle of nothing is an artifact", doc{config: emptyConfig, layers: []string{bundle}, artifactType: bundle}, "", manifest.Image},
		{"two bundles in one are an artifact", doc{config: emptyConfig, layers: []string{bundle, bundle}, subject: true}, "", manifest.Image},

		// Attestations, bills of materials, Notary.
		{"attestations of both kinds are nobody's work", doc{config: ociConfig, layers: []string{dsse, inToto}}, "", manifest.Image},
		{"BuildKit's attestation as an artifact", doc{config: emptyConfig, layers: []string{inToto}, artifactType: "application/vnd.docker.attestation.manifest.v1+json", subject: true}, "", manifest.Attestation},
		{"a bill of materials under a name of its own is an artifact", doc{config: ociConfig, layers: []string{"application/spdx+json"}}, "v1", manifest.Image},
		{"a bill of materials under a signature tag is an artifact", doc{config: ociConfig, layers: []string{"application/spdx+json"}}, "sha256-" + subjectHex + ".sig", manifest.Image},
		{"a bill of materials with a subject", doc{config: emptyConfig, layers: []string{"application/vnd.cyclonedx+json; version=1.6"}, subject: true}, "", manifest.SBOM},
		{"a Notary signature that says so in artifactType", doc{config: emptyConfig, layers: []string{"application/cose"}, artifactType: notary, subject: true}, "", manifest.Notation},
		{"a Notary signature of nothing is an artifact", doc{config: notary, layers: []string{"application/cose"}}, "", manifest.Image},

		// Lists of referrers.
		{"an empty index under a fallback tag", doc{index: true}, "sha256-" + subjectHex, manifest.FallbackIndex},
		{"an empty index under another tag", doc{index: true}, "latest", manifest.Image},
		{"an index by digest", doc{index: true, entries: []string{""}}, "", manifest.Image},
		{"one platform among the entries makes an image", doc{index: true, entries: []string{"", `{"os":"linux","architecture":"amd64"}`}}, "sha256-" + subjectHex, manifest.Image},
		{"a platform that says nothing makes an image", doc{index: true, entries: []string{`{}`}}, "sha256-" + subjectHex, manifest.Image},
		{"a Docker list is no list of referrers", doc{mediaType: manifest.DockerList, index: true, entries: []string{""}}, "sha256-" + subjectHex, manifest.Image},
		{"a fallback tag in upper case is none", doc{index: true}, "sha256-" + strings.ToUpper(subjectHex), manifest.Image},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.doc.json(t)
			m, err := manifest.Parse("", body)
			if err != nil {
				t.Fatalf("%v\n%s", err, body)
			}
			if got := manifest.Classify(m, tt.tag); got != tt.want {
				t.Errorf("Classify = %s, want %s\n%s", got, tt.want, body)
			}
		})
	}
}

func TestOffersBundleHoldsForWhatAListOfReferrersCallsABundle(t *testing.T) {
	const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	for _, tt := range []struct {
		name string
		doc  doc
		want bool
	}{
		{"a bundle", doc{config: "application/vnd.oci.empty.v1+json", layers: []string{bundle}, artifactType: bundle, subject: true}, true},
		{"an image that claims to be one", doc{config: "application/vnd.oci.image.config.v1+json", layers: []string{bundle}, artifactType: bundle, subject: true}, true},
		{"a bundle of nothing", doc{config: "application/vnd.oci.empty.v1+json", layers: []string{bundle}, artifactType: bundle}, false},
		{"a layer alone, which no list shows", doc{config: "application/vnd.oci.empty.v1+json", layers: []string{bundle}, subject: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := manifest.Parse("", tt.doc.json(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.OffersBundle(); got != tt.want {
				t.Errorf("OffersBundle = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestZeroClassIsImage(t *testing.T) {
	var c manifest.Class
	if c != manifest.Image {
		t.Error("what nobody has classified would not be signed")
	}
}

// A doc is the part of a manifest that Classify looks at.
type doc struct {
	mediaType    string   // by default the OCI manifest, or index
	config       string   // media type
	layers       []string // media types
	index        bool
	entries      []string // their platforms as JSON, or empty
	artifactType string
	subject      bool
}

func (d doc) json(t *testing.T) []byte {
	t.Helper()
	descriptor := func(mediaType string) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digestA, "size": 2}
	}
	mediaType := d.mediaType
	if mediaType == "" {
		mediaType = manifest.OCIManifest
		if d.index {
			mediaType = manifest.OCIIndex
		}
	}
	out := map[string]any{"schemaVersion": 2, "mediaType": mediaType}
	list := []any{}
	for _, l := range d.layers {
		list = append(list, descriptor(l))
	}
	for _, platform := range d.entries {
		e := descriptor(manifest.OCIManifest)
		if platform != "" {
			e["platform"] = json.RawMessage(platform)
		}
		list = append(list, e)
	}
	switch {
	case d.index:
		out["manifests"] = list
	case mediaType == manifest.OCIArtifact:
		out["blobs"] = list
	default:
		out["config"], out["layers"] = descriptor(d.config), list
	}
	if d.artifactType != "" {
		out["artifactType"] = d.artifactType
	}
	if d.subject {
		out["subject"] = descriptor(manifest.OCIManifest)
	}
	body, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func quote(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
