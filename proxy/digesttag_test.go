package proxy

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"testing"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
)

// tagged is raw files whose tags are MD5.
type tagged struct{ *raw.Format }

func (f tagged) Route(r format.Request) (format.Op, error) {
	op, err := f.Format.Route(r)
	if op.Kind == format.Get {
		op.Tag = crypto.MD5
	}
	return op, err
}

func TestTheTagOfAFileIsTheDigestThatItsFormatWants(t *testing.T) {
	f, err := raw.New(raw.Settings{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	h := openShelfOf(t, tagged{f})
	for _, content := range []string{"one", "another", "one"} {
		h.ask(http.MethodPut, "/raw/a/file", content)
		for range 2 { // the second time from memory
			got := h.want(http.StatusOK, http.MethodGet, "/raw/a/file", "")
			sum := sha256.Sum256([]byte(content))
			want := fmt.Sprintf(`"%x"`, md5.Sum([]byte(content)))
			if got.Body.String() != content || got.Header().Get("Etag") != want {
				t.Errorf("%q with the tag %s, want %q with %s", got.Body, got.Header().Get("Etag"), content, want)
			}
			if repr := got.Header().Get("Repr-Digest"); repr != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
				t.Errorf("Repr-Digest is %q", repr)
			}
			h.want(http.StatusNotModified, http.MethodGet, "/raw/a/file", "", "If-None-Match", want)
			part := h.want(http.StatusPartialContent, http.MethodGet, "/raw/a/file", "", "Range", "bytes=1-", "If-None-Match", `"other"`)
			if part.Body.String() != content[1:] || part.Header().Get("Etag") != want {
				t.Errorf("a part is %q", part.Body)
			}
		}
	}
}

func TestTagsAreForgottenWhenThereAreMany(t *testing.T) {
	var d digestTags
	for i := range 2*maxDigestTags + 1 {
		data := fmt.Appendf(nil, "%d", i)
		f := &backend.File{ReadSeeker: bytes.NewReader(data), Tag: sha256.Sum256(data)}
		tag, err := d.of(f, crypto.MD5)
		if err != nil || tag.etag != fmt.Sprintf(`"%x"`, md5.Sum(data)) || len(d.tags) > maxDigestTags {
			t.Fatalf("%+v of %s, %d remembered: %v", tag, data, len(d.tags), err)
		}
		if rest, err := io.ReadAll(f); err != nil || !bytes.Equal(rest, data) {
			t.Fatalf("the file is left at %q: %v", rest, err)
		}
	}
}
