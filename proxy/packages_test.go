package proxy

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestPathsThatTwoCouldReadDifferentlyAreRefused(t *testing.T) {
	for escaped, want := range map[string]string{
		"": "", "a": "a", "a/b": "a/b", "a/": "a/", "a%20b": "a b", "%61": "a", "a%2Bb+c": "a+b+c", "%C3%A4": "ä", "a%25b": "a%b",
		"a/...": "a/...", ".a": ".a", "a%5Cb": `a\b`, "a%3Fb": "a?b", "a:b": "a:b", strings.Repeat("a", maxPath): strings.Repeat("a", maxPath),
	} {
		if got, err := unescapePath(escaped); err != nil || got != want {
			t.Errorf("%.50q is %.50q, %v; want %.50q", escaped, got, err, want)
		}
	}
	for name, escaped := range map[string]string{
		"a dot": ".", "two dots": "..", "two dots within": "a/../b", "two dots that are escaped": "a/%2e%2E/b", "a dot at the end": "a/.",
		"two slashes": "a//b", "a slash first": "/a", "two slashes last": "a//", "an escaped slash": "a%2fb", "nothing but an escaped slash": "%2F",
		"a NUL": "a%00", "a newline": "a%0ab", "a carriage return": "a%0d", "an escape character": "a%1b", "a DEL": "a%7f", "a C1 control": "a%C2%85",
		"a % alone": "a%", "a % before one digit": "a%4", "a % before no digits": "a%zz", "no UTF-8": "a%ff", "half a character": "a%c3",
		"an overlong slash": "a%c0%afb", "too long": strings.Repeat("a", maxPath+1), "too long when it is decoded": strings.Repeat("%61", maxPath+1),
	} {
		if got, err := unescapePath(escaped); err == nil || packageStatus(err) != http.StatusBadRequest {
			t.Errorf("%s: %.50q is %.50q, %v", name, escaped, got, err)
		}
	}
}

// Whatever is asked for, a path that passes is as formats expect it.
func FuzzUnescapePath(f *testing.F) {
	for _, seed := range []string{"", "a/b", "a%2e%2e/b", "%", "a/%00", "dists/stable/InRelease", "%c0%af"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		path, err := unescapePath(escaped)
		if err != nil {
			if packageStatus(err) != http.StatusBadRequest {
				t.Errorf("%q: %v", escaped, err)
			}
			return
		}
		segments := strings.Split(path, "/")
		if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) || len(path) > maxPath ||
			slices.Contains(segments, ".") || slices.Contains(segments, "..") || slices.Contains(segments[:len(segments)-1], "") {
			t.Errorf("%q passes as %q", escaped, path)
		}
		if strings.Count(path, "/") != strings.Count(escaped, "/") {
			t.Errorf("%q has other segments as %q", escaped, path)
		}
	})
}

func TestDigestsThatAClientDeclares(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	other := sha256.Sum256([]byte("y"))
	in64 := func(s [32]byte) string { return "sha-256=:" + base64.StdEncoding.EncodeToString(s[:]) + ":" }
	in16 := func(s [32]byte) string { return fmt.Sprintf("%x", s) }
	for _, c := range []struct {
		name    string
		headers []string // name, value, …
		want    []byte   // nil: nothing is said
		fails   bool
	}{
		{"nothing", nil, nil, false},
		{"Content-Digest", []string{"Content-Digest", in64(sum)}, sum[:], false},
		{"Content-Digest in capitals", []string{"Content-Digest", "SHA-256" + in64(sum)[7:]}, sum[:], false},
		{"Content-Digest among others", []string{"Content-Digest", "sha-512=:AA==:, " + in64(sum) + " , md5=:AA==:"}, sum[:], false},
		{"Content-Digest of another algorithm", []string{"Content-Digest", "sha-512=:AA==:"}, nil, false},
		{"Content-Digest twice, the same", []string{"Content-Digest", in64(sum), "Content-Digest", in64(sum)}, sum[:], false},
		{"Content-Digest twice", []string{"Content-Digest", in64(sum), "Content-Digest", in64(other)}, nil, true},
		{"Content-Digest that is short", []string{"Content-Digest", "sha-256=:AAAA:"}, nil, true},
		{"Content-Digest that is no base64", []string{"Content-Digest", "sha-256=:!!!!:"}, nil, true},
		{"Content-Digest without a value", []string{"Content-Digest", "sha-256"}, nil, true},
		{"X-Checksum-Sha256", []string{"X-Checksum-Sha256", in16(sum)}, sum[:], false},
		{"X-Checksum-Sha256 in capitals", []string{"X-Checksum-Sha256", strings.ToUpper(in16(sum))}, sum[:], false},
		{"X-Checksum-Sha256 twice", []string{"X-Checksum-Sha256", in16(sum), "X-Checksum-Sha256", in16(sum)}, nil, true},
		{"X-Checksum-Sha256 that is short", []string{"X-Checksum-Sha256", in16(sum)[:62]}, nil, true},
		{"X-Checksum-Sha256 that is empty", []string{"X-Checksum-Sha256", ""}, nil, true},
		{"both, the same", []string{"X-Checksum-Sha256", in16(sum), "Content-Digest", in64(sum)}, sum[:], false},
		{"both, in conflict", []string{"X-Checksum-Sha256", in16(sum), "Content-Digest", in64(other)}, nil, true},
	} {
		h := make(http.Header)
		for i := 0; i+1 < len(c.headers); i += 2 {
			h.Add(c.headers[i], c.headers[i+1])
		}
		got, err := declaredDigest(h)
		if (err != nil) != c.fails || string(got) != string(c.want) {
			t.Errorf("%s: %x, %v; want %x", c.name, got, err, c.want)
		}
		if err != nil && packageStatus(err) != http.StatusBadRequest {
			t.Errorf("%s: status %d", c.name, packageStatus(err))
		}
	}
}

func TestUploadsAreTakenAsTheyAreOrNotAtAll(t *testing.T) {
	h := openShelf(t)
	large := strings.Repeat("x", 1<<20+1)
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
	}{
		{"too large", large, nil, http.StatusRequestEntityTooLarge},
		{"another digest", "x", []string{"X-Checksum-Sha256", strings.Repeat("0", 64)}, http.StatusBadRequest},
		{"a broken digest", "x", []string{"X-Checksum-Sha256", "0"}, http.StatusBadRequest},
		{"encoded", "x", []string{"Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType},
		{"a part", "x", []string{"Content-Range", "bytes 0-0/2"}, http.StatusBadRequest},
	} {
		w := h.want(c.status, http.MethodPut, "/raw/a", c.body, c.headers...)
		if text := w.Body.String(); !strings.HasSuffix(text, "\n") || len(text) < 20 || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %q as %s", c.name, text, w.Header().Get("Content-Type"))
		}
		h.want(http.StatusNotFound, http.MethodGet, "/raw/a", "")
	}
	w := h.want(http.StatusCreated, http.MethodPut, "/raw/a%20b/c%2Bd", "x", "X-Checksum-Sha256", fmt.Sprintf("%x", sha256.Sum256([]byte("x"))))
	if at := w.Header().Get("Location"); at != "/raw/a%20b/c+d" {
		t.Errorf("Location: %s", at)
	}
	h.want(http.StatusOK, http.MethodPut, "/raw/a%20b/c+d", "x")
	h.want(http.StatusCreated, http.MethodPut, "/raw/largest", large[1:])
	for _, method := range []string{http.MethodPatch, http.MethodOptions, "COPY"} {
		h.want(http.StatusMethodNotAllowed, method, "/raw/largest", "x")
	}
	h.want(http.StatusNoContent, http.MethodDelete, "/raw/largest", "")
	h.want(http.StatusNotFound, http.MethodDelete, "/raw/largest", "")
}

// A date tells the bytes of a path apart only when it is certain that nothing new bears the same.
func TestADateCountsOnceItHasSettled(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		path string
		want int // for whoever has the file of that date
	}{
		{0, "/raw/a", http.StatusOK}, {settled - time.Second, "/raw/a", http.StatusOK}, {settled, "/raw/a", http.StatusNotModified},
		{time.Hour, "/raw/a", http.StatusNotModified}, {time.Hour, "/raw/a.asc", http.StatusNotModified},
		{time.Hour, "/raw/SHA256SUMS", http.StatusOK}, {time.Hour, "/raw/SHA256SUMS.asc", http.StatusOK}, // two requests of one client
		{-time.Hour, "/raw/a", http.StatusOK}, // the clock was set back
	} {
		h := openShelf(t)
		h.ago = c.ago
		h.put("/raw/a", "x")
		date := time.Now().Add(max(0, -c.ago) + time.Minute).UTC().Format(http.TimeFormat)
		w := h.want(c.want, http.MethodGet, c.path, "", "If-Modified-Since", date)
		if said, err := http.ParseTime(w.Header().Get("Last-Modified")); err == nil && c.ago < settled && time.Since(said) < c.ago+time.Second {
			t.Errorf("%s of %v ago says that it is of %v", c.path, c.ago, said)
		}
		tag := w.Header().Get("Etag")
		h.want(http.StatusNotModified, http.MethodGet, c.path, "", "If-None-Match", tag)
		h.want(http.StatusOK, http.MethodGet, c.path, "", "If-None-Match", `"other"`)
	}
}

func TestNoTypeIsOneThatABrowserRuns(t *testing.T) {
	active := []string{"html", "svg", "script", "css", "pdf", "flash", "wasm", "multipart"}
	for _, name := range []string{"a.html", "a.HTML", "a.htm", "a.svg", "a.js", "a.mjs", "a.css", "a.pdf", "a.swf", "a.wasm", "a.xhtml", "a.xsl", "a.mht",
		"a", "", ".html", "InRelease.html", "a.deb", "a.rpm", "a.xml", "a.json", "a.gz", "a.txt", "SHA256SUMS"} {
		kind := contentType(name)
		if kind == "" || slices.ContainsFunc(active, func(a string) bool { return strings.Contains(kind, a) }) {
			t.Errorf("%s is %s", name, kind)
		}
	}
	for name, want := range map[string]string{
		"pool/a.deb": "application/vnd.debian.binary-package", "a.rpm": "application/x-rpm", "repodata/repomd.xml": "application/xml", "a.tar.gz": "application/gzip",
		"a.asc": "application/pgp-signature", "x/InRelease": "text/plain; charset=utf-8", "a.sigstore.json": "application/json", "a.bin": "application/octet-stream",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestRangesBeyondTheEnd(t *testing.T) {
	for ranges, want := range map[string]bool{
		"bytes=10-": true, "bytes=11-": true, "bytes=9-": false, "bytes=0-": false, "bytes=10-20": false, "bytes=-1": false, "bytes=x-": false, "": false, "bytes=-": false,
	} {
		if got := beyond(ranges, 10); got != want {
			t.Errorf("%q is beyond 10 bytes: %t", ranges, got)
		}
	}
}

func TestSetUpTextsAndSnapshots(t *testing.T) {
	h := openShelf(t)
	h.put("/raw/a", "x")
	if w := h.want(http.StatusOK, http.MethodGet, "/-/setup/raw", ""); !strings.Contains(w.Body.String(), "http://127.0.0.1:8080/raw") {
		t.Errorf("the set-up text is\n%s", w.Body)
	}
	h.want(http.StatusOK, http.MethodGet, "/-/setup/raw?client=curl", "")
	if w := h.want(http.StatusNotFound, http.MethodGet, "/-/setup/raw?client=apt", ""); !strings.Contains(w.Body.String(), "curl") {
		t.Errorf("the refusal does not say what there is: %s", w.Body)
	}
	for _, path := range []string{"/-/setup/", "/-/setup/other", "/-/setup/raw/", "/-/setup/raw/a"} {
		h.want(http.StatusNotFound, http.MethodGet, path, "")
	}
	h.want(http.StatusMethodNotAllowed, http.MethodPost, "/-/setup/raw", "")

	h.want(http.StatusOK, http.MethodGet, "/-/snapshots/raw/1/SHA256SUMS", "")
	h.put("/raw/b", "y")
	if w := h.want(http.StatusOK, http.MethodGet, "/-/snapshots/raw/1/SHA256SUMS", ""); strings.Contains(w.Body.String(), "  b") {
		t.Errorf("the snapshot of generation 1 has\n%s", w.Body)
	}
	h.want(http.StatusOK, http.MethodGet, "/-/snapshots/raw/1/b", "") // a package is the same in every generation
	for _, path := range []string{"3/SHA256SUMS", "3/a", "0/SHA256SUMS", "-1/SHA256SUMS", "x/SHA256SUMS", "/SHA256SUMS", "9223372036854775807/a", "9223372036854775808/a", "1/c"} {
		h.want(http.StatusNotFound, http.MethodGet, "/-/snapshots/raw/"+path, "")
	}
	h.want(http.StatusBadRequest, http.MethodGet, "/-/snapshots/raw/1/../../../raw/a", "")
	h.want(http.StatusMethodNotAllowed, http.MethodPut, "/-/snapshots/raw/1/c", "x")

	if w := h.want(http.StatusPermanentRedirect, http.MethodGet, "/raw", ""); w.Header().Get("Location") != "/raw/" {
		t.Errorf("/raw leads to %s", w.Header().Get("Location"))
	}
	h.want(http.StatusNotFound, http.MethodGet, "/other/a", "")
	h.want(http.StatusNotFound, http.MethodPut, "/other/a", "x")
}
