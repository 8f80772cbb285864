package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// waiting is the beginning of the keys under which uploads wait for their set: then the set, and the name.
const waiting = "w" + groupSeparator

func waitingKey(set, name string) string { return waiting + set + groupSeparator + name }

// wait keeps an upload until its set is complete. One of the same name takes the place of the older: nobody has seen it.
func (g *generation) wait(s *staged) error {
	data, err := json.Marshal(struct {
		*staged
		Since int64 // seconds since 1970
	}{s, g.time.Unix()})
	if err != nil {
		return err
	}
	g.out.State[waitingKey(s.Package.Set, s.Op.Name)] = data
	g.dirty = true
	return nil
}

// maxWait is how long an upload waits for its set.
const maxWait = 24 * time.Hour

// Waiting yields the blobs of uploads that wait for their sets.
func (r *Repository) Waiting(ctx context.Context) iter.Seq2[backend.Digest, error] {
	return func(yield func(backend.Digest, error) bool) {
		for kv, err := range r.State.Scan(ctx, waiting) {
			var s staged
			if err == nil {
				err = json.Unmarshal(kv.Value, &s)
			}
			if !yield(s.Digest, err) || err != nil {
				return
			}
		}
	}
}

// expire takes out uploads that have waited too long.
func (g *generation) expire() error {
	for kv, err := range g.State.Scan(g.ctx, waiting) {
		var s struct{ Since int64 }
		if err == nil {
			err = json.Unmarshal(kv.Value, &s)
		}
		if err != nil {
			return err
		}
		if g.time.Sub(time.Unix(s.Since, 0)) > maxWait {
			g.out.State[kv.Key] = nil
			g.dirty = true
		}
	}
	return nil
}

// Expire forgets uploads that have waited longer than a day for their sets.
func (r *Repository) Expire(ctx context.Context) error {
	_, err := r.commit(ctx, &job{expire: true})
	return err
}

// maxParts is how many files a set may have.
const maxParts = 1000

// complete returns the files that an upload makes visible: those of its set that it names, and itself unless it is
// unlisted.
func (g *generation) complete(s *staged) ([]*staged, error) {
	var set []*staged
	seen := map[string]bool{}
	var visit func(s *staged) error
	visit = func(s *staged) error {
		for _, part := range s.Package.Parts {
			if seen[part.Name] {
				continue
			}
			seen[part.Name] = true
			if len(seen) > maxParts {
				return format.Malformedf("%s names more than %d files", s.Op.Name, maxParts)
			}
			member, err := g.part(s, part)
			if err != nil {
				return err
			}
			if member == nil {
				continue // it is in the tree
			}
			if err := visit(member); err != nil {
				return err
			}
			set = append(set, member)
		}
		return nil
	}
	if err := visit(s); err != nil {
		return nil, err
	}
	for _, member := range set {
		g.out.State[waitingKey(s.Package.Set, member.Op.Name)] = nil
		g.dirty = true
	}
	if !s.Package.Unlisted {
		set = append(set, s)
	}
	return set, nil
}

// part returns a waiting file that another names, or nil if it is in the tree.
func (g *generation) part(of *staged, part format.Part) (*staged, error) {
	key := waitingKey(of.Package.Set, part.Name)
	data, err := g.state(key)
	if err != nil {
		return nil, err
	}
	if data != nil {
		var member staged
		if err := json.Unmarshal(data, &member); err != nil {
			return nil, fmt.Errorf("the record of %s: %w", part.Name, err)
		}
		if !bytes.Equal(member.Uploaded[:], part.SHA256) {
			return nil, format.Malformedf("%s was uploaded with SHA-256 %x, and %s names %x: upload the right one again",
				part.Name, member.Uploaded, of.Op.Name, part.SHA256)
		}
		return &member, nil
	}
	if part.Path != "" {
		there, err := g.State.Find(g.ctx, []string{part.Path}, nil)
		if err != nil {
			return nil, err
		}
		if other := g.puts[part.Path]; other != nil && bytes.Equal(other.Uploaded[:], part.SHA256) {
			return nil, nil
		}
		for _, t := range there {
			if t.Removed.IsZero() && bytes.Equal(t.Uploaded[:], part.SHA256) {
				return nil, nil
			}
			if t.Removed.IsZero() {
				return nil, conflictf("%s names %s with SHA-256 %x, and %s is there with %x", of.Op.Name, part.Name, part.SHA256, t.Path, t.Uploaded)
			}
		}
	}
	return nil, format.Malformedf("%s names %s, which was not uploaded: upload it first, to the same address", strings.TrimSpace(of.Op.Name), part.Name)
}
