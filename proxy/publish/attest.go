package publish

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/signing"
)

// Attest makes the signatures beside a file of the upstream, over bytes that it reads to their end and that are those of
// the upstream's index. It does nothing where there are some. The error wraps fs.ErrNotExist if the upstream lists no file
// at the path.
func (r *Repository) Attest(ctx context.Context, path string) error {
	there, err := r.State.Find(ctx, []string{path}, nil)
	if err != nil {
		return err
	}
	var rec record
	if len(there) == 1 {
		err = json.Unmarshal(there[0].Record, &rec)
	}
	switch {
	case err != nil:
		return fmt.Errorf("the record of %s: %w", path, err)
	case len(there) == 0 || !there[0].Removed.IsZero() || rec.Foreign == nil:
		return fmt.Errorf("%s is no file of the upstream: %w", path, fs.ErrNotExist)
	case len(rec.Sidecars) > 0:
		return nil
	}
	f, err := r.Tree.Open(ctx, backend.Current, path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := r.readForeign(f, rec.Foreign)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	b, err := asBlob(f, m)
	if err != nil {
		return err
	}
	// What it was uploaded as stands for what it is listed as, which need not be its digest.
	s := &staged{Package: format.Package{Path: path}, Uploaded: there[0].Digest, Digest: backend.Digest(b.sum), Size: b.size, Caller: Caller{By: "upstream"}}
	if err := r.sealBeside(b, m, s); err != nil {
		return err
	}
	if err := r.signSidecars(m, s); err != nil {
		return err
	}
	_, err = r.commit(ctx, &job{attest: s})
	return err
}

// readForeign reads a file of the upstream to its end. The error wraps backend.ErrUpstream if it is not what the index
// says, also where it was that once: nobody looks at a file again that is in the cache.
func (r *Repository) readForeign(content io.Reader, f *foreign) (*signing.Hashed, error) {
	var check io.WriteCloser
	if checker, ok := r.Format.(format.Checker); ok && f.Check != "" {
		var err error
		if check, err = checker.Check(f.Check); err != nil {
			return nil, err
		}
		content = io.TeeReader(content, check)
	}
	m, err := signing.ReadHashed(content, slices.Concat(r.hashes, []crypto.Hash{crypto.SHA256})...)
	if err != nil {
		return nil, err
	}
	if check != nil {
		if err := check.Close(); err != nil {
			return nil, fmt.Errorf("%w: its bytes are not those in the index: %w", backend.ErrUpstream, err)
		}
	}
	state, err := m.State(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if sum := state.Sum(nil); f.SHA256 != nil && !bytes.Equal(sum, f.SHA256) {
		return nil, fmt.Errorf("%w: its bytes have the SHA-256 %x, and the index says %x: proxy repo verify names what is damaged in the cache",
			backend.ErrUpstream, sum, f.SHA256)
	}
	return m, nil
}

// sealBeside grants those wishes of the format that leave the file as it is. One that the format would not sign has no
// signature of its kind; those that every file has say nothing of what it is.
func (r *Repository) sealBeside(b format.Blob, m signing.Message, s *staged) error {
	sealing, err := r.Format.Seal(r.site(r.Now()), format.Op{Kind: format.Get, Paths: []string{s.Package.Path}}, b)
	if errors.Is(err, format.ErrMalformed) {
		r.Log.Warn("a file of the upstream gets no signature of its kind", "repository", r.Name, "path", s.Package.Path, "error", err)
		return nil
	}
	if err != nil || sealing.Splice != nil {
		return err
	}
	return r.grant(sealing.Seals, b, m, s)
}

// attest puts signatures beside a file of the upstream, unless it has some by now.
func (g *generation) attest(s *staged) error {
	p, rec, err := g.there(s.Package.Path)
	if err != nil || p == nil || rec.Foreign == nil || p.Digest != s.Uploaded || len(rec.Sidecars) > 0 {
		return err
	}
	for _, c := range s.Sidecars {
		rec.Sidecars = append(rec.Sidecars, c.Path)
		if err := g.addSidecar(c); err != nil {
			return err
		}
	}
	rec.Signatures = s.Signatures
	g.out.Signatures = append(g.out.Signatures, s.Log...)
	return g.keepPackage(*p, rec)
}

// A readBlob is a file that was read to its end, as formats read it.
type readBlob struct {
	size int64
	sum  []byte // its SHA-256

	mu   sync.Mutex
	file io.ReadSeeker
}

func asBlob(f *backend.File, m *signing.Hashed) (*readBlob, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	state, err := m.State(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &readBlob{size: size, sum: state.Sum(nil), file: f}, nil
}

// Size implements [format.Blob].
func (b *readBlob) Size() int64 { return b.size }

// Digest implements [format.Blob]. It has SHA-256 alone: what the index says of the file was said before.
func (b *readBlob) Digest(h crypto.Hash) []byte {
	if h != crypto.SHA256 {
		return nil
	}
	return bytes.Clone(b.sum)
}

// ReadAt implements [io.ReaderAt].
func (b *readBlob) ReadAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.file.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(b.file, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}
