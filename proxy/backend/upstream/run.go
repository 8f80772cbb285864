package upstream

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/signing/scheme"
)

// A run is one reading of the upstream's index: a [format.Upstream].
type run struct {
	ctx   context.Context
	r     *Repository
	scope string
	known *known

	note      note
	unchanged bool
	bodies    []io.Closer
	first     *spool.Body // the anchor, if it was fetched already

	paths map[print]string
	files map[string]bool // the paths of all that is listed; true: by a stanza that is known
	parts map[string]part
	add   []publish.Listed
	added map[string]int // where a path is in add

	kept  int             // how many of the known stanzas there are still
	more  map[string]bool // paths of known stanzas that have got another stanza
	whole map[string]bool // paths of which every stanza is read, known or not

	vouchers string // tells apart the keys whose signatures stand in what is listed
	hash     hash.Hash
	buffer   []byte
}

func newRun(ctx context.Context, r *Repository, scope string, k *known) *run {
	return &run{
		ctx: ctx, r: r, scope: scope, known: k, parts: map[string]part{},
		paths: make(map[print]string, len(k.paths)), files: make(map[string]bool, len(k.paths)),
		added: map[string]int{}, more: map[string]bool{}, vouchers: r.publish.Vouchers(), hash: sha256.New(),
	}
}

// torn returns the paths of files that several stanzas list, as a package in two components, and of which only some are
// known: others have come or gone. What is listed of such a file is put together anew from all of its stanzas.
func (u *run) torn() map[string]bool {
	if u.lostNone() {
		return u.more
	}
	for id, path := range u.known.paths {
		if _, still := u.paths[id]; !still && u.files[path] {
			u.more[path] = true
		}
	}
	return u.more
}

// lostNone reports whether all stanzas that are known are there still, as where a package has come and none has gone.
func (u *run) lostNone() bool { return u.kept == len(u.known.paths) }

// afresh returns a run that reads the same index again, and every stanza of some files.
func (u *run) afresh(whole map[string]bool) *run {
	next := newRun(u.ctx, u.r, u.scope, u.known)
	next.note, next.first, next.bodies, next.whole = u.note, u.first, u.bodies, whole
	u.bodies = nil
	return next
}

// begin asks for the file by which the upstream is asked whether anything has changed.
func (u *run) begin(before note) error {
	resp, err := u.r.options.Client.Get(u.ctx, before.Anchor, before.Validators)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q was there before: %w", before.Anchor, err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.NotModified {
		u.unchanged = true
		return nil
	}
	if u.first, err = u.take(resp, before.Limit); err != nil {
		return err
	}
	u.note = note{Anchor: before.Anchor, Digest: u.first.Digest(crypto.SHA256), Validators: resp.Validators, Limit: before.Limit}
	u.unchanged = string(u.note.Digest) == string(before.Digest)
	return nil
}

func (u *run) take(resp *Response, limit int64) (*spool.Body, error) {
	body, err := u.r.options.Spool.Take(u.ctx, resp.Body, limit)
	if errors.Is(err, spool.ErrTooLarge) {
		return nil, format.Malformedf("%v", err)
	}
	if err != nil {
		return nil, err
	}
	u.bodies = append(u.bodies, body)
	return body, nil
}

func (u *run) close() {
	for _, b := range u.bodies {
		b.Close()
	}
}

// Fetch implements [format.Upstream].
func (u *run) Fetch(path string, want format.Wanted) (format.Blob, error) {
	if want.SHA256 != nil {
		return u.fetchKnown(path, want)
	}
	if u.first != nil && path == u.note.Anchor {
		if u.first.Size() > want.Limit {
			return nil, format.Malformedf("%s has %d bytes, and at most %d are taken", path, u.first.Size(), want.Limit)
		}
		return u.first, nil
	}
	resp, err := u.r.options.Client.Get(u.ctx, path, Validators{})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := u.take(resp, want.Limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if u.note.Anchor == "" {
		u.note = note{Anchor: path, Digest: body.Digest(crypto.SHA256), Validators: resp.Validators, Limit: want.Limit}
		u.first = body
	}
	return body, nil
}

// fetchKnown fetches a file whose digest is signed, by way of the cache.
func (u *run) fetchKnown(path string, want format.Wanted) (format.Blob, error) {
	if want.Size > want.Limit {
		return nil, format.Malformedf("%s has %d bytes, and at most %d are taken", path, want.Size, want.Limit)
	}
	sum := backend.Digest(want.SHA256)
	c, err := u.r.downloads.Open(u.ctx, Want{Key: sum, Source: path, Size: want.Size, SHA256: &sum, Limit: want.Limit})
	if err != nil {
		return nil, err
	}
	u.bodies = append(u.bodies, c)
	if err := c.Wait(u.ctx); err != nil {
		return nil, err
	}
	if c.Cached() { // what came just now was hashed; at what lay in the cache, nobody has looked
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(c.File(), 0, c.Size())); err != nil {
			return nil, err
		}
		if !bytes.Equal(h.Sum(nil), want.SHA256) {
			u.r.options.Cache.Remove(sum)
			return nil, format.Malformedf("%s is damaged in the cache, and was removed from it", path)
		}
	}
	return &indexFile{c.File(), c.Size(), want.SHA256}, nil
}

// An indexFile is a file of the index whose bytes matched.
type indexFile struct {
	io.ReaderAt
	size int64
	sum  []byte
}

// Size implements [format.Blob].
func (f *indexFile) Size() int64 { return f.size }

// Digest implements [format.Blob].
func (f *indexFile) Digest(h crypto.Hash) []byte {
	if h != crypto.SHA256 {
		return nil
	}
	return f.sum
}

// Verify implements [format.Upstream].
func (u *run) Verify(s scheme.Scheme, message io.Reader, signature []byte) (time.Time, error) {
	return u.r.options.Keys.Verify(s, message, signature)
}

// Cleartext implements [format.Upstream].
func (u *run) Cleartext(document []byte) ([]byte, error) {
	return u.r.options.Keys.Cleartext(document)
}

// Known implements [format.Upstream].
func (u *run) Known(name string, digest []byte) bool {
	p, ok := u.known.parts[name]
	sum := [sha256.Size]byte(digest)
	if !ok || p.digest != sum {
		u.parts[name] = part{digest: sum}
		return false
	}
	for _, id := range p.prints {
		if u.whole[u.known.paths[id]] {
			u.parts[name] = part{digest: sum}
			return false
		}
	}
	u.parts[name] = p
	for _, id := range p.prints {
		u.keep(id, u.known.paths[id])
	}
	return true
}

// keep takes over a stanza that is known.
func (u *run) keep(id print, path string) {
	if _, added := u.added[path]; added {
		u.more[path] = true
	}
	if _, again := u.paths[id]; !again {
		u.kept++
	}
	u.paths[id] = path
	u.files[path] = true
}

// maxFiles is how many files the index of a scope may list.
const maxFiles = 2_000_000

// Reaches implements [format.Upstream].
func (u *run) Reaches(address string) bool {
	return format.IsAddress(address) && u.r.options.Client.Reach(address) == nil
}

// Emit implements [format.Upstream].
func (u *run) Emit(name, context string, stanza []byte) error {
	id := u.printOf(context, stanza)
	p := u.parts[name]
	p.prints = append(p.prints, id)
	u.parts[name] = p
	if _, again := u.paths[id]; again {
		return nil
	}
	if path, ok := u.known.paths[id]; ok && !u.whole[path] {
		u.keep(id, path)
		return nil
	}
	if len(u.paths) >= maxFiles {
		return format.Malformedf("the index lists more than %d files", maxFiles)
	}
	f, err := u.r.mirror.Describe(u.scope, context, bytes.Clone(stanza), nil) // which stays in the file's entries
	if err == nil {
		err = u.r.options.Client.Reach(f.Source)
	}
	if err != nil {
		return err
	}
	u.paths[id] = f.Path
	if known, listed := u.files[f.Path]; !listed {
		u.files[f.Path] = false
		u.added[f.Path] = len(u.add)
		listed := publish.Listed{Foreign: f, Content: contentOf(f), Print: id[:]}
		if len(f.Seals) > 0 {
			stanza := bytes.Clone(stanza)
			listed.Again = func(sigs []format.Signature) (format.Foreign, error) {
				return u.r.mirror.Describe(u.scope, context, bytes.Clone(stanza), sigs)
			}
		}
		u.add = append(u.add, listed)
	} else if known {
		u.more[f.Path] = true
	} else {
		u.merge(&u.add[u.added[f.Path]], f, id)
	}
	return nil
}

// merge adds what another stanza says of a file: it may list it in other groups. Of what both say, the first counts, and
// all of it where they are not of the same bytes.
func (u *run) merge(l *publish.Listed, f format.Foreign, id print) {
	if contentOf(f) != l.Content {
		return
	}
	for _, e := range f.Entries {
		if !slices.ContainsFunc(l.Entries, func(have format.Entry) bool { return have.Group == e.Group && have.Root == e.Root }) {
			l.Entries = append(slices.Clip(l.Entries), e)
		}
	}
	both := u.printOf(string(l.Print), id[:])
	l.Print = both[:]
}

// contentOf returns the key of a file's bytes: their SHA-256, or what stands for it where the index says something else.
func contentOf(f format.Foreign) (d backend.Digest) {
	if f.SHA256 != nil {
		copy(d[:], f.SHA256)
		return d
	}
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %d", sourceOf(f), f.Check, f.Size))
}

// change returns what is different from what was known.
func (u *run) change(e format.Edition) publish.Following {
	f := publish.Following{Scope: u.scope, Edition: e, Add: u.add}
	if e.Open || u.lostNone() {
		return f // what no open index lists is not gone for that
	}
	for _, path := range u.known.paths {
		if _, listed := u.files[path]; !listed {
			f.Remove = append(f.Remove, path)
		}
	}
	slices.Sort(f.Remove)
	f.Remove = slices.Compact(f.Remove) // several stanzas may have listed it
	return f
}

// fetchNow fetches the files that belong to the index.
func (u *run) fetchNow(listed []publish.Listed) error {
	for i := range listed {
		if !listed[i].Now {
			continue
		}
		c, err := u.r.downloads.Open(u.ctx, u.r.wantOf(listed[i].Foreign, listed[i].Content))
		if err == nil {
			err = errors.Join(c.Wait(u.ctx), c.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
