package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// settled is how old a file is when its date begins to tell it from the next one at its path: a generation becomes
// visible only when it is rendered, signed and stored, which is after the time that it bears.
const settled = 10 * time.Second

// serveFile answers with a file of the tree.
func (s *Server) serveFile(t *transaction, req *http.Request, repo *Repository, op format.Op, at int64) error {
	p := repo.Packages
	if at == backend.Current {
		if err := p.freshen(req.Context(), op.Paths); err != nil {
			return err
		}
	}
	asked := at
	if at == backend.Current {
		var err error
		if at, err = p.pinned(req, op.Paths[0]); err != nil {
			return err
		}
	}
	f, err := openFile(req.Context(), p.Tree, asked, at, op.Paths)
	if err != nil {
		return err
	}
	defer f.Close()
	h := t.Header()
	h.Set("Etag", fmt.Sprintf(`"%x"`, f.Tag[:16]))
	if op.Tag != 0 {
		tag, err := p.digestTags.of(f, op.Tag)
		if err != nil {
			return err
		}
		h.Set("Etag", tag.etag)
		h.Set("Repr-Digest", tag.repr)
	}
	h.Set("Content-Type", cmp.Or(op.Type, contentType(f.Path)))
	if op.Type != "" {
		h.Set("Vary", "Accept")
	}
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'") // an uploaded page may do nothing here
	if op.Addressed {
		return s.serveAddressed(t, req, repo, f)
	}
	modified := f.Time
	together := p.Format.Spec().Together
	switch {
	case f.Lasting:
	case f.Index && together != nil && together(op.Paths[0]) != "":
		// pacman drops even a 200 that is not younger than what it has, whose age may be by its own clock.
		req.Header.Del("If-Modified-Since")
		modified = time.Time{}
	case time.Since(f.Time) < settled:
		// The next bytes of this path may be of the same second, too, and must not hide behind its date. Without a date,
		// apt would ask for what is younger than its own clock.
		req.Header.Del("If-Modified-Since")
		modified = modified.Add(-time.Second)
	}
	if f.Index && !f.Lasting && !strings.HasPrefix(req.Header.Get("If-Range"), `"`) && req.Header.Get("If-Range") != "" {
		// A date does not tell two generations apart, and what apt has begun to fetch may be another's.
		req.Header.Del("Range")
	}
	if f.Index && !f.Lasting {
		h.Set("Cache-Control", "no-cache")
	}
	if beyond(req.Header.Get("Range"), f.Size) {
		// apt takes a 416 for "you have all of it", also where what it has was tampered with.
		req.Header.Del("Range")
	}
	if f.Wait != nil && req.Header.Get("Range") != "" {
		if err := f.Wait(req.Context()); err != nil {
			return err
		}
	}
	if file, ok := f.ReadSeeker.(*os.File); ok {
		http.ServeContent(t, req, "", modified, file) // as it is, so that the kernel can send it
		p.served(req, op.Paths[0], at, t.status)
		return nil
	}
	content := &watched{ReadSeeker: f.ReadSeeker}
	http.ServeContent(t, req, "", modified, content)
	p.served(req, op.Paths[0], at, t.status)
	if content.err != nil {
		t.err = content.err
		panic(http.ErrAbortHandler) // the client must not take what it has for the whole
	}
	return nil
}

// freshen has the upstream asked, where there is one, for what a request is about.
func (p *Packages) freshen(ctx context.Context, paths []string) error {
	if p.Upstream == nil {
		return nil
	}
	for _, path := range paths {
		if err := p.Upstream.Freshen(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// pieces is a file that comes yet, and of which the system can send what is there.
type pieces interface {
	// Next returns the file, at the place to read from, and how many bytes to take of it: at most limit.
	Next(limit int64) (*os.File, int64, error)
}

// send sends the next bytes of a file that comes yet.
func (w *watched) send(to io.Writer, from pieces, limit int64) (sent int64, err error) {
	for sent < limit {
		file, n, err := from.Next(limit - sent)
		if err == io.EOF {
			return sent, nil
		}
		if err != nil {
			w.err = err
			return sent, err
		}
		copied, err := io.CopyN(to, file, n)
		if sent += copied; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// watched remembers why a file could not be read, which http.ServeContent does not tell.
type watched struct {
	io.ReadSeeker
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// beyond reports whether a Range asks for nothing but what comes after the end of a file.
func beyond(ranges string, size int64) bool {
	from, open := strings.CutSuffix(strings.TrimPrefix(ranges, "bytes="), "-")
	start, err := strconv.ParseInt(from, 10, 64)
	return open && err == nil && start >= size
}

// openFile opens the first of paths that there is. A package that is not in the generation that was asked for, since
// that is forgotten or the package is newer, is the same package in the current one.
func openFile(ctx context.Context, tree backend.Tree, asked, at int64, paths []string) (*backend.File, error) {
	f, err := tree.Open(ctx, at, paths...)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || at == backend.Current {
		return f, err
	}
	now, nowErr := tree.Open(ctx, backend.Current, paths...)
	if nowErr != nil {
		return nil, err
	}
	if now.Index && asked != backend.Current && !now.Lasting {
		now.Close()
		return nil, err
	}
	return now, nil
}

// contentType returns the media type of a file by its name. What a browser could run is not among them.
func contentType(name string) string {
	base := path.Base(name)
	switch path.Ext(base) {
	case ".deb", ".udeb":
		return "application/vnd.debian.binary-package"
	case ".rpm":
		return "application/x-rpm"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".xz":
		return "application/x-xz"
	case ".zst":
		return "application/zstd"
	case ".xml":
		return "application/xml"
	case ".json":
		return "application/json"
	case ".asc", ".gpg", ".sig":
		return "application/pgp-signature"
	case ".txt", ".dsc", ".changes", ".sha256":
		return "text/plain; charset=utf-8"
	}
	switch base {
	case "Release", "InRelease", "Packages", "Sources", "SHA256SUMS":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
