package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hallmark/integration/world"
)

// layersAtOnce is how many layers crane sends at a time.
const layersAtOnce = 4

// bulkSpeed is how fast layers pass, in MiB a second.
type bulkSpeed struct{ push, pull float64 }

// bulk pushes and pulls large layers. The bare relay has no goal: it tells what a hop costs that does nothing.
func (b *bench) bulk(t world.T) {
	layers := make([]blob, layersAtOnce)
	sides := append(slices.Clone(b.sides(t)), startRelay(t, b.sides(t)[0]))
	got := rounds(t, "bulk", b.pairs, sides, func(s side) (bulkSpeed, error) {
		for i := range layers {
			layers[i] = newBlob(b.size.bulk / layersAtOnce)
		}
		return bulkOnce(t.Context(), s, layers)
	})
	goals := map[string]float64{embedded: 0.95, upstream: 0.85}
	for i, s := range sides[1:] {
		theirs, ours := got[0], got[i+1]
		b.add(rateRow(fmt.Sprintf("push of %s, %s", bytesText(b.size.bulk), s.name), "%.0f MiB/s",
			each(theirs, bulkSpeed.pushed), each(ours, bulkSpeed.pushed), goals[s.name]))
		b.add(rateRow(fmt.Sprintf("pull of %s, %s", bytesText(b.size.bulk), s.name), "%.0f MiB/s",
			each(theirs, bulkSpeed.pulled), each(ours, bulkSpeed.pulled), goals[s.name]))
	}
}

func (s bulkSpeed) pushed() float64 { return s.push }
func (s bulkSpeed) pulled() float64 { return s.pull }

func bulkOnce(ctx context.Context, s side, layers []blob) (speed bulkSpeed, err error) {
	const name = "bench/bulk"
	c := newClient(s.url, layersAtOnce)
	defer c.close()
	all := func(f func(context.Context, blob) error) (float64, error) {
		var bytes int64
		began := time.Now()
		g, ctx := errgroup.WithContext(ctx)
		for _, l := range layers {
			bytes += l.size
			g.Go(func() error { return f(ctx, l) })
		}
		err := g.Wait()
		return float64(bytes) / (1 << 20) / time.Since(began).Seconds(), err
	}
	if err := c.warmUp(ctx, layersAtOnce); err != nil {
		return speed, err
	}
	speed.push, err = all(func(ctx context.Context, l blob) error { return c.pushBlob(ctx, name, l.open(), l.digest) })
	if err != nil {
		return speed, err
	}
	speed.pull, err = all(func(ctx context.Context, l blob) error { return c.pullBlob(ctx, name, l.digest, l.size) })
	if err != nil {
		return speed, err
	}
	for _, l := range layers {
		if err := s.removeBlob(l.digest); err != nil {
			return speed, err
		}
	}
	return speed, nil
}

func bytesText(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
