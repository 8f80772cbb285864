package listing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hallmark/proxy/listing"
)

// add commits n entries for each group.
func add(t testing.TB, h *house, s *listing.State, n int, groups ...string) *listing.State {
	t.Helper()
	c := s.Begin(h, h)
	for i := range n {
		for _, g := range groups {
			set(t, c, g, fmt.Sprintf("first-%d", i), fmt.Sprintf("entry %d of %s\n", i, g))
		}
	}
	for _, v := range views() {
		closeView(t, c, v)
	}
	return h.commit(t, c)
}

func contents(t testing.TB, h *house, s *listing.State) map[string]string {
	t.Helper()
	all := make(map[string]string)
	c := s.Begin(h, h)
	for _, v := range views() {
		for e, f := range closeView(t, c, v).Files {
			data := h.read(t, f)
			if e == listing.Gzip {
				data = gunzip(t, data)
			}
			all[v.Name+" "+string(e)] = string(data)
		}
	}
	return all
}

func TestWhatIsAddedAndRemovedLeavesNoTrace(t *testing.T) {
	for _, before := range []int{0, 1, 63, 64, 65, 128, 200} {
		for _, added := range []int{1, 64, 130} {
			for _, backwards := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d more than %d, backwards %v", added, before, backwards), func(t *testing.T) {
					h := newHouse()
					s := add(t, h, h.load(t), before, "shared", "b", "a")
					want := contents(t, h, s)
					var keys []string
					c := s.Begin(h, h)
					for i := range added {
						for _, g := range []string{"a", "b", "shared"} {
							keys = append(keys, g+" "+fmt.Sprint(i))
							set(t, c, g, fmt.Sprint(i), "more\n")
						}
					}
					for _, v := range views() {
						closeView(t, c, v)
					}
					s = h.commit(t, c)
					if backwards {
						slices.Reverse(keys)
					}
					c = s.Begin(h, h)
					for _, k := range keys {
						g, key, _ := strings.Cut(k, " ")
						remove(t, c, g, key)
					}
					for _, v := range views() {
						closeView(t, c, v)
					}
					s = h.commit(t, c)
					for name, got := range contents(t, h, s) {
						if got != want[name] {
							t.Errorf("%s has %d bytes that are not the %d of before", name, len(got), len(want[name]))
						}
					}
				})
			}
		}
	}
}

func TestALostCommitLeavesTheStateAsItWas(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 70, "a", "b", "shared")
	want := contents(t, h, s)
	lost := s.Begin(h, h)
	for i := range 70 {
		remove(t, lost, "a", fmt.Sprintf("first-%d", i))
		set(t, lost, "b", fmt.Sprintf("first-%d", i), "other bytes\n")
		set(t, lost, "shared", fmt.Sprint(i), "more\n")
	}
	for _, v := range views() {
		if closed := closeView(t, lost, v); !closed.Changed {
			t.Errorf("%s did not change", v.Name)
		}
	}
	lost.Commit()
	for name, got := range contents(t, h, s) {
		if got != want[name] {
			t.Errorf("%s has changed", name)
		}
	}
}

func TestAViewSaysWhetherItChanged(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 70, "a", "b", "shared")
	for _, c := range []struct {
		name string
		do   func(*listing.Change)
		want map[string]bool
	}{
		{"nothing happened", func(*listing.Change) {}, nil},
		{"the same bytes again", func(c *listing.Change) { set(t, c, "a", "first-1", "entry 1 of a\n") }, nil},
		{"an entry came and went", func(c *listing.Change) { set(t, c, "a", "x", "x"); remove(t, c, "a", "x") }, nil},
		{"another group", func(c *listing.Change) { set(t, c, "elsewhere", "x", "x") }, nil},
		{"one group", func(c *listing.Change) { set(t, c, "b", "x", "x") }, map[string]bool{"constant": true, "separated": true}},
		{"a shared group", func(c *listing.Change) { remove(t, c, "shared", "first-3") }, map[string]bool{"constant": true, "padded": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, state := range []*listing.State{s, h.load(t)} {
				change := state.Begin(h, h)
				c.do(change)
				for _, v := range views() {
					if got := closeView(t, change, v).Changed; got != c.want[v.Name] {
						t.Errorf("%s: changed = %v", v.Name, got)
					}
				}
			}
		})
	}
}

// What a view needs is named by its files and by the records. A view that is left out while its groups change may lose
// what only its old files named.
func TestAViewThatWasLeftOutIsCompleteAgain(t *testing.T) {
	for _, between := range []string{"in memory", "loaded"} {
		t.Run(between, func(t *testing.T) {
			h := newHouse()
			s := add(t, h, h.load(t), 500, "a", "b", "shared")
			c := s.Begin(h, h)
			set(t, c, "b", "left out", "x\n")
			s = h.commit(t, c)
			h.collect(t) // no file is served any more
			if between == "loaded" {
				s = h.load(t)
			}
			c = s.Begin(h, h)
			closed := make(map[string]listing.Closed)
			for _, v := range views() {
				closed[v.Name] = closeView(t, c, v)
			}
			h.commit(t, c)
			for _, v := range views() {
				for e, f := range closed[v.Name].Files {
					data := h.read(t, f)
					if e == listing.Gzip {
						data = gunzip(t, data)
					}
					if want := bytes.Count(data, []byte("ntry ")); want != 500*len(v.Groups) {
						t.Errorf("%s has %d entries", v.Name, want)
					}
				}
			}
		})
	}
}

func TestGroupsStayKnown(t *testing.T) {
	h := newHouse()
	s := h.load(t)
	c := s.Begin(h, h)
	set(t, c, "x/a", "1", "one")
	set(t, c, "x/a", "2", "three")
	set(t, c, "x/b", "1", "one")
	set(t, c, "y/a", "1", "one")
	s = h.commit(t, c)
	c = s.Begin(h, h)
	remove(t, c, "x/b", "1")
	if ok, err := c.Remove(t.Context(), "x/b", "1"); ok || err != nil {
		t.Errorf("it is removed twice: %v, %v", ok, err)
	}
	if ok, err := c.Remove(t.Context(), "nowhere", "1"); ok || err != nil {
		t.Errorf("it is removed from nowhere: %v, %v", ok, err)
	}
	set(t, c, "x/c", "1", "one")
	want := []listing.Group{
		{"x/a", listing.Totals{Count: 2, Bytes: 8}}, {"x/b", listing.Totals{}}, {"x/c", listing.Totals{Count: 1, Bytes: 3}},
	}
	check := func(c *listing.Change) {
		t.Helper()
		got, err := c.Groups(t.Context(), "x/")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("groups = %v, %v; want %v", got, err, want)
		}
	}
	check(c)
	s = h.commit(t, c)
	check(s.Begin(h, h))
	check(h.load(t).Begin(h, h))
}

func TestAnEntryIsReadAsItIsInTheChange(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 3, "a")
	c := s.Begin(h, h)
	remove(t, c, "a", "first-0")
	set(t, c, "a", "first-1", "other")
	for _, e := range []struct{ group, key, want string }{
		{"a", "first-0", ""}, {"a", "first-1", "other"}, {"a", "first-2", "entry 2 of a\n"}, {"a", "x", ""}, {"x", "x", ""},
	} {
		got, err := c.Entry(t.Context(), e.group, e.key)
		if string(got) != e.want || (e.want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of %s is %q, %v", e.key, e.group, got, err)
		}
	}
}

func TestTheEntriesOfAGroupAreReadInTheirOrder(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 200, "a") // several segments
	c := s.Begin(h, h)
	remove(t, c, "a", "first-0")
	set(t, c, "a", "first-1", "other")
	set(t, c, "a", "new", "last")
	got, err := c.Entries(t.Context(), "a", 1<<20)
	if err != nil || len(got) != 200 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, want := range map[int]listing.Entry{
		0:   {Group: "a", Key: "first-1", Data: []byte("other")},
		1:   {Group: "a", Key: "first-2", Data: []byte("entry 2 of a\n")},
		199: {Group: "a", Key: "new", Data: []byte("last")},
	} {
		if g := got[i]; g.Group != want.Group || g.Key != want.Key || string(g.Data) != string(want.Data) {
			t.Errorf("entry %d is %s %q, want %s %q", i, g.Key, g.Data, want.Key, want.Data)
		}
	}
	if none, err := c.Entries(t.Context(), "x", 1<<20); len(none) > 0 || err != nil {
		t.Errorf("of a group that there is not: %v, %v", none, err)
	}
	if _, err := c.Entries(t.Context(), "a", 10); err == nil {
		t.Error("more than the limit is read")
	}
}

func TestWhatCannotBeListedIsRefused(t *testing.T) {
	h := newHouse()
	view := listing.View{Name: "v", Groups: []string{"g"}, Encodings: []listing.Encoding{listing.Plain}}
	with := func(change func(*listing.View)) func(*listing.Change) error {
		return func(c *listing.Change) error {
			v := view
			change(&v)
			_, err := c.Close(t.Context(), v)
			return err
		}
	}
	entry := func(e listing.Entry) func(*listing.Change) error {
		return func(c *listing.Change) error { return c.Set(t.Context(), e) }
	}
	for _, c := range []struct {
		name string
		do   func(*listing.Change) error
	}{
		{"an entry without bytes", entry(listing.Entry{Group: "g", Key: "k"})},
		{"an entry that is too large", entry(listing.Entry{Group: "g", Key: "k", Data: make([]byte, listing.MaxEntry+1)})},
		{"an entry without key", entry(listing.Entry{Group: "g", Data: []byte("x")})},
		{"a key with NUL", entry(listing.Entry{Group: "g", Key: "a\x00b", Data: []byte("x")})},
		{"a key that is not UTF-8", entry(listing.Entry{Group: "g", Key: "\xff", Data: []byte("x")})},
		{"a key that is too long", entry(listing.Entry{Group: "g", Key: strings.Repeat("k", listing.MaxName+1), Data: []byte("x")})},
		{"an entry without group", entry(listing.Entry{Key: "k", Data: []byte("x")})},
		{"a view without encoding", with(func(v *listing.View) { v.Encodings = nil })},
		{"an encoding that there is not", with(func(v *listing.View) { v.Encodings = []listing.Encoding{"xz"} })},
		{"a group twice", with(func(v *listing.View) { v.Groups = []string{"g", "g"} })},
		{"a view without name", with(func(v *listing.View) { v.Name = "" })},
		{"a head that is too large", with(func(v *listing.View) {
			v.Head = func(listing.Totals) []byte { return make([]byte, listing.MaxEnds+1) }
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(h.load(t).Begin(h, h)); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestViewsAreClosedAtTheSameTime(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 300, "a", "b", "shared")
	m := &model{groups: make(map[string][]*run)}
	c := s.Begin(h, h)
	for i := range 300 {
		for _, g := range []string{"a", "b", "shared"} {
			m.set(listing.Entry{Group: g, Key: fmt.Sprintf("first-%d", i), Data: fmt.Appendf(nil, "entry %d of %s\n", i, g)})
		}
	}
	for _, g := range []string{"a", "b", "shared"} {
		remove(t, c, g, "first-3")
		m.remove(g, "first-3")
	}
	all := make([]listing.Closed, len(views()))
	var closing sync.WaitGroup
	for i, v := range views() {
		closing.Go(func() { all[i] = closeView(t, c, v) })
	}
	closing.Wait()
	h.commit(t, c)
	for i, v := range views() {
		m.check(t, h, v, all[i])
	}
}

func TestAnAppendWritesFewSmallRecords(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 5000, "a", "b", "shared")
	c := s.Begin(h, h)
	h.gets, h.scans = 0, 0
	set(t, c, "b", "one", "more\n")
	closeView(t, c, views()[0])
	_, w := c.Commit()
	size := 0
	for key, value := range w.State {
		size += len(key) + len(value)
	}
	if len(w.State) > 6 || size > 2500 {
		t.Errorf("%d records of %d bytes are written", len(w.State), size)
	}
	if h.gets > 1 || h.scans > 0 {
		t.Errorf("%d records and %d ranges are read", h.gets, h.scans)
	}
	if len(w.Objects) > 2 {
		t.Errorf("%d objects are written", len(w.Objects))
	}
}

func TestAGroupThatIsMissingIsLookedForOnce(t *testing.T) {
	h := newHouse()
	v := listing.View{Name: "v", Groups: []string{"a", "later"}, Encodings: []listing.Encoding{listing.Plain, listing.Gzip}}
	s := add(t, h, h.load(t), 10, "a")
	c := s.Begin(h, h)
	closeView(t, c, v)
	s = h.commit(t, c)
	h.gets, h.scans = 0, 0
	closeView(t, s.Begin(h, h), v)
	if h.gets+h.scans > 0 {
		t.Errorf("%d records and %d ranges are read", h.gets, h.scans)
	}
	s = add(t, h, s, 1, "later")
	c = s.Begin(h, h)
	if n := closeView(t, c, v).Totals.Count; n != 11 {
		t.Errorf("with the group that has come there are %d entries", n)
	}
	s = h.commit(t, c)
	c = s.Begin(h, h)
	set(t, c, "later", "one", "more\n")
	if n := closeView(t, c, v).Totals.Count; n != 12 {
		t.Errorf("with the group that has grown there are %d entries", n)
	}
}

func TestPacksAreFewAndServeTheSameBytes(t *testing.T) {
	h := newHouse()
	s := h.load(t)
	v := listing.View{Name: "v", Groups: []string{"g"}, Encodings: []listing.Encoding{listing.Plain, listing.Gzip}}
	for i := range 640 {
		c := s.Begin(h, h)
		for j := range 32 {
			set(t, c, "g", fmt.Sprintf("%d-%d", i, j), fmt.Sprintf("entry %d-%d\n", i, j))
		}
		closeView(t, c, v)
		s = h.commit(t, c)
		before := len(h.blobs)
		p, err := s.Pack(t.Context(), h, h, "v")
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			if len(h.blobs) != before {
				t.Fatal("a pack was stored for nothing")
			}
			continue
		}
		// Something else is committed meanwhile.
		c = s.Begin(h, h)
		set(t, c, "g", fmt.Sprintf("meanwhile-%d", i), "x\n")
		closeView(t, c, v)
		s = h.commit(t, c)
		c = s.Begin(h, h)
		if ok, err := c.Adopt(t.Context(), p); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if again := closeView(t, c, v); again.Changed {
			t.Fatal("a pack changes the bytes")
		}
		s = h.commit(t, c)
	}
	c := s.Begin(h, h)
	for e, f := range closeView(t, c, v).Files {
		// 320 segments are 40 digits of 8, of which six are packs; the others are not packed yet.
		if len(f.Parts) > 6+8+4 {
			t.Errorf("%s has %d parts", e, len(f.Parts))
		}
		data := h.read(t, f)
		if e == listing.Gzip {
			data = gunzip(t, data)
		}
		if n := bytes.Count(data, []byte("entry ")); n != 640*32 {
			t.Errorf("%s has %d entries", e, n)
		}
	}
	h.collect(t)
	if len(h.blobs) > 14 {
		t.Errorf("%d blobs are named", len(h.blobs))
	}
}

func TestManyRemovalsDoNotLeaveManyPieces(t *testing.T) {
	h := newHouse()
	v := listing.View{Name: "v", Groups: []string{"g"}, Encodings: []listing.Encoding{listing.Plain, listing.Gzip}}
	c := h.load(t).Begin(h, h)
	for i := range 64 * 200 {
		set(t, c, "g", fmt.Sprint(i), fmt.Sprintf("entry %d\n", i))
	}
	closeView(t, c, v)
	s := h.commit(t, c)
	for i := range 200 {
		c := s.Begin(h, h)
		remove(t, c, "g", fmt.Sprint(64*i+5))
		p, err := s.Pack(t.Context(), h, h, "v")
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			if ok, err := c.Adopt(t.Context(), p); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		closed := closeView(t, c, v)
		s = h.commit(t, c)
		for e, f := range closed.Files {
			if len(f.Parts) > 90 {
				t.Fatalf("%s has %d parts", e, len(f.Parts))
			}
		}
	}
}

// A faulty house fails at one call.
type faulty struct {
	*house
	left atomic.Int64
}

func (f *faulty) fail() error {
	if f.left.Add(-1) < 0 {
		return errFault
	}
	return nil
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.house.Get(ctx, key)
}

func (f *faulty) Object(ctx context.Context, d listing.Digest) ([]byte, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.house.Object(ctx, d)
}

func (f *faulty) Open(ctx context.Context, d listing.Digest) (listing.Blob, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.house.Open(ctx, d)
}

func TestAFaultIsReported(t *testing.T) {
	h := newHouse()
	s := add(t, h, h.load(t), 5000, "a", "b", "shared")
	p, err := s.Pack(t.Context(), h, h, "constant")
	if err != nil {
		t.Fatal(err)
	}
	if p != nil {
		c := s.Begin(h, h)
		if _, err := c.Adopt(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		h.commit(t, c)
	}
	faults := 0
	for n := int64(0); ; n++ {
		f := &faulty{house: h}
		f.left.Store(n)
		err := func() error {
			s, err := listing.Load(t.Context(), f)
			if err != nil {
				return err
			}
			c := s.Begin(f, f)
			if _, err := c.Remove(t.Context(), "shared", "first-7"); err != nil {
				return err
			}
			_, err = c.Close(t.Context(), views()[0])
			return err
		}()
		if err == nil {
			break
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("call %d: %v", n, err)
		}
		faults++
	}
	if faults < 5 {
		t.Errorf("%d calls can fail", faults)
	}
}

// Bytes of records that are damaged give errors, or at least no other bytes than those that the digests say.
func TestDamagedRecordsAreErrors(t *testing.T) {
	h := newHouse()
	add(t, h, h.load(t), 200, "a", "b", "shared")
	kinds := make(map[string]int)
	for key, value := range h.state {
		if kinds[key[:2]]++; kinds[key[:2]] > 3 {
			continue
		}
		for _, at := range []int{0, len(value) / 2, len(value) - 1} {
			damaged := bytes.Clone(value)
			damaged[at] ^= 0x10
			h.state[key] = damaged
			err := func() error {
				s, err := listing.Load(t.Context(), h)
				if err != nil {
					return err
				}
				c := s.Begin(h, h)
				for _, g := range []string{"a", "b", "shared"} {
					for i := range 200 {
						if _, err := c.Remove(t.Context(), g, fmt.Sprintf("first-%d", i)); err != nil {
							return err
						}
					}
				}
				for _, v := range views() {
					if _, err := c.Close(t.Context(), v); err != nil {
						return err
					}
				}
				return nil
			}()
			// A place and an entry have no checksum of their own: of an entry, every segment has one.
			if err == nil && key[:2] != "le" && key[:2] != "lk" {
				t.Errorf("byte %d of %q is damaged and nobody minds", at, key)
			}
		}
		h.state[key] = value
	}
	if len(kinds) < 6 {
		t.Errorf("records of kinds %v alone", kinds)
	}
}
