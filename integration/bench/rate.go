package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hallmark/integration/world"
)

// A sample is a run of manifest pushes by some clients at once.
type sample struct {
	rate  float64   // pushes a second, of all clients together
	times []float64 // of each push, in milliseconds
}

func (s sample) perSecond() float64 { return s.rate }
func (s sample) p50() float64       { return quantile(s.times, 0.50) }
func (s sample) p99() float64       { return quantile(s.times, 0.99) }

// rate pushes many tiny manifests, each with its own content and tag, whose blobs are there.
func (b *bench) rate(t world.T) {
	goals := map[string]float64{embedded: 0.4, upstream: 0.2}
	for _, clients := range []int{1, 8} {
		what := fmt.Sprintf("manifest pushes, %d at a time", clients)
		got := rounds(t, what, b.pairs+2, b.sides(t), func(s side) (sample, error) {
			return pushMany(t.Context(), s, clients, b.size.pushes*min(clients, 2))
		})
		for i, s := range b.sides(t)[1:] {
			b.add(rateRow(what+", "+s.name, "%.0f/s", each(got[0], sample.perSecond), each(got[i+1], sample.perSecond), goals[s.name]))
		}
		if clients > 1 {
			continue
		}
		for i, s := range b.sides(t)[1:] {
			b.add(addedRow("time of a manifest push, p50, "+s.name, each(got[0], sample.p50), each(got[i+1], sample.p50)))
			b.add(addedRow("time of a manifest push, p99, "+s.name, each(got[0], sample.p99), each(got[i+1], sample.p99)))
		}
	}
}

// pushMany pushes n manifests of one new image, after a few that are not counted: they open the connections, and they
// pay for what only the first signature of an image needs.
func pushMany(ctx context.Context, s side, clients, n int) (sample, error) {
	c := newClient(s.url, clients)
	defer c.close()
	im, err := c.pushBlobsOf(ctx, fmt.Sprintf("bench/rate-%d", serial.Add(1)))
	if err != nil {
		return sample{}, err
	}
	if _, err := c.pushManifests(ctx, im, clients, 4*clients); err != nil {
		return sample{}, err
	}
	began := time.Now()
	times, err := c.pushManifests(ctx, im, clients, n)
	return sample{float64(n) / time.Since(began).Seconds(), times}, err
}

// pushManifests pushes n new manifests of an image and returns how many milliseconds each took.
func (c *client) pushManifests(ctx context.Context, im image, clients, n int) ([]float64, error) {
	times := make([]float64, n)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				body, tag := im.newManifest()
				began := time.Now()
				if err := c.pushManifest(ctx, im.name, tag, body); err != nil {
					return err
				}
				times[i] = float64(time.Since(began).Microseconds()) / 1000
			}
		})
	}
	return times, g.Wait()
}
