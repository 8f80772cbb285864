package manifest_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/oci/manifest"
)

// FuzzParse checks that Parse never panics, that it fails with ErrInvalid alone, and that encoding/json, by which most
// of the field reads manifests, sees the same things in whatever Parse accepts.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("testdata: %v, %d files", err, len(names))
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("", body)
		f.Add(manifest.OCIManifest, body)
	}
	for _, body := range []string{
		`{` + image + `,"Layers":[]}`,
		`{` + image + `,"layerſ":[]}`,
		`{` + index + `,"mediaType":"` + manifest.OCIIndex + `"}`,
		`{"schemaVersion":2,"config":` + config + `,"layers":[{"mediaType":"a","digest":"` + digestA + `","size":9007199254740993}]}`,
	} {
		f.Add(manifest.OCIManifest, []byte(body))
		f.Add(manifest.OCIIndex, []byte(body))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		m, err := manifest.Parse(contentType, body)
		if err != nil {
			if !errors.Is(err, manifest.ErrInvalid) {
				t.Errorf("error does not wrap ErrInvalid: %v", err)
			}
			return
		}
		var std struct {
			ocispec.Manifest
			Manifests []ocispec.Descriptor `json:"manifests"`
			Blobs     []ocispec.Descriptor `json:"blobs"`
		}
		if err := json.Unmarshal(body, &std); err != nil {
			t.Fatalf("accepted, but encoding/json refuses it: %v\n%s", err, body)
		}
		if std.MediaType != "" && std.MediaType != m.MediaType {
			t.Errorf("mediaType = %q, encoding/json reads %q", m.MediaType, std.MediaType)
		}
		if std.ArtifactType != m.ArtifactType {
			t.Errorf("artifactType = %q, encoding/json reads %q", m.ArtifactType, std.ArtifactType)
		}
		same(t, "layers", m.Layers, append(std.Layers, std.Blobs...))
		same(t, "manifests", m.Manifests, std.Manifests)
		if m.Config != nil {
			same(t, "config", []manifest.Descriptor{*m.Config}, []ocispec.Descriptor{std.Config})
		}
		switch {
		case m.Subject != nil && std.Subject != nil:
			same(t, "subject", []manifest.Descriptor{*m.Subject}, []ocispec.Descriptor{*std.Subject})
		case m.Subject != nil || std.Subject != nil:
			t.Errorf("subject = %v, encoding/json reads %v", m.Subject, std.Subject)
		}
		manifest.Classify(m, "")
		manifest.Classify(m, "sha256-"+subjectHex)
	})
}

// same compares descriptors with those of encoding/json, field by field.
func same(t *testing.T, what string, got []manifest.Descriptor, std []ocispec.Descriptor) {
	t.Helper()
	if len(got) != len(std) {
		t.Fatalf("%d %s, encoding/json reads %d", len(got), what, len(std))
	}
	for i, s := range std {
		want := manifest.Descriptor{
			MediaType: s.MediaType, Digest: string(s.Digest), Size: s.Size,
			ArtifactType: s.ArtifactType, Annotations: s.Annotations,
		}
		if p := s.Platform; p != nil {
			want.Platform = &manifest.Platform{Architecture: p.Architecture, OS: p.OS, OSVersion: p.OSVersion, Variant: p.Variant}
		}
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Errorf("%s[%d] (-encoding/json +got):\n%s", what, i, diff)
		}
	}
}
