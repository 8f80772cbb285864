package oci

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const lockTimeout = 10 * time.Second // for all the locks of one deletion

// locks serialises work on one digest of one image. The zero value is ready; it is safe for concurrent use and keeps
// nothing of a digest that nobody works on.
type locks struct {
	mu   sync.Mutex
	held map[string]*waiters
}

type waiters struct {
	turn  chan struct{} // holds a token while nobody works
	users int
}

// lock waits for its turn at name's digest and returns the function that ends it, which must be called exactly once. If
// ctx ends first, it returns ctx's error.
//
// Whoever needs several takes a manifest before what it refers to (an index before its children, a referrer before its
// subject): since a manifest contains the digests of those, the order has no cycles.
func (l *locks) lock(ctx context.Context, name, digest string) (unlock func(), err error) {
	key := name + "@" + digest
	l.mu.Lock()
	w := l.held[key]
	if w == nil {
		if l.held == nil {
			l.held = make(map[string]*waiters)
		}
		w = &waiters{turn: make(chan struct{}, 1)}
		w.turn <- struct{}{}
		l.held[key] = w
	}
	w.users++
	l.mu.Unlock()

	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if w.users--; w.users == 0 {
			delete(l.held, key)
		}
	}
	select {
	case <-w.turn:
		return func() { w.turn <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// lockAll takes the locks of several digests. A hostile manifest may name them in an order that others take the other
// way round: so it waits but a while.
func (w *work) lockAll(ctx context.Context, digests []string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout,
		errorf(http.StatusConflict, CodeDenied, "somebody is writing what this belongs to; try again"))
	defer cancel()
	var held []func()
	unlock = func() {
		for _, u := range held {
			u()
		}
	}
	for _, d := range digests {
		u, err := w.locks.lock(ctx, w.name, d)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, u)
	}
	return unlock, nil
}
