package oci_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"

// userSignature makes the signature manifest of another signer, as cosign pushes it. The payload is the same as ours:
// only the signature tells whose it is.
func (s *stand) userSignature(name, dgst string) ([]byte, signing.PublicKey) {
	s.t.Helper()
	sigs, err := newRing(s.t, 1).SignImage(signing.Image{Reference: "registry.test/" + name, Name: name, Digest: dgst})
	if err != nil {
		s.t.Fatal(err)
	}
	layer := s.blob(name, sigs[0].Payload)
	layer.MediaType = simpleSigning
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sigs[0].Signature)}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: s.blob(name, []byte(`{"rootfs":{}}`)), Layers: []ocispec.Descriptor{layer}}
	m.SchemaVersion = 2
	m.Config.MediaType = ocispec.MediaTypeImageConfig
	body, _ := s.json(m)
	return body, sigs[0].Key
}

func TestAUsersSignatureNeverReplacesOurs(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	user, key := s.userSignature("app", dgst)
	s.seen()
	a := s.push("app", signatureTag(dgst), user)
	if got, want := a.header.Get("Docker-Content-Digest"), digest.FromBytes(user).String(); got != want {
		t.Errorf("the client is told that %s is stored, want %s", got, want)
	}
	puts := slices.DeleteFunc(s.seen(), func(r string) bool { return !strings.HasPrefix(r, "PUT ") })
	if want := []string{"PUT /v2/app/manifests/sha256:…", "PUT /v2/app/manifests/sha256-….sig"}; !slices.Equal(puts, want) {
		t.Errorf("wrote %q, want %q: the tag must never be without ours", puts, want)
	}
	s.mustBeSigned("app", dgst)
	if !s.signedBy(key, "app", dgst) {
		t.Error("the user's signature is gone")
	}
}

func TestAUsersSignatureThatKeepsOursIsStoredAsItIs(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	user, key := s.userSignature("app", dgst)
	s.push("app", signatureTag(dgst), user)
	merged := s.do(s.back, "GET", "/v2/app/manifests/"+signatureTag(dgst), "", nil).body
	s.seen()
	s.push("app", signatureTag(dgst), merged)
	puts := slices.DeleteFunc(s.seen(), func(r string) bool { return !strings.HasPrefix(r, "PUT ") })
	if want := []string{"PUT /v2/app/manifests/sha256-….sig"}; !slices.Equal(puts, want) {
		t.Errorf("wrote %q, want %q", puts, want)
	}
	s.mustBeSigned("app", dgst)
	if !s.signedBy(key, "app", dgst) {
		t.Error("the user's signature is gone")
	}
}

func TestAPushKeepsTheSignaturesOfOthers(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	user, key := s.userSignature("app", dgst)
	s.putBehind("app", signatureTag(dgst), user)
	s.push("app", "1", body)
	s.mustBeSigned("app", dgst)
	if !s.signedBy(key, "app", dgst) {
		t.Error("the user's signature is gone")
	}
}

func TestAnotherWriterOfTheSignatureTagDoesNotWin(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	user, _ := s.userSignature("app", dgst)
	s.putBehind("app", signatureTag(dgst), user)
	undone := 0
	s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		next.ServeHTTP(rw, req)
		if req.Method == "PUT" && strings.HasSuffix(req.URL.Path, ".sig") && undone < 2 {
			undone++
			s.interceptWith(nil)
			s.putBehind("app", signatureTag(dgst), user) // as a proxy beside us would that read before we wrote
		}
	})
	s.push("app", "1", body)
	s.mustBeSigned("app", dgst)
}

func TestSignaturesThemselvesAreNotSigned(t *testing.T) {
	s := newStand(t, nil)
	user, _ := s.userSignature("app", digest.FromString("elsewhere").String())
	for _, ref := range []string{digest.FromBytes(user).String(), "v1"} {
		s.push("app", ref, user)
	}
	if l := s.signatures("app", digest.FromBytes(user).String()); l != nil {
		t.Errorf("a signature was signed: %v", l)
	}
}

func TestOurSignatureCannotBeDeletedWhileTheImageLives(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	sig := s.do(s.back, "GET", "/v2/app/manifests/"+signatureTag(dgst), "", nil)
	var m ocispec.Manifest
	if err := json.Unmarshal(sig.body, &m); err != nil {
		t.Fatal(err)
	}
	paths := []string{
		"/v2/app/manifests/" + signatureTag(dgst),
		"/v2/app/manifests/" + digest.FromBytes(sig.body).String(),
		"/v2/app/blobs/" + m.Layers[0].Digest.String(),
		"/v2/app/blobs/" + m.Config.Digest.String(),
	}
	for _, path := range paths {
		if a := s.do(s.front, "DELETE", path, "", nil); a.status != http.StatusForbidden || a.code() != "DENIED" {
			t.Errorf("DELETE %s: %d %s", shorten(path), a.status, a.body)
		}
	}
	s.mustBeSigned("app", dgst)

	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/1", "", nil), http.StatusAccepted)
	s.mustBeSigned("app", dgst) // the image is still there, by its digest

	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/"+dgst, "", nil), http.StatusAccepted)
	if l := s.signatures("app", dgst); l != nil {
		t.Errorf("the image has gone and its signature stays: %v", l)
	}
	s.want(s.do(s.front, "DELETE", paths[2], "", nil), http.StatusAccepted)
}

// cosign reads every payload of a signature manifest, and its config: without one of them it refuses all.
func TestNothingThatOurSignatureStandsBesideCanBeDeleted(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	sigs, err := newRing(t, 1).SignImage(signing.Image{Reference: "elsewhere.test/app", Name: "app", Digest: dgst})
	if err != nil {
		t.Fatal(err)
	}
	layer := s.blob("app", sigs[0].Payload)
	layer.MediaType = simpleSigning
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sigs[0].Signature)}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []ocispec.Descriptor{layer},
		Config: s.blob("app", []byte(`{"rootfs":{"type":"layers","diff_ids":["`+layer.Digest.String()+`"]}}`))}
	m.SchemaVersion = 2
	m.Config.MediaType = ocispec.MediaTypeImageConfig
	user, _ := s.json(m)
	s.putBehind("app", signatureTag(dgst), user)
	s.push("app", "1", body)
	for what, d := range map[string]digest.Digest{"payload": layer.Digest, "config": m.Config.Digest} {
		if a := s.do(s.front, "DELETE", "/v2/app/blobs/"+d.String(), "", nil); a.status != http.StatusForbidden {
			t.Errorf("DELETE of the user's %s: %d %s", what, a.status, a.body)
		}
	}
	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/"+dgst, "", nil), http.StatusAccepted)
	for what, d := range map[string]digest.Digest{"config": m.Config.Digest, "payload": layer.Digest} {
		if a := s.do(s.front, "DELETE", "/v2/app/blobs/"+d.String(), "", nil); a.status != http.StatusAccepted {
			t.Errorf("DELETE of the user's %s when the image has gone: %d %s", what, a.status, a.body)
		}
	}
}

func TestOtherBlobsCanBeDeleted(t *testing.T) {
	s := newStand(t, nil)
	d := s.blob("app", []byte("anything"))
	s.want(s.do(s.front, "DELETE", "/v2/app/blobs/"+d.Digest.String(), "", nil), http.StatusAccepted)
}

func TestAnImageThatComesBackWhileItIsDeletedIsSignedAgain(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		next.ServeHTTP(rw, req)
		if req.Method == "DELETE" && !strings.HasSuffix(req.URL.Path, dgst) {
			s.interceptWith(nil)
			s.putBehind("app", "2", body) // another proxy saw the signature a moment ago and let it pass
		}
	})
	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/"+dgst, "", nil), http.StatusAccepted)
	s.want(s.do(s.back, "GET", "/v2/app/manifests/2", "", nil), http.StatusOK)
	s.mustBeSigned("app", dgst)
}

// subjectOf is a descriptor of a manifest.
func subjectOf(body []byte) *ocispec.Descriptor {
	return &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(body), Size: int64(len(body))}
}

func (s *stand) referrers(name, dgst, query string) ([]ocispec.Descriptor, http.Header) {
	s.t.Helper()
	a := s.want(s.do(s.front, "GET", "/v2/"+name+"/referrers/"+dgst+query, "", nil), http.StatusOK)
	if got := a.header.Get("Content-Type"); got != ocispec.MediaTypeImageIndex {
		s.t.Errorf("referrers are %q", got)
	}
	var index ocispec.Index
	if err := json.Unmarshal(a.body, &index); err != nil || index.Manifests == nil {
		s.t.Fatalf("%v: %s", err, a.body)
	}
	return index.Manifests, a.header
}

func TestReferrersAreListedWhereTheRegistryKeepsNoList(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	if list, _ := s.referrers("app", dgst, ""); len(list) != 0 {
		t.Errorf("referrers before there are any: %v", list)
	}
	doc, docDigest := s.image("app", "doc", func(m *ocispec.Manifest) {
		m.Subject, m.ArtifactType, m.Annotations = subjectOf(body), "example/doc", map[string]string{"a": "b"}
	})
	if got := s.push("app", docDigest, doc).header.Get("OCI-Subject"); got != dgst {
		t.Errorf("OCI-Subject is %q, want %q", got, dgst)
	}
	list, _ := s.referrers("app", dgst, "")
	if len(list) != 1 || list[0].Digest.String() != docDigest || list[0].ArtifactType != "example/doc" || list[0].Annotations["a"] != "b" {
		t.Errorf("referrers are %v", list)
	}
	if list, h := s.referrers("app", dgst, "?artifactType=other"); len(list) != 0 || h.Get("OCI-Filters-Applied") != "artifactType" {
		t.Errorf("filtered referrers are %v, header %q", list, h.Get("OCI-Filters-Applied"))
	}
	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/"+docDigest, "", nil), http.StatusAccepted)
	if list, _ := s.referrers("app", dgst, ""); len(list) != 0 {
		t.Errorf("referrers after the deletion: %v", list)
	}
}

func TestAnIndexOfReferrersHoldsReferrersOnly(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	other, _ := s.image("app", "other", nil)
	s.putBehind("app", "other", other)
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{*subjectOf(other)}}
	index.SchemaVersion = 2
	list, _ := s.json(index)
	if a := s.putThrough("app", strings.TrimSuffix(signatureTag(dgst), ".sig"), list); a.status != http.StatusBadRequest {
		t.Errorf("an unsigned image was listed under a tag that is not signed: %d", a.status)
	}
}

func bundleOf(subject *ocispec.Descriptor) func(*ocispec.Manifest) {
	return func(m *ocispec.Manifest) {
		m.ArtifactType, m.Subject = "application/vnd.dev.sigstore.bundle.v0.3+json", subject
		m.Config.MediaType = ocispec.MediaTypeEmptyJSON
		m.Layers[0].MediaType = m.ArtifactType
	}
}

func TestAUsersBundleGetsOursFirst(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	user, userDigest := s.image("app", "bundle", bundleOf(subjectOf(body)))
	s.push("app", userDigest, user)
	list, _ := s.referrers("app", dgst, "")
	if len(list) != 2 || list[1].Digest.String() != userDigest {
		t.Fatalf("referrers are %v, want ours and then the user's", list)
	}
	s.mustHaveBundle("app", dgst, list[0].Digest.String())
}

func TestAUsersBundleBeforeTheImageGetsOursWithTheImage(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	user, userDigest := s.image("app", "bundle", bundleOf(subjectOf(body)))
	s.push("app", userDigest, user)
	s.push("app", "1", body)
	list, _ := s.referrers("app", dgst, "")
	if len(list) != 2 {
		t.Fatalf("referrers are %v, want the user's and ours", list)
	}
	s.mustHaveBundle("app", dgst, list[1].Digest.String())
}

func (s *stand) mustHaveBundle(name, dgst, manifest string) {
	s.t.Helper()
	var m ocispec.Manifest
	if err := json.Unmarshal(s.want(s.do(s.back, "GET", "/v2/"+name+"/manifests/"+manifest, "", nil), 200).body, &m); err != nil {
		s.t.Fatal(err)
	}
	blob := s.want(s.do(s.back, "GET", "/v2/"+name+"/blobs/"+m.Layers[0].Digest.String(), "", nil), 200).body
	img := signing.Image{Reference: "registry.test/" + name, Name: name, Digest: dgst}
	if err := signing.VerifyBundle(s.ring.Keys(scheme.Image)[0].Public(), blob, img); err != nil {
		s.t.Errorf("%s is no bundle of ours: %v", manifest, err)
	}
}

func TestBundlesStandBesideSignatures(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.Bundles = true })
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	s.mustBeSigned("app", dgst)
	list, _ := s.referrers("app", dgst, "")
	if len(list) != 1 {
		t.Fatalf("referrers are %v", list)
	}
	s.mustHaveBundle("app", dgst, list[0].Digest.String())
	if got := s.rows("app", dgst); !slices.Equal(got, []ledger.State{ledger.Made, ledger.Made}) {
		t.Errorf("the ledger has %q", got)
	}
	s.push("app", "1", body)
	if again, _ := s.referrers("app", dgst, ""); len(again) != 1 {
		t.Errorf("another push made %v", again)
	}
	if a := s.do(s.front, "DELETE", "/v2/app/manifests/"+list[0].Digest.String(), "", nil); a.status != http.StatusForbidden {
		t.Errorf("DELETE of our bundle: %d", a.status)
	}
	s.want(s.do(s.front, "DELETE", "/v2/app/manifests/"+dgst, "", nil), http.StatusAccepted)
	if left, _ := s.referrers("app", dgst, ""); len(left) != 0 {
		t.Errorf("the image has gone and its bundle stays: %v", left)
	}
}

func TestAListThatDropsOurBundleGetsItBack(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.Bundles = true })
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	ours, _ := s.referrers("app", dgst, "")
	empty := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	empty.SchemaVersion = 2
	list, _ := s.json(empty)
	s.push("app", strings.TrimSuffix(signatureTag(dgst), ".sig"), list)
	if after, _ := s.referrers("app", dgst, ""); len(after) != 1 || after[0].Digest != ours[0].Digest {
		t.Errorf("referrers were %v, are %v", ours, after)
	}
}

func TestSignatureTagsCanBeHidden(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.HideSignatureTags = true })
	var want []string
	for _, tag := range []string{"1", "2", "3", "sha", "z"} {
		body, _ := s.image("app", tag, nil)
		s.push("app", tag, body)
		want = append(want, tag)
	}
	tags := func(path string) (list []string, link string) {
		a := s.want(s.do(s.front, "GET", path, "", nil), http.StatusOK)
		var doc struct{ Tags []string }
		if err := json.Unmarshal(a.body, &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Tags, a.header.Get("Link")
	}
	if got, link := tags("/v2/app/tags/list"); !slices.Equal(got, want) || link != "" {
		t.Errorf("tags are %q, Link %q", got, link)
	}
	var paged []string
	path := "/v2/app/tags/list?n=2"
	for path != "" {
		got, link := tags(path)
		if len(got) > 2 {
			t.Errorf("a page of %q", got)
		}
		paged = append(paged, got...)
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
	}
	if !slices.Equal(paged, want) {
		t.Errorf("page by page the tags are %q", paged)
	}
	s.want(s.do(s.front, "GET", "/v2/nothing/tags/list", "", nil), http.StatusNotFound)
}
