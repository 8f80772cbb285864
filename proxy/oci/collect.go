package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"hallmark/proxy/oci/manifest"
)

// A Lister lists what a registry holds.
type Lister interface {
	// Names calls f for the name of each image.
	Names(ctx context.Context, f func(name string) error) error
	// Tags returns the tags of an image, none for one that is not there.
	Tags(ctx context.Context, name string) ([]string, error)
}

// RemoveOrphans removes the signatures of images that have gone, of all names that mine accepts, and tells of each. What
// stands under a signature tag goes whole: a user's signature of an image that has gone is of no use either. It returns
// how many it removed. Nobody may push meanwhile.
func (r *Repository) RemoveOrphans(ctx context.Context, s Session, l Lister, mine func(name string) bool, tell func(string)) (removed int, err error) {
	err = l.Names(ctx, func(name string) error {
		if !mine(name) {
			return nil
		}
		w := &work{Repository: r, Session: s, Caller: Caller{By: "gc"}, name: name}
		tags, err := l.Tags(ctx, name)
		if err != nil {
			return err
		}
		for _, tag := range tags {
			n, err := w.removeOrphan(ctx, tag, tell)
			removed += n
			if err != nil {
				return fmt.Errorf("%s:%s: %w", name, tag, err)
			}
		}
		return nil
	})
	return removed, err
}

// removeOrphan removes what is ours under a tag if its image has gone.
func (w *work) removeOrphan(ctx context.Context, tag string, tell func(string)) (removed int, err error) {
	subject, suffix, ok := manifest.TagSubject(tag)
	if !ok || suffix != "" && suffix != ".sig" {
		return 0, nil
	}
	if _, err := w.Stat(ctx, w.name, subject); !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	stored, err := w.Manifest(ctx, w.name, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	m, err := manifest.Parse(stored.MediaType, stored.Body)
	if err != nil {
		return 0, nil // not a thing of ours
	}
	switch manifest.Classify(m, tag) {
	case manifest.Signature:
		tell(fmt.Sprintf("%s: %s: its image has gone", w.name, tag))
		return 1, w.removeSignatureManifest(ctx, stored.Digest, tag, subject)
	case manifest.FallbackIndex:
		for _, d := range m.Manifests {
			ours, err := w.isOurBundle(ctx, subject, d.Digest)
			if err != nil {
				return removed, err
			}
			if !ours {
				continue
			}
			tell(fmt.Sprintf("%s: bundle %s: its image has gone", w.name, d.Digest))
			if err := w.removeBundle(ctx, subject, d.Digest); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}
