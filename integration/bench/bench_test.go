package main

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
)

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v of %v is %v, want %v", q, values, got, want)
		}
	}
	if got := median([]float64{7}); got != 7 {
		t.Errorf("the median of 7 alone is %v", got)
	}
}

// What counts is the median of the ratios, which is not the ratio of the medians.
func TestPairwise(t *testing.T) {
	ours, theirs := []float64{1, 20, 300}, []float64{2, 10, 1000}
	if got := median(pairwise(ours, theirs, ratio)); got != 0.5 {
		t.Errorf("median ratio %v, want 0.5", got)
	}
}

func TestABlobIsTheSameHoweverItIsReadAndLikeNoOther(t *testing.T) {
	const size = 2*blockSize + 100
	a, b := newBlob(size), newBlob(size)
	if a.digest == b.digest {
		t.Error("two blobs are the same")
	}
	whole, _ := io.ReadAll(a.open())
	slowly, _ := io.ReadAll(iotest.HalfReader(iotest.OneByteReader(a.open())))
	if !bytes.Equal(whole, slowly) || len(whole) != size {
		t.Errorf("%d bytes at once and %d one by one are not the same", len(whole), len(slowly))
	}
	if got := digest.FromBytes(whole); got != a.digest {
		t.Errorf("digest %s, said to be %s", got, a.digest)
	}
}
