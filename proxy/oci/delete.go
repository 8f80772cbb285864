package oci

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
)

// An image and its signatures go together: while the image is there, our signatures cannot be deleted; once it has gone,
// they go too.

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
	subjects, err := w.blobSubjects(ctx, content)
	if err != nil {
		return err
	}
	if len(subjects) == 0 {
		return w.deleteBundleBlob(rw, req, content)
	}
	unlock, err := w.lockUnless(ctx, subjects, func(subject string) error { return w.refuseIfNamed(ctx, subject, rt.Reference) })
	if err != nil {
		return err
	}
	defer unlock()
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

// remove passes a DELETE on and holds the answer back.
func (w *work) remove(req *http.Request) *recorder {
	rec := newRecorder()
	rec.ask(w.Registry, req)
	return rec
}
