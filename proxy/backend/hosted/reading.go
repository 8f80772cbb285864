package hosted

import (
	"sync"
	"time"
)

// Under a storm of uploads there are a hundred generations a second. Most of them nobody has read when the next one
// comes, and nobody will ask for what only they had. These need not be kept for an hour. Where several processes share the
// database, no one of them knows what was read, and all generations are kept.

// unreadAfter is for how long after a generation was superseded it may turn out that somebody has read it: a reader
// notes it a moment after he has found the file.
const unreadAfter = 2 * time.Second

// reading knows which recent generations were read. After a restart it knows none, and those before are kept: also the one
// that was current then, of which nobody knows any more whether it was read.
type reading struct {
	mu     sync.Mutex
	began  bool // a generation was superseded since the start
	marked map[int64]bool
	ended  []ended // not decided yet, in their order
}

type ended struct {
	generation int64
	at         time.Time
}

// mark notes that a file was read that came with a generation.
func (r *reading) mark(generation int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.marked == nil {
		r.marked = make(map[int64]bool)
	}
	if len(r.ended) > 0 && generation < r.ended[0].generation {
		return // decided
	}
	r.marked[generation] = true
}

// over notes that a generation was superseded.
func (r *reading) over(generation int64, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.began {
		r.began = true
		return // it was current at the start
	}
	r.ended = append(r.ended, ended{generation, at})
}

// unread returns the generations of which it is certain now that nobody has read what came with them.
func (r *reading) unread(now time.Time) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var unread []int64
	for len(r.ended) > 0 && now.Sub(r.ended[0].at) >= unreadAfter {
		g := r.ended[0].generation
		r.ended = r.ended[1:]
		if !r.marked[g] {
			unread = append(unread, g)
		}
		delete(r.marked, g)
	}
	return unread
}
