package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hallmark/integration/world"
)

// An act is a change of one package in a repository.
type act string

const (
	add     act = "add a package"
	upgrade act = "add its next version"
	remove  act = "remove the oldest"
)

var acts = []act{add, upgrade, remove}

const (
	turns = 3                // of each keeper for each act
	slow  = 10 * time.Second // from which on one turn is enough
)

// A keeper keeps a repository and signs its index.
type keeper interface {
	// fill adds the packages of the numbers from low to high, as fast as it can.
	fill(ctx context.Context, low, high int) error
	// do is one act. When it returns without an error, clients see it.
	do(ctx context.Context, a act, p pkg) error
	// stop ends the keeper. Its files stay: to remove them would slow down what is measured next.
	stop()
}

// A contender is a keeper and what it is asked for.
type contender struct {
	keeper
	name  string
	most  int           // packages; it is not asked in larger repositories
	acts  int           // in a turn
	bound time.Duration // an act that is not done by then is its last
	gone  bool          // it is not asked any more
}

// publish measures how long it takes until one change is in the signed index, in repositories that grow.
func (b *bench) publish(t world.T) {
	for _, g := range b.goods {
		b.goals(b.publishIn(t, g))
	}
}

func (b *bench) publishIn(t world.T, g goods) *grid {
	source := source{g, t.TempDir()}
	proxy, shelf := startShelf(t, g, "publish", ed25519, clientsAtOnce, places{})
	all := []*contender{{keeper: shelf, name: hallmark, most: math.MaxInt, acts: 5, bound: time.Minute}}
	if b.postgres {
		pg := world.StartPostgres(t)
		_, shared := startShelf(t, g, "publish-postgres", ed25519, clientsAtOnce, places{database: pg.URL("postgres")})
		all = append(all, &contender{keeper: shared, name: hallmark + " on PostgreSQL", most: math.MaxInt, acts: 5, bound: time.Minute})
	}
	all = append(all, b.startPeers(t, source)...)
	grid := &grid{title: g.title, sizes: b.sizes, times: map[cell][]float64{}, over: map[cell]time.Duration{}}
	for _, c := range all {
		grid.names = append(grid.names, c.name)
	}
	b.grids = append(b.grids, grid)
	before := 0
	for i, size := range b.sizes {
		for _, c := range all {
			if c.gone || size > c.most {
				continue
			}
			t.Logf("publish, %s: %s gets the packages up to %s", g.title, c.name, thousands(size))
			err := c.fill(t.Context(), before, size)
			if err != nil && (c.name == hallmark || t.Context().Err() != nil) {
				t.Fatalf("%s: %v", c.name, err)
			}
			if err != nil {
				t.Logf("publish, %s: %s is asked no more: %v", g.title, c.name, err)
				c.leave()
			}
		}
		for _, a := range acts {
			takeTurns(t, grid, source, all, a, i)
		}
		before = size
	}
	grid.memory = mebibytes(t, proxy.Pid(), "VmHWM")
	for _, c := range all {
		c.leave()
	}
	return grid
}

// takeTurns lets every contender act by turns. The order turns, too.
func takeTurns(t world.T, grid *grid, source source, all []*contender, a act, i int) {
	size := grid.sizes[i]
	for turn := range turns {
		for j := range all {
			c := all[(turn+j)%len(all)]
			at := cell{a, c.name, size}
			if c.gone || size > c.most || len(grid.times[at]) > 0 && grid.middle(at) > milliseconds(slow) {
				continue
			}
			var packages []pkg
			for n := range c.acts {
				packages = append(packages, source.of(a, i, size, turn*c.acts+n))
			}
			syscall.Sync() // what another left to write is not this one's business
			for _, p := range packages {
				took, err := c.timed(t, a, p)
				if took > c.bound && c.name != hallmark {
					t.Logf("publish, %s: %s needs more than %v at %s, and is asked no more", grid.title, c.name, c.bound, thousands(size))
					grid.over[at] = c.bound
					c.leave()
					break
				}
				if err != nil {
					t.Fatalf("%s: %s: %v", c.name, a, err)
				}
				grid.times[at] = append(grid.times[at], milliseconds(took))
			}
		}
	}
}

// leave ends a contender, once.
func (c *contender) leave() {
	if !c.gone {
		c.gone = true
		c.stop()
	}
}

// timed is one act within the contender's time.
func (c *contender) timed(t world.T, a act, p pkg) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), c.bound)
	defer cancel()
	began := time.Now()
	err := c.do(ctx, a, p)
	return time.Since(began), err
}

// A source is where packages are before they get into a repository.
type source struct {
	goods
	dir string
}

// write writes a package and returns its path.
func (s source) write(p pkg) (string, error) {
	path := filepath.Join(s.dir, p.file)
	return path, os.WriteFile(path, p.data, 0o644)
}

// of returns the n-th package for an act in a repository of the i-th size. What is removed is the oldest that is left, give
// or take a few that others had time for.
func (s source) of(a act, i, size, n int) pkg {
	switch a {
	case upgrade:
		return s.make(size-1-n, 2)
	case remove:
		return s.make(i*leastSize/10+n, 1)
	}
	return s.make(500_000+size+n, 1)
}

// leastSize is the smallest repository that there is enough to act on in, at up to nine sizes.
const leastSize = 200

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
