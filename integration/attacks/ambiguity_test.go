package attacks

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Rule: refuse ambiguity. What two programs could read in two ways is neither stored under a name nor signed, and the
// client is told so in a form that it shows.

func TestAmbiguousManifestsAreRefused(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		config := h.api.blob(t, "team/app", ociConfig, []byte(tinyConfig))
		child := h.api.push(t, "team/app", "child")
		plain := string(unique(config).encode())
		entry := fmt.Sprintf(`{"mediaType":"%s","digest":"%s","size":%d}`, ociManifest, child, len(plain))
		with := func(field string) string { return strings.Replace(plain, "{", "{"+field+",", 1) }

		for what, m := range map[string]struct{ mediaType, body string }{
			"manifests and layers":                  {ociManifest, with(`"manifests":[` + entry + `]`)},
			"manifests and layers, called an index": {ociIndex, strings.Replace(with(`"manifests":[`+entry+`]`), ociManifest, ociIndex, 1)},
			"manifests as null":                     {ociManifest, with(`"manifests":null`)},
			"a key twice":                           {ociManifest, with(`"layers":[]`)},
			"a key twice, in another case":          {ociManifest, with(`"Layers":[]`)},
			"a key twice, written with an escape":   {ociManifest, with(`"l\u0061yers":[]`)},
			"a key with the Kelvin sign":            {ociManifest, with(`"manife\u017fts":[` + entry + `]`)},
			"a nested key twice":                    {ociManifest, strings.Replace(plain, `"digest":`, `"digest":"`+child+`","digest":`, 1)},
			"a nested key twice, in another case":   {ociManifest, strings.Replace(plain, `"digest":`, `"Digest":"`+child+`","digest":`, 1)},
			"two documents":                         {ociManifest, plain + plain},
			"a byte order mark":                     {ociManifest, "\ufeff" + plain},
			"invalid UTF-8":                         {ociManifest, with("\"x\":\"\xff\"")},
			"Content-Type of an index":              {ociIndex, plain},
			"Content-Type of Docker's":              {dockerManifest, plain},
			"Content-Type of a schema 1 manifest":   {"application/vnd.docker.distribution.manifest.v1+json", plain},
			"Content-Type of nothing known":         {"application/x-manifest", strings.Replace(plain, ociManifest, "application/x-manifest", 1)},
			"Content-Type of JSON":                  {"application/json", strings.Replace(plain, `"mediaType":"`+ociManifest+`",`, "", 1)},
			"a Content-Type that cannot be read":    {"application/;", plain},
			"no type at all":                        {"", strings.Replace(plain, `"mediaType":"`+ociManifest+`",`, "", 1)},
			"a mediaType of nothing known":          {ociManifest, strings.Replace(plain, `"mediaType":"`+ociManifest, `"mediaType":"application/x-manifest`, 1)},
			"a size with an exponent":               {ociManifest, strings.Replace(plain, `"size":78`, `"size":78e0`, 1)},
			"a digest in upper case":                {ociManifest, strings.Replace(plain, config.Digest, strings.ToUpper(config.Digest[7:]), 1)},
			"schemaVersion 1":                       {ociManifest, strings.Replace(plain, `"schemaVersion":2`, `"schemaVersion":1`, 1)},
			"an array":                              {ociManifest, "[" + plain + "]"},
			"nothing":                               {ociManifest, ""},
			"null":                                  {ociManifest, "null"},
			"nesting without end":                   {ociManifest, with(`"x":` + strings.Repeat("[", 100_000))},
			"a blob that is not there":              {ociManifest, strings.Replace(plain, config.Digest, "sha256:"+strings.Repeat("0", 64), 1)},
			"a child that is not there": {ociIndex, `{"schemaVersion":2,"mediaType":"` + ociIndex + `","manifests":[` +
				strings.Replace(entry, child, "sha256:"+strings.Repeat("0", 64), 1) + `]}`},
			"more than 4 MiB": {ociManifest, with(`"x":"` + strings.Repeat("x", 4<<20) + `"`)},
		} {
			t.Run(what, func(t *testing.T) {
				digest := digestOf([]byte(m.body))
				for _, reference := range []string{"attack", digest} {
					before := h.tagsAndRows(t, "team/app", digest)
					h.api.put(t, "team/app", reference, m.mediaType, []byte(m.body)).refused(t, 400)
					if after := h.tagsAndRows(t, "team/app", digest); after != before {
						t.Errorf("by %s, it left %s; before, there was %s\n%s", reference, after, before, h.lastRequests())
					}
				}
			})
		}
		// Its twin: the same without the fault.
		h.api.put(t, "team/app", "honest", ociManifest, []byte(plain)).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "honest")
		h.api.put(t, "team/app", "index", ociIndex, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex,
			strings.Replace(entry, fmt.Sprint(len(plain)), fmt.Sprint(len(h.api.get(t, "/v2/team/app/manifests/child").body)), 1))).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "index")
	})
}

// tagsAndRows tells what is visible under a name and for a digest, and which signatures count.
func (h *house) tagsAndRows(t *testing.T, name, digest string) string {
	t.Helper()
	there := h.behind.get(t, "/v2/"+name+"/manifests/"+digest).status
	return fmt.Sprint(h.behind.tags(t, name), there, strings.Contains(h.states(t, name, digest), "made"))
}

func TestWrongReferencesAreRefused(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		body := h.api.tiny(t, "team/app")
		long := sha512.Sum512(body)
		other := digestOf([]byte("something else"))
		for what, path := range map[string]string{
			"another digest":               "/v2/team/app/manifests/" + other,
			"a sha512 digest":              "/v2/team/app/manifests/sha512:" + hex.EncodeToString(long[:]),
			"a digest in upper case":       "/v2/team/app/manifests/sha256:" + strings.ToUpper(digestOf(body)[7:]),
			"a digest that is short":       "/v2/team/app/manifests/" + digestOf(body)[:70],
			"an unknown algorithm":         "/v2/team/app/manifests/md5:" + strings.Repeat("0", 32),
			"a tag with a dot first":       "/v2/team/app/manifests/.tag",
			"a tag that is too long":       "/v2/team/app/manifests/" + strings.Repeat("a", 129),
			"a name in upper case":         "/v2/Team/app/manifests/1",
			"a name with two dots":         "/v2/team/a..b/manifests/1",
			"a name that is too long":      "/v2/" + strings.Repeat("a", 300) + "/manifests/1",
			"no name":                      "/v2/manifests/1",
			"an encoded slash in the name": "/v2/team%2Fapp/manifests/1",
			"an encoded slash in the tag":  "/v2/team/app/manifests/1%2F2",
			"an encoded slash, twice":      "/v2/team%252Fapp/manifests/1",
			"an encoded letter":            "/v2/team/%61pp/manifests/1",
			"an encoded colon":             "/v2/team/app/manifests/sha256%3A" + digestOf(body)[7:],
			"an encoded ..":                "/v2/team/%2e%2e/app/manifests/1",
			"..":                           "/v2/team/../app/manifests/1",
			".. out of /v2/":               "/v2/../-/keys/images/manifests/1",
			".":                            "/v2/team/./app/manifests/1",
			"two slashes":                  "/v2/team//app/manifests/1",
			"two slashes first":            "//v2/team/app/manifests/1",
			"a backslash":                  `/v2/team\app/manifests/1`,
			"a semicolon":                  "/v2/team/app;x=y/manifests/1",
			"a null byte":                  "/v2/team/app%00/manifests/1",
			"a slash at the end":           "/v2/team/app/manifests/1/",
			"nothing after manifests":      "/v2/team/app/manifests/",
			"upper case V2":                "/V2/team/app/manifests/1",
			"a path behind an upload":      "/v2/team/app/blobs/uploads/x/../../manifests/1",
			"manifests within blobs":       "/v2/team/app/blobs/x/manifests/.1",
		} {
			t.Run(what, func(t *testing.T) {
				before := h.state(t, "team/app", digestOf(body), other)
				for _, method := range []string{http.MethodPut, http.MethodGet, http.MethodDelete, http.MethodPost, http.MethodPatch} {
					if w := h.api.do(t, method, path, body, "Content-Type", ociManifest); method == http.MethodPut || w.status != http.StatusNotFound {
						w.refused(t, 400)
					}
				}
				h.unchanged(t, before, "team/app", digestOf(body), other)
			})
		}
		h.api.put(t, "team/app", digestOf(body), ociManifest, body).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", digestOf(body))
	})
}

func TestNamesOutsideOfTheRepositoryAreRefused(t *testing.T) {
	everywhere(t, settings{only: "team/*"}, func(t *testing.T, h *house) {
		h.api.push(t, "team/app", "1")
		h.mustBeSigned(t, "team/app", "1")
		for _, name := range []string{"app", "teams/app", "te", "team", "x/team/app"} {
			for _, path := range []string{"/manifests/1", "/blobs/uploads/", "/tags/list", "/blobs/" + digestOf(nil)} {
				for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
					h.api.do(t, method, "/v2/"+name+path, []byte("{}"), "Content-Type", ociManifest).refused(t, 400)
				}
			}
			if tags := h.behind.tags(t, name); h.up != nil && tags != nil {
				t.Errorf("%s has the tags %v", name, tags)
			}
		}
	})
}

// Whatever the path, an error is an OCI error and there is no redirect.
func TestEveryErrorIsAnOCIError(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		h.api.push(t, "team/app", "1")
		for _, path := range []string{
			"/v2/team/app/blobs/", "/v2/team/app/blobs/nothing", "/v2/team/app/blobs/uploads", "/v2/team/app/blobs/uploads/not-an-upload", "/v2/team/app/blobs/x/y",
			"/v2/team/app/blobs/md5:" + strings.Repeat("0", 32), "/v2/team/app/manifests/md5:" + strings.Repeat("0", 32),
			"/v2/team/app/manifests/2", "/v2/team/other/tags/list", "/v2/team/app/blobs/" + digestOf([]byte("nobody has this")),
			"/v2/team/app/tags/list?n=x", "/v2/team/app/referrers/x", "/v2/team/app/nothing", "/v2/team", "/v2/_catalog/x",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				w := h.api.do(t, method, path, nil)
				if w.status >= 500 || w.status >= 300 && w.status < 400 {
					t.Errorf("%s: %d %s", w.line, w.status, w.body)
				}
				if w.status >= 400 {
					w.refused(t, w.status)
				}
			}
		}
	})
}

// The bytes that are signed are those that are stored: a body that ends early is neither.
func TestAManifestThatEndsEarlyIsNotStored(t *testing.T) {
	everywhere(t, settings{}, func(t *testing.T, h *house) {
		body := h.api.tiny(t, "team/app")
		before := h.state(t, "team/app", digestOf(body), digestOf(body[:len(body)-1]))
		r, err := http.NewRequest(http.MethodPut, h.proxy.URL+"/v2/team/app/manifests/1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", ociManifest)
		r.ContentLength, r.Body = int64(len(body)), nopCloser{bytes.NewReader(body[:len(body)-1])}
		if w, err := http.DefaultTransport.RoundTrip(r); err == nil {
			w.Body.Close()
			t.Errorf("a body that was cut got %d", w.StatusCode)
		}
		h.unchanged(t, before, "team/app", digestOf(body), digestOf(body[:len(body)-1]))
		h.api.put(t, "team/app", "1", ociManifest, body).expect(t, http.StatusCreated)
		h.mustBeSigned(t, "team/app", "1")
	})
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
