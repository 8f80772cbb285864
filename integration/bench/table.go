package main

import (
	"fmt"
	"io"
	"strings"
)

// A row is one line of the table. Its cells are text that is ready to print.
type row struct {
	what, theirs, ours, outcome, goal string
	pass                              bool
	pairs                             int
}

// printTable writes rows as a markdown table.
func printTable(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| measured | without Hallmark | with Hallmark | outcome | goal | | pairs |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range rows {
		verdict := "MISS"
		if r.pass {
			verdict = "pass"
		}
		if r.goal == "" {
			verdict = ""
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %d |\n", r.what, r.theirs, r.ours, r.outcome, r.goal, verdict, r.pairs)
	}
}

// rateRow compares two rates, measured in pairs: more is better. format prints one of them. A goal of 0 is none.
func rateRow(what, format string, theirs, ours []float64, goal float64) row {
	got := median(pairwise(ours, theirs, ratio))
	r := row{
		what: what, theirs: fmt.Sprintf(format, median(theirs)), ours: fmt.Sprintf(format, median(ours)),
		outcome: fmt.Sprintf("%.2f of it", got), pass: got >= goal, pairs: len(ours),
	}
	if goal > 0 {
		r.goal = fmt.Sprintf("≥ %.2f", goal)
	}
	return r
}

// addedRow tells how many milliseconds are added to a time. It has no goal.
func addedRow(what string, theirs, ours []float64) row {
	return row{
		what: what, theirs: fmt.Sprintf("%.2f ms", median(theirs)), ours: fmt.Sprintf("%.2f ms", median(ours)),
		outcome: fmt.Sprintf("+ %.2f ms", median(pairwise(ours, theirs, difference))), pairs: len(ours),
	}
}

// sentence joins what is not empty.
func sentence(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "; ")
}
