package oci

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
)

// What follows finds out whether something that is to be deleted is part of a signature of ours whose image lives. It
// goes by what the registry has, and never by what we remember.

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

// refuseIfSigns returns an error if m is the signature manifest of a living image other than gone, and holds a signature
// of ours. Otherwise nobody signs the images that m may be for until unlock is called.
func (w *work) refuseIfSigns(ctx context.Context, m *manifest.Manifest, gone string) (unlock func(), err error) {
	subjects, err := w.signedBy(ctx, m)
	if err != nil {
		return nil, err
	}
	subjects = slices.DeleteFunc(subjects, func(s string) bool { return s == gone })
	return w.lockUnless(ctx, subjects, func(subject string) error {
		tag, err := manifest.SignatureTag(subject)
		if err != nil {
			return err
		}
		return w.refuseWhileSigned(ctx, tag, subject, m.Digest)
	})
}

// lockUnless takes the locks of the subjects, and gives them back with the first error of refuse.
func (w *work) lockUnless(ctx context.Context, subjects []string, refuse func(subject string) error) (unlock func(), err error) {
	unlock, err = w.lockAll(ctx, subjects)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		if err := refuse(subject); err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
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

// refuseIfNamed returns an error if the signature manifest of a living image names the blob and holds a signature of ours.
// It may be the payload of somebody else: cosign reads all of them, and refuses ours, too, if one is missing.
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
	m, err := readSignatureManifest(current)
	if err != nil {
		return nil // nothing of ours
	}
	named := m.Config.Digest.String() == blob ||
		slices.ContainsFunc(m.Layers, func(l ocispec.Descriptor) bool { return l.Digest.String() == blob })
	if !named {
		return nil
	}
	ours, err := w.ourSignatures(ctx, current, subject)
	if err != nil || len(ours) == 0 {
		return err
	}
	return w.refuseWhileAlive(ctx, subject)
}

// blobSubjects returns the digests of the images whose signatures may need a blob: the one that it names, if it is a
// payload, or those that the payloads name which it lists, if it is a config that cosign made.
func (w *work) blobSubjects(ctx context.Context, content []byte) ([]string, error) {
	if d := payloadSubject(content); d != "" {
		return []string{d}, nil
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if json.Unmarshal(content, &config) != nil {
		return nil, nil
	}
	var subjects []string
	for _, id := range config.RootFS.DiffIDs[:min(len(config.RootFS.DiffIDs), maxForeignLayers)] {
		if !sha256Grammar.MatchString(id) {
			continue
		}
		payload, err := w.Blob(ctx, w.name, id, maxPayload)
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
	return w.lockUnless(ctx, subjects, func(subject string) error {
		tag, err := manifest.FallbackTag(subject)
		if err != nil {
			return nil // no list can be under it
		}
		d, err := w.Stat(ctx, w.name, tag)
		if errors.Is(err, fs.ErrNotExist) || err == nil && d != m.Digest {
			return nil
		}
		if err != nil {
			return err
		}
		return w.refuseWhileListed(ctx, subject)
	})
}
