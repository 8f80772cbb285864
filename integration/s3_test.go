package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"hallmark/integration/world"
	"hallmark/proxy/backend"
	"hallmark/proxy/blob"
	"hallmark/proxy/blob/blobtest"
)

// openBlobs opens a store of blobs in a folder of the bucket.
func openBlobs(t *testing.T, s3 *world.S3, url, folder string) *blob.Store {
	t.Helper()
	parameters := s3.Parameters(url)
	parameters["rootdirectory"] = folder
	s, err := blob.Open(t.Context(), "s3", parameters, func(context.Context, backend.Digest) error { return nil })
	must(t, err)
	return s
}

func TestS3KeepsBlobs(t *testing.T) {
	t.Parallel()
	s3 := world.StartS3(t)
	blobtest.Run(t, func(t *testing.T) blobtest.Store { return openBlobs(t, s3, s3.URL, "/"+t.Name()) })
}

// What is put is sent once, and costs no copy. What is deleted is what is old at that moment, whoever put it.
func TestABlobIsSentToS3Once(t *testing.T) {
	t.Parallel()
	s3 := world.StartS3(t)
	wire := world.Record(t, s3.URL)
	mine, others := openBlobs(t, s3, wire.URL, ""), openBlobs(t, s3, s3.URL, "")
	sent := func() (n int) {
		for _, r := range wire.Requests() {
			if r.Method == http.MethodPut {
				n++
			}
			if r.Header.Get("X-Amz-Copy-Source") != "" {
				t.Errorf("%s %s copies", r.Method, r.Path)
			}
		}
		wire.Reset()
		return n
	}
	for _, test := range []struct {
		name        string
		size, parts int
	}{{"in one call", 100, 1}, {"in parts", 12 << 20, 2}} {
		data := bytes.Repeat([]byte("a"), test.size)
		wire.Reset()
		d := blobtest.Put(t, mine, data)
		if n := sent(); n != test.parts {
			t.Errorf("%s: a first put makes %d PUTs, want %d", test.name, n, test.parts)
		}
		blobtest.Put(t, mine, data)
		if n := sent(); n != 0 {
			t.Errorf("%s: a second put makes %d PUTs", test.name, n)
		}
		hourAgo := time.Now().Add(-time.Hour)
		if gone, err := others.Delete(t.Context(), d, hourAgo); gone || err != nil {
			t.Errorf("%s: what was put a moment ago is deleted: %t, %v", test.name, gone, err)
		}
		makeOld(t, s3)
		if gone, err := others.Delete(t.Context(), d, hourAgo); !gone || err != nil {
			t.Errorf("%s: what is old is deleted: %t, %v", test.name, gone, err)
		}
	}
}

// Images on S3: what is pushed is signed, comes from us and not from S3, and survives a garbage collection, which takes
// what nothing names.
func TestImagesOnS3(t *testing.T) {
	in(t, []string{embeddedS3}, settings{repository: "    signatures: [cosign, bundle]\n"}, func(t *testing.T, h *house) {
		for _, name := range []string{"crane", "skopeo"} {
			c, ref := client(t, name), h.ref("team/"+name+":1.0.0")
			must(t, c.Push(t, ref))
			h.verified(t, ref)
			h.notVerifiedBy(t, anotherKey(t), ref)
			must(t, c.Pull(t, ref))
		}

		w := h.wire(t, "team/big")
		w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		layer := bytes.Repeat([]byte("big layer "), 2_500_000) // of several parts
		named := w.blob(t, "application/vnd.oci.image.layer.v1.tar", layer)
		litter := w.blob(t, "application/octet-stream", []byte("nobody names this"))
		config := w.blob(t, "application/vnd.oci.image.config.v1+json", []byte("{}"))
		manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, ociManifest, descriptor(t, config), descriptor(t, named))
		w.put(t, "1.0.0", ociManifest, []byte(manifest))
		whole := func() {
			t.Helper()
			if got := w.get(t, "/blobs/"+named.Digest.String()); !bytes.Equal(got.Body, layer) {
				t.Errorf("%d of %d bytes come back", len(got.Body), len(layer))
			}
			part := w.do(t, http.MethodGet, "/blobs/"+named.Digest.String(), nil, "Range", "bytes=20000003-20000012")
			if part.Status != http.StatusPartialContent || !bytes.Equal(part.Body, layer[20_000_003:20_000_013]) {
				t.Errorf("a range: %d %q", part.Status, part.Body)
			}
			h.verified(t, h.ref("team/big:1.0.0"), h.ref("team/crane:1.0.0"))
		}
		whole()
		h.command(t).Run(t, "repo", "gc")
		whole()
		if a := w.do(t, http.MethodGet, "/blobs/"+litter.Digest.String(), nil); a.Status != http.StatusNotFound {
			t.Errorf("what nothing names is there after a garbage collection: %d", a.Status)
		}
		h.command(t).Run(t, "repo", "verify")
	})
}

func descriptor(t *testing.T, d v1.Descriptor) string {
	t.Helper()
	text, err := json.Marshal(d)
	must(t, err)
	return string(text)
}

// Whoever has read a blob once asks for nothing but its bytes the next time.
func TestABlobOnS3IsOneRequest(t *testing.T) {
	t.Parallel()
	s3 := world.StartS3(t)
	wire := world.Record(t, s3.URL)
	mine, others := openBlobs(t, s3, wire.URL, ""), openBlobs(t, s3, s3.URL, "")
	d := blobtest.Put(t, others, []byte("one"))
	read := func() error {
		wire.Reset()
		b, err := mine.Open(t.Context(), d)
		if err != nil {
			return err
		}
		defer b.Close()
		_, err = b.ReadAt(make([]byte, 3), 0)
		return err
	}
	must(t, read())
	must(t, read())
	if r := wire.Requests(); len(r) != 1 || r[0].Method != http.MethodGet {
		t.Errorf("the second time it takes %+v", r)
	}
	if gone, err := others.Delete(t.Context(), d, time.Now().Add(time.Minute)); !gone || err != nil {
		t.Fatalf("deleted: %t, %v", gone, err)
	}
	if err := read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what another has deleted: %v", err)
	}
}

// makeOld lets every object of a server be of yesterday.
func makeOld(t *testing.T, s3 *world.S3) {
	t.Helper()
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, f := range objects(t, s3) {
		must(t, os.Chtimes(f, yesterday, yesterday))
	}
}

// objects returns the files in which a server keeps packages.
func objects(t *testing.T, s3 *world.S3) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s3.Bucket, "packages/sha256/*/*"))
	must(t, err)
	return files
}

// A connection to S3 that breaks in the middle costs a request and not the answer; one that always breaks is an error.
func TestReadingFromS3SurvivesABrokenConnection(t *testing.T) {
	t.Parallel()
	s3 := world.StartS3(t)
	wire := world.Record(t, s3.URL)
	s := openBlobs(t, s3, wire.URL, "")
	data := bytes.Repeat([]byte("0123456789abc"), 1<<16)
	b, err := s.Open(t.Context(), blobtest.Put(t, s, data))
	must(t, err)
	defer b.Close()

	var most atomic.Int64 // bytes that pass before the connection breaks
	wire.Intercept(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(&broken{w, most.Load()}, r)
	})
	most.Store(100_000)
	if got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size())); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes come, %v", len(got), len(data), err)
	}
	if n := len(wire.Requests()); n < len(data)/100_000 {
		t.Errorf("there were only %d requests: nothing was broken", n)
	}
	most.Store(0)
	p := make([]byte, 10)
	if n, err := b.ReadAt(p, 0); n > 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("from a server that says nothing there are %d bytes, %v", n, err)
	}
}

// broken is an answer that ends early.
type broken struct {
	http.ResponseWriter
	left int64
}

func (b *broken) Write(p []byte) (int, error) {
	if int64(len(p)) <= b.left {
		b.left -= int64(len(p))
		return b.ResponseWriter.Write(p)
	}
	b.ResponseWriter.Write(p[:b.left])
	http.NewResponseController(b.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
