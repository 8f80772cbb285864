package upstream

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
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

// A print tells stanzas apart: it is the beginning of a SHA-256 of context and bytes.
type print [16]byte

func (u *run) printOf(context string, stanza []byte) (p print) {
	u.buffer = append(append(append(u.buffer[:0], context...), 0), stanza...)
	sum := sha256.Sum256(u.buffer)
	copy(p[:], sum[:])
	return p
}

// known is what is remembered of the stanzas of a scope, so that those of the next edition need not be read again. It can
// be read from the ledger at any time.
type known struct {
	paths map[print]string // of the files that they list; nil: nothing is remembered
	parts map[string]part
	// serial and uncovered are those of the ledger when this was right.
	serial, uncovered int64
}

type part struct {
	digest [sha256.Size]byte
	prints []print
}

// A note is what the ledger keeps for us of a scope.
type note struct {
	Anchor     string // the file by which the upstream is asked whether anything has changed
	Digest     []byte // of that file
	Validators Validators
}

// ErrOlder: the upstream serves an index that is older than the one before.
var errOlder = errors.New("the index is older than the last one that was seen")

// follow asks the upstream for the index of a scope and takes it over. An error leaves everything as it was; one that
// wraps fs.ErrNotExist says that the upstream has no such scope.
func (r *Repository) follow(ctx context.Context, name string, s *scope) error {
	followed, err := r.publish.Followed(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	followedBefore := err == nil
	var before note
	if len(followed.Note) > 0 {
		if err := json.Unmarshal(followed.Note, &before); err != nil {
			return fmt.Errorf("the note of %q: %w", name, err)
		}
	}
	run := newRun(ctx, r, name, &s.known)
	defer run.close()
	if before.Anchor != "" {
		if err := run.begin(before); err != nil || run.unchanged {
			return err
		}
	}
	uncovered, err := r.publish.Uncovered(ctx)
	if err != nil {
		return err
	}
	if s.paths == nil || s.serial != followed.Serial || s.uncovered != uncovered {
		if s.known, err = r.remember(ctx, name); err != nil {
			return err
		}
		s.serial, s.uncovered = followed.Serial, uncovered
	}
	edition, err := r.mirror.Follow(run, name)
	if err != nil {
		return err
	}
	if edition.Order != 0 && edition.Order < followed.Order {
		return fmt.Errorf("%w: it is of %s, and that was of %s", errOlder, orderText(edition.Order), orderText(followed.Order))
	}
	change := run.change(edition)
	if change.Note, err = json.Marshal(run.note); err != nil {
		return err
	}
	if followedBefore && len(change.Add)+len(change.Remove) == 0 && sameEdition(edition, followed.Edition) && before.Anchor == "" && run.note.Anchor == "" {
		return nil
	}
	if err := run.fetchNow(change.Add); err != nil {
		return err
	}
	if err := r.publish.Follow(ctx, change); err != nil {
		return err
	}
	s.known = known{paths: run.paths, parts: run.parts, serial: s.serial, uncovered: uncovered}
	if len(change.Add)+len(change.Remove) > 0 {
		s.serial++
		r.options.Log.Info("the upstream's index has changed", "repository", r.options.Name, "scope", name,
			"listed", len(change.Add), "gone", len(change.Remove))
	}
	return nil
}

func sameEdition(a, b format.Edition) bool {
	return a.Shard == b.Shard && a.Order == b.Order && a.Until.Equal(b.Until) && a.Open == b.Open
}

// orderText shows a date as one, and a revision as it is.
func orderText(order int64) string {
	if order < 1<<29 {
		return fmt.Sprint(order)
	}
	return time.Unix(order, 0).UTC().Format(time.RFC3339)
}

// remember reads from the ledger what a scope lists.
func (r *Repository) remember(ctx context.Context, name string) (known, error) {
	k := known{paths: map[print]string{}, parts: map[string]part{}}
	for p, err := range r.Packages(ctx) {
		if err != nil {
			return k, err
		}
		_, prints, _, err := publish.ForeignOf(p)
		if err != nil {
			return k, err
		}
		if id, ok := prints[name]; ok {
			k.paths[print(id)] = p.Path
		}
	}
	return k, nil
}

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
	files map[string]bool // the paths of all that is listed
	parts map[string]part
	add   []publish.Listed

	buffer []byte
}

func newRun(ctx context.Context, r *Repository, scope string, k *known) *run {
	return &run{
		ctx: ctx, r: r, scope: scope, known: k, parts: map[string]part{},
		paths: make(map[print]string, len(k.paths)), files: make(map[string]bool, len(k.paths)),
	}
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
	if u.first, err = u.take(resp, maxAnchor); err != nil {
		return err
	}
	u.note = note{Anchor: before.Anchor, Digest: u.first.Digest(crypto.SHA256), Validators: resp.Validators}
	u.unchanged = string(u.note.Digest) == string(before.Digest)
	return nil
}

// maxAnchor is the most bytes that an index may have which is asked for before its format says how many it may have.
const maxAnchor = 256 << 20

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
		u.note = note{Anchor: path, Digest: body.Digest(crypto.SHA256), Validators: resp.Validators}
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
	u.parts[name] = p
	for _, id := range p.prints {
		u.keep(id, u.known.paths[id])
	}
	return true
}

func (u *run) keep(id print, path string) {
	u.paths[id] = path
	u.files[path] = true
}

// maxFiles is how many files the index of a scope may list.
const maxFiles = 2_000_000

// Emit implements [format.Upstream].
func (u *run) Emit(name, context string, stanza []byte) error {
	id := u.printOf(context, stanza)
	p := u.parts[name]
	p.prints = append(p.prints, id)
	u.parts[name] = p
	if _, again := u.paths[id]; again {
		return nil
	}
	if path, ok := u.known.paths[id]; ok {
		u.keep(id, path)
		return nil
	}
	if len(u.paths) >= maxFiles {
		return format.Malformedf("the index lists more than %d files", maxFiles)
	}
	f, err := u.r.mirror.Describe(u.scope, context, bytes.Clone(stanza)) // which stays in the file's entries
	if err != nil {
		return err
	}
	if u.files[f.Path] {
		u.paths[id] = f.Path // listed already: the first counts
		return nil
	}
	u.keep(id, f.Path)
	u.add = append(u.add, publish.Listed{Foreign: f, Content: contentOf(f), Print: id[:]})
	return nil
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
	for id, path := range u.known.paths {
		if _, still := u.paths[id]; !still && !u.files[path] {
			f.Remove = append(f.Remove, path)
		}
	}
	slices.Sort(f.Remove)
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

// fetchFound fetches a file that no index lists.
func (r *Repository) fetchFound(ctx context.Context, finder format.Finder, path string) (l publish.Listed, err error) {
	resp, err := r.options.Client.Get(ctx, path, Validators{})
	if err != nil {
		return l, err
	}
	resp.Body.Close()
	key := sha256.Sum256(fmt.Appendf(nil, "%q of %d", path, r.options.Now().UnixNano()))
	c, err := r.downloads.Open(ctx, Want{Key: key, Source: path, Size: -1, Limit: r.options.Limit})
	if err != nil {
		return l, err
	}
	defer c.Close()
	if err := c.Wait(ctx); err != nil {
		return l, err
	}
	digest, _ := c.Complete()
	if l.Foreign, err = finder.Found(path, digest[:], c.Size()); err != nil {
		return l, err
	}
	l.Content, l.Print = digest, digest[:16]
	return l, nil
}

func digestOf(b *spool.Body) backend.Digest { return backend.Digest(b.Digest(crypto.SHA256)) }
