package proxy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// serveAddressed answers with an index file that holds the address of the repository, as the client has it.
func (s *Server) serveAddressed(t *transaction, req *http.Request, repo *Repository, f *backend.File) error {
	url := s.SelfURL(req) + "/" + repo.Name
	sum := sha256.Sum256(append(f.Tag[:], url...))
	tag := fmt.Sprintf(`"%x"`, sum[:16])
	h := t.Header()
	h.Set("Etag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Add("Vary", "Accept-Encoding")
	for _, known := range strings.Split(req.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(known), "W/") == tag {
			t.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	compressed := acceptsGzip(req.Header.Get("Accept-Encoding"))
	if compressed {
		h.Set("Content-Encoding", "gzip")
		h.Set("Etag", "W/"+tag) // the compressed bytes may differ
	}
	if req.Method == http.MethodHead {
		t.WriteHeader(http.StatusOK)
		return nil
	}
	if err := writeAddressed(t, f, url, compressed); err != nil {
		t.err = err
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
	return nil
}

func writeAddressed(w io.Writer, f io.Reader, url string, compressed bool) error {
	from := &addressing{r: f, url: []byte(url)}
	if !compressed {
		_, err := io.Copy(w, from)
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, from); err != nil {
		return err
	}
	return z.Close()
}

func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(name, "gzip") && strings.ReplaceAll(weight, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// addressing puts an address in place of each mark.
type addressing struct {
	r       io.Reader
	url     []byte
	pending []byte
	buf     [32 << 10]byte
}

func (a *addressing) Read(p []byte) (int, error) {
	if len(a.pending) == 0 {
		n, err := a.r.Read(a.buf[:])
		if n == 0 {
			return 0, err
		}
		a.pending = bytes.ReplaceAll(a.buf[:n], []byte(format.Here), a.url)
	}
	n := copy(p, a.pending)
	a.pending = a.pending[n:]
	return n, nil
}
