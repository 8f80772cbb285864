package listing_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"hallmark/proxy/listing"
)

// A house is a Store and Blobs in memory, and whoever commits to them.
type house struct {
	mu      sync.Mutex
	state   map[string][]byte
	objects map[listing.Digest][]byte
	blobs   map[listing.Digest][]byte
	sorted  []string // the keys of state and some that are gone, or nil

	opened, closed int
	gets, scans    int
}

func newHouse() *house {
	return &house{
		state:   make(map[string][]byte),
		objects: make(map[listing.Digest][]byte),
		blobs:   make(map[listing.Digest][]byte),
	}
}

func (h *house) Get(_ context.Context, key string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gets++
	if value, ok := h.state[key]; ok {
		return value, nil
	}
	return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
}

func (h *house) Scan(_ context.Context, prefix string) iter.Seq2[listing.KeyValue, error] {
	return func(yield func(listing.KeyValue, error) bool) {
		h.mu.Lock()
		h.scans++
		if h.sorted == nil {
			h.sorted = slices.Sorted(maps.Keys(h.state))
		}
		i, _ := slices.BinarySearch(h.sorted, prefix)
		var found []listing.KeyValue
		for _, key := range h.sorted[i:] {
			if !strings.HasPrefix(key, prefix) {
				break
			}
			if value, ok := h.state[key]; ok {
				found = append(found, listing.KeyValue{Key: key, Value: value})
			}
		}
		h.mu.Unlock()
		for _, kv := range found {
			if !yield(kv, nil) {
				return
			}
		}
	}
}

func (h *house) Object(_ context.Context, d listing.Digest) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if data, ok := h.objects[d]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("object %x: %w", d, fs.ErrNotExist)
}

func (h *house) Put(_ context.Context, d listing.Digest, size int64, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(data)) != size || sha256.Sum256(data) != d {
		return fmt.Errorf("blob %x of %d bytes is not what it was said to be", d, len(data))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blobs[d] = data
	return nil
}

func (h *house) Open(_ context.Context, d listing.Digest) (listing.Blob, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	data, ok := h.blobs[d]
	if !ok {
		return nil, fmt.Errorf("blob %x: %w", d, fs.ErrNotExist)
	}
	h.opened++
	return &memoryBlob{bytes.NewReader(data), h}, nil
}

type memoryBlob struct {
	*bytes.Reader
	house *house
}

func (b *memoryBlob) Close() error {
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	b.house.closed++
	return nil
}

// commit does what a caller does with a change, and returns the state after it.
func (h *house) commit(t testing.TB, c *listing.Change) *listing.State {
	t.Helper()
	next, w := c.Commit()
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, value := range w.State {
		if !strings.HasPrefix(key, "l") || strings.Contains(key, "\x00") {
			t.Errorf("a record has the key %q", key)
		}
		if value == nil {
			delete(h.state, key)
			continue
		}
		if _, ok := h.state[key]; !ok {
			h.sorted = nil
		}
		h.state[key] = bytes.Clone(value)
	}
	for d, data := range w.Objects {
		if sha256.Sum256(data) != d {
			t.Errorf("an object of %d bytes has the wrong digest", len(data))
		}
		h.objects[d] = bytes.Clone(data)
	}
	return next
}

func (h *house) load(t testing.TB) *listing.State {
	t.Helper()
	s, err := listing.Load(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns the bytes of a file, and checks them against what the file says of them.
func (h *house) read(t testing.TB, f *listing.File) []byte {
	t.Helper()
	r := listing.NewReader(t.Context(), h, f.Parts)
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) != f.Size || r.Size() != f.Size || f.Parts.Size() != f.Size {
		t.Fatalf("size = %d, and its parts have %d, but %d bytes were read", f.Size, f.Parts.Size(), len(data))
	}
	for _, algorithm := range f.Hashes() {
		want := algorithm.New()
		want.Write(data)
		if !bytes.Equal(f.Digests[algorithm], want.Sum(nil)) {
			t.Fatalf("%v = %x, want %x", algorithm, f.Digests[algorithm], want.Sum(nil))
		}
		state, err := f.State(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		state.Write([]byte("trailer"))
		want.Write([]byte("trailer"))
		if !bytes.Equal(state.Sum(nil), want.Sum(nil)) {
			t.Fatalf("the state of %v is not that after the whole file", algorithm)
		}
	}
	return data
}

// gunzip reads exactly one gzip member.
func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	in := bytes.NewReader(data)
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() != 0 {
		t.Fatalf("%d bytes follow the first member", in.Len())
	}
	if !z.ModTime.IsZero() || z.Name != "" || z.Comment != "" || z.OS != 255 {
		t.Fatalf("the member's header is %+v", z.Header)
	}
	return plain
}

// views are one of each kind: no ends, a head that counts, a tail and a shared group, separators.
func views() []listing.View {
	counted := func(t listing.Totals) []byte { return fmt.Appendf(nil, "<all count=%d bytes=%d>\n", t.Count, t.Bytes) }
	return []listing.View{{
		Name: "constant", Groups: []string{"b", "shared"}, Encodings: []listing.Encoding{listing.Plain, listing.Gzip},
		Hashes: []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA512},
	}, {
		Name: "counted", Groups: []string{"a"}, Encodings: []listing.Encoding{listing.Gzip}, Head: counted,
		Tail: func(listing.Totals) []byte { return []byte("</all>\n") },
	}, {
		Name: "padded", Groups: []string{"shared", "a"}, Encodings: []listing.Encoding{listing.Gzip, listing.Plain},
		Head: func(listing.Totals) []byte { return bytes.Repeat([]byte("head "), 500) },
		Tail: func(t listing.Totals) []byte { return make([]byte, 1+t.Bytes%512) },
	}, {
		Name: "separated", Groups: []string{"a", "b"}, Encodings: []listing.Encoding{listing.Plain}, Skip: 1,
		Head: func(listing.Totals) []byte { return []byte("[") },
		Tail: counted,
	}}
}

func closeView(t testing.TB, c *listing.Change, v listing.View) listing.Closed {
	t.Helper()
	closed, err := c.Close(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return closed
}

func set(t testing.TB, c *listing.Change, group, key, data string) {
	t.Helper()
	if err := c.Set(t.Context(), listing.Entry{Group: group, Key: key, Data: []byte(data)}); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, c *listing.Change, group, key string) {
	t.Helper()
	ok, err := c.Remove(t.Context(), group, key)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Fatalf("%q of %q was not there", key, group)
	}
}

// A model is what the listings are expected to be, done the slow way.
type model struct {
	groups map[string][]*run
	closes int
}

// A run is a segment of the model.
type run struct {
	closed  int
	entries []listing.Entry
}

func (r *run) full() bool {
	size := 0
	for _, e := range r.entries {
		size += len(e.Data)
	}
	return len(r.entries) >= 64 || size >= 128<<10
}

func (m *model) clone() *model {
	c := &model{groups: make(map[string][]*run), closes: m.closes}
	for name, runs := range m.groups {
		c.groups[name] = nil
		for _, r := range runs {
			c.groups[name] = append(c.groups[name], &run{r.closed, slices.Clone(r.entries)})
		}
	}
	return c
}

func (m *model) set(e listing.Entry) {
	runs := m.groups[e.Group]
	for _, r := range runs {
		for i := range r.entries {
			if r.entries[i].Key == e.Key {
				r.entries[i] = e
				return
			}
		}
	}
	if n := len(runs); n == 0 || runs[n-1].full() {
		if n > 0 {
			m.closes++
			runs[n-1].closed = m.closes
		}
		runs = append(runs, &run{})
	}
	last := runs[len(runs)-1]
	last.entries = append(last.entries, e)
	m.groups[e.Group] = runs
}

func (m *model) remove(group, key string) {
	runs := m.groups[group]
	for i, r := range runs {
		r.entries = slices.DeleteFunc(r.entries, func(e listing.Entry) bool { return e.Key == key })
		if len(r.entries) > 0 {
			continue
		}
		runs = slices.Delete(runs, i, i+1)
		if i == len(runs) && i > 0 {
			runs[i-1].closed = 0
		}
		break
	}
	m.groups[group] = runs
}

func (m *model) keys(group string) (keys []string) {
	for _, r := range m.groups[group] {
		for _, e := range r.entries {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func (m *model) plain(v listing.View) ([]byte, listing.Totals) {
	var closed, open []*run
	for _, name := range v.Groups {
		for _, r := range m.groups[name] {
			if r.closed > 0 {
				closed = append(closed, r)
			} else {
				open = append(open, r)
			}
		}
	}
	slices.SortFunc(closed, func(a, b *run) int { return cmp.Compare(a.closed, b.closed) })
	var body bytes.Buffer
	count := 0
	for _, r := range append(closed, open...) {
		for _, e := range r.entries {
			body.Write(e.Data)
			count++
		}
	}
	totals := listing.Totals{Count: count, Bytes: int64(body.Len())}
	var all []byte
	if v.Head != nil {
		all = append(all, v.Head(totals)...)
	}
	all = append(all, body.Bytes()[min(v.Skip, body.Len()):]...)
	if v.Tail != nil {
		all = append(all, v.Tail(totals)...)
	}
	return all, totals
}

// check compares a closed view with the model.
func (m *model) check(t testing.TB, h *house, v listing.View, closed listing.Closed) {
	t.Helper()
	want, totals := m.plain(v)
	if closed.Totals != totals {
		t.Fatalf("%s: totals = %+v, want %+v", v.Name, closed.Totals, totals)
	}
	if len(closed.Files) != len(v.Encodings) {
		t.Fatalf("%s: %d files, want %d", v.Name, len(closed.Files), len(v.Encodings))
	}
	for encoding, f := range closed.Files {
		got := h.read(t, f)
		if encoding == listing.Gzip {
			got = gunzip(t, got)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: %s differs: %d bytes, want %d", v.Name, encoding, len(got), len(want))
		}
		decoded, err := listing.DecodeParts(f.Parts.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(decoded, f.Parts, samePart) {
			t.Fatalf("%s: the parts of %s change when they are stored", v.Name, encoding)
		}
	}
}

func samePart(a, b listing.Part) bool {
	return bytes.Equal(a.Data, b.Data) && (a.Data == nil) == (b.Data == nil) && a.Digest == b.Digest &&
		a.Object == b.Object && a.Offset == b.Offset && a.Size == b.Size
}

// collect drops all that neither the files nor the records name, as a collector does.
func (h *house) collect(t testing.TB, files ...*listing.File) {
	t.Helper()
	objects, blobs := make(map[listing.Digest]bool), make(map[listing.Digest]bool)
	name := func(d listing.Digest, object bool) {
		if object {
			objects[d] = true
		} else {
			blobs[d] = true
		}
	}
	for ref, err := range listing.References(t.Context(), h) {
		if err != nil {
			t.Fatal(err)
		}
		name(ref.Digest, ref.Object)
	}
	for _, f := range files {
		for d, object := range f.Parts.Digests() {
			name(d, object)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for d := range objects {
		if h.objects[d] == nil {
			t.Fatalf("the object %x is named and gone", d)
		}
	}
	for d := range blobs {
		if h.blobs[d] == nil {
			t.Fatalf("the blob %x is named and gone", d)
		}
	}
	maps.DeleteFunc(h.objects, func(d listing.Digest, _ []byte) bool { return !objects[d] })
	maps.DeleteFunc(h.blobs, func(d listing.Digest, _ []byte) bool { return !blobs[d] })
}

var errFault = errors.New("fault")
