package signing

import (
	"testing"

	"hallmark/signing/scheme"
)

func TestRingListsKeysOfAPurposeInOrder(t *testing.T) {
	index, err := NewKey("index", scheme.Index, testSigner(t, "p384"))
	if err != nil {
		t.Fatal(err)
	}
	old, newest := testKey(t, "p256"), testKey(t, "ed25519")
	r, err := NewRing("images", []*Key{old, index, newest})
	if err != nil {
		t.Fatal(err)
	}
	keys := r.Keys(scheme.Image)
	if len(keys) != 2 || keys[0] != old || keys[1] != newest {
		t.Errorf("Keys(image) = %v", keys)
	}
	if len(r.Keys(scheme.NPM)) != 0 {
		t.Error("Keys(npm) is not empty")
	}
	r.All()[0] = nil
	if r.All()[0] != old {
		t.Error("a caller of All can change the ring")
	}
}

func TestNewRingRefuses(t *testing.T) {
	image := testKey(t, "p256")
	index, err := NewKey("index key", scheme.Index, testSigner(t, "p256"))
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := image.Public().Fingerprint()
	tests := []struct {
		name       string
		repository string
		keys       []*Key
		want       []string
	}{
		{"one key for two purposes", "images", []*Key{image, index}, []string{`"images"`, `"p256" (image)`, `"index key" (index)`, fingerprint}},
		{"one key twice", "images", []*Key{image, testKey(t, "ed25519"), testKey(t, "p256")}, []string{`"images"`, "same key", fingerprint}},
		{"no repository", "", []*Key{image}, []string{"without a repository"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewRing(tt.repository, tt.keys)
			wantError(t, err, tt.want...)
		})
	}
}

func TestRingsMayNotShareAKey(t *testing.T) {
	ring := func(repository, name string, p scheme.Purpose, kind string) *Ring {
		k, err := NewKey(name, p, testSigner(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewRing(repository, []*Key{k})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	images := ring("images", "a.key", scheme.Image, "p256")
	wantError(t, CheckDistinct(images, ring("others", "b.key", scheme.Image, "p384")))
	wantError(t, CheckDistinct(images, ring("others", "b.key", scheme.Image, "p384"), ring("debian", "c.key", scheme.Index, "p256")),
		`"images"`, `"a.key"`, `"debian"`, `"c.key"`, images.All()[0].Public().Fingerprint())
}

func TestARingWithoutImageKeysSignsNoImage(t *testing.T) {
	k, err := NewKey("index", scheme.Index, testSigner(t, "p256"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRing("images", []*Key{k})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.SignImage(app)
	wantError(t, err, `"images"`, `no key of purpose "image"`)
	_, err = r.BundleImage(app)
	wantError(t, err, `"images"`, `no key of purpose "image"`)
}
