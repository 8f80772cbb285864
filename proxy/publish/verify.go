package publish

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// errMoved says that the repository has changed while it was verified.
var errMoved = errors.New("the repository has changed meanwhile")

// Verify reads every package and every index file, and holds them against their digests, their signatures and each
// other. It tells how far it is, and ends with the first lie, which the error names. Uploads go on meanwhile: what
// they change is looked at again.
func (r *Repository) Verify(ctx context.Context, tell func(string)) error {
	count := 0
	beside := map[string]bool{}
	for p, err := range r.Tree.Packages(ctx) {
		if err != nil {
			return err
		}
		for _, path := range besideOf(p) {
			beside[path] = true
		}
		if err := r.verifyPackage(ctx, p); err != nil && !r.hasGone(ctx, p) {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		if count++; count%1000 == 0 {
			tell(fmt.Sprintf("%d packages verified", count))
		}
	}
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	files := 0
	for _, shard := range shards {
		n, err := r.verifyShard(ctx, shard)
		for try := 0; errors.Is(err, errMoved) && try < 10; try++ {
			n, err = r.verifyShard(ctx, shard)
		}
		if err != nil {
			return fmt.Errorf("the index of %q: %w", shard, err)
		}
		files += n
	}
	indexed, err := r.indexedPaths(ctx, shards)
	if err != nil {
		return err
	}
	maps.Copy(indexed, beside)
	if err := r.verifyTree(ctx, "", indexed); err != nil {
		return err
	}
	tell(fmt.Sprintf("%d packages and %d index files are what they were, and signed", count, files))
	return nil
}

// besideOf returns the paths of the files that come and go with a package.
func besideOf(p backend.Package) []string {
	var rec record
	if json.Unmarshal(p.Record, &rec) != nil {
		return nil // verifyPackage says so
	}
	return rec.Beside
}

// hasGone reports whether a package that was seen is another by now.
func (r *Repository) hasGone(ctx context.Context, p backend.Package) bool {
	there, err := r.State.Find(ctx, []string{p.Path}, nil)
	return err == nil && (len(there) != 1 || !there[0].Removed.IsZero() || there[0].Digest != p.Digest)
}

// verifyPackage verifies the bytes of a package, its entries in the listings, and the signatures beside it.
func (r *Repository) verifyPackage(ctx context.Context, p backend.Package) error {
	var rec record
	if err := json.Unmarshal(p.Record, &rec); err != nil {
		return fmt.Errorf("its record: %w", err)
	}
	if rec.Foreign != nil {
		return r.verifyForeign(ctx, p, rec)
	}
	content, err := r.read(ctx, p.Path)
	if err != nil {
		return err
	}
	defer content.Close()
	m, err := signing.ReadHashed(content, r.ring.Hashes(scheme.File, scheme.Package)...)
	if err != nil {
		return err
	}
	if sum, err := m.State(crypto.SHA256); err != nil || !bytes.Equal(sum.Sum(nil), p.Digest[:]) {
		return fmt.Errorf("its bytes are not those that were signed, whose SHA-256 is %x", p.Digest)
	}
	if err := r.verifySidecars(ctx, rec.Sidecars, m); err != nil {
		return err
	}
	again, err := r.readAgain(ctx, p, nil)
	if err != nil {
		return err
	}
	for _, b := range again.pkg.Beside {
		if there, err := r.readAll(ctx, b.Path); err != nil || !bytes.Equal(there, b.Data) {
			return fmt.Errorf("%s beside it is not what is in it: %w", b.Path, cmp.Or(err, errors.New("it has other bytes")))
		}
	}
	return r.verifyEntries(ctx, &again.pkg)
}

// verifySidecars verifies the signatures beside a package, but for an author's own.
func (r *Repository) verifySidecars(ctx context.Context, paths []string, m signing.Message) error {
	for _, path := range paths {
		if author, err := r.isAuthors(ctx, path); err != nil || author {
			if err != nil {
				return err
			}
			continue
		}
		if err := r.verifySidecar(ctx, path, m); err != nil {
			return fmt.Errorf("the signature %s: %w", path, err)
		}
	}
	return nil
}

// isAuthors reports whether a package stands at the path of a sidecar.
func (r *Repository) isAuthors(ctx context.Context, path string) (bool, error) {
	there, err := r.State.Find(ctx, []string{path}, nil)
	return len(there) == 1 && there[0].Removed.IsZero(), err
}

// verifyEntries compares what the listings hold of a package with what it says.
func (r *Repository) verifyEntries(ctx context.Context, p *format.Package) error {
	r.mu.Lock()
	now, err := r.load(ctx)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	lists := now.lists.Begin(r.State, r.places())
	for _, want := range p.Entries {
		data, err := lists.Entry(ctx, shardOf(p, want)+groupSeparator+want.Group, p.Path)
		if err != nil {
			return fmt.Errorf("its entry in the index: %w", err)
		}
		if !bytes.Equal(data, want.Data) {
			return fmt.Errorf("the index says something else of it: reindex the repository")
		}
	}
	return nil
}

func (r *Repository) verifySidecar(ctx context.Context, path string, m signing.Message) error {
	sig, err := r.readAll(ctx, path)
	if err != nil {
		return err
	}
	purpose, sch := scheme.Package, scheme.OpenPGPBinary
	switch {
	case strings.HasSuffix(path, bundleSuffix):
		purpose, sch = scheme.File, scheme.BlobBundle
	case strings.HasSuffix(path, openpgpSuffix):
		purpose, sch = scheme.File, scheme.OpenPGPArmored
	}
	return r.verifySignature(purpose, sch, m, nil, sig)
}

// verifySignature returns nil if a key of the purpose verifies a signature. Text is the message of a clear-signed one.
func (r *Repository) verifySignature(p scheme.Purpose, sch scheme.Scheme, m signing.Message, text, sig []byte) error {
	err := fmt.Errorf("the ring has no key of purpose %s", p)
	for _, k := range r.ring.Keys(p) {
		if k.Public().Family() != sch.Family() {
			continue
		}
		if err = verifyBy(k.Public(), sch, m, text, sig); err == nil {
			return nil
		}
	}
	return err
}

func verifyBy(k signing.PublicKey, sch scheme.Scheme, m signing.Message, text, sig []byte) error {
	switch sch {
	case scheme.OpenPGPClearsigned:
		signed, err := signing.VerifyClearsigned(k, sig)
		if err == nil && !bytes.Equal(bytes.TrimRight(signed, "\n"), bytes.TrimRight(text, "\n")) {
			err = fmt.Errorf("it signs another text")
		}
		return err
	case scheme.OpenPGPArmored, scheme.OpenPGPBinary:
		return signing.VerifyOpenPGP(k, m, sig)
	case scheme.RSASHA256, scheme.RSASHA1:
		return signing.VerifyRSA(k, sch, m, sig)
	case scheme.BlobBundle:
		return signing.VerifyBlobBundle(k, sig, m)
	}
	return fmt.Errorf("its scheme %q is unknown", sch)
}

// verifyShard verifies the index of a shard, and returns how many files it has. The error wraps errMoved if another
// generation was committed meanwhile.
func (r *Repository) verifyShard(ctx context.Context, shard string) (int, error) {
	before, err := r.State.Head(ctx)
	if err != nil {
		return 0, err
	}
	index, err := readIndex(ctx, r.State, shard)
	if err == nil {
		err = r.verifyIndex(ctx, shard, index)
	}
	after, headErr := r.State.Head(ctx)
	if headErr != nil {
		return 0, headErr
	}
	if before.Generation != after.Generation {
		return 0, errMoved
	}
	return len(index.Files), err
}

func (r *Repository) verifyIndex(ctx context.Context, shard string, index shardIndex) error {
	if err := r.verifyRendering(ctx, shard, index); err != nil {
		return err
	}
	for path, f := range index.Files {
		if f.By != "" {
			continue
		}
		m, text, err := r.verifyIndexFile(ctx, path, f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, s := range f.Spliced {
			if err := r.verifySignature(scheme.Index, s.Scheme, m, nil, s.Value); err != nil {
				return fmt.Errorf("the signature in %s: %w", path, err)
			}
		}
		for sigPath, s := range index.Files {
			if s.By != path {
				continue
			}
			sig, err := r.readAll(ctx, sigPath)
			if err == nil {
				err = r.verifySignature(scheme.Index, s.Scheme, m, text, sig)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", sigPath, err)
			}
		}
	}
	return nil
}

// maxText is the size of the largest index file that is clear-signed, in bytes.
const maxText = 16 << 20

// verifyIndexFile holds the bytes of an index file against their digest, and returns what is signed of them.
func (r *Repository) verifyIndexFile(ctx context.Context, path string, f indexFile) (m *signing.Hashed, text []byte, err error) {
	content, err := r.read(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	defer content.Close()
	if f.Head > 0 {
		head := sha256.New()
		if _, err := io.CopyN(head, content, f.Head); err != nil {
			return nil, nil, err
		}
		if !bytes.Equal(head.Sum(nil), f.HeadSum) {
			return nil, nil, errors.New("the signature in front of it is not the one that was made")
		}
	}
	if m, err = signing.NewHashed(append(r.ring.Hashes(scheme.Index), crypto.SHA1)...); err != nil {
		return nil, nil, err
	}
	var kept bytes.Buffer
	var to io.Writer = m
	if content.Size <= maxText {
		to = io.MultiWriter(m, &kept)
	}
	if _, err := io.Copy(to, content); err != nil {
		return nil, nil, err
	}
	sum, err := m.State(crypto.SHA256)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(sum.Sum(nil), f.Tag) {
		return nil, nil, fmt.Errorf("its bytes have the SHA-256 %x and must have %x", sum.Sum(nil), f.Tag)
	}
	return m, kept.Bytes(), nil
}

// verifyRendering renders the listings of a shard from the entries alone, and compares their text with what is served.
func (r *Repository) verifyRendering(ctx context.Context, shard string, index shardIndex) error {
	lists, err := listing.Load(ctx, r.State)
	if err != nil {
		return err
	}
	rendering := &rendering{name: shard, texts: map[string][]byte{}, ctx: ctx}
	if rendering.lists, err = lists.Rebuild(ctx, r.State, r.places()); err != nil {
		return err
	}
	if rendering.groups, err = groupsOf(ctx, rendering.lists, shard); err != nil {
		return err
	}
	site := format.Site{Repository: r.Name, Keys: r.keys, Date: index.Date}
	if site.Behind, err = r.behind(ctx, shard, nil); err != nil {
		return err
	}
	if err := r.Format.Index(site, rendering, func(format.File) error { return nil }); err != nil {
		return err
	}
	for path, f := range index.Files {
		if f.Listing == "" {
			continue
		}
		text, err := r.textOf(ctx, path, f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !bytes.Equal(text, rendering.texts[f.Listing]) {
			return fmt.Errorf("%s does not list what is there: reindex the repository", path)
		}
	}
	return nil
}

// textOf returns the SHA-256 of an encoded listing's plain text.
func (r *Repository) textOf(ctx context.Context, path string, f indexFile) ([]byte, error) {
	content, err := r.read(ctx, path)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if _, err := content.Seek(f.Head, io.SeekStart); err != nil {
		return nil, err
	}
	var text io.Reader = content
	if f.Encoding == format.Gzip {
		if text, err = gzip.NewReader(bufio.NewReader(content)); err != nil {
			return nil, err
		}
	}
	sum := sha256.New()
	_, err = io.Copy(sum, text)
	return sum.Sum(nil), err
}

// A rendering is a shard that is rendered to be compared: a [format.Shard].
type rendering struct {
	ctx    context.Context
	name   string
	groups []format.Group
	lists  *listing.Change
	texts  map[string][]byte // the SHA-256 of each listing's plain text
}

// Name implements [format.Shard].
func (v *rendering) Name() string { return v.name }

// Groups implements [format.Shard].
func (v *rendering) Groups() []format.Group { return slices.Clone(v.groups) }

// Entries implements [format.Shard].
func (v *rendering) Entries(group string) ([][]byte, error) {
	return entriesOf(v.ctx, v.lists, v.name, group)
}

// Raise implements [format.Shard]: what is above must have the entry.
func (v *rendering) Raise(shard, group string, data []byte) error {
	there, err := v.lists.Entry(v.ctx, shard+groupSeparator+group, raisedBy(v.name))
	if err == nil && !bytes.Equal(there, data) {
		err = errors.New("it says something else")
	}
	if err != nil {
		return fmt.Errorf("what the index of %q says of %q: %w; reindex the repository", shard, v.name, err)
	}
	return nil
}

// List implements [format.Shard]. The digests that it returns are not those of the files.
func (v *rendering) List(listings ...format.Listing) ([]format.Listed, error) {
	all := make([]format.Listed, len(listings))
	for i, l := range listings {
		wanted := l.Encodings
		l.Encodings = []format.Encoding{format.Plain}
		closed, err := v.lists.Close(v.ctx, viewOf(v.name, l))
		if err != nil {
			return nil, err
		}
		text := closed.Files[listing.Plain]
		v.texts[l.Name] = text.Digests[crypto.SHA256]
		all[i] = format.Listed{Totals: format.Totals(closed.Totals), Files: map[format.Encoding]format.ListedFile{}}
		for _, e := range wanted {
			all[i].Files[e] = format.ListedFile{Size: text.Size, Digests: text.Digests}
		}
	}
	return all, nil
}

func (r *Repository) read(ctx context.Context, path string) (*backend.File, error) {
	return r.Tree.Open(ctx, backend.Current, path)
}

// readAll reads a small file of the tree.
func (r *Repository) readAll(ctx context.Context, path string) ([]byte, error) {
	f, err := r.read(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size > maxText {
		return nil, fmt.Errorf("it has %d bytes", f.Size)
	}
	return io.ReadAll(f)
}
