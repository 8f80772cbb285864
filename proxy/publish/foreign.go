package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// A Listed is a file that an upstream's index lists.
type Listed struct {
	format.Foreign
	// Content is under what the bytes are found: their SHA-256, or a stand-in where the index does not say it.
	Content backend.Digest
	// Print tells the stanza that lists the file from others.
	Print []byte
	// Again describes the file once more, with the signatures that its Seals have brought about. Nil: it has none.
	Again func([]format.Signature) (format.Foreign, error)

	log []backend.Signature
}

// A Following is how the index of a scope of an upstream has changed.
type Following struct {
	Scope string
	format.Edition
	// Add are files that are listed now, and were not, or were otherwise; Remove are the paths of those that are not any
	// more. What is as the Following says already stays.
	Add    []Listed
	Remove []string
	// Note is for whoever follows: Followed returns it.
	Note []byte
}

// A Followed is what is known of a scope that an upstream's index was read of.
type Followed struct {
	format.Edition
	Note []byte
	// Serial grows with each change of what the scope lists, so that who remembers it finds out that he is not alone.
	Serial int64
}

// Keys of what is remembered of an upstream: each scope, and how often a file that shadowed one of its own has gone.
const (
	followedKeys = "u" + groupSeparator
	uncoveredKey = "v"
)

// Followed returns what the last Following of a scope left. The error wraps fs.ErrNotExist if there was none.
func (r *Repository) Followed(ctx context.Context, scope string) (f Followed, err error) {
	data, err := r.State.Get(ctx, followedKeys+scope)
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	return f, err
}

// Uncovered counts the removals of uploads: any of them may have shadowed a file that the upstream lists.
func (r *Repository) Uncovered(ctx context.Context) (n int64, err error) {
	data, err := r.State.Get(ctx, uncoveredKey)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	return n, err
}

// Follow takes over a change of an upstream's index: it becomes visible as one generation, or not at all. An upload
// that is there shadows a file of the same path, until the upstream lists its very bytes.
func (r *Repository) Follow(ctx context.Context, f Following) error {
	for i := range f.Add {
		if err := r.vouch(&f.Add[i]); err != nil {
			return fmt.Errorf("%s: %w", f.Add[i].Path, err)
		}
	}
	_, err := r.commit(ctx, &job{follow: &f})
	return err
}

// vouch makes the signatures that the entries of a file of the upstream hold, of what its index says.
func (r *Repository) vouch(l *Listed) error {
	if l.Again == nil {
		return nil
	}
	s := staged{Caller: Caller{By: "upstream"}}
	for _, wish := range l.Seals {
		if wish.Text == nil || wish.Path != "" {
			return errors.New("the format asks for a signature of a file of the upstream that nobody has read yet")
		}
	}
	if err := r.grant(l.Seals, nil, nil, &s); err != nil {
		return err
	}
	again, err := l.Again(s.Signatures)
	if err != nil {
		return err
	}
	if err := sameIdentity(l.Package, again.Package); err != nil {
		return err
	}
	l.Foreign, l.log = again, s.Log
	for i := range l.log {
		l.log[i].Name, l.log[i].Digest, l.log[i].By = l.Path, l.Content, s.By
	}
	return nil
}

// A foreign is what is kept of a file that an upstream lists.
type foreign struct {
	Source string
	Size   int64  // in bytes; negative: unknown
	SHA256 []byte `json:",omitempty"`
	Check  string `json:",omitempty"`
	In     []membership
	// Ours says that it was uploaded here before the upstream listed it.
	Ours bool `json:",omitempty"`
}

// A membership is a scope that lists a file: several may list the same one.
type membership struct {
	Scope  string
	Print  []byte
	Shard  string
	Groups []string
}

// ForeignOf returns what an upstream says of a package, with the prints of its stanzas by their scopes. It reports false
// for one that was uploaded here.
func ForeignOf(p backend.Package) (f format.Foreign, prints map[string][]byte, ok bool, err error) {
	var rec record
	if err := json.Unmarshal(p.Record, &rec); err != nil {
		return f, nil, false, fmt.Errorf("the record of %s: %w", p.Path, err)
	}
	if rec.Foreign == nil {
		return f, nil, false, nil
	}
	f = format.Foreign{Source: rec.Foreign.Source, Size: rec.Foreign.Size, SHA256: rec.Foreign.SHA256, Check: rec.Foreign.Check}
	f.Path = p.Path
	prints = make(map[string][]byte, len(rec.Foreign.In))
	for _, m := range rec.Foreign.In {
		prints[m.Scope] = m.Print
	}
	return f, prints, true, nil
}

// uploadedHere reports whether a package was uploaded here, also if the upstream has listed it since.
func uploadedHere(p backend.Package) (bool, error) {
	var rec record
	if err := json.Unmarshal(p.Record, &rec); err != nil {
		return false, fmt.Errorf("the record of %s: %w", p.Path, err)
	}
	return rec.Foreign == nil || rec.Foreign.Ours, nil
}

// memberships returns the shards and groups that have entries of a package.
func (rec *record) memberships() []membership {
	if rec.Foreign != nil {
		return rec.Foreign.In
	}
	own := []membership{{Shard: rec.Shard, Groups: rec.Groups}}
	if rec.Root != nil {
		own = append(own, membership{Groups: rec.Root})
	}
	return own
}

// behind returns what a format is told of the upstream when it renders a shard; nil: there is none. Changes are of the
// state, by a generation that is being made.
func (r *Repository) behind(ctx context.Context, shard string, changes map[string][]byte) (*format.Behind, error) {
	if r.Behind == nil {
		return nil, nil
	}
	scopes := map[string]Followed{}
	read := func(key string, value []byte) error {
		scope, ok := strings.CutPrefix(key, followedKeys)
		if !ok {
			return nil
		}
		var f Followed
		if err := json.Unmarshal(value, &f); err != nil {
			return fmt.Errorf("what is known of the upstream's %q: %w", scope, err)
		}
		scopes[scope] = f
		return nil
	}
	for kv, err := range r.State.Scan(ctx, followedKeys) {
		if err == nil {
			err = read(kv.Key, kv.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	for key, value := range changes {
		if err := read(key, value); err != nil {
			return nil, err
		}
	}
	b := *r.Behind
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		f := scopes[scope]
		if f.Shard != shard {
			continue
		}
		b.Scopes = append(b.Scopes, scope)
		if !f.Until.IsZero() && (b.Until.IsZero() || f.Until.Before(b.Until)) {
			b.Until = f.Until
		}
	}
	return &b, nil
}

// verifyForeign verifies that what the upstream lists is listed, and the bytes of it that are kept, with their signatures.
func (r *Repository) verifyForeign(ctx context.Context, p backend.Package, rec record) error {
	r.mu.Lock()
	now, err := r.load(ctx)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	lists := now.lists.Begin(r.State, r.places())
	for _, m := range rec.Foreign.In {
		for _, group := range m.Groups {
			if _, err := lists.Entry(ctx, m.Shard+groupSeparator+group, p.Path); err != nil {
				return fmt.Errorf("its entry in the index: %w", err)
			}
		}
	}
	if r.Upstream == nil {
		return errors.New("it is a file of an upstream, and the repository has none")
	}
	b, err := r.Upstream.Kept(ctx, p.Digest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is checked when somebody asks for it
	}
	if err != nil {
		return err
	}
	defer b.Close()
	m, err := r.readForeign(io.NewSectionReader(b, 0, b.Size()), rec.Foreign)
	if err != nil {
		return err
	}
	return r.verifySidecars(ctx, rec.Sidecars, m)
}
