package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
)

// Referrers are those of the OCI distribution specification 1.1, "Listing Referrers". A registry that has no such list
// gets one here, kept where the specification has clients keep it: in an index under the fallback tag sha256-<hex>.

// getReferrers answers from the registry's own list where it has one, otherwise from the fallback tag.
func (w *work) getReferrers(rw http.ResponseWriter, req *http.Request, rt Route) error {
	list, err := w.referrers(req.Context(), rt.Reference)
	if err != nil {
		return err
	}
	if want := req.URL.Query().Get("artifactType"); want != "" {
		list.Manifests = slices.DeleteFunc(list.Manifests, func(d ocispec.Descriptor) bool { return d.ArtifactType != want })
		rw.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	rw.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if req.Method != http.MethodHead {
		rw.Write(body)
	}
	return nil
}

// referrers returns the list of a digest's referrers as clients see it.
func (w *work) referrers(ctx context.Context, d string) (ocispec.Index, error) {
	body, err := w.Referrers(ctx, w.name, d)
	if errors.Is(err, errors.ErrUnsupported) {
		return w.fallbackIndex(ctx, d)
	}
	if err != nil {
		return ocispec.Index{}, err
	}
	return decodeIndex(body)
}

func decodeIndex(body []byte) (ocispec.Index, error) {
	index := emptyIndex()
	if err := json.Unmarshal(body, &index); err != nil {
		return index, fmt.Errorf("list of referrers: %w", err)
	}
	if index.Manifests == nil {
		index.Manifests = []ocispec.Descriptor{}
	}
	return index, nil
}

func emptyIndex() ocispec.Index {
	return ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{},
	}
}

// fallbackIndex returns what stands under the fallback tag, an empty index if nothing does.
func (w *work) fallbackIndex(ctx context.Context, d string) (ocispec.Index, error) {
	tag, err := manifest.FallbackTag(d)
	if err != nil {
		return emptyIndex(), nil // a digest that no tag can name has no referrers here
	}
	stored, err := w.Manifest(ctx, w.name, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return emptyIndex(), nil
	}
	if err != nil {
		return ocispec.Index{}, err
	}
	if stored.MediaType != ocispec.MediaTypeImageIndex {
		return emptyIndex(), nil // somebody's image under an unlucky tag
	}
	return decodeIndex(stored.Body)
}

// referrerEntry is how a list names a referrer.
func referrerEntry(m ocispec.Manifest, body []byte) ocispec.Descriptor {
	d := descriptor(m.MediaType, body)
	d.ArtifactType = m.ArtifactType
	if d.ArtifactType == "" {
		d.ArtifactType = m.Config.MediaType
	}
	d.Annotations = m.Annotations
	return d
}

// addReferrer enters a stored manifest in its subject's fallback index. The caller holds the subject's lock.
func (w *work) addReferrer(ctx context.Context, subject string, entry ocispec.Descriptor) error {
	return w.changeReferrers(ctx, subject, func(list []ocispec.Descriptor) []ocispec.Descriptor {
		if slices.ContainsFunc(list, func(d ocispec.Descriptor) bool { return d.Digest == entry.Digest }) {
			return list
		}
		return append(list, entry)
	})
}

// removeReferrer takes a deleted manifest out of its subject's fallback index. The caller holds the subject's lock.
func (w *work) removeReferrer(ctx context.Context, subject, d string) error {
	return w.changeReferrers(ctx, subject, func(list []ocispec.Descriptor) []ocispec.Descriptor {
		return slices.DeleteFunc(list, func(e ocispec.Descriptor) bool { return e.Digest.String() == d })
	})
}

// changeReferrers rewrites a fallback index and reads back what it wrote, since others may write it too.
func (w *work) changeReferrers(ctx context.Context, subject string, change func([]ocispec.Descriptor) []ocispec.Descriptor) error {
	tag, err := manifest.FallbackTag(subject)
	if err != nil {
		return errorf(http.StatusBadRequest, CodeUnsupported, "referrers of %s cannot be listed: %s", subject, err)
	}
	for range maxAttempts {
		index, err := w.fallbackIndex(ctx, subject)
		if err != nil {
			return err
		}
		changed := change(slices.Clone(index.Manifests))
		if sameEntries(changed, index.Manifests) {
			return nil
		}
		if err := w.putFallbackIndex(ctx, tag, index, changed); err != nil {
			return err
		}
	}
	return errorf(http.StatusConflict, CodeDenied, "somebody else keeps writing the referrers of %s; try again", subject)
}

// putFallbackIndex stores index with the given entries. Entries whose manifests have gone make some registries refuse
// the whole index: then they are dropped.
func (w *work) putFallbackIndex(ctx context.Context, tag string, index ocispec.Index, entries []ocispec.Descriptor) error {
	index.Manifests = entries
	body, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if len(body) > maxManifest {
		return errorf(http.StatusRequestEntityTooLarge, CodeSizeInvalid, "the list of referrers under %s is full: %d entries", tag, len(entries))
	}
	_, err = w.PutManifest(ctx, w.name, tag, ocispec.MediaTypeImageIndex, body)
	if !errors.Is(err, ErrBlobUnknown) {
		return err
	}
	var there []ocispec.Descriptor
	for _, d := range entries {
		switch _, serr := w.Stat(ctx, w.name, d.Digest.String()); {
		case serr == nil:
			there = append(there, d)
		case !errors.Is(serr, fs.ErrNotExist):
			return serr
		}
	}
	if len(there) == len(entries) {
		return err
	}
	return w.putFallbackIndex(ctx, tag, index, slices.Clip(append([]ocispec.Descriptor{}, there...)))
}

func sameEntries(a, b []ocispec.Descriptor) bool {
	return slices.EqualFunc(a, b, func(x, y ocispec.Descriptor) bool { return x.Digest == y.Digest })
}

// listedByRegistry reports whether the registry says in its answer that it lists the manifest itself.
func listedByRegistry(h http.Header) bool { return h.Get("OCI-Subject") != "" }

// entryOf reads the entry for a list from the bytes of a manifest that a client pushed.
func entryOf(m *manifest.Manifest) ocispec.Descriptor {
	return ocispec.Descriptor{
		MediaType: m.MediaType, Digest: digest.Digest(m.Digest), Size: m.Size,
		ArtifactType: m.ReferrerType(), Annotations: m.Annotations,
	}
}
