package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hallmark/integration/world"
)

// Rule: what is there and was signed stays signed. A stolen token that may push and delete can take an image away, and
// put another one there, but it can never leave one there without its signature.

// The honest deletion: an image goes, and then its signatures do.
func TestDeletingAnImageTakesItsSignaturesWithIt(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		h.mustBeSigned(t, "team/app", "1")
		h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digest, nil).expect(t, http.StatusAccepted)
		h.behind.get(t, "/v2/team/app/manifests/"+digest).expect(t, http.StatusNotFound)
		h.behind.get(t, "/v2/team/app/manifests/"+sigTag(digest)).expect(t, http.StatusNotFound)
	})
}

func TestASignatureCannotBeDeletedWhileItsImageLives(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		signature := digestOf(h.api.get(t, "/v2/team/app/manifests/"+sigTag(digest)).body)
		m := h.api.manifest(t, "team/app", sigTag(digest))
		for what, path := range map[string]string{
			"the tag":               "manifests/" + sigTag(digest),
			"the manifest's digest": "manifests/" + signature,
			"the payload":           "blobs/" + m.Layers[0].Digest,
			"the config":            "blobs/" + m.Config.Digest,
		} {
			h.api.do(t, http.MethodDelete, "/v2/team/app/"+path, nil).refused(t, http.StatusForbidden)
			if t.Failed() {
				t.Fatal(what)
			}
			h.mustBeSigned(t, "team/app", "1")
		}
		// Its twin: a signature whose image has gone is nobody's.
		orphan := h.behind.push(t, "team/other", "1")
		h.api.do(t, http.MethodDelete, "/v2/team/other/manifests/"+sigTag(orphan), nil)
		h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/1", nil).expect(t, http.StatusAccepted)
		if err := h.signed(h.api, "team/app", digest); err != nil {
			t.Errorf("deleting a tag took the signature: %v", err)
		}
	})
}

// A signature manifest may hold signatures of several images, if a pusher puts it together so. Deleting it for one of
// them must not take that of the other.
func TestASharedSignatureManifestStaysWhileOneOfItsImagesLives(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		gone, lives := h.api.push(t, "team/app", "gone"), h.api.push(t, "team/app", "lives")
		a, b := h.api.manifest(t, "team/app", sigTag(gone)), h.api.manifest(t, "team/app", sigTag(lives))
		a.Layers = append(a.Layers, b.Layers...)
		both := a.encode()
		for _, d := range []string{gone, lives} {
			h.api.put(t, "team/app", sigTag(d), ociManifest, both).expect(t, http.StatusCreated)
		}
		h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digestOf(both), nil).refused(t, http.StatusForbidden)
		h.mustBeSigned(t, "team/app", "lives")
		h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+gone, nil).expect(t, http.StatusAccepted)
		h.mustBeSigned(t, "team/app", "lives")
	})
}

// Which image a signature manifest is for cannot be told by its first payload: anybody may have written that one.
func TestAForeignPayloadDoesNotHideWhoseSignatureItIs(t *testing.T) {
	for name, payload := range map[string]func(other string) []byte{
		"of an image that is not there": func(string) []byte { return fakePayload("sha256:" + strings.Repeat("0", 64)) },
		"of another image":              fakePayload,
		"that is no payload":            func(string) []byte { return []byte("{}") },
		"too large to read":             func(string) []byte { return make([]byte, 100<<10) },
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, settings{}, func(t *testing.T, h *house) {
				other, digest := h.api.push(t, "team/app", "0"), h.api.push(t, "team/app", "1")
				foreign := h.api.blob(t, "team/app", simpleSigning, payload(other))
				foreign.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("not a signature"))}
				m := h.api.manifest(t, "team/app", sigTag(digest))
				m.Layers = append([]descriptor{foreign}, m.Layers...)
				body := m.encode()
				h.api.put(t, "team/app", sigTag(digest), ociManifest, body).expect(t, http.StatusCreated)
				h.mustBeSigned(t, "team/app", "1")
				h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digestOf(body), nil).refused(t, http.StatusForbidden)
				h.mustBeSigned(t, "team/app", "1")
			})
		})
	}
}

// A manifest with more foreign signatures than anybody reads hides ours no better.
func TestACrowdOfSignaturesDoesNotHideOurs(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		m := h.api.manifest(t, "team/app", sigTag(digest))
		ours := m.Layers
		m.Layers = nil
		for i := range 80 {
			foreign := h.api.blob(t, "team/app", simpleSigning, fmt.Appendf(nil, `{"n":%d}`, i))
			foreign.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
			m.Layers = append(m.Layers, foreign)
		}
		m.Layers = append(m.Layers, ours...)
		body := m.encode()
		h.api.put(t, "team/app", sigTag(digest), ociManifest, body)
		h.mustBeSigned(t, "team/app", "1")
		h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+digestOf(body), nil)
		h.mustBeSigned(t, "team/app", "1")
	})
}

// cosign looks at no image that has more than 1000 signatures.
func TestMoreSignaturesThanCosignReadsAreRefused(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		m := h.api.manifest(t, "team/app", sigTag(digest))
		for i := range 1000 {
			l := m.Layers[0]
			l.Annotations = map[string]string{signatureAnnotation: encodeBase64(fmt.Appendf(nil, "%d", i))}
			m.Layers = append(m.Layers, l)
		}
		before := h.state(t, "team/app", digestOf(m.encode()))
		h.api.put(t, "team/app", sigTag(digest), ociManifest, m.encode()).refused(t, 400)
		h.unchanged(t, before, "team/app", digestOf(m.encode()))
		verifies(t, h, "team/app:1")
	})
}

// Overwriting: whatever is pushed under the tag, ours is there at every moment and cosign finds it.
func TestOverwritingTheSignatureKeepsOurs(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *house, *manifestJSON){
		"without ours": func(t *testing.T, h *house, m *manifestJSON) {
			foreign := h.api.blob(t, "team/app", simpleSigning, []byte(`{"critical":null}`))
			foreign.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
			m.Layers = []descriptor{foreign}
		},
		"with a bit of ours flipped": func(t *testing.T, h *house, m *manifestJSON) {
			sig, _ := decodeBase64(m.Layers[0].Annotations[signatureAnnotation])
			sig[len(sig)-1] ^= 1
			m.Layers[0].Annotations[signatureAnnotation] = encodeBase64(sig)
		},
		"with a broken certificate beside ours": func(t *testing.T, h *house, m *manifestJSON) {
			m.Layers[0].Annotations["dev.sigstore.cosign/certificate"] = "no certificate"
		},
		"with a broken log entry beside ours": func(t *testing.T, h *house, m *manifestJSON) {
			m.Layers[0].Annotations["dev.sigstore.cosign/bundle"] = "no bundle"
		},
		"without a mediaType": func(t *testing.T, h *house, m *manifestJSON) {
			m.MediaType = ""
			foreign := h.api.blob(t, "team/app", simpleSigning, []byte(`{"critical":null}`))
			foreign.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
			m.Layers = []descriptor{foreign}
		},
		"with a config that is then deleted": func(t *testing.T, h *house, m *manifestJSON) {
			config := h.api.blob(t, "team/app", ociConfig, []byte(`{"architecture":"none","os":"none","rootfs":{"type":"layers","diff_ids":[]}}`))
			m.Config = &config
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, settings{}, func(t *testing.T, h *house) {
				digest := h.api.push(t, "team/app", "1")
				m := h.api.manifest(t, "team/app", sigTag(digest))
				config := m.Config.Digest
				change(t, h, &m)
				h.api.put(t, "team/app", sigTag(digest), ociManifest, m.encode()).expect(t, http.StatusCreated)
				if m.Config.Digest != config {
					h.api.do(t, http.MethodDelete, "/v2/team/app/blobs/"+m.Config.Digest, nil)
				}
				h.mustBeSigned(t, "team/app", "1")
				verifies(t, h, "team/app:1")
			})
		})
	}
}

// cosign finds a payload by its digest, and believes the first layer that has it: a layer with another size spoils ours,
// and may be there before the image is, since everybody can tell what our payload will be.
func TestALayerThatSpoilsOursIsRefused(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		body := h.api.tiny(t, "team/app")
		digest := digestOf(body)
		spoiled := h.api.blob(t, "team/app", simpleSigning, h.image("team/app", digest).Payload())
		spoiled.Size--
		spoiled.Annotations = map[string]string{signatureAnnotation: encodeBase64([]byte("no"))}
		config := h.api.blob(t, "team/app", ociConfig, []byte(tinyConfig))
		m := manifestJSON{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []descriptor{spoiled}}
		for range 2 { // before the image is there, and after
			before := h.state(t, "team/app", digestOf(m.encode()))
			h.api.put(t, "team/app", sigTag(digest), ociManifest, m.encode()).refused(t, 400)
			h.unchanged(t, before, "team/app", digestOf(m.encode()))
			h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
		}
		verifies(t, h, "team/app:1")
		if h.up == nil {
			return
		}
		// Somebody put it there past us: pushing again mends it.
		h.behind.put(t, "team/app", sigTag(digest), ociManifest, m.encode()).expect(t, http.StatusCreated)
		h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
		verifies(t, h, "team/app:1")
	})
}

// verifies fails the test unless both cosigns verify an image.
func verifies(t *testing.T, h *house, image string) {
	t.Helper()
	for _, version := range []int{2, 3} {
		cosign := world.NewCosign(t, version)
		if err := cosign.Verify(t, h.proxy.URL+"/-/keys/images/cosign.pub", h.proxy.Addr+"/"+image); err != nil {
			t.Errorf("%v\n%s", err, h.lastRequests())
		}
	}
}

// A manifest that is pushed by digest may ask for tags in its query (a draft of the specification): one of them could be
// our signature's.
func TestAQueryCannotNameAnotherTag(t *testing.T) {
	h := upstream(t, settings{})
	digest := h.api.push(t, "team/app", "1")
	body := h.api.tiny(t, "team/app")
	h.up.Reset()
	h.api.do(t, http.MethodPut, "/v2/team/app/manifests/"+digestOf(body)+"?tag="+sigTag(digest), body, "Content-Type", ociManifest)
	for _, r := range h.up.Requests() {
		if r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/") && r.Query != "" {
			t.Errorf("the upstream was asked %s", r.Line())
		}
	}
	h.mustBeSigned(t, "team/app", "1")
	h.mustBeSigned(t, "team/app", digestOf(body))
}

// A list of referrers that leaves our bundle out gets it back, and it can be neither deleted nor overwritten.
func TestOurBundleStaysListed(t *testing.T) {
	everywhere(t, settings{images: "    signatures: [cosign, bundle]\n"}, func(t *testing.T, h *house) {
		digest := h.api.push(t, "team/app", "1")
		ours := h.bundles(t, "team/app", digest)
		if len(ours) != 1 {
			t.Fatalf("%d bundles, want one", len(ours))
		}
		list := digestOf(h.api.get(t, "/v2/team/app/manifests/"+fallbackTag(digest)).expect(t, http.StatusOK).body)
		image := h.api.tiny(t, "team/app")
		empty := []byte(`{"schemaVersion":2,"mediaType":"` + ociIndex + `","manifests":[]}`)
		for what, attack := range map[string]func() answer{
			"an empty list": func() answer { return h.api.put(t, "team/app", fallbackTag(digest), ociIndex, empty) },
			"an image under the tag": func() answer {
				return h.api.put(t, "team/app", fallbackTag(digest), ociManifest, image)
			},
			"DELETE of the tag": func() answer {
				return h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+fallbackTag(digest), nil)
			},
			"DELETE of the list": func() answer {
				return h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+list, nil)
			},
			"DELETE of the bundle": func() answer {
				return h.api.do(t, http.MethodDelete, "/v2/team/app/manifests/"+ours[0], nil)
			},
			"DELETE of the bundle's blob": func() answer {
				m := h.api.manifest(t, "team/app", ours[0])
				return h.api.do(t, http.MethodDelete, "/v2/team/app/blobs/"+m.Layers[0].Digest, nil)
			},
		} {
			w := attack()
			if got := h.bundles(t, "team/app", digest); len(got) != 1 || got[0] != ours[0] {
				t.Fatalf("after %s (%d %s) the bundles are %v, want %v\n%s", what, w.status, w.body, got, ours, h.lastRequests())
			}
			m := h.behind.manifest(t, "team/app", ours[0])
			h.behind.get(t, "/v2/team/app/blobs/"+m.Layers[0].Digest).expect(t, http.StatusOK)
		}
		cosign := world.NewCosign(t, 3)
		if err := cosign.Verify(t, h.proxy.URL+"/-/keys/images/cosign.pub", h.proxy.Addr+"/team/app:1"); err != nil {
			t.Error(err)
		}
	})
}

// bundles returns the digests of the bundles that are listed for a digest behind the proxy.
func (h *house) bundles(t *testing.T, name, digest string) (all []string) {
	t.Helper()
	w := h.behind.get(t, "/v2/"+name+"/manifests/"+fallbackTag(digest))
	if w.status != http.StatusOK {
		return nil
	}
	var list manifestJSON
	if err := w.decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Manifests {
		if d.ArtifactType == bundleType {
			all = append(all, d.Digest)
		}
	}
	return all
}

// Somebody else's bundle makes cosign ignore our signature: whichever way it gets into the list, ours comes first.
func TestAForeignBundleBringsOurs(t *testing.T) {
	for name, disguise := range map[string]func(*manifestJSON) string{
		"as what it is":      func(m *manifestJSON) string { m.ArtifactType = bundleType; return bundleType },
		"by the list's word": func(m *manifestJSON) string { m.ArtifactType = "application/x-innocent"; return bundleType },
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, settings{}, func(t *testing.T, h *house) {
				digest := h.api.push(t, "team/app", "1")
				subject := describe(ociManifest, h.api.get(t, "/v2/team/app/manifests/1").body)
				config := h.api.blob(t, "team/app", emptyType, []byte("{}"))
				bundle := h.api.blob(t, "team/app", "application/json", []byte(`{"mediaType":"`+bundleType+`"}`))
				m := manifestJSON{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []descriptor{bundle}, Subject: &subject}
				listed := disguise(&m)
				body := m.encode()
				h.api.put(t, "team/app", digestOf(body), ociManifest, body).expect(t, http.StatusCreated)
				entry := describe(ociManifest, body)
				entry.ArtifactType = listed
				index := manifestJSON{SchemaVersion: 2, MediaType: ociIndex, Manifests: []descriptor{entry}}
				h.api.put(t, "team/app", fallbackTag(digest), ociIndex, index.encode()).expect(t, http.StatusCreated)
				if got := h.bundles(t, "team/app", digest); len(got) < 2 {
					t.Errorf("the list has the bundles %v: ours is not among them", got)
				}
			})
		})
	}
}
