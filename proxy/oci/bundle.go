package oci

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// The layout of Sigstore bundles in a registry: github.com/sigstore/cosign, specs/BUNDLE_SPEC.md. A bundle is the one
// layer of an OCI 1.1 artifact whose subject is the image.
const (
	bundleMediaType     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundleContent       = "dev.sigstore.bundle.content"
	bundlePredicateType = "dev.sigstore.bundle.predicateType"
	signPredicateType   = "https://sigstore.dev/cosign/sign/v1"
)

// bundleManifest is the artifact that holds a bundle for subject. It has no date, so that it is the same wherever and
// whenever it is made.
func bundleManifest(b signing.ImageBundle, subject ocispec.Descriptor) ocispec.Manifest {
	config := ocispec.DescriptorEmptyJSON
	config.Data = nil
	return ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: bundleMediaType,
		Config:       config,
		Layers:       []ocispec.Descriptor{descriptor(bundleMediaType, b.JSON)},
		Subject:      &subject,
		Annotations:  map[string]string{bundleContent: "dsse-envelope", bundlePredicateType: signPredicateType},
	}
}

// ourBundle is one bundle of ours as it stands in the registry.
type ourBundle struct {
	signing.ImageBundle
	manifest ocispec.Manifest
	body     []byte // of the manifest
	digest   string // of the manifest
}

// ourBundles returns the bundles that the ring makes for a digest, one for each key. They are the same each time.
func (w *work) ourBundles(subject ocispec.Descriptor) ([]ourBundle, error) {
	made, err := w.Ring.BundleImage(w.image(subject.Digest.String()))
	if err != nil {
		return nil, err
	}
	var bundles []ourBundle
	for _, b := range made {
		m := bundleManifest(b, subject)
		body, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, ourBundle{b, m, body, digest.FromBytes(body).String()})
	}
	return bundles, nil
}

// bundle makes sure that the subject has a bundle by every image key of the ring and that the registry lists it among
// the subject's referrers. It adds what it stored to s. The caller holds the lock of the subject's digest.
func (w *work) bundle(ctx context.Context, s *signed, subject ocispec.Descriptor) (err error) {
	began := time.Now()
	stored := len(s.bundles)
	defer func() {
		if err != nil || len(s.bundles) > stored {
			w.Signed(string(scheme.Bundle), time.Since(began), err)
		}
	}()
	bundles, err := w.ourBundles(subject)
	if err != nil {
		return err
	}
	listed, err := w.referrers(ctx, s.digest)
	if err != nil {
		return err
	}
	for _, b := range bundles {
		if slices.ContainsFunc(listed.Manifests, func(d ocispec.Descriptor) bool { return d.Digest.String() == b.digest }) {
			continue
		}
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() error { return w.PutBlob(gctx, w.name, b.JSON, nil) })
		g.Go(func() error { return w.PutBlob(gctx, w.name, ocispec.DescriptorEmptyJSON.Data, nil) })
		if err := g.Wait(); err != nil {
			return err
		}
		row := w.row(scheme.Bundle, s.digest, b.Key, b.JSON, b.JSON)
		if s.rows, err = w.appendRows(ctx, s.rows, []ledger.Signature{row}); err != nil {
			return err
		}
		native, err := w.PutManifest(ctx, w.name, b.digest, ocispec.MediaTypeImageManifest, b.body)
		if err != nil {
			if definite(err) {
				w.voidRows(ctx, s.rows[len(s.rows)-1:])
			}
			return err
		}
		s.bundles = append(s.bundles, b.digest)
		if !native {
			if err := w.addReferrer(ctx, s.digest, referrerEntry(b.manifest, b.body)); err != nil {
				return err
			}
		}
	}
	return nil
}

// signAll signs a manifest in every layout that it needs. cosign looks at nothing but bundles once there is one, so the
// image gets ours where somebody else's was there before the image. The caller holds the digest's lock.
func (w *work) signAll(ctx context.Context, m *manifest.Manifest) (*signed, error) {
	s, err := w.sign(ctx, m.Digest)
	if err != nil {
		return s, err
	}
	bundles := w.Bundles
	if !bundles {
		bundles, err = w.Ledger.HasReferrer(ctx, w.Options.Name, w.name, m.Digest)
	}
	if err != nil || !bundles {
		return s, err
	}
	return s, w.bundle(ctx, s, subjectOf(m))
}

// subjectOf is how a referrer names m.
func subjectOf(m *manifest.Manifest) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.Digest(m.Digest), Size: m.Size}
}

// isOurBundle reports whether the manifest d is a bundle for subject that one of our keys verifies.
func (w *work) isOurBundle(ctx context.Context, subject, d string) (bool, error) {
	stored, err := w.Manifest(ctx, w.name, d)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := manifest.Parse(stored.MediaType, stored.Body)
	if err != nil || m.Subject == nil || m.Subject.Digest != subject || len(m.Layers) != 1 {
		return false, nil
	}
	blob, err := w.Blob(ctx, w.name, m.Layers[0].Digest, maxPayload)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, k := range w.keys {
		if signing.VerifyBundle(k, blob, w.image(subject)) == nil {
			return true, nil
		}
	}
	return false, nil
}

// bundleSubject returns the SHA-256 digest that a Sigstore bundle is about, as far as it says one, "" if content is none.
func bundleSubject(content []byte) string {
	var bundle struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	var statement struct {
		Subject []struct{ Digest map[string]string }
	}
	if json.Unmarshal(content, &bundle) != nil || json.Unmarshal(bundle.Envelope.Payload, &statement) != nil || len(statement.Subject) != 1 {
		return ""
	}
	if d := "sha256:" + statement.Subject[0].Digest["sha256"]; sha256Grammar.MatchString(d) {
		return d
	}
	return ""
}
