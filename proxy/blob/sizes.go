package blob

import (
	"sync"

	"hallmark/proxy/backend"
)

// mostSizes is how many sizes are remembered, in some megabytes.
const mostSizes = 1 << 16

// sizes remembers the sizes of blobs on drivers where to ask for one takes as long as to read it. The bytes of a blob
// never change, and neither does its size.
type sizes struct {
	mu sync.Mutex
	of map[backend.Digest]int64
}

func (s *sizes) get(d backend.Digest) (size int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, known = s.of[d]
	return size, known
}

func (s *sizes) set(d backend.Digest, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || len(s.of) >= mostSizes {
		s.of = make(map[backend.Digest]int64)
	}
	s.of[d] = size
}

func (s *sizes) forget(d backend.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, d)
}
