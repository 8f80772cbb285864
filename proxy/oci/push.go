package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"hallmark/proxy/oci/manifest"
)

// putManifest answers the PUT of a manifest. What it does depends on what the manifest is, which its content decides.
//
// For an image the order is: check the manifest, sign the children of an index, store the signature, and only then the
// manifest, once, under the client's own reference. Signature first means that neither the tag nor the digest is ever
// visible unsigned, wherever this process is killed.
func (w *work) putManifest(rw http.ResponseWriter, req *http.Request, rt Route) error {
	body, err := w.readManifest(req)
	if err != nil {
		return err
	}
	m, err := manifest.Parse(req.Header.Get("Content-Type"), body)
	if err != nil {
		return invalid(err)
	}
	if err := checkReference(rt, m); err != nil {
		return err
	}
	p := &push{work: w, req: req, rt: rt, m: m, body: body}
	class := manifest.Classify(m, rt.Tag())
	if class == manifest.Bundle || m.OffersBundle() {
		if err := p.bundleOfOurs(req.Context(), m.Subject.Digest); err != nil {
			return err
		}
	}
	_, suffix, attached := manifest.TagSubject(rt.Tag())
	switch {
	case attached && suffix == ".sig" && class != manifest.Signature:
		return errorf(http.StatusBadRequest, CodeManifestInvalid, "the tag %s is for the signatures of an image, and this manifest holds none; push it under another tag", rt.Tag())
	case attached && suffix == ".sig":
		return p.signature(rw)
	case class == manifest.Image && attached && suffix == "":
		return p.imageOverList(rw)
	case class == manifest.Image:
		return p.image(rw)
	case class == manifest.FallbackIndex:
		return p.fallbackIndex(rw)
	}
	// Signatures under other references, bundles, attestations, SBOMs: never signed, since what they say is not ours to confirm.
	return p.plain(rw)
}

// readManifest reads a body of at most the configured size.
func (w *work) readManifest(req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(req.Body, w.MaxManifest+1))
	if err != nil {
		return nil, errorf(http.StatusBadRequest, CodeManifestInvalid, "the manifest did not arrive whole: %s", err)
	}
	if int64(len(body)) > w.MaxManifest {
		return nil, errorf(http.StatusRequestEntityTooLarge, CodeSizeInvalid, "the manifest is larger than %d bytes, the limit of this registry (limits.manifest)", w.MaxManifest)
	}
	return body, nil
}

func invalid(err error) error {
	return errorf(http.StatusBadRequest, CodeManifestInvalid, "%s", err)
}

// checkReference checks the digest that the client gave. Only SHA-256 can be signed: cosign's tag for a longer digest
// would be longer than a tag may be.
func checkReference(rt Route, m *manifest.Manifest) error {
	d := rt.Digest()
	switch {
	case d == "" || d == m.Digest:
		return nil
	case !strings.HasPrefix(d, "sha256:"):
		return errorf(http.StatusBadRequest, CodeUnsupported, "a manifest under %.80s cannot carry a cosign signature, and nothing is stored unsigned here; push it by tag or by its SHA-256 digest", d)
	}
	return errorf(http.StatusBadRequest, CodeDigestInvalid, "the manifest's digest is %s, the request says %s", m.Digest, d)
}

// push is the PUT of one manifest.
type push struct {
	*work
	req  *http.Request
	rt   Route
	m    *manifest.Manifest
	body []byte
}

// forward stores the manifest under a reference. It returns the registry's answer if it is there, otherwise an error
// and whether the registry clearly refused.
func (p *push) forward(reference string) (rec *recorder, refused bool, err error) {
	rec = p.put(p.req, reference, p.m.MediaType, p.body)
	refused, err = p.stored(p.req, rec, p.m.Digest)
	return rec, refused, err
}

// answer tells the client that its manifest is stored, after entering it in its subject's list where the registry keeps
// none.
func (p *push) answer(rw http.ResponseWriter, rec *recorder) error {
	if s := p.m.Subject; s != nil {
		if !listedByRegistry(rec.header) {
			unlock, err := p.locks.lock(p.req.Context(), p.name, s.Digest)
			if err != nil {
				return err
			}
			err = p.addReferrer(p.req.Context(), s.Digest, entryOf(p.m))
			unlock()
			if err != nil {
				return err
			}
		}
		rec.header.Set("OCI-Subject", s.Digest)
	}
	rec.header.Set("Docker-Content-Digest", p.m.Digest)
	if rec.header.Get("Location") == "" {
		rec.header.Set("Location", "/v2/"+p.name+"/manifests/"+p.m.Digest)
	}
	rec.replay(rw)
	return nil
}

// plain stores what is never signed.
func (p *push) plain(rw http.ResponseWriter) error {
	unlock, err := p.locks.lock(p.req.Context(), p.name, p.m.Digest)
	if err != nil {
		return err
	}
	defer unlock()
	rec, _, err := p.forward(p.rt.Reference)
	if err != nil {
		return err
	}
	return p.answer(rw, rec)
}

// image signs and stores an image, an index or an artifact.
func (p *push) image(rw http.ResponseWriter) error {
	ctx := p.req.Context()
	if _, err := p.signChildren(ctx, p.m, 0); err != nil {
		return err
	}
	unlock, err := p.locks.lock(ctx, p.name, p.m.Digest)
	if err != nil {
		return err
	}
	defer unlock()
	if p.imageFirst.Load() {
		return p.storeThenSign(rw)
	}
	s, err := p.signAll(ctx, p.m)
	if p.wantsImageFirst(err) {
		if err := p.storeThenSign(rw); err != nil {
			return err
		}
		if p.imageFirst.CompareAndSwap(false, true) {
			p.Log.Warn("this registry refuses the signature of an image that it does not have yet: from now on the image goes first, by digest, then its signature, then the tag",
				"repository", p.Options.Name, "setting", "upstream.order")
		}
		return nil
	}
	if err != nil {
		return err
	}
	rec, refused, err := p.forward(p.rt.Reference)
	if err != nil {
		if refused {
			p.withdraw(ctx, s)
		}
		return err
	}
	return p.answer(rw, rec)
}

// wantsImageFirst reports whether err is the refusal of a signature by a registry that wants to have the image first. A
// blob that is missing is no reason: whoever may delete blobs would have the order of all pushes changed.
func (p *push) wantsImageFirst(err error) bool {
	var a *Answer
	auto := p.Order == OrderAuto || p.Order == ""
	return auto && errors.As(err, &a) && a.Status == http.StatusNotFound && !errors.Is(err, ErrBlobUnknown)
}

// storeThenSign is the other order: the manifest by digest, its signature, then the tag. If signing fails, or the answer
// leaves open whether the manifest is there, one that was not there before is removed again.
func (p *push) storeThenSign(rw http.ResponseWriter) error {
	ctx := p.req.Context()
	_, err := p.Stat(ctx, p.name, p.m.Digest)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	rec, refused, err := p.forward(p.m.Digest)
	if err == nil {
		_, err = p.signAll(ctx, p.m)
	}
	if err != nil {
		if isNew && !refused {
			p.removeUnsigned(ctx)
		}
		return err
	}
	if p.rt.Tag() != "" {
		if rec, _, err = p.forward(p.rt.Tag()); err != nil {
			return err
		}
	}
	return p.answer(rw, rec)
}

// removeUnsigned removes a manifest that was stored by its digest and could not be signed.
func (p *push) removeUnsigned(ctx context.Context) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := p.Delete(ctx, p.name, p.m.Digest, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.Log.Error("a manifest may be visible by its digest and unsigned: storing or signing it failed, and so did removing it",
			"name", p.name, "digest", p.m.Digest, "request", p.Request, "error", err)
	}
}

// withdraw takes back the signatures that were made for a manifest which the registry then refused. It is not needed
// for safety, since they sign bytes that nobody stored, so what fails is only logged. An image that is there after all
// keeps them: another pusher may rely on them.
func (w *work) withdraw(ctx context.Context, s *signed) {
	if s.after == "" && len(s.bundles) == 0 {
		return
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if _, err := w.Stat(ctx, w.name, s.digest); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err := w.removeSigned(ctx, s); err != nil {
		w.Log.Warn("the signature of a refused manifest stays, which is harmless", "name", w.name, "digest", s.digest, "request", w.Request, "error", err)
	}
	w.voidRows(ctx, s.rows)
	w.lookAgain(ctx, s.digest)
}

// removeSigned undoes what sign and bundle stored.
func (w *work) removeSigned(ctx context.Context, s *signed) error {
	var errs []error
	if s.after != "" {
		tag, err := manifest.SignatureTag(s.digest)
		if err != nil {
			return err
		}
		current, err := w.Stat(ctx, w.name, tag)
		switch {
		case err != nil:
			errs = append(errs, err)
		case current != s.after: // somebody else wrote it since, and it is no longer ours to remove
		case s.before == nil:
			errs = append(errs, w.Delete(ctx, w.name, s.after, tag))
		default:
			_, err := w.PutManifest(ctx, w.name, tag, s.before.MediaType, s.before.Body)
			errs = append(errs, err)
		}
	}
	for _, b := range s.bundles {
		errs = append(errs, w.removeBundle(ctx, s.digest, b))
	}
	return errors.Join(errs...)
}

func (w *work) removeBundle(ctx context.Context, subject, bundle string) error {
	if err := w.Delete(ctx, w.name, bundle, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.removeReferrer(ctx, subject, bundle)
}

// lookAgain signs an image that came back while its signatures were being removed: another proxy that stands in front of
// the same registry saw them, and let it pass.
func (w *work) lookAgain(ctx context.Context, d string) {
	stored, err := w.Manifest(ctx, w.name, d)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		var m *manifest.Manifest
		if m, err = manifest.Parse(stored.MediaType, stored.Body); err == nil {
			_, err = w.signAll(ctx, m)
		}
	}
	if err != nil {
		w.Log.Error("an image came back while its signatures were removed, and could not be signed again; push it again or run repo sign",
			"name", w.name, "digest", d, "request", w.Request, "error", err)
	}
}
