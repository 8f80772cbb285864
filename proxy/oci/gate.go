package oci

import (
	"context"
	"net/http"
	"sync"
)

// gate lets writers in until it is closed, for the time of a garbage collection. The zero value is open.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside int           // writers; no WaitGroup, which must not fill again while somebody who gave up still waits
	empty  chan struct{} // closed when the last writer leaves; nil: nobody waits for that
}

// enter lets a writer in; it calls leave when it is done. A closed gate is an *Error: 503 with Retry-After.
func (g *gate) enter() (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, &Error{
			Status: http.StatusServiceUnavailable, Code: CodeUnavailable,
			Message: "the registry is collecting garbage and takes no pushes for the moment; try again in a few seconds",
			Header:  http.Header{"Retry-After": {"5"}},
		}
	}
	g.inside++
	return g.leave, nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close keeps new writers out and waits until those inside have left, or ctx ends. It returns the function that opens
// the gate again, or an error if it is closed already or ctx has ended; then it is as it was.
func (g *gate) close(ctx context.Context) (open func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errorf(http.StatusConflict, CodeUnavailable, "a garbage collection is running already")
	}
	g.closed = true
	if g.inside > 0 {
		empty := make(chan struct{})
		g.empty = empty
		g.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		g.mu.Lock()
	}
	if err != nil {
		g.closed, g.empty = false, nil
		return nil, err
	}
	return g.open, nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// Pause keeps writers out until the returned function is called: they are answered 503 with Retry-After. It returns once
// those that were let in before have finished, or ctx's error if that takes too long.
func (r *Repository) Pause(ctx context.Context) (resume func(), err error) {
	return r.paused.close(ctx)
}

// nameSet remembers names, up to a bound. The zero value is empty; it is safe for concurrent use.
type nameSet struct {
	mu    sync.Mutex
	names map[string]struct{}
}

const maxNames = 100_000 // some 10 MB; what is forgotten costs a request

func (s *nameSet) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.names[name]
	return ok
}

func (s *nameSet) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil || len(s.names) >= maxNames {
		s.names = make(map[string]struct{})
	}
	s.names[name] = struct{}{}
}

func (s *nameSet) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, name)
}
