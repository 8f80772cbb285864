package oci

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"github.com/opencontainers/go-digest"

	"hallmark/proxy/oci/manifest"
)

// An image and its signatures go together: while the image is there, our signatures cannot be deleted; once it has gone,
// they go too.

// deleteManifest answers the DELETE of a manifest or tag.
func (w *work) deleteManifest(rw http.ResponseWriter, req *http.Request, rt Route) error {
	ctx := req.Context()
	if tag := rt.Tag(); tag != "" {
		if subject, suffix, ok := manifest.TagSubject(tag); ok && suffix == ".sig" {
			return w.deleteSignatureTag(rw, req, tag, subject)
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
		subject, err := w.signedBy(ctx, m)
		if err != nil {
			return err
		}
		return w.deleteSignature(rw, req, m, subject)
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
		errs = append(errs, w.Delete(ctx, w.name, d, tag))
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
	if rec.status >= 200 && rec.status < 300 {
		ctx, cancel := afterwards(req.Context())
		defer cancel()
		w.delist(ctx, m)
	}
	rec.replay(rw)
	return nil
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
func (w *work) deleteSignature(rw http.ResponseWriter, req *http.Request, m *manifest.Manifest, subject string) error {
	if subject != "" {
		unlock, err := w.locks.lock(req.Context(), w.name, subject)
		if err != nil {
			return err
		}
		defer unlock()
		tag, err := manifest.SignatureTag(subject)
		if err != nil {
			return invalid(err)
		}
		if err := w.refuseWhileSigned(req.Context(), tag, subject, m.Digest); err != nil {
			return err
		}
	}
	return w.deleteAttached(rw, req, m)
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

// signedBy returns the digest that the payloads of a signature manifest name, "" if none is readable.
func (w *work) signedBy(ctx context.Context, m *manifest.Manifest) (string, error) {
	for _, l := range m.Layers[:min(len(m.Layers), maxForeignLayers)] {
		payload, err := w.Blob(ctx, w.name, l.Digest, maxPayload)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
			continue
		}
		if err != nil {
			return "", err
		}
		if d := payloadSubject(payload); d != "" {
			return d, nil
		}
	}
	return "", nil
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
	if rt.Reference == digest.FromString(signatureConfig).String() {
		return errorf(http.StatusForbidden, CodeDenied, "this blob is part of every signature in %s; proxy repo gc removes it when the last one has gone", w.name)
	}
	content, err := w.Blob(ctx, w.name, rt.Reference, maxPayload)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrTooLarge) {
		return err
	}
	subject := payloadSubject(content)
	if subject == "" {
		w.Registry.ServeHTTP(rw, req)
		return nil
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
