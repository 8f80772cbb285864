package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
	"hallmark/signing"
	"hallmark/signing/scheme"

	"golang.org/x/sync/errgroup"
)

// indexKeys is the beginning of the keys under which the index of each shard is remembered; the shard's name follows.
const indexKeys = "i" + groupSeparator

// shardIndex is what is remembered of the index of a shard: which files it has, so that only those that change are
// written again.
type shardIndex struct {
	Date  time.Time // when it was rendered
	Files map[string]indexFile
	// Raised are the places of the entries that it has raised.
	Raised []raise `json:",omitempty"`
}

// A raise is the place of an entry that a shard raises to one above it.
type raise struct{ Shard, Group string }

type indexFile struct {
	Tag     []byte // of the content, before anything was spliced into it
	Lasting bool   `json:",omitempty"`
	// Listing and Encoding are those of the format's File.
	Listing  string          `json:",omitempty"`
	Encoding format.Encoding `json:",omitempty"`
	// By is the file whose signature this is, in a scheme; empty for others.
	By     string        `json:",omitempty"`
	Scheme scheme.Scheme `json:",omitempty"`
	// Spliced are the signatures in the first Head bytes of the file, over all that follows.
	Spliced []splicedSignature `json:",omitempty"`
	Head    int64              `json:",omitempty"`
	HeadSum []byte             `json:",omitempty"` // their SHA-256
}

// A splicedSignature is one that stands in its file.
type splicedSignature struct {
	Scheme scheme.Scheme
	Value  []byte
}

func (g *generation) shardIndex(shard string) (shardIndex, error) {
	return readIndex(g.ctx, g.State, shard)
}

func readIndex(ctx context.Context, state backend.State, shard string) (shardIndex, error) {
	index := shardIndex{Files: map[string]indexFile{}}
	data, err := state.Get(ctx, indexKeys+shard)
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	return index, err
}

// indexed reports whether a path is one of an index file.
func (g *generation) indexed(path string) (bool, error) {
	return g.Indexed(g.ctx, path)
}

// render makes and signs the index of a shard.
func (g *generation) render(shard string) error {
	before, err := g.shardIndex(shard)
	if err != nil {
		return err
	}
	v := &shardView{
		g: g, name: shard, before: before, after: shardIndex{Date: g.date, Files: map[string]indexFile{}}, raised: map[raise][]byte{},
	}
	if v.groups, err = groupsOf(g.ctx, g.lists, shard); err != nil {
		return err
	}
	site := format.Site{Repository: g.Name, Keys: g.keys, Date: g.date}
	if site.Behind, err = g.Repository.behind(g.ctx, shard, g.out.State); err != nil {
		return err
	}
	if err := g.Format.Index(site, v, v.emit); err != nil {
		return err
	}
	for path := range before.Files {
		if _, still := v.after.Files[path]; !still {
			g.out.Gone = append(g.out.Gone, backend.Gone{Path: path, Lasting: before.Files[path].Lasting})
		}
	}
	if err := v.raise(); err != nil {
		return err
	}
	data, err := json.Marshal(v.after)
	if err != nil {
		return err
	}
	g.out.State[indexKeys+shard] = data
	return nil
}

// groupsOf returns the groups of a shard.
func groupsOf(ctx context.Context, lists *listing.Change, shard string) ([]format.Group, error) {
	all, err := lists.Groups(ctx, shard+groupSeparator)
	if err != nil {
		return nil, err
	}
	var of []format.Group
	for _, group := range all {
		of = append(of, format.Group{Name: strings.TrimPrefix(group.Name, shard+groupSeparator), Count: group.Count})
	}
	return of, nil
}

// shardView is a shard as its format sees it, and takes what the format emits.
type shardView struct {
	g             *generation
	name          string
	groups        []format.Group
	lists         map[string]listing.Closed
	raised        map[raise][]byte
	before, after shardIndex
}

// Name implements [format.Shard].
func (v *shardView) Name() string { return v.name }

// Groups implements [format.Shard].
func (v *shardView) Groups() []format.Group { return slices.Clone(v.groups) }

// Entries implements [format.Shard].
func (v *shardView) Entries(group string) ([][]byte, error) {
	return entriesOf(v.g.ctx, v.g.lists, v.name, group)
}

// maxRead is how many bytes of entries Index may read of one group.
const maxRead = 64 << 20

func entriesOf(ctx context.Context, lists *listing.Change, shard, group string) ([][]byte, error) {
	entries, err := lists.Entries(ctx, shard+groupSeparator+group, maxRead)
	if err != nil {
		return nil, err
	}
	data := make([][]byte, len(entries))
	for i, e := range entries {
		data[i] = e.Data
	}
	return data, nil
}

// List implements [format.Shard].
func (v *shardView) List(listings ...format.Listing) ([]format.Listed, error) {
	if v.lists != nil {
		return nil, errors.New("the format lists twice")
	}
	v.lists = make(map[string]listing.Closed, len(listings))
	all := make([]format.Listed, len(listings))
	closed := make([]listing.Closed, len(listings))
	var closing errgroup.Group
	closing.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range listings {
		view := viewOf(v.name, l)
		view.Hashes = slices.Concat(view.Hashes, v.g.ring.Hashes(scheme.Index))
		v.g.views = append(v.g.views, view.Name)
		closing.Go(func() (err error) {
			if closed[i], err = v.g.lists.Close(v.g.ctx, view); err != nil {
				return fmt.Errorf("listing %s: %w", l.Name, err)
			}
			return nil
		})
	}
	if err := closing.Wait(); err != nil {
		return nil, err
	}
	for i, l := range listings {
		v.lists[l.Name] = closed[i]
		all[i] = format.Listed{Totals: format.Totals(closed[i].Totals), Files: map[format.Encoding]format.ListedFile{}}
		for e, f := range closed[i].Files {
			all[i].Files[format.Encoding(e)] = format.ListedFile{Size: f.Size, Digests: f.Digests}
		}
	}
	return all, nil
}

// viewOf returns a listing of a shard as the listings know it.
func viewOf(shard string, l format.Listing) listing.View {
	view := listing.View{Name: shard + groupSeparator + l.Name, Head: ends(l.Head), Tail: ends(l.Tail), Skip: l.Skip, Hashes: l.Digests}
	for _, group := range l.Groups {
		view.Groups = append(view.Groups, shard+groupSeparator+group)
	}
	for _, e := range l.Encodings {
		view.Encodings = append(view.Encodings, listing.Encoding(e))
	}
	return view
}

func ends(of func(format.Totals) []byte) func(listing.Totals) []byte {
	if of == nil {
		return nil
	}
	return func(t listing.Totals) []byte { return of(format.Totals(t)) }
}

// emit takes an index file. One that is as it was stays in its generation, with its signatures.
func (v *shardView) emit(f format.File) error {
	if _, twice := v.after.Files[f.Path]; twice {
		return fmt.Errorf("the format emits %s twice", f.Path)
	}
	m, put, err := v.content(f)
	if err != nil {
		return err
	}
	entry := indexFile{Tag: bytes.Clone(put.Tag[:]), Lasting: f.Lasting, Listing: f.Listing, Encoding: f.Encoding}
	v.after.Files[f.Path] = entry
	if v.unchanged(f, put.Tag) {
		for _, wish := range f.Seals {
			if wish.Path != "" {
				v.after.Files[wish.Path] = indexFile{By: f.Path, Scheme: wish.Scheme}
			}
		}
		v.after.Files[f.Path] = v.before.Files[f.Path]
		return nil
	}
	granted, err := v.g.signIndex(f.Seals, m, f.Path, put.Tag)
	if err != nil {
		return err
	}
	for i, wish := range f.Seals {
		made := granted[i]
		if wish.Path == "" {
			for _, sig := range made {
				entry.Spliced = append(entry.Spliced, splicedSignature{wish.Scheme, sig.Value})
			}
			continue
		}
		v.after.Files[wish.Path] = indexFile{By: f.Path, Scheme: wish.Scheme}
		c := content(made[0].Value)
		v.g.object(&c, made[0].Value)
		v.g.out.Files = append(v.g.out.Files, backend.Put{Path: wish.Path, Index: true, Content: c})
	}
	if f.Splice != nil {
		if entry.Head, entry.HeadSum, err = v.splice(&put, f, slices.Concat(granted...)); err != nil {
			return err
		}
		v.after.Files[f.Path] = entry
	}
	v.g.out.Files = append(v.g.out.Files, put)
	return nil
}

// unchanged reports whether a file with its signatures may stay as it is.
func (v *shardView) unchanged(f format.File, tag backend.Digest) bool {
	old, ok := v.before.Files[f.Path]
	if !ok || string(old.Tag) != string(tag[:]) {
		return false
	}
	for _, wish := range f.Seals {
		if wish.Path != "" && v.before.Files[wish.Path].By != f.Path {
			return false
		}
	}
	return !v.g.resign
}

// content returns the bytes of an index file, as a message and as what is put. The tag of the latter is their SHA-256.
func (v *shardView) content(f format.File) (signing.Message, backend.Put, error) {
	put := backend.Put{Path: f.Path, Index: true, Lasting: f.Lasting}
	if f.Listing == "" {
		put.Content = content(f.Data)
		v.g.object(&put.Content, f.Data)
		return signing.Bytes(f.Data), put, nil
	}
	closed, ok := v.lists[f.Listing]
	if !ok {
		return nil, put, fmt.Errorf("the format emits %s of a listing %q that it has not listed", f.Path, f.Listing)
	}
	file := closed.Files[listing.Encoding(f.Encoding)]
	if file == nil {
		return nil, put, fmt.Errorf("the format emits %s in an encoding %q that it has not listed", f.Path, f.Encoding)
	}
	put.Content = backend.Content{Parts: file.Parts, Size: file.Size, Tag: file.Digest()}
	return file, put, nil
}

// splice puts signatures in front of a file. It returns the size and the SHA-256 of what it has put there.
func (v *shardView) splice(put *backend.Put, f format.File, sigs []format.Signature) (int64, []byte, error) {
	patches, err := f.Splice(sigs)
	if err != nil {
		return 0, nil, err
	}
	for _, p := range patches {
		if p.Offset != 0 || p.Size != 0 || f.Listing == "" {
			return 0, nil, fmt.Errorf("the format splices into the middle of %s", f.Path)
		}
	}
	if len(patches) != 1 || len(patches[0].Data) == 0 {
		return 0, nil, fmt.Errorf("the format splices %d patches into %s", len(patches), f.Path)
	}
	head := patches[0].Data
	sum := sha256.Sum256(head)
	put.Tag = sha256.Sum256(slices.Concat(put.Tag[:], head))
	put.Size += int64(len(head))
	part := listing.Inline(head)
	if len(head) > listing.MaxInline {
		part = listing.Object(head)
		v.g.out.Objects[part.Digest] = head
	}
	put.Parts = slices.Concat(listing.Parts{part}, put.Parts)
	return int64(len(head)), sum[:], nil
}

// content returns small bytes as what is put. Those of more than maxSmall need an object: see object.
func content(data []byte) backend.Content {
	return backend.Content{Data: data, Size: int64(len(data)), Tag: sha256.Sum256(data)}
}

// object moves the bytes of a content that are too many to stand with its name.
func (g *generation) object(c *backend.Content, data []byte) {
	if len(data) <= maxSmall {
		return
	}
	part := listing.Object(data)
	g.out.Objects[part.Digest] = data
	c.Data, c.Parts = nil, listing.Parts{part}
}
