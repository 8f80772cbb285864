package formattest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hallmark/formats/format"
)

// scopes returns the scopes of all that the client in miniature asks for, and ends the test if there are none.
func (s Subject) scopes(h *House) []string {
	h.tb.Helper()
	all := map[string]bool{}
	if _, err := s.run(h.tb, func(p string) ([]byte, error) {
		if scope, ok := h.guard.scope(p); ok {
			all[scope] = true
		}
		return h.Fetch(p)
	}, h.Trusted()); err != nil {
		h.tb.Fatalf("a client refuses an honest repository: %v", err)
	}
	if len(all) == 0 {
		h.guard.breach("Scope knows no path that the client asks for")
	}
	return slices.Sorted(maps.Keys(all))
}

// checkMirror follows an honest repository.
func checkMirror(tb testing.TB, s Subject) {
	m, ok := s.Format.(format.Mirror)
	if !ok {
		return
	}
	h := s.filled(tb)
	f := newFollower(h)
	find := func(when string) {
		tb.Helper()
		got, err := s.run(tb, f.Fetch, f.trusted(foreign))
		if err != nil {
			tb.Fatalf("%s, a client of the mirror gets: %v", when, err)
		}
		if difference := compareFound(s.sought(f.expected()), got); difference != "" {
			tb.Fatalf("%s, a client of the mirror does not find what there is: %s", when, difference)
		}
	}
	find("in front of the repository")
	for _, stored := range f.listed {
		f.checkForeign(s, stored)
	}
	f.put(s.another(tb))
	find("after an upload through the mirror")
	f.put(s.samples(tb)[0])
	find("after an upload of what the upstream has, too")

	before := map[string]*upstream{}
	orders := map[string]int64{}
	var absent []string
	for _, scope := range s.scopes(h) {
		trusted := h.Trusted()
		u := h.upstream(h.Fetch, &trusted)
		e, err := u.follow(m, scope)
		if err != nil {
			absent = append(absent, scope) // The client asks for what there is not.
			continue
		}
		before[scope], orders[scope] = u, e.Order
		again := h.upstream(h.Fetch, &trusted)
		if other, err := again.follow(m, scope); err != nil || other != e || !slices.Equal(again.emitted, u.emitted) {
			h.guard.breach("following %q for the second time gives %+v, %v, and first it was %+v, or the stanzas differ", scope, other, err, e)
		}
	}
	h.Date = h.Date.Add(time.Hour)
	if err := h.putAll([]Upload{s.another(tb)}); err != nil {
		tb.Fatalf("another package is refused: %v", err)
	}
	checkNews(h, m, before, orders, absent)
}

// checkNews follows an upstream after something was added, with and without what is known. It may be in a scope that was absent.
func checkNews(h *House, m format.Mirror, before map[string]*upstream, orders map[string]int64, absent []string) {
	h.tb.Helper()
	changed := false
	for _, scope := range absent {
		trusted := h.Trusted()
		u := h.upstream(h.Fetch, &trusted)
		_, err := u.follow(m, scope)
		changed = changed || err == nil && len(u.emitted) > 0
	}
	for scope, was := range before {
		trusted := h.Trusted()
		whole, news := h.upstream(h.Fetch, &trusted), h.upstream(h.Fetch, &trusted)
		news.known = was.parts
		e, err := whole.follow(m, scope)
		if err != nil {
			h.tb.Fatalf("an upstream to which something was added cannot be followed: %v", err)
		}
		if _, err := news.follow(m, scope); err != nil {
			h.tb.Fatalf("an upstream of which parts are known cannot be followed: %v", err)
		}
		kept := slices.DeleteFunc(slices.Clone(was.emitted), func(s stanza) bool { return !news.skipped[s.part] })
		if !maps.Equal(distinct(kept, news.emitted), distinct(whole.emitted)) {
			h.guard.breach("the known parts of %q and the others are not the whole", scope)
		}
		if equalStanzas(was.emitted, whole.emitted) {
			continue
		}
		changed = true
		if e.Order <= orders[scope] && (e.Order != 0 || orders[scope] != 0) {
			h.guard.breach("the order of %q goes from %d to %d with time", scope, orders[scope], e.Order)
		}
	}
	if !changed {
		h.guard.breach("no scope shows what was added")
	}
}

// checkForeign flips bits of a file, which must not be as the index says then.
func (f *follower) checkForeign(s Subject, file *stored) {
	f.tb.Helper()
	var all []format.Foreign
	for scope, edition := range f.editions {
		trusted := f.of.Trusted()
		u := f.upstream(f.of.Fetch, &trusted)
		if _, err := u.follow(f.mirror, scope); err != nil {
			f.tb.Fatal(err)
		}
		for _, s := range u.emitted {
			if foreign := f.describe(scope, edition, s); foreign.Path == file.pkg.Path {
				all = append(all, foreign)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	for range flipsPerFile {
		bit := rnd.IntN(8 * max(1, len(file.data)))
		if len(file.data) == 0 || f.of.uncovered(s, file.pkg.Path, int64(bit/8)) {
			continue
		}
		if err := f.guard.check(all[0], flipped(file.data, bit)); err == nil {
			f.guard.breach("%s passes with bit %d flipped", file.pkg.Path, bit)
		}
	}
}

// errDown is what an upstream that does not answer gets.
var errDown = errors.New("the upstream does not answer")

// checkMirrorTrust follows a repository that is not the upstream's own.
func checkMirrorTrust(tb testing.TB, s Subject) {
	m, ok := s.Format.(format.Mirror)
	if !ok {
		return
	}
	// With two keys, a signature by one would still stand when that by the other is broken.
	h := newHouse(tb, s.Format, older)
	s.fill(h)
	silent := newHouse(tb, s.Format, older)
	silent.silent = true
	s.fill(silent)
	earlier := h.Indexes()
	type generation struct {
		format.Edition
		stanzas []stanza
	}
	before := map[string]generation{}
	for _, scope := range s.scopes(h) {
		trusted := h.Trusted()
		u := h.upstream(h.Fetch, &trusted)
		if e, err := u.follow(m, scope); err == nil {
			before[scope] = generation{e, u.emitted}
			t := &distrust{s, h, silent, m, scope, u.asked, u.emitted}
			t.refuse()
			t.tamper()
			t.fail()
		}
	}
	if len(before) == 0 {
		tb.Fatal("no scope of an honest repository can be followed")
	}
	h.Date = h.Date.Add(time.Hour)
	if err := h.putAll([]Upload{s.another(tb)}); err != nil {
		tb.Fatalf("another package is refused: %v", err)
	}
	for scope, was := range before {
		trusted := h.Trusted()
		now := h.upstream(h.Fetch, &trusted)
		current, err := now.follow(m, scope)
		if err != nil {
			tb.Fatalf("an upstream to which something was added cannot be followed: %v", err)
		}
		for _, p := range now.asked {
			mixed := h.upstream(h.replacing(map[string][]byte{p: earlier[p]}), &trusted)
			e, err := mixed.follow(m, scope)
			whole := e == was.Edition && equalStanzas(mixed.emitted, was.stanzas) || e == current && equalStanzas(mixed.emitted, now.emitted)
			if err == nil && !whole {
				h.guard.breach("Follow takes %s of an earlier generation beside the others of this one", p)
			}
		}
	}
}

// A distrust follows one scope of a repository, of which something is not as it should be.
type distrust struct {
	Subject
	house  *House
	silent *House // the same, and its texts are not signed
	mirror format.Mirror
	scope  string
	asked  []string // the files that Follow asks of an honest upstream
	honest []stanza
}

func (t *distrust) follow(fetch func(string) ([]byte, error), trusted *Trusted) ([]stanza, error) {
	t.house.tb.Helper()
	u := t.house.upstream(fetch, trusted)
	_, err := u.follow(t.mirror, t.scope)
	return u.emitted, err
}

// files returns the files that stanzas list, with what is said of their bytes.
func (t *distrust) files(of []stanza) map[string]string {
	t.house.tb.Helper()
	all := map[string]string{}
	for _, s := range of {
		f, err := t.house.guard.describe(t.scope, s)
		if err != nil {
			t.house.guard.breach("Describe refuses what Follow emits: %v", err)
			continue
		}
		all[f.Path] = fmt.Sprintf("%s %d %x %s", f.Source, f.Size, f.SHA256, f.Check)
	}
	return all
}

// refuse follows with other keys than those that signed, and what is not signed.
func (t *distrust) refuse() {
	h := t.house
	h.tb.Helper()
	own := h.Trusted()
	other := newHouse(h.tb, h.guard.format, foreign).trusted(foreign)
	gone := func(h *House) func(string) ([]byte, error) {
		files := h.stripped()
		for p := range files {
			if bytes.HasPrefix(h.Indexes()[p], []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
				files[p] = nil // It is not there where nothing is signed.
			}
		}
		return h.replacing(files)
	}
	for _, tt := range []struct {
		name    string
		fetch   func(string) ([]byte, error)
		trusted *Trusted
	}{
		{"with the keys of somebody else", h.Fetch, &other},
		{"with no key", h.Fetch, &Trusted{now: own.now}},
		{"without signatures", t.silent.replacing(t.silent.stripped()), &own},
		{"with the signatures gone", gone(t.silent), &own},
	} {
		if _, err := t.follow(tt.fetch, tt.trusted); !errors.Is(err, format.ErrMalformed) {
			h.guard.breach("%s, Follow of %q returns %v, want format.ErrMalformed", tt.name, t.scope, err)
		}
	}
	for name, fetch := range map[string]func(string) ([]byte, error){"signed": h.Fetch, "unsigned": gone(h)} {
		u := h.upstream(fetch, nil)
		e, err := u.follow(t.mirror, t.scope)
		if got := u.emitted; err != nil || !e.Open && !equalStanzas(got, t.honest) {
			h.guard.breach("Follow of %q, %s and trusted without a key, has %d stanzas of %d: %v", t.scope, name, len(got), len(t.honest), err)
		}
	}
}

// tamper flips bits of each file, one at a time.
func (t *distrust) tamper() {
	h := t.house
	h.tb.Helper()
	trusted := h.Trusted()
	rnd := rand.New(rand.NewPCG(11, 12))
	for _, p := range t.asked {
		data, err := h.Fetch(p)
		if err != nil || len(data) == 0 {
			continue
		}
		for n := range flipsPerFile {
			bit := []int{0, 4 * len(data), 8*len(data) - 1, rnd.IntN(8 * len(data))}[min(n, 3)]
			got, err := t.follow(h.replacing(map[string][]byte{p: flipped(data, bit)}), &trusted)
			if err == nil && t.unsigned(p) {
				t.sameBytes(got, p, bit)
				continue
			}
			if err != nil && !errors.Is(err, format.ErrMalformed) || err == nil && !equalStanzas(got, t.honest) {
				h.guard.breach("with bit %d of %s flipped, Follow emits %d stanzas of %d and returns %v, want format.ErrMalformed",
					bit, p, len(got), len(t.honest), err)
			}
		}
	}
}

// sameBytes ends the test if an index with a flipped bit lists other files than were signed.
func (t *distrust) sameBytes(got []stanza, p string, bit int) {
	h := t.house
	h.tb.Helper()
	digests := func(of []stanza) map[string]string {
		all := map[string]string{}
		for _, s := range of {
			if f, err := h.guard.describe(t.scope, s); err == nil {
				all[f.Path] = fmt.Sprintf("%x %s", f.SHA256, f.Check)
			}
		}
		return all
	}
	honest := digests(t.honest)
	for path, digest := range digests(got) {
		if honest[path] != digest {
			h.guard.breach("with bit %d of %s flipped, %s is said to have the bytes %q, and %q was signed", bit, p, path, digest, honest[path])
		}
	}
}

// fail follows an upstream that does not answer, or does not have a file.
func (t *distrust) fail() {
	h := t.house
	h.tb.Helper()
	trusted := h.Trusted()
	nothing := func(p string) ([]byte, error) { return nil, fmt.Errorf("%s: %w", p, fs.ErrNotExist) }
	if _, err := t.follow(nothing, &trusted); !errors.Is(err, fs.ErrNotExist) {
		h.guard.breach("where nothing is, Follow returns %v, want fs.ErrNotExist", err)
	}
	for n, p := range t.asked {
		without := func(reason error) func(string) ([]byte, error) {
			return func(q string) ([]byte, error) {
				if q == p {
					return nil, reason
				}
				return h.Fetch(q)
			}
		}
		if _, err := h.Fetch(p); err != nil {
			continue
		}
		if _, err := t.follow(without(errDown), &trusted); !errors.Is(err, errDown) || errors.Is(err, fs.ErrNotExist) {
			h.guard.breach("where nobody answers for %s, Follow returns %v, which does not wrap that error", p, err)
		}
		switch got, err := t.follow(without(fs.ErrNotExist), &trusted); {
		case err == nil && !maps.Equal(t.files(got), t.files(t.honest)): // it may say less of them
			h.guard.breach("without %s, Follow emits %d stanzas of %d, or others", p, len(got), len(t.honest))
		case n > 0 && errors.Is(err, fs.ErrNotExist):
			h.guard.breach("where %s alone is missing, Follow says that there is no such scope: %v", p, err)
		}
	}
}
