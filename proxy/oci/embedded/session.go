package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci"
)

// session is the middleware's own way to the store, without HTTP in between.
type session struct{ store distribution.Namespace }

func (s session) repository(ctx context.Context, name string) (distribution.Repository, error) {
	named, err := reference.WithName(name)
	if err != nil {
		return nil, err
	}
	return s.store.Repository(ctx, named)
}

func (s session) manifests(ctx context.Context, name string) (distribution.Repository, distribution.ManifestService, error) {
	repo, err := s.repository(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	ms, err := repo.Manifests(ctx)
	return repo, ms, err
}

// parseDigest reads a digest. Of an algorithm that is not known here, nothing is there.
func parseDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	return d, nil
}

// resolve returns the digest that a reference names, whether or not its manifest is there.
func resolve(ctx context.Context, repo distribution.Repository, ref string) (digest.Digest, error) {
	if strings.Contains(ref, ":") {
		return parseDigest(ref)
	}
	d, err := repo.Tags(ctx).Get(ctx, ref)
	return d.Digest, err
}

func (s session) Stat(ctx context.Context, name, ref string) (string, error) {
	repo, ms, err := s.manifests(ctx, name)
	if err != nil {
		return "", translate(err)
	}
	d, err := resolve(ctx, repo, ref)
	if err != nil {
		return "", translate(err)
	}
	there, err := ms.Exists(ctx, d)
	if err == nil && !there {
		err = fmt.Errorf("manifest %s of %s: %w", ref, name, fs.ErrNotExist)
	}
	return d.String(), translate(err)
}

func (s session) Manifest(ctx context.Context, name, ref string) (*oci.Stored, error) {
	repo, ms, err := s.manifests(ctx, name)
	if err != nil {
		return nil, translate(err)
	}
	d, err := resolve(ctx, repo, ref)
	if err != nil {
		return nil, translate(err)
	}
	m, err := ms.Get(ctx, d)
	if err != nil {
		return nil, translate(err)
	}
	mediaType, body, err := m.Payload()
	if err != nil {
		return nil, err
	}
	if got := digest.FromBytes(body); got != d && d.Algorithm() == digest.SHA256 {
		return nil, fmt.Errorf("manifest %s of %s is damaged in the storage: its digest is %s", d, name, got)
	}
	return &oci.Stored{MediaType: mediaType, Digest: d.String(), Body: body}, nil
}

func (s session) Blob(ctx context.Context, name, dgst string, max int64) ([]byte, error) {
	repo, err := s.repository(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := parseDigest(dgst)
	if err != nil {
		return nil, err
	}
	blobs := repo.Blobs(ctx)
	desc, err := blobs.Stat(ctx, d)
	if err != nil {
		return nil, translate(err)
	}
	if desc.Size > max {
		return nil, fmt.Errorf("blob %s of %d bytes: %w", dgst, desc.Size, oci.ErrTooLarge)
	}
	content, err := blobs.Get(ctx, d)
	if err != nil {
		return nil, translate(err)
	}
	if got := d.Algorithm().FromBytes(content); got != d {
		return nil, fmt.Errorf("blob %s of %s is damaged in the storage: its digest is %s", d, name, got)
	}
	return content, nil
}

// Referrers: distribution keeps no list of its own.
func (s session) Referrers(context.Context, string, string) ([]byte, error) {
	return nil, fmt.Errorf("referrers: %w", errors.ErrUnsupported)
}

func (s session) PutBlob(ctx context.Context, name string, content []byte, granted func()) error {
	if granted != nil {
		granted()
	}
	repo, err := s.repository(ctx, name)
	if err != nil {
		return err
	}
	_, err = repo.Blobs(ctx).Put(ctx, "application/octet-stream", content)
	return translate(err)
}

func (s session) PutManifest(ctx context.Context, name, ref, mediaType string, body []byte) (bool, error) {
	repo, ms, err := s.manifests(ctx, name)
	if err != nil {
		return false, err
	}
	m, desc, err := distribution.UnmarshalManifest(mediaType, body)
	if err != nil {
		return false, err
	}
	if strings.Contains(ref, ":") && ref != desc.Digest.String() {
		return false, fmt.Errorf("manifest %s is not %s", desc.Digest, ref)
	}
	if strings.Contains(ref, ":") {
		_, err := ms.Put(ctx, m)
		return false, translate(err)
	}
	tags := repo.Tags(ctx)
	desc.MediaType, desc.Size = mediaType, int64(len(body))
	if _, err := tags.Get(ctx, ref); errors.As(err, new(distribution.ErrTagUnknown)) {
		return false, translate(s.putNew(ctx, name, ref, desc, m))
	} else if err != nil {
		return false, translate(err)
	}
	// A tag that is there must never name a manifest that is not.
	if _, err := ms.Put(ctx, m); err != nil {
		return false, translate(err)
	}
	return false, translate(tags.Tag(ctx, ref, desc))
}

// putNew stores a manifest and a new tag for it at the same time, which takes half the time. Until both are there, and
// after a crash in between, the tag is as good as absent: whoever asks for it gets a 404.
func (s session) putNew(ctx context.Context, name, tag string, desc ocispec.Descriptor, m distribution.Manifest) error {
	// distribution wants a repository of its own for each goroutine.
	repo, err := s.repository(ctx, name)
	if err != nil {
		return err
	}
	tagged := make(chan error, 1)
	go func() { tagged <- repo.Tags(ctx).Tag(ctx, tag, desc) }()
	_, ms, err := s.manifests(ctx, name)
	if err == nil {
		_, err = ms.Put(ctx, m)
	}
	if terr := <-tagged; err == nil || terr != nil {
		return errors.Join(err, terr)
	}
	return errors.Join(err, repo.Tags(ctx).Untag(ctx, tag))
}

func (s session) Delete(ctx context.Context, name, dgst, tag string) error {
	repo, ms, err := s.manifests(ctx, name)
	if err != nil {
		return err
	}
	d, err := digest.Parse(dgst)
	if err != nil {
		return err
	}
	if tag != "" {
		if err := translate(repo.Tags(ctx).Untag(ctx, tag)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return translate(ms.Delete(ctx, d))
}
