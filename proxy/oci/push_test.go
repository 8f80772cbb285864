package oci_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci"
)

func TestTheSignatureIsStoredBeforeTheManifest(t *testing.T) {
	s := newStand(t, nil)
	first, _ := s.image("app", "first", nil)
	s.push("app", "1", first) // stores the constant config
	body, dgst := s.image("app", "second", nil)
	s.seen()
	a := s.push("app", "2", body)
	if got := a.header.Get("Docker-Content-Digest"); got != dgst {
		t.Errorf("Docker-Content-Digest is %q, want %q", got, dgst)
	}
	got := s.seen()
	if len(got) != 5 {
		t.Errorf("%d requests, want 5: %q", len(got), got)
	}
	if !slices.Contains(got[:len(got)-2], "GET /v2/app/manifests/sha256-….sig") {
		t.Errorf("the signature tag was not read first: %q", got)
	}
	if want := []string{"PUT /v2/app/manifests/sha256-….sig", "PUT /v2/app/manifests/2"}; !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("the last requests are %q, want %q", got[len(got)-2:], want)
	}
	s.mustBeSigned("app", dgst)
	if got := s.rows("app", dgst); !slices.Equal(got, []ledger.State{ledger.Made}) {
		t.Errorf("the ledger has %q", got)
	}
}

func TestAnotherPushOfTheSameManifestAddsNothing(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.push("app", "1", body)
	before := s.signatures("app", dgst)
	s.seen()
	s.push("app", "2", body)
	for _, r := range s.seen() {
		if !strings.HasPrefix(r, "GET ") && r != "PUT /v2/app/manifests/2" {
			t.Errorf("the push wrote: %s", r)
		}
	}
	if after := s.signatures("app", dgst); len(after) != 1 || after[0].Digest != before[0].Digest {
		t.Errorf("signatures were %v, are %v", before, after)
	}
	if got := s.rows("app", dgst); len(got) != 1 {
		t.Errorf("the ledger has %q", got)
	}
}

func TestEveryKeyOfTheRingSigns(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.Ring = newRing(t, 2) })
	body, dgst := s.image("app", "x", nil)
	s.push("app", dgst, body)
	s.mustBeSigned("app", dgst)
	if got := s.rows("app", dgst); len(got) != 2 {
		t.Errorf("the ledger has %q", got)
	}
}

func TestARefusedManifestTakesItsSignatureBack(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", func(m *ocispec.Manifest) {
		m.Layers[0].Digest = digest.FromString("nobody stored this")
	})
	a := s.putThrough("app", "1", body)
	if a.status != http.StatusBadRequest || a.code() != "MANIFEST_BLOB_UNKNOWN" {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	if l := s.signatures("app", dgst); l != nil {
		t.Errorf("the signature stays: %v", l)
	}
	if got := s.rows("app", dgst); !slices.Equal(got, []ledger.State{ledger.Void}) {
		t.Errorf("the ledger has %q", got)
	}
}

func TestAnOpenAnswerLeavesTheSignature(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"500": func(rw http.ResponseWriter) { rw.WriteHeader(500) },
		"202": func(rw http.ResponseWriter) { rw.WriteHeader(202) },
		"another digest": func(rw http.ResponseWriter) {
			rw.Header().Set("Docker-Content-Digest", "sha256:0")
			rw.WriteHeader(201)
		},
		"cut off": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, nil)
			body, dgst := s.image("app", "x", nil)
			s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
				if req.Method == "PUT" && strings.HasSuffix(req.URL.Path, "/manifests/1") {
					answer(rw)
					return
				}
				next.ServeHTTP(rw, req)
			})
			if a := s.putThrough("app", "1", body); a.status != http.StatusBadGateway || a.code() == "" {
				t.Errorf("answer %d %s", a.status, a.body)
			}
			s.interceptWith(nil)
			s.mustBeSigned("app", dgst)
			if got := s.rows("app", dgst); !slices.Equal(got, []ledger.State{ledger.Made}) {
				t.Errorf("the ledger has %q", got)
			}
			s.push("app", "1", body) // and the next push goes on from there
		})
	}
}

func TestNothingIsSignedThatCannotBeLogged(t *testing.T) {
	s := newStand(t, nil)
	body, dgst := s.image("app", "x", nil)
	s.ledger.Close()
	if a := s.putThrough("app", "1", body); a.status != http.StatusInternalServerError || a.code() == "" {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	if l := s.signatures("app", dgst); l != nil {
		t.Errorf("there is a signature: %v", l)
	}
	s.want(s.do(s.back, "GET", "/v2/app/manifests/1", "", nil), http.StatusNotFound)
}

func TestAFailureToReadIsNotAbsence(t *testing.T) {
	for _, status := range []int{401, 403, 429, 500, 503} {
		s := newStand(t, nil)
		body, _ := s.image("app", "x", nil)
		s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
			if req.Method == "GET" && strings.HasSuffix(req.URL.Path, ".sig") {
				rw.WriteHeader(status)
				return
			}
			next.ServeHTTP(rw, req)
		})
		want := status
		if status >= 500 {
			want = http.StatusBadGateway
		}
		if a := s.putThrough("app", "1", body); a.status != want || a.code() == "" {
			t.Errorf("%d: answer %d %s", status, a.status, a.body)
		}
		s.interceptWith(nil)
		s.want(s.do(s.back, "GET", "/v2/app/manifests/1", "", nil), http.StatusNotFound)
	}
}

func TestAPushOfAnIndexSignsChildrenThatWereThereBefore(t *testing.T) {
	s := newStand(t, nil)
	one, oneDigest := s.image("app", "one", nil)
	two, twoDigest := s.image("app", "two", nil)
	s.putBehind("app", oneDigest, one)
	s.putBehind("app", twoDigest, two)
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{
		{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(one), Size: int64(len(one)), Platform: &ocispec.Platform{OS: "linux", Architecture: "amd64"}},
		{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(two), Size: int64(len(two)), Platform: &ocispec.Platform{OS: "linux", Architecture: "arm64"}},
	}}
	index.SchemaVersion = 2
	body, dgst := s.json(index)
	s.push("app", "multi", body)
	for _, d := range []string{dgst, oneDigest, twoDigest} {
		s.mustBeSigned("app", d)
	}
}

func TestWhatBadManifestsGet(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.MaxManifest = 10_000 })
	good, goodDigest := s.image("app", "x", nil)
	sig, _ := s.image("app", "y", nil)
	for _, c := range []struct {
		name, reference, contentType, body string
		status                             int
		code                               string
	}{
		{"another digest in the reference", "sha256:" + strings.Repeat("0", 64), ocispec.MediaTypeImageManifest, string(good), 400, "DIGEST_INVALID"},
		{"a digest that cannot be signed", "sha512:" + strings.Repeat("0", 128), ocispec.MediaTypeImageManifest, string(good), 400, "UNSUPPORTED"},
		{"another Content-Type", "1", ocispec.MediaTypeImageIndex, string(good), 400, "MANIFEST_INVALID"},
		{"too large", "1", ocispec.MediaTypeImageManifest, string(good) + strings.Repeat(" ", 10_000), 413, "SIZE_INVALID"},
		{"an image under a signature tag", signatureTag(goodDigest), ocispec.MediaTypeImageManifest, string(sig), 400, "MANIFEST_INVALID"},
		{"no JSON", "1", ocispec.MediaTypeImageManifest, "hello", 400, "MANIFEST_INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.seen()
			a := s.do(s.front, "PUT", "/v2/app/manifests/"+c.reference, c.contentType, []byte(c.body))
			if a.status != c.status || a.code() != c.code {
				t.Errorf("answer %d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			if got := s.seen(); len(got) != 0 {
				t.Errorf("the registry was asked: %q", got)
			}
		})
	}
}

// refusesEarly answers as Harbor before 2.8 did: there is no signature without its image.
func refusesEarly(s *stand) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		if i := strings.Index(req.URL.Path, "/manifests/sha256-"); req.Method == "PUT" && i >= 0 && strings.HasSuffix(req.URL.Path, ".sig") {
			subject := "sha256:" + strings.TrimSuffix(req.URL.Path[i+len("/manifests/sha256-"):], ".sig")
			if s.do(s.back, "HEAD", req.URL.Path[:i]+"/manifests/"+subject, "", nil).status != 200 {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(404)
				rw.Write([]byte(`{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}`))
				return
			}
		}
		next.ServeHTTP(rw, req)
	}
}

func TestAnUpstreamThatWantsTheImageFirst(t *testing.T) {
	s := newStand(t, nil)
	s.interceptWith(refusesEarly(s))
	for i, text := range []string{"one", "two"} {
		body, dgst := s.image("app", text, nil)
		s.seen()
		s.push("app", text, body)
		got := slices.DeleteFunc(s.seen(), func(r string) bool { return !strings.HasPrefix(r, "PUT /v2/app/manifests/") })
		want := []string{"PUT /v2/app/manifests/sha256:…", "PUT /v2/app/manifests/sha256-….sig", "PUT /v2/app/manifests/" + text}
		if i == 0 {
			want = append([]string{"PUT /v2/app/manifests/sha256-….sig"}, want...) // it is tried once
		}
		if !slices.Equal(got, want) {
			t.Errorf("push %d wrote %q, want %q", i+1, got, want)
		}
		s.mustBeSigned("app", dgst)
		made := 0
		for _, state := range s.rows("app", dgst) {
			if state == ledger.Made {
				made++
			}
		}
		if made != 1 {
			t.Errorf("the ledger has %d signatures made", made)
		}
	}
}

func TestSignatureFirstIsKeptWhereItIsConfigured(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.Order = oci.SignatureFirst })
	s.interceptWith(refusesEarly(s))
	body, dgst := s.image("app", "x", nil)
	if a := s.putThrough("app", "1", body); a.status < 400 {
		t.Errorf("answer %d", a.status)
	}
	s.want(s.do(s.back, "GET", "/v2/app/manifests/"+dgst, "", nil), http.StatusNotFound)
}

func TestAnImageThatCannotBeSignedDoesNotStay(t *testing.T) {
	s := newStand(t, func(o *oci.Options) { o.Order = oci.ImageFirst })
	s.interceptWith(func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		if req.Method == "PUT" && strings.HasSuffix(req.URL.Path, ".sig") {
			rw.WriteHeader(500)
			return
		}
		next.ServeHTTP(rw, req)
	})
	body, dgst := s.image("app", "x", nil)
	if a := s.putThrough("app", "1", body); a.status != http.StatusBadGateway {
		t.Errorf("answer %d", a.status)
	}
	for _, ref := range []string{"1", dgst} {
		s.want(s.do(s.back, "GET", "/v2/app/manifests/"+ref, "", nil), http.StatusNotFound)
	}
}
