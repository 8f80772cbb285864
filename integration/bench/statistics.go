package main

import (
	"math"
	"slices"
)

// median returns the middle of values, of which there is at least one.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value below which a share q of the values lies, between two of them where need be.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	return low + (high-low)*(at-math.Floor(at))
}

// pairwise returns f of each pair. Neighbours in time share the weather of the machine, which their ratio or difference
// does not have.
func pairwise(ours, theirs []float64, f func(ours, theirs float64) float64) []float64 {
	out := make([]float64, len(ours))
	for i := range out {
		out[i] = f(ours[i], theirs[i])
	}
	return out
}

func ratio(a, b float64) float64      { return a / b }
func difference(a, b float64) float64 { return a - b }
