package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/signing"
)

// The layout of cosign's signatures: github.com/sigstore/cosign, specs/SIGNATURE_SPEC.md. The signatures of one digest
// are one OCI image manifest under the tag sha256-<hex>.sig, a layer for each signature. The layer is the signed
// payload, its annotation the signature.
const (
	payloadMediaType    = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

const (
	maxPayload       = 64 << 10 // bytes of one payload that are read
	maxForeignLayers = 64       // payloads of other signers that are read in search of one of ours
	maxSignatures    = 900      // in one manifest; cosign reads none of one that has more than 1000
)

// signatureConfig is the config of every signature manifest that we begin. cosign writes one that lists the layers; it
// never reads that list, so a constant saves a blob for each image.
const signatureConfig = `{"architecture":"","config":{},"created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":[]}}`

func descriptor(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func signatureLayer(s signing.ImageSignature) ocispec.Descriptor {
	d := descriptor(payloadMediaType, s.Payload)
	d.Annotations = map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(s.Signature)}
	return d
}

// newSignatureManifest returns a signature manifest without layers.
func newSignatureManifest() ocispec.Manifest {
	return ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    descriptor(ocispec.MediaTypeImageConfig, []byte(signatureConfig)),
		Layers:    []ocispec.Descriptor{},
	}
}

// withSignatures returns m with a layer for each of sigs that it does not have yet, and without those that spoil one; m
// itself is not changed. The result
// is the same, byte for byte, wherever the same signatures meet in the same order.
func withSignatures(m ocispec.Manifest, sigs []signing.ImageSignature) (ocispec.Manifest, []byte, error) {
	m.Layers = slices.Clone(m.Layers)
	for _, s := range sigs {
		l := signatureLayer(s)
		m.Layers = slices.DeleteFunc(m.Layers, func(o ocispec.Descriptor) bool { return spoils(o, l) })
		if !hasLayer(m, l) {
			m.Layers = append(m.Layers, l)
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return m, nil, err
	}
	if len(body) > maxManifest {
		return m, nil, fmt.Errorf("signature manifest with %d signatures: %w", len(m.Layers), ErrTooLarge)
	}
	return m, body, nil
}

func hasLayer(m ocispec.Manifest, l ocispec.Descriptor) bool {
	return slices.ContainsFunc(m.Layers, func(o ocispec.Descriptor) bool {
		return isPlain(o, l.Size) && o.Digest == l.Digest && o.Annotations[signatureAnnotation] == l.Annotations[signatureAnnotation]
	})
}

// spoils reports whether a layer describes the payload of l in another way than it is. Clients look for a payload by its
// digest, and take what the first layer that has it says for all.
func spoils(o, l ocispec.Descriptor) bool {
	return o.Digest == l.Digest && (o.Size != l.Size || len(o.URLs) > 0 || len(o.Data) > 0)
}

// isPlain reports whether a layer is written as we write it, for a payload of that size. Around the same payload and
// signature, another size or a certificate or log entry that makes no sense has cosign refuse what is a good signature.
func isPlain(l ocispec.Descriptor, size int64) bool {
	return l.MediaType == payloadMediaType && l.Size == size && len(l.Annotations) == 1 &&
		len(l.URLs) == 0 && len(l.Data) == 0 && l.Platform == nil && l.ArtifactType == ""
}

// readSignatureManifest decodes what stands under a signature tag.
func readSignatureManifest(s *Stored) (ocispec.Manifest, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(s.Body, &m); err != nil {
		return m, fmt.Errorf("signature manifest %s: %w", s.Digest, err)
	}
	return m, nil
}

// validSignatures returns, by the key's fingerprint, the signatures in m that verify over a payload which names img and
// is read now from the registry. Whose a layer is, only its signature tells: two signers of one image may write the
// same payload.
//
// A payload that is not there makes its layer invalid; a failure to read one is an error.
func validSignatures(ctx context.Context, rd Reader, m ocispec.Manifest, keys []signing.PublicKey, img signing.Image) (map[string]signing.ImageSignature, error) {
	valid := make(map[string]signing.ImageSignature, len(keys))
	payloads := make(map[digest.Digest][]byte)
	expected := digest.FromBytes(img.Payload())

	layers := slices.Clone(m.Layers)
	// Ours first, so that a crowd of other signatures cannot hide it.
	slices.SortStableFunc(layers, func(a, b ocispec.Descriptor) int {
		return rank(a.Digest == expected) - rank(b.Digest == expected)
	})
	for _, l := range layers {
		sig, err := base64.StdEncoding.DecodeString(l.Annotations[signatureAnnotation])
		if err != nil || len(sig) == 0 || l.MediaType != payloadMediaType || len(valid) == len(keys) {
			continue
		}
		payload, read := payloads[l.Digest]
		if !read {
			if len(payloads) > maxForeignLayers {
				break
			}
			payload, err = rd.Blob(ctx, img.Name, l.Digest.String(), maxPayload)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrTooLarge) {
				return nil, err
			}
			payloads[l.Digest] = payload
		}
		for _, k := range keys {
			if _, done := valid[k.Fingerprint()]; !done && isPlain(l, int64(len(payload))) && signing.VerifyImage(k, payload, sig, img) == nil {
				valid[k.Fingerprint()] = signing.ImageSignature{Key: k, Payload: payload, Signature: sig}
			}
		}
	}
	return valid, nil
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}
