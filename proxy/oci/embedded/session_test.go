package embedded

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci"
)

// A new tag and its manifest are written at the same time: if the manifest is refused, the tag must not stay; and a tag
// that is there must keep what it names.
func TestARefusedManifestLeavesTagsAsTheyWere(t *testing.T) {
	const name, tag = "team/app", "v1"
	reg, err := Open(Options{Driver: "filesystem", Parameters: map[string]any{"rootdirectory": t.TempDir()}, Secret: "secret", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := reg.As(nil)
	stored, missing := []byte("stored"), []byte("missing")
	if err := s.PutBlob(t.Context(), name, stored, nil); err != nil {
		t.Fatal(err)
	}

	if _, err := s.PutManifest(t.Context(), name, tag, ocispec.MediaTypeImageManifest, manifestOf(t, missing)); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Fatalf("a manifest without its blob: %v, want ErrBlobUnknown", err)
	}
	if tags, err := reg.Tags(t.Context(), name); err != nil || len(tags) > 0 {
		t.Errorf("after a refused manifest there are the tags %v (%v)", tags, err)
	}
	if _, err := s.Manifest(t.Context(), name, tag); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused manifest: %v, want fs.ErrNotExist", err)
	}

	good := manifestOf(t, stored)
	if _, err := s.PutManifest(t.Context(), name, tag, ocispec.MediaTypeImageManifest, good); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutManifest(t.Context(), name, tag, ocispec.MediaTypeImageManifest, manifestOf(t, missing)); !errors.Is(err, oci.ErrBlobUnknown) {
		t.Fatalf("a manifest without its blob: %v, want ErrBlobUnknown", err)
	}
	if d, err := s.Stat(t.Context(), name, tag); err != nil || d != digest.FromBytes(good).String() {
		t.Errorf("after a refused manifest the tag names %s (%v)", d, err)
	}
}

func manifestOf(t *testing.T, config []byte) []byte {
	t.Helper()
	body, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers: []ocispec.Descriptor{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
