package formattest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// A shard keeps the entries of a set of index files. The groups are all that it has ever had.
type shard struct {
	name    string
	known   map[string]bool
	entries []entry // in the order of their adding
}

type entry struct {
	format.Entry
	of *stored // nil: it was raised
	by string  // the shard that raised it
}

func (s *shard) groups() []format.Group {
	groups := []format.Group{}
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		g := format.Group{Name: name}
		for _, e := range s.entries {
			if e.Group == name {
				g.Count++
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// emissions are the index files of the current generation.
type emissions struct{ emitted []emission }

// An emission is one index file.
type emission struct {
	shard   string
	path    string
	data    []byte
	plain   []byte // without the signatures in it
	lasting bool
	seals   []format.Seal
	beside  map[string][]byte // signatures by their paths
}

// files returns the file and the signatures beside it.
func (e emission) files() map[string][]byte {
	all := map[string][]byte{e.path: e.data}
	maps.Copy(all, e.beside)
	return all
}

// exchange puts the entries of one package in the place of those of another. Either may be nil.
func (h *House) exchange(old, s *stored, touched map[string]bool) {
	var fresh []format.Entry
	if s != nil {
		fresh = slices.Clone(s.pkg.Entries)
		h.shard(s.pkg.Shard)
		touched[s.pkg.Shard] = true
		for _, e := range fresh {
			h.shard(shardOf(s.pkg, e)).known[e.Group] = true
		}
	}
	if old != nil {
		touched[old.pkg.Shard] = true
		for name, from := range h.shards {
			var kept []entry
			for _, e := range from.entries {
				if e.of != old {
					kept = append(kept, e)
					continue
				}
				touched[name] = true
				// A package that replaces another one keeps its place.
				i := slices.IndexFunc(fresh, func(f format.Entry) bool { return f.Group == e.Group && shardOf(s.pkg, f) == name })
				if i >= 0 {
					kept = append(kept, entry{Entry: fresh[i], of: s})
					fresh = slices.Delete(fresh, i, i+1)
				}
			}
			from.entries = kept
		}
	}
	for _, e := range fresh {
		into := h.shard(shardOf(s.pkg, e))
		into.entries = append(into.entries, entry{Entry: e, of: s})
		touched[into.name] = true
	}
}

// shardOf returns the shard that an entry of a package belongs to.
func shardOf(p format.Package, e format.Entry) string {
	if e.Root {
		return ""
	}
	return p.Shard
}

// shard returns a shard, which there is from now on.
func (h *House) shard(name string) *shard {
	s := h.shards[name]
	if s == nil {
		s = &shard{name: name, known: map[string]bool{}}
		h.shards[name] = s
	}
	return s
}

// publish renders the index files of the shards that changed, and makes them visible.
func (h *House) publish(touched map[string]bool) {
	h.tb.Helper()
	maps.Copy(touched, h.overdue)
	clear(h.overdue)
	var next []emission
	for _, e := range h.emitted {
		if !touched[e.shard] {
			next = append(next, e)
			continue
		}
		if e.lasting {
			maps.Copy(h.lasting, e.files())
		}
	}
	rendered := map[string]bool{}
	for {
		name, ok := deepest(touched, rendered)
		if !ok {
			break
		}
		rendered[name] = true
		next = slices.DeleteFunc(next, func(e emission) bool { return e.shard == name }) // it was touched by one below it
		r := &run{house: h, shard: h.shard(name), raised: map[raise][]byte{}}
		next = append(next, h.renderTo(r)...)
		h.lift(r, touched)
	}
	h.emitted = next
	h.checkTree()
}

// deepest returns a touched shard that has none below it which is yet to be rendered.
func deepest(touched, rendered map[string]bool) (name string, ok bool) {
	depth := -1
	for _, t := range slices.Sorted(maps.Keys(touched)) {
		if d := depthOf(t); !rendered[t] && d > depth {
			name, ok, depth = t, true, d
		}
	}
	return name, ok
}

func depthOf(shard string) int {
	if shard == "" {
		return 0
	}
	return 1 + strings.Count(shard, "/")
}

// above reports whether a shard is above another one.
func above(upper, lower string) bool {
	return upper != lower && (upper == "" || strings.HasPrefix(lower, upper+"/"))
}

// A raise is the place of an entry that a shard raises.
type raise struct{ shard, group string }

// remember gives raised entries the places that they have in another house, since shards raise them in no order that one could
// rely on.
func (h *House) remember(other *House) {
	for name, s := range other.shards {
		for _, e := range s.entries {
			if e.of == nil {
				into := h.shard(name)
				into.known[e.Group] = true
				into.entries = append(into.entries, e)
				h.overdue[name] = true
			}
		}
	}
}

// lift puts what a shard raises into the shards above it, and takes out what it does not raise any more.
func (h *House) lift(r *run, touched map[string]bool) {
	by := r.shard.name
	for name, s := range h.shards {
		var kept []entry
		for _, e := range s.entries {
			if e.of != nil || e.by != by {
				kept = append(kept, e)
				continue
			}
			at := raise{name, e.Group}
			data, still := r.raised[at]
			if still {
				kept = append(kept, entry{Entry: format.Entry{Group: e.Group, Data: data}, by: by})
				delete(r.raised, at)
			}
			if !still || !bytes.Equal(data, e.Data) {
				touched[name] = true
			}
		}
		s.entries = kept
	}
	for _, at := range slices.SortedFunc(maps.Keys(r.raised), func(a, b raise) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.group, b.group))
	}) {
		s := h.shard(at.shard)
		s.known[at.group] = true
		s.entries = append(s.entries, entry{Entry: format.Entry{Group: at.group, Data: r.raised[at]}, by: by})
		touched[at.shard] = true
	}
}

// checkTree ends the test if two files have one path, or one cannot be reached.
func (h *House) checkTree() {
	h.tb.Helper()
	owner := map[string]string{}
	claim := func(p, by string) {
		h.tb.Helper()
		if other, taken := owner[p]; taken {
			h.guard.breach("%s and %s have the same path %q", other, by, p)
		}
		owner[p] = by
		op, err := h.guard.Route(format.Request{Method: "GET", Path: p})
		if err != nil || op.Kind != format.Get || !slices.Contains(op.Paths, p) {
			h.guard.breach("%s cannot be fetched at its path %q: Route returns %+v, %v", by, p, op, err)
		}
	}
	for _, s := range h.packages {
		if s.pkg.Path != "" {
			claim(s.pkg.Path, "the package "+s.pkg.Name)
		}
		for p := range s.sidecars {
			claim(p, "a signature of "+s.pkg.Name)
		}
	}
	for _, e := range h.emitted {
		for p := range e.files() {
			claim(p, "an index file of the shard "+e.shard)
		}
		if op, err := h.guard.Route(format.Request{Method: "GET", Path: e.path}); err == nil && op.Addressed && len(e.seals) > 0 {
			h.guard.breach("the index file %s is to be signed, and holds addresses", e.path)
		}
	}
}

// render runs Index for one shard, and forgets what that raises.
func (h *House) render(s *shard) []emission {
	h.tb.Helper()
	return h.renderTo(&run{house: h, shard: s, raised: map[raise][]byte{}})
}

func (h *House) renderTo(r *run) []emission {
	h.tb.Helper()
	s := r.shard
	var all []emission
	paths := map[string]bool{}
	emit := func(f format.File) error {
		h.tb.Helper()
		e := emission{shard: s.name, path: f.Path, lasting: f.Lasting, seals: f.Seals}
		if fault := pathFault(f.Path); fault != "" {
			h.guard.breach("the path %q of an index file %s", f.Path, fault)
		}
		e.plain = r.content(f)
		e.data, _, e.beside = h.seal("the index file "+f.Path, f.Sealing, e.plain, scheme.Index)
		if f.Listing != "" && !bytes.HasSuffix(e.data, e.plain) {
			h.guard.breach("Splice of the index file %s puts bytes elsewhere than in front of a listing", f.Path)
		}
		for p := range e.files() {
			if paths[p] {
				h.guard.breach("two index files of the shard %q have the path %q", s.name, p)
			}
			paths[p] = true
		}
		all = append(all, e)
		return nil
	}
	site := h.site(h.Date)
	if h.behind != nil {
		behind := *h.behind
		behind.Scopes = h.scopes[s.name]
		site.Behind = &behind
	}
	if err := h.guard.Index(site, r, emit); err != nil {
		h.guard.breach("Index of the shard %q: %v", s.name, err)
	}
	return all
}

// A run is what Index sees of its shard.
type run struct {
	house  *House
	shard  *shard
	listed map[string]map[format.Encoding][]byte
	raised map[raise][]byte
}

var _ format.Shard = (*run)(nil)

func (r *run) Name() string           { return r.shard.name }
func (r *run) Groups() []format.Group { return r.shard.groups() }

func (r *run) Entries(group string) ([][]byte, error) {
	var all [][]byte
	for _, e := range r.shard.entries {
		if e.Group == group {
			all = append(all, e.Data)
		}
	}
	return all, nil
}

func (r *run) Raise(shard, group string, data []byte) error {
	r.house.tb.Helper()
	at := raise{shard, group}
	switch _, twice := r.raised[at]; {
	case !above(shard, r.shard.name):
		r.house.guard.breach("the shard %q raises an entry to %q, which is not above it", r.shard.name, shard)
	case twice:
		r.house.guard.breach("the shard %q raises two entries to the group %q of %q", r.shard.name, group, shard)
	case len(data) == 0:
		r.house.guard.breach("the shard %q raises an entry without data", r.shard.name)
	}
	r.raised[at] = bytes.Clone(data)
	return nil
}

func (r *run) List(listings ...format.Listing) ([]format.Listed, error) {
	r.house.tb.Helper()
	if r.listed != nil {
		r.house.guard.breach("Index of the shard %q calls List twice", r.shard.name)
	}
	r.listed = map[string]map[format.Encoding][]byte{}
	var all []format.Listed
	for _, l := range listings {
		if r.listed[l.Name] != nil || l.Name == "" || len(l.Encodings) == 0 {
			r.house.guard.breach("the listing %q of the shard %q has no encoding, no name or that of another", l.Name, r.shard.name)
		}
		r.listed[l.Name] = map[format.Encoding][]byte{}
		totals, plain := r.concatenate(l)
		listed := format.Listed{Totals: totals, Files: map[format.Encoding]format.ListedFile{}}
		for _, encoding := range l.Encodings {
			data := r.encode(encoding, plain)
			r.listed[l.Name][encoding] = data
			listed.Files[encoding] = listedFile(data, l.Digests)
		}
		all = append(all, listed)
	}
	return all, nil
}

// content returns the bytes of a file without the signatures in it.
func (r *run) content(f format.File) []byte {
	r.house.tb.Helper()
	if f.Listing == "" {
		if f.Encoding != "" {
			r.house.guard.breach("the index file %s has an encoding and is no listing", f.Path)
		}
		return f.Data
	}
	data, ok := r.listed[f.Listing][f.Encoding]
	if !ok || f.Data != nil {
		r.house.guard.breach("the index file %s is the listing %q as %q, which was not listed, or it has data too",
			f.Path, f.Listing, f.Encoding)
	}
	return data
}

func (r *run) concatenate(l format.Listing) (format.Totals, []byte) {
	r.house.tb.Helper()
	var totals format.Totals
	var body []byte
	for _, name := range l.Groups {
		if !r.shard.known[name] {
			continue
		}
		for _, e := range r.shard.entries {
			if e.Group == name {
				totals.Count++
				body = append(body, e.Data...)
			}
		}
	}
	totals.Bytes = int64(len(body))
	if l.Skip != 0 && slices.ContainsFunc(l.Encodings, func(e format.Encoding) bool { return e != format.Plain }) {
		r.house.guard.breach("the listing %q of the shard %q skips bytes and is not plain alone", l.Name, r.shard.name)
	}
	body = body[min(l.Skip, len(body)):]
	var head, tail []byte
	r.house.guard.calling("Head or Tail of the listing "+l.Name, func() {
		if l.Head != nil {
			head = l.Head(totals)
		}
		if l.Tail != nil {
			tail = l.Tail(totals)
		}
	})
	return totals, slices.Concat(head, body, tail)
}

func (r *run) encode(encoding format.Encoding, plain []byte) []byte {
	r.house.tb.Helper()
	switch encoding {
	case format.Plain:
		return plain
	case format.Gzip:
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_ = must(w.Write(plain))
		if err := w.Close(); err != nil {
			panic(err)
		}
		return b.Bytes()
	}
	r.house.guard.breach("the shard %q has a listing in the unknown encoding %q", r.shard.name, encoding)
	return nil
}

func listedFile(data []byte, digests []crypto.Hash) format.ListedFile {
	f := format.ListedFile{Size: int64(len(data)), Digests: map[crypto.Hash][]byte{}}
	for _, h := range append([]crypto.Hash{crypto.SHA256}, digests...) {
		f.Digests[h] = NewBlob(data).Digest(h)
	}
	return f
}
