package signing

import (
	"slices"
	"testing"
	"time"

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

func TestTheOldestKeysOfARingAreTheFirstOfEachPurposeAndFamily(t *testing.T) {
	first, second := testKey(t, "p256"), testKey(t, "p384")
	newKey := func(name string, p scheme.Purpose, kind string) *Key {
		t.Helper()
		k, err := NewKey(name, p, testSigner(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rsa, ecdsa := newKey("rsa", scheme.Index, "rsa2048"), newKey("ecdsa", scheme.Index, "p521")
	later := newKey("later", scheme.Index, "rsa3072")
	r, err := NewRing("images", []*Key{first, rsa, second, ecdsa, later})
	if err != nil {
		t.Fatal(err)
	}
	oldest := r.Oldest()
	if got, want := oldest.All(), []*Key{first, rsa, ecdsa}; !slices.Equal(got, want) {
		t.Errorf("Oldest() has %v, want %v", got, want)
	}
	if oldest.Repository() != "images" {
		t.Errorf("Oldest() is of repository %q", oldest.Repository())
	}
	if len(r.All()) != 5 || len(r.Keys(scheme.Index)) != 3 {
		t.Error("Oldest has changed the ring")
	}
	signed, err := oldest.Sign(scheme.Index, scheme.RSASHA256, Bytes("index"), time.Now())
	if err != nil || len(signed.Signatures) != 1 || signed.Signatures[0].Name != "rsa" {
		t.Errorf("Oldest signs %+v: %v", signed, err)
	}
	if signed, err = r.Sign(scheme.Index, scheme.RSASHA256, Bytes("index"), time.Now()); err != nil || len(signed.Signatures) != 2 {
		t.Errorf("the ring signs %+v: %v", signed, err)
	}
}

func TestTheOldestKeysOfARingSharePackagesOnlyIfAllDo(t *testing.T) {
	newKey := func(name string, p scheme.Purpose, kind string) *Key {
		t.Helper()
		k, err := NewKey(name, p, testSigner(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	index, later := newKey("index", scheme.Index, "rsa2048"), newKey("later", scheme.Index, "rsa3072")
	own := newKey("own", scheme.Package, "rsa4096")
	for _, tt := range []struct {
		name    string
		keys    []*Key
		sharing bool
		want    []*Key
	}{
		{"packages have no keys", []*Key{index, later}, false, nil},
		{"packages use those of the index", []*Key{index, later}, true, []*Key{index}},
		{"packages have their own", []*Key{index, later, own}, true, []*Key{own}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewRing("rpm", tt.keys)
			if err != nil {
				t.Fatal(err)
			}
			if tt.sharing {
				r = r.SharingIndex()
			}
			if got := r.Oldest().Keys(scheme.Package); !slices.Equal(got, tt.want) {
				t.Errorf("Oldest().Keys(package) = %v, want %v", got, tt.want)
			}
		})
	}
}
