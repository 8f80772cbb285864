package publish

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"hallmark/proxy/listing"
)

// renderAll makes and signs the index of every shard that was touched, from the bottom up: what a shard raises touches those
// above it.
func (g *generation) renderAll() error {
	rendered := map[string]bool{}
	for {
		shard, ok := deepest(g.shards, rendered)
		if !ok {
			return nil
		}
		if err := g.render(shard); err != nil {
			return fmt.Errorf("render the index of %q: %w", shard, err)
		}
		rendered[shard] = true
	}
}

// deepest returns the first of those shards that are yet to be rendered and have no other of them below.
func deepest(shards, rendered map[string]bool) (shard string, ok bool) {
	most := -1
	for name := range shards {
		depth := depthOf(name)
		if !rendered[name] && (depth > most || depth == most && name < shard) {
			shard, ok, most = name, true, depth
		}
	}
	return shard, ok
}

// depthOf returns how many shards are above a shard.
func depthOf(shard string) int {
	if shard == "" {
		return 0
	}
	return 1 + strings.Count(shard, "/")
}

// isAbove reports whether a shard is above another one.
func isAbove(upper, lower string) bool {
	return upper != lower && (upper == "" || strings.HasPrefix(lower, upper+"/"))
}

// Raise implements [format.Shard].
func (v *shardView) Raise(shard, group string, data []byte) error {
	at := raise{shard, group}
	if !isAbove(shard, v.name) {
		return fmt.Errorf("the format raises an entry from the shard %q to %q, which is not above it", v.name, shard)
	}
	if _, twice := v.raised[at]; twice || len(data) == 0 {
		return errors.New("the format raises an entry twice, or one without data")
	}
	v.raised[at] = slices.Clone(data)
	return nil
}

// raise puts what the format has raised into the shards above, and takes out what it has raised before and not now.
func (v *shardView) raise() error {
	for _, at := range v.before.Raised {
		if v.raised[at] != nil {
			continue
		}
		if _, err := v.g.lists.Remove(v.g.ctx, at.Shard+groupSeparator+at.Group, raisedBy(v.name)); err != nil {
			return err
		}
		v.g.touch(at.Shard)
	}
	v.after.Raised = slices.SortedFunc(maps.Keys(v.raised), func(a, b raise) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Group, b.Group))
	})
	for _, at := range v.after.Raised {
		e := listing.Entry{Group: at.Shard + groupSeparator + at.Group, Key: raisedBy(v.name), Data: v.raised[at]}
		switch there, err := v.g.lists.Entry(v.g.ctx, e.Group, e.Key); {
		case err == nil && bytes.Equal(there, e.Data):
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := v.g.lists.Set(v.g.ctx, e); err != nil {
			return err
		}
		v.g.touch(at.Shard)
	}
	return nil
}

// raisedBy is the key of an entry that a shard has raised. No path of a package begins with a slash.
func raisedBy(shard string) string { return "/" + shard }
