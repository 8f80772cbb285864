package listing_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"hallmark/proxy/listing"
)

// A history is a random life of a repository, beside its model.
type history struct {
	t     *testing.T
	rand  *rand.Rand
	house *house
	state *listing.State
	model *model
	files map[string]*listing.File // that are served
	added int
	pack  *listing.Packing // not yet adopted

	adopted int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := newHouse()
	return &history{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), house: h, state: h.load(t),
		model: &model{groups: make(map[string][]*run)}, files: make(map[string]*listing.File),
	}
}

func (h *history) entry(group, key string) listing.Entry {
	size := 20 + h.rand.IntN(300)
	if h.rand.IntN(40) == 0 {
		size = 20_000 + h.rand.IntN(100_000)
	}
	word := fmt.Sprintf("Package: %s %d\n", key, h.rand.Uint32())
	return listing.Entry{Group: group, Key: key, Data: []byte(strings.Repeat(word, 1+size/len(word)))}
}

// mutate makes one random batch, in the change and in the model.
func (h *history) mutate(c *listing.Change, m *model) {
	for range 1 + h.rand.IntN(8) {
		group := []string{"a", "b", "shared"}[h.rand.IntN(3)]
		keys := m.keys(group)
		switch dice := h.rand.IntN(20); {
		case dice < 10 || len(keys) == 0:
			for range 1 + h.rand.IntN(1<<h.rand.IntN(8)) {
				h.added++
				e := h.entry(group, fmt.Sprintf("key-%d", h.added))
				if err := c.Set(h.t.Context(), e); err != nil {
					h.t.Fatal(err)
				}
				m.set(e)
			}
		case dice < 14:
			e := h.entry(group, keys[h.rand.IntN(len(keys))])
			if err := c.Set(h.t.Context(), e); err != nil {
				h.t.Fatal(err)
			}
			m.set(e)
		case dice < 19:
			key := keys[h.rand.IntN(len(keys))]
			remove(h.t, c, group, key)
			m.remove(group, key)
		default:
			for _, key := range keys[len(keys)-h.rand.IntN(min(len(keys), 200)):] {
				remove(h.t, c, group, key)
				m.remove(group, key)
			}
		}
	}
}

// step does one random thing.
func (h *history) step() {
	t := h.t
	switch h.rand.IntN(12) {
	case 0:
		h.state = h.house.load(t)
	case 1, 2:
		for _, i := range h.rand.Perm(3) {
			pack, err := h.state.Pack(t.Context(), h.house, h.house, views()[i].Name)
			if err != nil {
				t.Fatal(err)
			}
			if pack != nil {
				h.pack = pack
				break
			}
		}
	case 3: // a lost commit
		c := h.state.Begin(h.house, h.house)
		h.mutate(c, h.model.clone())
		for _, v := range views() {
			closeView(t, c, v)
		}
		c.Commit()
	case 4:
		c, err := h.state.Rebuild(t.Context(), h.house, h.house)
		if err != nil {
			t.Fatal(err)
		}
		h.closeAll(c)
	case 5:
		h.house.collect(t, slices.Collect(mapValues(h.files))...)
		h.pack = nil // its blob is gone
	default:
		c := h.state.Begin(h.house, h.house)
		h.mutate(c, h.model)
		if h.pack != nil && h.rand.IntN(4) > 0 {
			ok, err := c.Adopt(t.Context(), h.pack)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				h.adopted++
			}
			h.pack = nil
		}
		if h.rand.IntN(6) == 0 {
			h.state = h.house.commit(t, c) // nothing of it is shown
			return
		}
		h.closeAll(c)
	}
	h.compare()
}

// closeAll closes the views, commits, and checks what is served then.
func (h *history) closeAll(c *listing.Change) {
	t := h.t
	all := make(map[string]listing.Closed)
	for _, v := range views() {
		if h.rand.IntN(10) == 0 {
			continue
		}
		closed := closeView(t, c, v)
		all[v.Name] = closed
		if h.rand.IntN(10) == 0 {
			h.mutate(c, h.model)
			all[v.Name] = closeView(t, c, v)
		}
	}
	// What was closed before a later mutation of its groups is closed again, as a caller must.
	for _, v := range views() {
		if _, ok := all[v.Name]; ok {
			all[v.Name] = closeView(t, c, v)
		}
	}
	h.state = h.house.commit(t, c)
	for _, v := range views() {
		closed, ok := all[v.Name]
		if !ok {
			continue
		}
		h.model.check(t, h.house, v, closed)
		changed := false
		for encoding, f := range closed.Files {
			name := v.Name + string(encoding)
			changed = changed || h.files[name] == nil || h.files[name].Digest() != f.Digest()
			h.files[name] = f
		}
		if changed && !closed.Changed {
			t.Fatalf("%s has changed and does not say so", v.Name)
		}
	}
}

// compare checks that a state that is loaded says the same as the one in memory, down to the parts.
func (h *history) compare() {
	t := h.t
	mine, loaded := h.state.Begin(h.house, h.house), h.house.load(t).Begin(h.house, h.house)
	a, err := mine.Groups(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := loaded.Groups(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a, b) {
		t.Fatalf("groups = %v, loaded %v", a, b)
	}
	for _, v := range views() {
		one, two := closeView(t, mine, v), closeView(t, loaded, v)
		if one.Totals != two.Totals || one.Changed != two.Changed {
			t.Fatalf("%s: %+v %v, loaded %+v %v", v.Name, one.Totals, one.Changed, two.Totals, two.Changed)
		}
		for e, f := range one.Files {
			if !slices.EqualFunc(f.Parts, two.Files[e].Parts, samePart) || f.Digest() != two.Files[e].Digest() {
				t.Fatalf("%s: %s has other parts when it is loaded:\n%v\n%v", v.Name, e, f.Parts, two.Files[e].Parts)
			}
		}
	}
}

func mapValues(m map[string]*listing.File) func(func(*listing.File) bool) {
	return func(yield func(*listing.File) bool) {
		for _, f := range m {
			if !yield(f) {
				return
			}
		}
	}
}

func TestAnyHistoryGivesWhatTheNaiveWayGives(t *testing.T) {
	steps := 40
	if testing.Short() {
		steps = 20
	}
	var adopted atomic.Int64
	t.Cleanup(func() { // after the parallel tests
		if adopted.Load() < int64(steps/8) {
			t.Errorf("only %d packs were adopted", adopted.Load())
		}
	})
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			c := h.state.Begin(h.house, h.house)
			for i := range int(seed%6) * 500 {
				for _, group := range []string{"a", "b", "shared"} {
					e := listing.Entry{Group: group, Key: fmt.Sprint("old-", i), Data: fmt.Appendf(nil, "%s %d\n", group, i)}
					h.model.set(e)
					set(t, c, group, e.Key, string(e.Data))
				}
				if i%100 == 0 {
					h.closeAll(c)
					c = h.state.Begin(h.house, h.house)
				}
			}
			h.closeAll(c)
			for range steps {
				h.step()
			}
			adopted.Add(int64(h.adopted))
		})
	}
}

func TestRebuildingGivesTheSameFiles(t *testing.T) {
	h := newHistory(t, 99)
	for range 8 {
		c := h.state.Begin(h.house, h.house)
		h.mutate(c, h.model)
		for _, v := range views() {
			closeView(t, c, v)
		}
		h.state = h.house.commit(t, c)
	}
	c := h.state.Begin(h.house, h.house)
	before := make(map[string][]byte)
	for _, v := range views() {
		for e, f := range closeView(t, c, v).Files {
			before[v.Name+string(e)] = h.house.read(t, f)
		}
	}
	c, err := h.state.Rebuild(t.Context(), h.house, h.house)
	if err != nil {
		t.Fatal(err)
	}
	after := make(map[string]*listing.File)
	for _, v := range views() {
		for e, f := range closeView(t, c, v).Files {
			after[v.Name+string(e)] = f
		}
	}
	h.house.commit(t, c)
	for name, f := range after {
		if !bytes.Equal(h.house.read(t, f), before[name]) {
			t.Errorf("%s is not what it was", name)
		}
	}
}
