package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A grid is how long each keeper of one format took for each act in repositories of several sizes.
type grid struct {
	title  string
	sizes  []int
	names  []string // of the keepers
	times  map[cell][]float64
	over   map[cell]time.Duration // that were not done by then
	memory float64                // the most that we ever had, in MiB
}

type cell struct {
	act  act
	name string
	size int
}

// middle returns the median of a cell in milliseconds; 0: there is none.
func (g *grid) middle(c cell) float64 {
	if len(g.times[c]) == 0 {
		return 0
	}
	return median(g.times[c])
}

// fastest returns the fastest of the others.
func (g *grid) fastest(a act, size int) (name string, ms float64) {
	for _, n := range g.names {
		at := g.middle(cell{a, n, size})
		if n != hallmark && at > 0 && (ms == 0 || at < ms) {
			name, ms = n, at
		}
	}
	return name, ms
}

// print writes the grid as a markdown table.
func (g *grid) print(w io.Writer) {
	fmt.Fprintf(w, "| %s, packages there |", g.title)
	for _, size := range g.sizes {
		fmt.Fprintf(w, " %s |", thousands(size))
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(g.sizes)))
	for _, a := range acts {
		for _, name := range g.names {
			fmt.Fprintf(w, "| %s: %s |", a, name)
			for _, size := range g.sizes {
				at := cell{a, name, size}
				text := ""
				if over := g.over[at]; over > 0 {
					text = fmt.Sprintf("over %v", over)
				} else if ms := g.middle(at); ms > 0 {
					text = duration(ms)
				}
				fmt.Fprintf(w, " %s |", text)
			}
			fmt.Fprintln(w)
		}
	}
}

// duration prints milliseconds.
func duration(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 1000:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// thousands prints a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// What is to be reached, and in repositories of which sizes.
const (
	smallSize = 1_000
	goalSize  = 50_000
	largeSize = 100_000
)

// goals adds to the table what a grid must show.
func (b *bench) goals(g *grid) {
	ours := func(a act, size int) float64 { return g.middle(cell{a, hallmark, size}) }
	small, middle, large := ours(add, smallSize), ours(add, goalSize), ours(add, largeSize)
	isDebian := g.title == debGoods.title
	if isDebian && small > 0 && large > 0 {
		b.add(row{
			what:   fmt.Sprintf("%s, %s: at %s against %s", g.title, add, thousands(largeSize), thousands(smallSize)),
			theirs: duration(small), ours: duration(large), outcome: fmt.Sprintf("%.2f of it", large/small), goal: "≤ 1.50",
			pass: large/small <= 1.5, pairs: len(g.times[cell{add, hallmark, largeSize}]),
		})
	}
	if !isDebian && middle > 0 {
		b.add(g.below(add, goalSize, "≤ 60 ms + a signature", 60))
	}
	if who, theirs := b.fastest(g); theirs > 0 && middle > 0 {
		goal := 100.0
		if isDebian {
			goal = 50
		}
		b.add(row{
			what:   fmt.Sprintf("%s, %s at %s, against %s", g.title, add, thousands(goalSize), who),
			theirs: duration(theirs), ours: duration(middle), outcome: fmt.Sprintf("%.0f times faster", theirs/middle),
			goal: fmt.Sprintf("≥ %.0f", goal), pass: theirs/middle >= goal, pairs: turns,
		})
	}
	if ours(remove, largeSize) > 0 {
		b.add(g.below(remove, largeSize, "≤ 300 ms", 300))
	}
	b.add(row{
		what:    fmt.Sprintf("%s, memory up to %s packages", g.title, thousands(slices.Max(g.sizes))),
		ours:    fmt.Sprintf("%.0f MiB peak", g.memory),
		outcome: fmt.Sprintf("%.0f MiB", g.memory), goal: "< 256 MiB", pass: g.memory < 256, pairs: 1,
	})
}

// below is a goal for one cell of ours, in milliseconds.
func (g *grid) below(a act, size int, goal string, most float64) row {
	at := cell{a, hallmark, size}
	ms := g.middle(at)
	return row{
		what: fmt.Sprintf("%s, %s at %s", g.title, a, thousands(size)), ours: duration(ms), outcome: duration(ms),
		goal: goal, pass: ms <= most, pairs: len(g.times[at]),
	}
}

// fastest returns the fastest of a grid's peers at the goal's size. Where none is installed, Alpine is held against
// createrepo_c.
func (b *bench) fastest(g *grid) (name string, ms float64) {
	if name, ms = g.fastest(add, goalSize); ms > 0 || g.title != apkGoods.title {
		return name, ms
	}
	for _, other := range b.grids {
		if other.title == rpmGoods.title {
			name, ms = other.fastest(add, goalSize)
		}
	}
	return name, ms
}
