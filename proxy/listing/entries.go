package listing

import (
	"context"
	"fmt"
)

// Entries returns all entries of a group as they are in the change, in the order in which they were added. It is for
// groups whose entries come to at most limit bytes: more are an error.
func (c *Change) Entries(ctx context.Context, group string, limit int64) ([]Entry, error) {
	g, err := c.group(ctx, group)
	if err != nil {
		return nil, err
	}
	if g.totals.Bytes > limit {
		return nil, fmt.Errorf("group %q has %d bytes, and at most %d are read at once", group, g.totals.Bytes, limit)
	}
	all := make([]Entry, 0, g.totals.Count)
	for _, s := range g.segments {
		err := c.entries(ctx, s, func(_ place, key string, data []byte) error {
			all = append(all, Entry{Group: group, Key: key, Data: data})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("segment %d of group %q: %w", s.id, group, err)
		}
	}
	return all, nil
}
