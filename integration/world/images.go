package world

import (
	"archive/tar"
	"crypto/rand"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image makes a small OCI image that is like no other.
func Image(t T) v1.Image {
	t.Helper()
	img, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatalf("%v", err)
	}
	img = mutate.MediaType(img, types.OCIManifestSchema1)
	return mutate.ConfigMediaType(img, types.OCIConfigJSON)
}

// Index makes an OCI index of one small image for each platform, os/architecture.
func Index(t T, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			t.Fatalf("%v", err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: Image(t), Descriptor: v1.Descriptor{Platform: platform},
		})
	}
	return index
}

// Layout writes an image or an index as the only entry of an OCI layout, and returns its folder.
func Layout(t T, image any) string {
	t.Helper()
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatalf("%v", err)
	}
	switch image := image.(type) {
	case v1.Image:
		err = path.AppendImage(image)
	case v1.ImageIndex:
		err = path.AppendIndex(image)
	default:
		t.Fatalf("%T is neither an image nor an index", image)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}

// RootTar makes a tar with one small file that is like no other, for docker import and podman import.
func RootTar(t T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer f.Close()
	text := []byte("hello " + rand.Text() + "\n")
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatalf("%v", err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatalf("%v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}
