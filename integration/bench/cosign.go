package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"hallmark/integration/world"
)

// besideCosign is how many pushes tell how much time we add, for each image that cosign signs.
const besideCosign = 50

// cosignCommand compares what we add to a push with what somebody would do otherwise: run cosign sign after it, against
// the same stock registry.
func (b *bench) cosignCommand(t world.T) {
	sides := b.sides(t)
	c := newClient(sides[0].url, 1)
	defer c.close()
	im, err := c.pushBlobsOf(t.Context(), "bench/cosign")
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, version := range []int{2, 3} {
		cosign := world.NewCosign(t, version)
		key, _ := cosign.GenerateKey(t)
		var commands []float64
		what := fmt.Sprintf("cosign %d sign", version)
		got := rounds(t, what, b.pairs, sides, func(s side) (sample, error) {
			if s.name == direct { // once a round
				body, tag := im.newManifest()
				if err := c.pushManifest(t.Context(), im.name, tag, body); err != nil {
					return sample{}, err
				}
				began := time.Now()
				cosign.Sign(t, key, strings.TrimPrefix(s.url, "http://")+"/"+im.name+"@"+digest.FromBytes(body).String())
				commands = append(commands, float64(time.Since(began).Microseconds())/1000)
			}
			return pushMany(t.Context(), s, 1, min(besideCosign, b.size.pushes))
		})
		for i, s := range sides[1:] {
			added := pairwise(each(got[i+1], sample.p50), each(got[0], sample.p50), difference)
			b.add(cosignRow(what+" as a command, against what we add, "+s.name, commands, added))
		}
	}
}

func cosignRow(what string, commands, added []float64) row {
	const goal = 50
	got := median(pairwise(commands, added, ratio))
	return row{
		what: what, theirs: fmt.Sprintf("%.0f ms", median(commands)), ours: fmt.Sprintf("%.2f ms", median(added)),
		outcome: fmt.Sprintf("%.0f times less", got), goal: fmt.Sprintf("≥ %d", goal), pass: got >= goal, pairs: len(added),
	}
}
