package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hallmark/proxy/listing"
)

// pack joins full segments of big listings into packs, which later generations refer to. It runs beside uploads, which
// wait for no more than the commit in which the packs are taken over.
func (r *Repository) pack(ctx context.Context) error {
	r.mu.Lock()
	now, err := r.load(ctx)
	views := slices.Sorted(maps.Keys(r.unpacked))
	clear(r.unpacked)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	var packings []*listing.Packing
	for _, view := range views {
		p, err := now.lists.Pack(ctx, r.State, r.places(), view)
		if err != nil {
			return fmt.Errorf("pack the listing %q: %w", view, err)
		}
		if p != nil {
			packings = append(packings, p)
		}
	}
	if len(packings) == 0 {
		return nil
	}
	_, err = r.commit(ctx, &job{packings: packings})
	return err
}

// adopt takes packs over. One whose segments have changed meanwhile is left out.
func (g *generation) adopt(j *job) error {
	for _, p := range j.packings {
		taken, err := g.lists.Adopt(g.ctx, p)
		if err != nil {
			g.broken = true
			return err
		}
		g.dirty = g.dirty || taken
	}
	return nil
}
