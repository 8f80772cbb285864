package oci

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
)

// An image and its signatures go together: while the image is there, our signatures cannot be deleted; once it has gone,
// they go too.

const lockTimeout = 10 * time.Second // for all the locks of one deletion

// deleteManifest answers the DELETE of a manifest or tag.
func (w *work) deleteManifest(rw http.ResponseWriter, req *http.Request, rt Route) error {
	ctx := req.Context()
	if tag := rt.Tag(); tag != "" {
		switch subject, suffix, ok := manifest.TagSubject(tag); {
		case ok && suffix == ".sig":
			return w.deleteSignatureTag(rw, req, tag, subject)
		case ok && suffix == "":
			return w.deleteFallbackTag(rw, req, subject)
		}
		w.Registry.ServeHTTP(rw, req)
		return nil
	}
	stored, err := w.Manifest(ctx, w.name, rt.Reference)
	if errors.Is(err, fs.ErrNotExist) {
		w.Registry.ServeHTTP(rw, req) // which says so in its own way
		return nil
	}
	if err != nil {
		return err
	}
	m, err := manifest.Parse(stored.MediaType, stored.Body)
	if err != nil {
		w.Registry.ServeHTTP(rw, req) // it was there before us, so nothing of ours belongs to it
		return nil
	}
	switch manifest.Classify(m, "") {
	case manifest.Image:
		return w.deleteImage(rw, req, m)
	case manifest.Signature:
		return w.deleteSignature(rw, req, m)
	case manifest.Bundle:
		return w.deleteBundle(rw, req, m)
	}
	return w.deleteAttached(rw, req, m)
}

// deleteImage removes a manifest by digest, then its signatures, then looks whether it has come back meanwhile.
func (w *work) deleteImage(rw http.ResponseWriter, req *http.Request, m *manifest.Manifest) error {
	ctx := req.Context()
	unlock, err := w.locks.lock(ctx, w.name, m.Digest)
	if err != nil {
		return err
	}
	defer unlock()
	unlock, err = w.refuseIfLists(ctx, m)
	if err != nil {
		return err
	}
	defer unlock()
	rec := w.remove(req)
	if rec.status >= 200 && rec.status < 300 {
		ctx, cancel := afterwards(ctx)
		defer cancel()
		if err := w.removeSignatures(ctx, m); err != nil {
			w.Log.Warn("the signatures of a deleted image stay, which is harmless", "name", w.name, "digest", m.Digest, "request", w.Request, "error", err)
		}
		w.delist(ctx, m)
		w.lookAgain(ctx, m.Digest)
	}
	rec.replay(rw)
	return nil
}

// removeSignatures removes what a deleted image leaves behind: all that stands under its signature tag, and our bundles.
func (w *work) removeSignatures(ctx context.Context, m *manifest.Manifest) error {
	if _, err := w.Stat(ctx, w.name, m.Digest); !errors.Is(err, fs.ErrNotExist) {
		return err // not gone, or nobody knows
	}
	tag, err := manifest.SignatureTag(m.Digest)
	if err != nil {
		return err
	}
	var errs []error
	switch d, err := w.Stat(ctx, w.name, tag); {
	case err == nil:
		errs = append(errs, w.removeSignatureManifest(ctx, d, tag, m.Digest))
	case !errors.Is(err, fs.ErrNotExist):
		errs = append(errs, err)
	}
	bundles, err := w.ourBundles(subjectOf(m))
	errs = append(errs, err)
	for _, b := range bundles {
		switch _, err := w.Stat(ctx, w.name, b.digest); {
		case err == nil:
			errs = append(errs, w.removeBundle(ctx, m.Digest, b.digest))
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// delist takes a deleted manifest out of its subject's list of referrers.
func (w *work) delist(ctx context.Context, m *manifest.Manifest) {
	if m.Subject == nil {
		return
	}
	unlock, err := w.locks.lock(ctx, w.name, m.Subject.Digest)
	if err == nil {
		err = w.removeReferrer(ctx, m.Subject.Digest, m.Digest)
		unlock()
	}
	if err != nil {
		w.Log.Warn("a deleted manifest is still listed as a referrer", "name", w.name, "digest", m.Digest, "subject", m.Subject.Digest, "request", w.Request, "error", err)
	}
}

// deleteAttached removes an attestation, an SBOM or the like.
func (w *work) deleteAttached(rw http.ResponseWriter, req *http.Request, m *manifest.Manifest) error {
	rec := w.remove(req)
	w.attachedGone(req, m, rec)
	rec.replay(rw)
	return nil
}

// attachedGone takes what was attached out of its subject's list of referrers, if rec says that it was deleted.
func (w *work) attachedGone(req *http.Request, m *manifest.Manifest, rec *recorder) {
	if rec.status >= 200 && rec.status < 300 {
		ctx, cancel := afterwards(req.Context())
		defer cancel()
		w.delist(ctx, m)
	}
}

// deleteSignatureTag removes a signature tag, unless it holds a signature of ours whose image lives.
func (w *work) deleteSignatureTag(rw http.ResponseWriter, req *http.Request, tag, subject string) error {
	unlock, err := w.locks.lock(req.Context(), w.name, subject)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.refuseWhileSigned(req.Context(), tag, subject, ""); err != nil {
		return err
	}
	w.Registry.ServeHTTP(rw, req)
	return nil
}

// deleteSignature removes a signature manifest by digest, unless it is the one that stands under the tag of a living
// image and holds a signature of ours.
func (w *work) deleteSignature(rw http.ResponseWriter, req *http.Request, m *manifest.Manifest) error {
	unlock, err := w.refuseIfSigns(req.Context(), m, "")
	if err != nil {
		return err
	}
	rec := w.remove(req)
	unlock() // the manifest may have a subject, whose lock the rest takes
	w.attachedGone(req, m, rec)
	rec.replay(rw)
	return nil
}

// removeSignatureManifest removes what stands under the signature tag of an image that has gone, unless the same
// manifest is the signature of a living image, too: whoever may write the tag may have put both in one.
func (w *work) removeSignatureManifest(ctx context.Context, d, tag, gone string) error {
	stored, err := w.Manifest(ctx, w.name, d)
	if err != nil {
		return err
	}
	if m, err := manifest.Parse(stored.MediaType, stored.Body); err == nil {
		unlock, err := w.refuseIfSigns(ctx, m, gone)
		if err != nil {
			return err
		}
		defer unlock()
	}
	return w.Delete(ctx, w.name, d, tag)
}

// refuseIfSigns returns an error if m is the signature manifest of a living image other than gone, and holds a signature
// of ours. Otherwise nobody signs the images that m may be for until unlock is called.
func (w *work) refuseIfSigns(ctx context.Context, m *manifest.Manifest, gone string) (unlock func(), err error) {
	subjects, err := w.signedBy(ctx, m)
	if err != nil {
		return nil, err
	}
	subjects = slices.DeleteFunc(subjects, func(s string) bool { return s == gone })
	unlock, err = w.lockAll(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		tag, err := manifest.SignatureTag(subject)
		if err == nil {
			err = w.refuseWhileSigned(ctx, tag, subject, m.Digest)
		}
		if err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// lockAll takes the locks of several digests. A hostile manifest may name them in an order that others take the other
// way round: so it waits but a while.
func (w *work) lockAll(ctx context.Context, digests []string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout,
		errorf(http.StatusConflict, CodeDenied, "somebody is writing what this belongs to; try again"))
	defer cancel()
	var held []func()
	unlock = func() {
		for _, u := range held {
			u()
		}
	}
	for _, d := range digests {
		u, err := w.locks.lock(ctx, w.name, d)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, u)
	}
	return unlock, nil
}

// deleteFallbackTag removes a list of referrers by its tag, unless a bundle of ours is in it and the image lives.
func (w *work) deleteFallbackTag(rw http.ResponseWriter, req *http.Request, subject string) error {
	unlock, err := w.locks.lock(req.Context(), w.name, subject)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.refuseWhileListed(req.Context(), subject); err != nil {
		return err
	}
	w.Registry.ServeHTTP(rw, req)
	return nil
}

// refuseWhileListed returns an error if the list of a living image's referrers has a bundle of ours.
func (w *work) refuseWhileListed(ctx context.Context, subject string) error {
	list, err := w.fallbackIndex(ctx, subject)
	if err != nil {
		return err
	}
	for _, d := range list.Manifests {
		if d.ArtifactType != bundleMediaType {
			continue
		}
		ours, err := w.isOurBundle(ctx, subject, d.Digest.String())
		if err != nil {
			return err
		}
		if ours {
			return w.refuseWhileAlive(ctx, subject)
		}
	}
	return nil
}

// refuseIfLists returns an error if m is the list of a living image's referrers and has a bundle of ours. By its digest
// it looks like any index; what it lists tells. Otherwise nobody changes the list until unlock is called.
func (w *work) refuseIfLists(ctx context.Context, m *manifest.Manifest) (unlock func(), err error) {
	var subjects []string
	for _, d := range m.Manifests {
		if d.ArtifactType != bundleMediaType {
			continue
		}
		stored, err := w.Manifest(ctx, w.name, d.Digest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entry, err := manifest.Parse(stored.MediaType, stored.Body)
		if err != nil || entry.Subject == nil || slices.Contains(subjects, entry.Subject.Digest) || entry.Subject.Digest == m.Digest {
			continue
		}
		subjects = append(subjects, entry.Subject.Digest)
	}
	unlock, err = w.lockAll(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		tag, err := manifest.FallbackTag(subject)
		if err != nil {
			continue
		}
		d, err := w.Stat(ctx, w.name, tag)
		if err == nil && d == m.Digest {
			err = w.refuseWhileListed(ctx, subject)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// refuseWhileSigned returns an error if the signature manifest under tag, which must be the one with the digest only
// unless that is "", holds a signature of ours and its image lives.
func (w *work) refuseWhileSigned(ctx context.Context, tag, subject, only string) error {
	current, err := w.Manifest(ctx, w.name, tag)
	if errors.Is(err, fs.ErrNotExist) || err == nil && only != "" && current.Digest != only {
		return nil
	}
	if err != nil {
		return err
	}
	ours, err := w.ourSignatures(ctx, current, subject)
	if err != nil || len(ours) == 0 {
		return err
	}
	return w.refuseWhileAlive(ctx, subject)
}

func (w *work) refuseWhileAlive(ctx context.Context, subject string) error {
	_, err := w.Stat(ctx, w.name, subject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errorf(http.StatusForbidden, CodeDenied, "this is part of the signature of %s@%s, which is still there; delete the image by that digest, and its signatures go with it", w.name, subject)
}

// signedBy returns the digests that the payloads of a signature manifest name, each once. Anybody may have written any of
// the payloads, so all are read; if they are too many, that is an error.
func (w *work) signedBy(ctx context.Context, m *manifest.Manifest) ([]string, error) {
	var subjects []string
	read := make(map[string]bool)
	for _, l := range m.Layers {
		if read[l.Digest] {
			continue
		}
		if len(read) >= maxForeignLayers {
			return nil, errorf(http.StatusForbidden, CodeDenied, "%s@%s holds more than %d signatures, too many to find out whether one is needed; delete the image that it is for, and it goes with it", w.name, m.Digest, maxForeignLayers)
		}
		read[l.Digest] = true
		payload, err := w.Blob(ctx, w.name, l.Digest, maxPayload)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if d := payloadSubject(payload); d != "" && !slices.Contains(subjects, d) {
			subjects = append(subjects, d)
		}
	}
	return subjects, nil
}

// payloadSubject returns the SHA-256 digest that a simple signing payload names, "" if payload is none.
func payloadSubject(payload []byte) string {
	var doc struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			}
		}
	}
	if json.Unmarshal(payload, &doc) != nil || !sha256Grammar.MatchString(doc.Critical.Image.Digest) {
		return ""
	}
	return doc.Critical.Image.Digest
}

// deleteBundle removes a bundle, unless it is ours and its image lives.
func (w *work) deleteBundle(rw http.ResponseWriter, req *http.Request, m *manifest.Manifest) error {
	ours, err := w.isOurBundle(req.Context(), m.Subject.Digest, m.Digest)
	if err == nil && ours {
		err = w.refuseWhileAlive(req.Context(), m.Subject.Digest)
	}
	if err != nil {
		return err
	}
	return w.deleteAttached(rw, req, m)
}

// deleteBlob removes a blob, unless a signature of ours needs it.
func (w *work) deleteBlob(rw http.ResponseWriter, req *http.Request, rt Route) error {
	ctx := req.Context()
	if rt.Reference == digest.FromString(signatureConfig).String() || w.Bundles && rt.Reference == ocispec.DescriptorEmptyJSON.Digest.String() {
		return errorf(http.StatusForbidden, CodeDenied, "this blob is part of every signature in %s; proxy repo gc removes it when the last one has gone", w.name)
	}
	content, err := w.Blob(ctx, w.name, rt.Reference, maxPayload)
	// CNCF distribution keeps blobs under SHA-512 that nobody can read. Our signatures name theirs by SHA-256.
	var broken *Answer
	unreadable := !strings.HasPrefix(rt.Reference, "sha256:") && errors.As(err, &broken) && broken.Status >= 500
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrTooLarge) && !unreadable {
		return err
	}
	subject := payloadSubject(content)
	if subject == "" {
		return w.deleteBundleBlob(rw, req, content)
	}
	unlock, err := w.locks.lock(ctx, w.name, subject)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.refuseIfNamed(ctx, subject, rt.Reference); err != nil {
		return err
	}
	w.Registry.ServeHTTP(rw, req)
	return nil
}

// deleteBundleBlob removes a blob, unless it is a bundle of ours and its image lives.
func (w *work) deleteBundleBlob(rw http.ResponseWriter, req *http.Request, content []byte) error {
	if subject := bundleSubject(content); subject != "" {
		unlock, err := w.locks.lock(req.Context(), w.name, subject)
		if err != nil {
			return err
		}
		defer unlock()
		for _, k := range w.keys {
			if signing.VerifyBundle(k, content, w.image(subject)) != nil {
				continue
			}
			if err := w.refuseWhileAlive(req.Context(), subject); err != nil {
				return err
			}
		}
	}
	w.Registry.ServeHTTP(rw, req)
	return nil
}

// refuseIfNamed returns an error if a signature of ours for a living image has the blob as its payload.
func (w *work) refuseIfNamed(ctx context.Context, subject, blob string) error {
	tag, err := manifest.SignatureTag(subject)
	if err != nil {
		return nil
	}
	current, err := w.Manifest(ctx, w.name, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ours, err := w.ourSignatures(ctx, current, subject)
	if err != nil {
		return err
	}
	for _, s := range ours {
		if sha256Digest(s.Payload) == blob {
			return w.refuseWhileAlive(ctx, subject)
		}
	}
	return nil
}

// remove passes a DELETE on and holds the answer back.
func (w *work) remove(req *http.Request) *recorder {
	rec := newRecorder()
	w.Registry.ServeHTTP(rec, req)
	return rec
}
