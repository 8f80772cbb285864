package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/opencontainers/go-digest"

	"hallmark/integration/world"
)

// A side is one place to push to.
type side struct {
	name    string
	url     string
	storage string // the root folder of what is behind it
}

// The sides of every comparison: the stock registry without us, our embedded registry, and us in front of that same
// stock registry.
const (
	direct   = "direct"
	embedded = "embedded"
	upstream = "upstream"
)

// startSides starts all three as processes of their own, with their files on one disk.
func startSides(t world.T) []side {
	reg := world.StartRegistry(t, world.RegistryOptions{})
	emb := world.StartProxy(t, world.ProxyOptions{Scenario: embedded})
	up := world.StartProxy(t, world.ProxyOptions{Scenario: upstream, Config: upstreamConfig(reg)})
	return []side{
		{direct, reg.URL, reg.Dir},
		{embedded, emb.URL, storageOf(emb)},
		{upstream, up.URL, reg.Dir},
	}
}

func upstreamConfig(reg *world.Registry) string {
	return fmt.Sprintf("repositories:\n  images:\n    format: oci\n    images: [\"*\"]\n    upstream:\n      url: %s\n", reg.URL)
}

func storageOf(p *world.Proxy) string { return filepath.Join(p.Data, "storage") }

// removeBlob gives the disk space of a blob back. A registry would do so at a garbage collection alone.
func (s side) removeBlob(d digest.Digest) error {
	return os.RemoveAll(filepath.Join(s.storage, "docker", "registry", "v2", "blobs", "sha256", d.Encoded()[:2], d.Encoded()))
}

// rounds measures every side once in each of n rounds. The order turns from round to round, so that none always comes
// after the same one. The result is one list for each side, in the order of the rounds.
func rounds[V any](t world.T, what string, n int, sides []side, measure func(side) (V, error)) [][]V {
	out := make([][]V, len(sides))
	for i := range n {
		t.Logf("%s, %d of %d", what, i+1, n)
		for j := range sides {
			k := (i + j) % len(sides)
			syscall.Sync() // what another left to write is not this one's business
			v, err := measure(sides[k])
			if err != nil {
				t.Fatalf("%s, %s: %v", what, sides[k].name, err)
			}
			out[k] = append(out[k], v)
		}
	}
	return out
}

// each returns f of every value.
func each[V any](values []V, f func(V) float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}
