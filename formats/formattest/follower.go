package formattest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"hallmark/formats/format"
)

// A follower is a house with keys of its own that stands in front of another one. It follows a scope when a client first
// asks for a path of it. What it lists are the files of the upstream and, in front of them, what is uploaded to it.
type follower struct {
	*House
	mirror   format.Mirror
	of       *House
	editions map[string]format.Edition
	absent   map[string]bool // the scopes that the upstream does not have
	listed   []*stored
	uploads  []*stored
}

func newFollower(of *House) *follower {
	of.tb.Helper()
	h := newHouse(of.tb, of.guard.format, foreign)
	h.Date = of.Date
	h.behind = &format.Behind{}
	for _, key := range of.Trusted().Keys() {
		h.behind.PackageKeys = append(h.behind.PackageKeys, key.Armored...)
	}
	return &follower{
		House: h, mirror: of.guard.format.(format.Mirror), of: of,
		editions: map[string]format.Edition{}, absent: map[string]bool{},
	}
}

// Fetch answers a GET.
func (f *follower) Fetch(p string) ([]byte, error) {
	f.tb.Helper()
	if scope, ok := f.guard.scope(p); ok && !f.absent[scope] {
		if _, followed := f.editions[scope]; !followed {
			if err := f.follow(scope); err != nil {
				return nil, err
			}
		}
	}
	return f.House.Fetch(p)
}

// follow takes over all that the upstream lists in a scope.
func (f *follower) follow(scope string) error {
	f.tb.Helper()
	trusted := f.of.Trusted()
	u := f.upstream(f.of.Fetch, &trusted)
	edition, err := u.follow(f.mirror, scope)
	if errors.Is(err, fs.ErrNotExist) {
		f.absent[scope] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("follow %q: %w", scope, err)
	}
	f.editions[scope] = edition
	f.scopes = map[string][]string{}
	for _, scope := range slices.Sorted(maps.Keys(f.editions)) {
		shard := f.editions[scope].Shard
		f.scopes[shard] = append(f.scopes[shard], scope)
	}
	if !edition.Until.IsZero() && (f.behind.Until.IsZero() || edition.Until.Before(f.behind.Until)) {
		f.behind.Until = edition.Until
	}
	if f.shards[edition.Shard] == nil {
		f.shards[edition.Shard] = &shard{name: edition.Shard, known: map[string]bool{}}
	}
	seen := map[stanza]bool{}
	for _, s := range u.emitted {
		if key := (stanza{context: s.context, text: s.text}); !seen[key] {
			seen[key] = true
			foreign := f.describe(scope, edition, s)
			if slices.ContainsFunc(f.listed, func(s *stored) bool { return s.pkg.Path == foreign.Path }) {
				continue
			}
			f.listed = append(f.listed, f.take(foreign))
		}
	}
	f.republish()
	return nil
}

// describe runs Describe for a stanza that an honest upstream has.
func (f *follower) describe(scope string, e format.Edition, s stanza) format.Foreign {
	f.tb.Helper()
	foreign, err := f.guard.describe(scope, s)
	if err != nil {
		f.tb.Fatalf("Describe refuses a stanza of an honest upstream: %v\n%s", err, s.text)
	}
	if len(foreign.Seals) > 0 {
		foreign = f.vouch(scope, s, foreign)
	}
	if foreign.Shard != e.Shard && !above(e.Shard, foreign.Shard) {
		f.guard.breach("Describe puts %s into the shard %q, and its edition is shown by %q, which is not above it", foreign.Path, foreign.Shard, e.Shard)
	}
	return foreign
}

// vouch makes the signatures that the entries of a file hold, and describes it once more.
func (f *follower) vouch(scope string, s stanza, before format.Foreign) format.Foreign {
	f.tb.Helper()
	for _, seal := range before.Seals {
		if seal.Text == nil || seal.Path != "" {
			f.guard.breach("Describe of %s wishes for the signature %q of a file that nobody has read", before.Path, seal.Name)
		}
	}
	_, sigs, _ := f.seal("the file "+before.Path, format.Sealing{Seals: before.Seals}, nil, packagePurposes...)
	after, err := f.guard.describeSigned(scope, s, sigs)
	if err != nil {
		f.tb.Fatalf("Describe refuses with signatures what it took without: %v", err)
	}
	if a, b := identity(before.Package), identity(after.Package); a != b {
		f.guard.breach("signatures change the identity of a file of the upstream from %s to %s", a, b)
	}
	return after
}

// take fetches a file of the upstream, and makes the signatures that stand beside it.
func (f *follower) take(foreign format.Foreign) *stored {
	f.tb.Helper()
	source := foreign.Path
	if foreign.Source != "" {
		source = foreign.Source
	}
	data, err := f.of.Fetch(source)
	if err == nil {
		err = f.guard.check(foreign, data)
	}
	if err != nil {
		f.tb.Fatalf("the upstream has no %s as Describe says: %v", source, err)
	}
	s := &stored{pkg: foreign.Package, of: foreign.Of, uploaded: data, data: data, sidecars: map[string][]byte{}}
	if foreign.Now {
		return s
	}
	sealing, err := f.guard.Seal(f.site(f.Date), format.Op{Kind: format.Get, Paths: []string{foreign.Path}}, NewBlob(data))
	if err != nil || sealing.Splice != nil {
		return s // what would be signed inside passes as it is
	}
	for _, seal := range sealing.Seals {
		if seal.Path != "" {
			s.seals = append(s.seals, seal)
		}
	}
	_, _, s.sidecars = f.seal("the package "+foreign.Path, format.Sealing{Seals: s.seals}, data, packagePurposes...)
	return s
}

// put uploads a package to the follower.
func (f *follower) put(u Upload) {
	f.tb.Helper()
	op, err := f.guard.Route(u.request())
	if err != nil {
		f.tb.Fatalf("the upload of %s is refused: %v", u.Path, err)
	}
	s, err := f.stage(op, u.Body)
	if err != nil {
		f.tb.Fatalf("in front of an upstream, the upload of %s is refused: %v", u.Path, err)
	}
	f.uploads = append(f.uploads, s)
	f.republish()
}

// republish puts all shards together anew. An uploaded file stands in the place of a listed one of the same path, and of what
// stands beside that.
func (f *follower) republish() {
	f.tb.Helper()
	touched := map[string]bool{}
	for name, s := range f.shards {
		s.entries, touched[name] = nil, true
	}
	f.packages = slices.Clone(f.uploads)
	for _, s := range f.listed {
		if !slices.ContainsFunc(f.uploads, func(u *stored) bool { return u.pkg.Path == s.pkg.Path || u.pkg.Path == s.of }) {
			f.packages = append(f.packages, s)
		}
	}
	for _, s := range f.packages {
		f.exchange(nil, s, touched)
	}
	f.publish(touched)
}

// expected returns what a client of the follower must find.
func (f *follower) expected() found {
	want := f.of.Packages()
	for _, s := range f.uploads {
		want[s.pkg.Path] = sha256.Sum256(s.data)
	}
	return want
}

func (g *guard) scope(p string) (scope string, ok bool) {
	g.tb.Helper()
	g.calling("Scope", func() { scope, ok = g.format.(format.Mirror).Scope(p) })
	if ok && (hasControl(scope) || len(scope) > 2048) {
		g.breach("Scope(%q) is %q, which has control characters or is too long", p, scope)
	}
	return scope, ok
}

// describe runs Describe twice, as the house may, and ends the test if that breaks the contract.
func (g *guard) describe(scope string, s stanza) (format.Foreign, error) {
	g.tb.Helper()
	return g.describeSigned(scope, s, nil)
}

func (g *guard) describeSigned(scope string, s stanza, sigs []format.Signature) (f format.Foreign, err error) {
	g.tb.Helper()
	for n := range 2 {
		text := []byte(s.text)
		var again format.Foreign
		g.calling("Describe", func() { again, err = g.format.(format.Mirror).Describe(scope, s.context, text, sigs) })
		switch {
		case string(text) != s.text:
			g.breach("Describe changes the stanza that it is given")
		case n == 1 && err == nil && !reflect.DeepEqual(f, again):
			g.breach("Describe of one stanza returns %+v and %+v", f, again)
		}
		f = again
	}
	if err != nil {
		g.checkError("Describe", err)
		if !errors.Is(err, format.ErrMalformed) {
			g.breach("Describe returns %v, want format.ErrMalformed", err)
		}
		return f, err
	}
	if fault := g.foreignFault(f); fault != "" {
		g.breach("Describe returns the file %q: %s", f.Path, fault)
	}
	return f, nil
}

// foreignFault says what is wrong with a file of an upstream, or "".
func (g *guard) foreignFault(f format.Foreign) string {
	_, checks := g.format.(format.Checker)
	switch {
	case g.packageFault(f.Package) != "":
		return g.packageFault(f.Package)
	case sourceFault(f.Source) != "":
		return "its place at the upstream " + sourceFault(f.Source)
	case f.Of == f.Path:
		return "it stands beside itself"
	case f.SHA256 != nil && len(f.SHA256) != sha256.Size:
		return fmt.Sprintf("its SHA-256 has %d bytes", len(f.SHA256))
	case f.SHA256 == nil && f.Check == "":
		return "nothing says what its bytes are"
	case f.SHA256 == nil && !checks:
		return "it has a Check, and the format is no Checker"
	}
	if op, err := g.Route(format.Request{Method: "GET", Path: f.Path}); err != nil || !slices.Contains(op.Paths, f.Path) {
		return fmt.Sprintf("it cannot be fetched there: Route returns %+v, %v", op, err)
	}
	return ""
}

// check compares the bytes of a file with what the index says of them.
func (g *guard) check(f format.Foreign, data []byte) error {
	g.tb.Helper()
	if f.Size >= 0 && f.Size != int64(len(data)) {
		return format.Malformedf("it has %d bytes, and the index says %d", len(data), f.Size)
	}
	if f.SHA256 != nil {
		if sum := sha256.Sum256(data); string(sum[:]) != string(f.SHA256) {
			return format.Malformedf("it has the SHA-256 %x, and the index says %x", sum, f.SHA256)
		}
		return nil
	}
	var err error
	g.calling("Check", func() {
		w, errOpen := g.format.(format.Checker).Check(f.Check)
		if err = errOpen; err != nil {
			return
		}
		for part := range slices.Chunk(data, 1000) {
			if _, err = w.Write(part); err != nil {
				break
			}
		}
		if errClose := w.Close(); err == nil {
			err = errClose
		}
	})
	if err != nil && !errors.Is(err, format.ErrMalformed) {
		g.breach("the check %q of a file returns %v, want format.ErrMalformed", strings.ToValidUTF8(f.Check, "?"), err)
	}
	return err
}

// sourceFault says what is wrong with where an upstream has a file, or "".
func sourceFault(source string) string {
	switch {
	case source == "":
		return ""
	case format.IsAddress(source):
		if _, err := format.ParseAddress(source); err != nil {
			return "is no address: " + err.Error()
		}
		return ""
	}
	return pathFault(source)
}
