package hosted

import (
	"slices"
	"testing"
	"time"
)

func TestGenerationsThatNobodyReadAreForgottenAfterAMoment(t *testing.T) {
	var r reading
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.over(-1, start) // was current at the start: it may have been read before
	for g := range int64(5) {
		r.over(g, start.Add(time.Duration(g)*time.Second))
	}
	r.mark(1)
	if got := r.unread(start.Add(time.Second)); got != nil {
		t.Errorf("too early: %v", got)
	}
	if got := r.unread(start.Add(4 * time.Second)); !slices.Equal(got, []int64{0, 2}) {
		t.Errorf("after four seconds: %v, want 0 and 2", got)
	}
	r.mark(0) // too late: nothing to keep
	r.mark(4)
	if got := r.unread(start.Add(time.Minute)); !slices.Equal(got, []int64{3}) {
		t.Errorf("after a minute: %v, want 3", got)
	}
	if len(r.marked) > 1 {
		t.Errorf("%d marks are left", len(r.marked))
	}
}
