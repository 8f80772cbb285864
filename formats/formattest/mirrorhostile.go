package formattest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"hallmark/formats/format"
)

// mirrorMemory is how many bytes one run of Follow may allocate in total, for an index of some kilobytes.
const mirrorMemory = 256 << 20

// An evil is an upstream whose owner means harm: the digests of whatever it serves fit.
type evil struct {
	house  *House
	mirror format.Mirror
}

// checkMirrorHostile follows an index of which some bytes are nonsense.
func checkMirrorHostile(tb testing.TB, s Subject) {
	m, ok := s.Format.(format.Mirror)
	if !ok {
		return
	}
	h := s.filled(tb)
	t := evil{h, m}
	rnd := rand.New(rand.NewPCG(13, 14))
	for _, scope := range s.scopes(h) {
		u := h.upstream(h.Fetch, nil)
		if _, err := u.follow(m, scope); err != nil {
			continue
		}
		for _, p := range u.asked {
			data, err := h.Fetch(p)
			if err != nil {
				continue
			}
			for _, other := range nonsense(rnd, data) {
				t.follow(scope, p, other)
			}
		}
		for _, some := range u.emitted[:min(len(u.emitted), 4)] {
			for _, other := range nonsense(rnd, []byte(some.text)) {
				t.describe(scope, some.context, other)
			}
			t.describe(scope, some.context+"x", []byte(some.text))
			t.describe(scope, "", []byte(some.text))
			t.describe("../"+scope, some.context, []byte(some.text))
		}
	}
}

// nonsense returns what is left of data when it is cut off, when bits are flipped and when bytes are of chance.
func nonsense(rnd *rand.Rand, data []byte) [][]byte {
	all := [][]byte{nil, {0}, []byte("\n"), slices.Concat(data, data), slices.Concat(data, []byte("junk"))}
	for range 40 {
		random := make([]byte, rnd.IntN(1024))
		for i := range random {
			random[i] = byte(rnd.Uint32())
		}
		all = append(all, random)
		if len(data) > 0 {
			all = append(all, data[:rnd.IntN(len(data))], flipped(data, rnd.IntN(8*len(data))),
				slices.Concat(data[:rnd.IntN(len(data))], random))
		}
	}
	return all
}

// follow serves data at a path, and describes what Follow emits.
func (t evil) follow(scope, p string, data []byte) {
	t.house.tb.Helper()
	u := t.house.upstream(func(q string) ([]byte, error) {
		if q == p {
			return data, nil
		}
		return t.house.Fetch(q)
	}, nil)
	u.evil = true
	t.measured(fmt.Sprintf("Follow with %d bytes of nonsense for %s", len(data), p), func() {
		if _, err := u.follow(t.mirror, scope); err == nil {
			for _, s := range u.emitted[:min(len(u.emitted), 100)] {
				_, _ = t.house.guard.describe(scope, s)
			}
		}
	})
}

// describe describes a stanza, and has a file checked by it.
func (t evil) describe(scope, context string, data []byte) {
	t.house.tb.Helper()
	t.measured(fmt.Sprintf("Describe of %d bytes of nonsense", len(data)), func() {
		foreign, err := t.house.guard.describe(scope, stanza{context: context, text: string(data)})
		if err == nil {
			if err := t.house.guard.check(foreign, data); err != nil && !errors.Is(err, format.ErrMalformed) {
				t.house.guard.breach("a check returns %v, want format.ErrMalformed", err)
			}
		}
	})
}

// measured ends the test if a call costs too much.
func (t evil) measured(what string, call func()) {
	t.house.tb.Helper()
	var before, after runtime.MemStats
	start := time.Now()
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	switch took := after.TotalAlloc - before.TotalAlloc; {
	case took > mirrorMemory:
		t.house.guard.breach("%s allocates %d MiB, more than %d", what, took>>20, mirrorMemory>>20)
	case time.Since(start) > timeLimit:
		t.house.guard.breach("%s takes %v", what, time.Since(start))
	}
}

// FuzzMirror makes a fuzz target of a mirror: a path and the bytes that an upstream whose digests all fit has there, or no
// path and the context and the bytes of a stanza. The corpus begins with those of an honest upstream. Of its scopes, the
// first that can be followed is taken.
func FuzzMirror(f *testing.F, s Subject) {
	m, ok := s.Format.(format.Mirror)
	if !ok {
		f.Fatal("the format is no Mirror")
	}
	h := s.filled(f)
	var first *string
	for _, scope := range s.scopes(h) {
		u := h.upstream(h.Fetch, nil)
		if _, err := u.follow(m, scope); err != nil || first != nil {
			continue
		}
		first = &scope
		for p, file := range u.files {
			f.Add(p, "", file.data)
		}
		for _, s := range u.emitted {
			f.Add("", s.context, []byte(s.text))
		}
	}
	if first == nil {
		f.Fatal("no scope of an honest repository can be followed")
	}
	f.Fuzz(func(t *testing.T, p, context string, data []byte) {
		mine := newHouse(t, s.Format, older)
		mine.packages, mine.shards, mine.emissions = h.packages, h.shards, h.emissions
		e := evil{mine, m}
		if p == "" {
			e.describe(*first, context, data)
		} else {
			e.follow(*first, p, data)
		}
	})
}
