package attacks

import (
	"encoding/json"
	"net/http"
	"testing"

	"hallmark/integration/world"
)

// Rule: no signing oracle. A signature that we give for what somebody pushed must not be usable as a signature of
// anything else.

// fakePayload returns what we would sign for an image.
func fakePayload(digest string) []byte {
	body, err := json.Marshal(map[string]any{
		"critical": map[string]any{
			"identity": map[string]string{"docker-reference": "127.0.0.1:8080/team/victim"},
			"image":    map[string]string{"docker-manifest-digest": digest},
			"type":     "cosign container image signature",
		},
		"optional": map[string]string{"repository": "team/victim"},
	})
	if err != nil {
		panic(err)
	}
	return body
}

// What is pushed may look like what we sign. We sign it as the image that it is, or not at all: nothing that we made
// verifies for the victim.
func TestWhatLooksLikeASignatureIsNoSignatureOfAnotherImage(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		victim := h.behind.tiny(t, "team/victim")
		if h.up != nil { // an image that was there before us, unsigned
			h.behind.put(t, "team/victim", "1", ociManifest, victim).expect(t, http.StatusCreated)
		}
		digest := digestOf(victim)
		payload := fakePayload(digest)
		statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + digest[7:] +
			`"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
		preAuth := append([]byte("DSSEv1 28 application/vnd.in-toto+json "), statement...)

		for what, content := range map[string][]byte{"payload": payload, "statement": statement, "pre-authentication encoding": preAuth} {
			for _, mediaType := range []string{"application/octet-stream", simpleSigning, dsseType, bundleType, ociConfig} {
				layer := h.api.blob(t, "team/victim", mediaType, content)
				layer.Annotations = map[string]string{signatureAnnotation: ""}
				config := h.api.blob(t, "team/victim", ociConfig, []byte(tinyConfig))
				for _, m := range []manifestJSON{
					{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []descriptor{layer}},
					{SchemaVersion: 2, MediaType: ociManifest, Config: &layer, Layers: []descriptor{config}},
					{SchemaVersion: 2, MediaType: ociManifest, Config: &layer, Layers: []descriptor{layer}},
				} {
					body := m.encode()
					h.api.put(t, "team/victim", digestOf(body), ociManifest, body)
					if d := digestOf(body); h.signed(h.behind, "team/victim", d) == nil {
						sig := h.api.manifest(t, "team/victim", sigTag(d))
						signsOnly(t, h, sig, d)
					}
				}
			}
			// The manifest itself is the payload.
			for _, mediaType := range []string{ociManifest, "application/json", simpleSigning} {
				before := h.state(t, "team/direct", digestOf(content))
				h.api.put(t, "team/direct", "payload", mediaType, content).refused(t, 400)
				h.unchanged(t, before, "team/direct", digestOf(content))
			}
			if err := h.signed(h.behind, "team/victim", digest); err == nil {
				t.Fatalf("a pushed %s became a signature of the victim", what)
			}
		}
		if rows := h.rows(t, "team/victim", digest); len(rows) != 0 {
			t.Errorf("the victim was signed: %v", rows)
		}
		if h.up != nil {
			for _, version := range []int{2, 3} {
				world.NewCosign(t, version).NotVerify(t, h.proxy.URL+"/-/keys/images/cosign.pub", h.proxy.Addr+"/team/victim:1")
			}
			// Its twin: once it is pushed through us, it verifies.
			h.api.put(t, "team/victim", "1", ociManifest, victim).expect(t, http.StatusCreated)
			verifies(t, h, "team/victim:1")
		}
	})
}

// signsOnly fails the test unless every payload of a signature manifest names the digest.
func signsOnly(t *testing.T, h *house, sig manifestJSON, digest string) {
	t.Helper()
	for _, l := range sig.Layers {
		var p struct {
			Critical struct {
				Image struct {
					Digest string `json:"docker-manifest-digest"`
				}
			}
		}
		if err := h.api.get(t, "/v2/team/victim/blobs/"+l.Digest).decode(&p); err != nil || p.Critical.Image.Digest != digest {
			t.Errorf("the signature of %s says %+v (%v)", digest, p, err)
		}
	}
}

// Signatures, attestations, bundles and lists of referrers are never signed: what they say is not ours to confirm.
func TestWhatIsAttachedIsNotSigned(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		subject := describe(ociManifest, h.api.get(t, "/v2/team/app/manifests/1").body)
		config := h.api.blob(t, "team/app", ociConfig, []byte(tinyConfig))
		empty := h.api.blob(t, "team/app", emptyType, []byte("{}"))
		layer := func(mediaType string) []descriptor {
			d := h.api.blob(t, "team/app", mediaType, fakePayload(digest))
			d.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
			return []descriptor{d}
		}
		for what, m := range map[string]manifestJSON{
			"a signature":    {Config: &config, Layers: layer(simpleSigning)},
			"an attestation": {Config: &config, Layers: layer(dsseType)},
			"a bundle":       {Config: &empty, ArtifactType: bundleType, Layers: layer(bundleType), Subject: &subject},
			"a Notary's":     {Config: &empty, ArtifactType: "application/vnd.cncf.notary.signature", Layers: layer("application/jose+json"), Subject: &subject},
			"an SBOM":        {Config: &config, Layers: layer("text/spdx+json"), Subject: &subject},
		} {
			m.SchemaVersion, m.MediaType = 2, ociManifest
			body := m.encode()
			h.api.put(t, "team/app", digestOf(body), ociManifest, body).expect(t, http.StatusCreated)
			if err := h.signed(h.behind, "team/app", digestOf(body)); err == nil {
				t.Errorf("%s was signed", what)
			}
			if rows := h.rows(t, "team/app", digestOf(body)); len(rows) != 0 {
				t.Errorf("%s is in the ledger: %v", what, rows)
			}
		}
		// Its twin: the same contents in what is an image are signed.
		image := manifestJSON{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: append(layer(simpleSigning), config)}
		h.api.put(t, "team/app", "2", ociManifest, image.encode()).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "2")
	})
}

// An image does not get out of being signed by a tag that only signatures have.
func TestATagDoesNotMakeASignature(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		body := h.api.tiny(t, "team/app")
		before := h.state(t, "team/app", digestOf(body))
		h.api.put(t, "team/app", sigTag(digest), ociManifest, body).refused(t, 400)
		h.api.put(t, "team/app", sigTag(digestOf(body)), ociManifest, body).refused(t, 400)
		h.unchanged(t, before, "team/app", digestOf(body))
		for _, suffix := range []string{"", ".att", ".sbom"} {
			body := h.api.tiny(t, "team/app")
			tag := fallbackTag(digestOf(body)) + suffix
			h.api.put(t, "team/app", tag, ociManifest, body).expect(t, http.StatusCreated)
			h.mustBeSigned(t, "team/app", tag)
		}
	})
}

// A signature that is moved to another name verifies there, since the bytes are the same, unless it is asked for which
// name it was given.
func TestASignatureOfOneNameIsNotThatOfAnother(t *testing.T) {
	h := upstream(t, settings{})
	body := h.api.tiny(t, "team/app")
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
	digest := digestOf(body)
	// Past the proxy, as somebody could who owns the registry.
	h.behind.tiny(t, "team/other")
	h.behind.put(t, "team/other", "1", ociManifest, body).expect(t, http.StatusCreated)
	sig := h.behind.manifest(t, "team/app", sigTag(digest))
	h.behind.blob(t, "team/other", simpleSigning, h.behind.get(t, "/v2/team/app/blobs/"+sig.Layers[0].Digest).body)
	h.behind.blob(t, "team/other", ociConfig, h.behind.get(t, "/v2/team/app/blobs/"+sig.Config.Digest).body)
	moved := h.behind.get(t, "/v2/team/app/manifests/"+sigTag(digest)).body
	h.behind.put(t, "team/other", sigTag(digest), ociManifest, moved).expect(t, http.StatusCreated)

	key := h.proxy.URL + "/-/keys/images/cosign.pub"
	for _, version := range []int{2, 3} {
		cosign := world.NewCosign(t, version)
		if err := cosign.Verify(t, key, h.proxy.Addr+"/team/app:1", "-a", "repository=team/app"); err != nil {
			t.Error(err)
		}
		cosign.NotVerify(t, key, h.proxy.Addr+"/team/other:1", "-a", "repository=team/other")
	}
	// For us it is not signed yet, and a push mends that.
	if err := h.signed(h.behind, "team/other", digest); err == nil {
		t.Error("our own check takes the signature of another name")
	}
	h.api.put(t, "team/other", "1", ociManifest, body).expect(t, http.StatusCreated)
	for _, version := range []int{2, 3} {
		if err := world.NewCosign(t, version).Verify(t, key, h.proxy.Addr+"/team/other:1", "-a", "repository=team/other"); err != nil {
			t.Error(err)
		}
	}
}

// A blob whose content is a manifest is a blob: it must not become an image that nobody signed.
func TestAManifestThatIsUploadedAsABlobIsNoImage(t *testing.T) {
	h := embedded(t, settings{})
	body := h.api.tiny(t, "team/app")
	h.api.blob(t, "team/app", "application/octet-stream", body)
	h.api.get(t, "/v2/team/app/manifests/"+digestOf(body)).refused(t, http.StatusNotFound)
	h.api.do(t, http.MethodHead, "/v2/team/app/manifests/"+digestOf(body), nil).expect(t, http.StatusNotFound)
	h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
	h.mustBeSigned(t, "team/app", "1")
	h.mustBeSigned(t, "team/app", digestOf(body))
}
