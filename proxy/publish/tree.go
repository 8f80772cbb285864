package publish

import (
	"context"
	"iter"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/listing"
)

// site returns what a format is told of the repository while a package is read.
func (r *Repository) site(at time.Time) format.Site {
	return format.Site{Repository: r.Name, Keys: r.keys, Date: at.UTC().Truncate(time.Second), URL: r.URL, Behind: r.Behind}
}

// Site returns the repository as a format's documents need it, without addresses, and the generation that it is of.
func (r *Repository) Site(ctx context.Context) (format.Site, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.load(ctx)
	if err != nil {
		return format.Site{}, 0, err
	}
	return format.Site{
		Repository: r.Name, Keys: r.keys, Behind: r.Behind,
		Tree: tree{ctx, now.lists.Begin(r.State, r.places())},
	}, now.Generation, nil
}

// tree is a generation of a repository as the documents of a format see it.
type tree struct {
	ctx   context.Context
	lists *listing.Change
}

// Shards implements [format.Tree].
func (t tree) Shards() iter.Seq2[format.Contents, error] {
	return func(yield func(format.Contents, error) bool) {
		groups, err := t.lists.Groups(t.ctx, "")
		if err != nil {
			yield(format.Contents{}, err)
			return
		}
		var all []format.Contents
		for _, g := range groups {
			shard, name, _ := strings.Cut(g.Name, groupSeparator)
			if last := len(all) - 1; last < 0 || all[last].Shard != shard {
				all = append(all, format.Contents{Shard: shard})
			}
			last := &all[len(all)-1]
			last.Groups = append(last.Groups, format.Group{Name: name, Count: g.Count})
		}
		for _, shard := range all {
			if !yield(shard, nil) {
				return
			}
		}
	}
}

// Entries implements [format.Tree].
func (t tree) Entries(shard, group string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		entries, err := entriesOf(t.ctx, t.lists, shard, group)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, data := range entries {
			if !yield(data, nil) {
				return
			}
		}
	}
}
