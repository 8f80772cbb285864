// Bench measures Hallmark beside what stands without it, on one machine and disk, and prints a table:
//
//	go run ./integration/bench [-quick] [-only NAME,…] [-pairs N] [-dir DIR]
//	                           [-formats NAME,…] [-sizes N,…] [-peers NAME,…] [-peers-to N] [-patience D] [-postgres]
//
// Registries and proxies are processes of their own; the load comes from this one. Both sides of a comparison are
// measured by turns, and what counts is the median of the ratios of neighbours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"hallmark/integration/world"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

// measurements are what -only can name.
var measurements = []struct {
	name    string
	measure func(*bench, world.T)
}{
	{"bulk", (*bench).bulk},
	{"rate", (*bench).rate},
	{"cosign", (*bench).cosignCommand},
	{"memory", (*bench).memory},
	{"publish", (*bench).publish},
	{"uploads", (*bench).uploads},
	{"large", (*bench).large},
	{"front", (*bench).front},
	{"refresh", (*bench).refresh},
	{"s3", (*bench).onS3},
	{"languages", (*bench).languages},
}

// sizes say how much is moved.
type sizes struct {
	bulk    int64 // bytes of a bulk push, all layers together
	layer   int64 // bytes of the layer, and of the package, for which memory is watched
	pushes  int   // manifests in a sample
	uploads int   // packages of a bulk upload
}

var (
	fullSize  = sizes{bulk: 1 << 30, layer: 5 << 30, pushes: 300, uploads: 10_000}
	quickSize = sizes{bulk: 64 << 20, layer: 256 << 20, pushes: 40, uploads: 500}
)

// bench is one run.
type bench struct {
	size    sizes
	pairs   int
	rows    []row
	started []side
	packagesOptions
	grids []*grid
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "small sizes: whether it works, not how fast")
	only := flags.String("only", "", "measure these alone: "+strings.Join(names, ","))
	pairs := flags.Int("pairs", 5, "pairs for each ratio; short samples take two more")
	packages := packageFlags(flags)
	dir := flags.String("dir", "", "work in a new folder in this one, which decides the disk (default: that of temporary files)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 || *pairs < 1 {
		return errors.New("there are no arguments but the flags of -help, and at least one pair")
	}
	b := &bench{size: fullSize, pairs: *pairs}
	if *quick {
		b.size = quickSize
	}
	var err error
	if b.packagesOptions, err = packages(*quick); err != nil {
		return err
	}
	chosen, err := choose("measurement", *only, names)
	if err != nil {
		return err
	}

	work, err := os.MkdirTemp(*dir, "hallmark-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	// All processes, and all folders of the world, go where temporary files go.
	if err := os.Setenv("TMPDIR", work); err != nil {
		return err
	}
	return world.Run(ctx, "bench", func(t world.T) {
		defer b.print(stdout, work, args)
		for _, m := range measurements {
			if slices.Contains(chosen, m.name) {
				m.measure(b, t)
			}
		}
		t.Logf("removing its files, which are many and small")
	})
}

// print writes what there is, also when something failed or the run was interrupted.
func (b *bench) print(w io.Writer, dir string, args []string) {
	if len(b.rows) == 0 && len(b.grids) == 0 {
		return
	}
	fmt.Fprintf(w, "%s\n\n", circumstances(dir, args))
	for _, g := range b.grids {
		g.print(w)
		fmt.Fprintln(w)
	}
	if len(b.rows) > 0 {
		printTable(w, b.rows)
	}
}

// sides returns the sides, which are started when they are first needed.
func (b *bench) sides(t world.T) []side {
	if b.started == nil {
		b.started = startSides(t)
	}
	return b.started
}

func (b *bench) add(r row) { b.rows = append(b.rows, r) }
