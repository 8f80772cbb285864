package oci

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
)

// What users attach to images stands beside what we attach, and never in its place: their signatures, their bundles,
// their lists of referrers. Each of these is a whole that its writer replaces, so a writer who did not read ours, or
// read it before it was there, would drop it.

// signature stores a user's signatures of an image under their tag. If they leave ours out, the user's manifest is
// stored by its digest and a merged one under the tag, so that there is no moment without ours.
func (p *push) signature(rw http.ResponseWriter) error {
	rec, err := p.storeSignature()
	if err != nil {
		return err
	}
	return p.answer(rw, rec) // without the lock: the manifest may have a subject, whose lock this takes
}

func (p *push) storeSignature() (*recorder, error) {
	ctx := p.req.Context()
	subject, _, _ := manifest.TagSubject(p.rt.Tag())
	unlock, err := p.locks.lock(ctx, p.name, subject)
	if err != nil {
		return nil, err
	}
	defer unlock()

	current, err := p.Manifest(ctx, p.name, p.rt.Tag())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ours, err := p.ourSignatures(ctx, current, subject)
	if err != nil {
		return nil, err
	}
	pushed, err := readSignatureManifest(&Stored{Digest: p.m.Digest, Body: p.body})
	if err != nil {
		return nil, invalid(err)
	}
	payload := descriptor(payloadMediaType, p.work.image(subject).Payload())
	if slices.ContainsFunc(pushed.Layers, func(l ocispec.Descriptor) bool { return spoils(l, payload) }) {
		return nil, errorf(http.StatusBadRequest, CodeManifestInvalid, "a layer with the digest %s has %d bytes and neither urls nor data; with what this manifest says of it, nobody could read the signature", payload.Digest, payload.Size)
	}
	merged, body, err := withSignatures(pushed, ours)
	if err != nil {
		return nil, err
	}
	if len(merged.Layers) > maxSignatures {
		return nil, errorf(http.StatusBadRequest, CodeManifestInvalid, "%d signatures in one manifest are more than cosign reads; leave some out, so that they are at most %d", len(merged.Layers), maxSignatures)
	}
	if reflect.DeepEqual(merged.Layers, pushed.Layers) {
		rec, _, err := p.forward(p.rt.Reference)
		return rec, err
	}
	rec, _, err := p.forward(p.m.Digest)
	if err != nil {
		return nil, err
	}
	if _, err := p.PutManifest(ctx, p.name, p.rt.Tag(), p.m.MediaType, body); err != nil {
		return nil, err
	}
	if err := p.readBack(ctx, p.rt.Tag(), subject, digest.FromBytes(body).String()); err != nil {
		return nil, err
	}
	return rec, nil
}

// ourSignatures returns the signatures in the current signature manifest that our keys verify. Where there are none, a
// user's signatures are none of our business: the image may not be here yet, or was here before us.
func (w *work) ourSignatures(ctx context.Context, current *Stored, subject string) ([]signing.ImageSignature, error) {
	if current == nil {
		return nil, nil
	}
	m, err := readSignatureManifest(current)
	if err != nil {
		return nil, nil // it holds no signatures of ours, whatever it is
	}
	img := w.image(subject)
	valid, err := validSignatures(ctx, w, m, w.keys, img)
	if err != nil {
		return nil, err
	}
	var ours []signing.ImageSignature
	for _, k := range w.keys {
		if s, ok := valid[k.Fingerprint()]; ok {
			ours = append(ours, s)
		}
	}
	return ours, nil
}

// readBack looks whether a signature manifest that was merged still stands, and signs again if another writer replaced
// it.
func (w *work) readBack(ctx context.Context, tag, subject, want string) error {
	got, err := w.Stat(ctx, w.name, tag)
	if err != nil || got == want {
		return err
	}
	_, err = w.sign(ctx, subject)
	return err
}

// bundleOfOurs comes before a user's Sigstore bundle for an image. Once an image has one, cosign looks at bundles alone
// and no longer at the signature that we gave: so a signed image gets a bundle of ours first.
func (p *push) bundleOfOurs(ctx context.Context, subject string) error {
	if !strings.HasPrefix(subject, "sha256:") {
		return nil // nothing that we sign
	}
	unlock, err := p.locks.lock(ctx, p.name, subject)
	if err != nil {
		return err
	}
	defer unlock()
	tag, err := manifest.SignatureTag(subject)
	if err != nil {
		return invalid(err)
	}
	current, err := p.Manifest(ctx, p.name, tag)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ours, err := p.ourSignatures(ctx, current, subject)
	if err != nil {
		return err
	}
	image, err := p.Manifest(ctx, p.name, subject)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// If the image comes later, is signed later, or is deleted and comes back, its push adds the bundle.
	if err := p.Ledger.NoteReferrer(ctx, p.Options.Name, p.name, subject); err != nil {
		return err
	}
	if image == nil || len(ours) == 0 {
		return nil
	}
	return p.bundle(ctx, &signed{digest: subject}, ocispec.Descriptor{
		MediaType: image.MediaType, Digest: digest.Digest(subject), Size: int64(len(image.Body)),
	})
}

// fallbackIndex stores a list of referrers that a client keeps itself. If it leaves our bundles out, they are merged in
// as in signature. An index that lists anything but referrers of its subject is refused: it would be an unsigned image.
func (p *push) fallbackIndex(rw http.ResponseWriter) error {
	rec, err := p.storeFallbackIndex()
	if err != nil {
		return err
	}
	return p.answer(rw, rec) // without the lock, as in signature
}

func (p *push) storeFallbackIndex() (*recorder, error) {
	ctx := p.req.Context()
	subject, _, _ := manifest.TagSubject(p.rt.Tag())
	// Clients go by what the list says of an entry, whatever the entry says of itself.
	if slices.ContainsFunc(p.m.Manifests, func(d manifest.Descriptor) bool { return manifest.IsBundleType(d.ArtifactType) }) {
		if err := p.bundleOfOurs(ctx, subject); err != nil {
			return nil, err
		}
	}
	unlock, err := p.locks.lock(ctx, p.name, subject)
	if err != nil {
		return nil, err
	}
	defer unlock()
	before, err := p.work.fallbackIndex(ctx, subject)
	if err != nil {
		return nil, err
	}
	if err := p.onlyReferrers(ctx, subject, before); err != nil {
		return nil, err
	}
	dropped, err := p.droppedBundles(ctx, subject, before)
	if err != nil {
		return nil, err
	}
	reference := p.rt.Reference
	if len(dropped) > 0 {
		reference = p.m.Digest
	}
	rec, _, err := p.forward(reference)
	if err != nil {
		return nil, err
	}
	if len(dropped) > 0 {
		index, err := decodeIndex(p.body)
		if err != nil {
			return nil, invalid(err)
		}
		if err := p.putFallbackIndex(ctx, p.rt.Tag(), index, append(index.Manifests, dropped...)); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

// imageOverList stores an image under the tag of a list of referrers, unless a bundle of ours is listed there for an
// image that lives.
func (p *push) imageOverList(rw http.ResponseWriter) error {
	subject, _, _ := manifest.TagSubject(p.rt.Tag())
	if err := p.refuseWhileListed(p.req.Context(), subject); err != nil {
		return err
	}
	return p.image(rw)
}

// onlyReferrers checks each entry that was not listed before. One that is not there does not show anything unsigned.
func (p *push) onlyReferrers(ctx context.Context, subject string, before ocispec.Index) error {
	for _, d := range p.m.Manifests {
		if slices.ContainsFunc(before.Manifests, func(e ocispec.Descriptor) bool { return e.Digest.String() == d.Digest }) {
			continue
		}
		stored, err := p.Manifest(ctx, p.name, d.Digest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		m, err := manifest.Parse(stored.MediaType, stored.Body)
		if err != nil {
			return invalid(err)
		}
		if m.Subject == nil || m.Subject.Digest != subject {
			return errorf(http.StatusBadRequest, CodeManifestInvalid, "the tag %s is for the list of what refers to %s, and %s does not; push the index under another tag", p.rt.Tag(), subject, d.Digest)
		}
	}
	return nil
}

// droppedBundles returns the entries of our own bundles that a client's list no longer has.
func (p *push) droppedBundles(ctx context.Context, subject string, before ocispec.Index) ([]ocispec.Descriptor, error) {
	var dropped []ocispec.Descriptor
	for _, d := range before.Manifests {
		if d.ArtifactType != bundleMediaType || slices.ContainsFunc(p.m.Manifests, func(e manifest.Descriptor) bool { return e.Digest == d.Digest.String() }) {
			continue
		}
		ours, err := p.isOurBundle(ctx, subject, d.Digest.String())
		if err != nil {
			return nil, err
		}
		if ours {
			dropped = append(dropped, d)
		}
	}
	return dropped, nil
}
