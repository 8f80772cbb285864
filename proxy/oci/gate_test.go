package oci

import (
	"context"
	"errors"
	"testing"
)

func enter(t *testing.T, g *gate) (leave func()) {
	t.Helper()
	leave, err := g.enter()
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestAClosedGateLetsNobodyIn(t *testing.T) {
	var g gate
	leave := enter(t, &g)
	closed := make(chan func())
	go func() {
		open, err := g.close(t.Context())
		if err != nil {
			t.Error(err)
		}
		closed <- open
	}()
	for {
		late, err := g.enter()
		if err != nil {
			break
		}
		late()
	}
	select {
	case <-closed:
		t.Error("the gate says that everybody has left, and one is inside")
	default:
	}
	if _, err := g.close(t.Context()); err == nil {
		t.Error("the gate was closed twice")
	}
	leave()
	open := <-closed
	if _, err := g.enter(); err == nil {
		t.Error("a closed gate lets somebody in")
	}
	open()
	enter(t, &g)()
}

// A collector that gives up on a slow writer leaves the gate as it was, also for a writer who comes at the moment in
// which the slow one leaves.
func TestAGateThatWasGivenUpIsOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10_000 {
		var g gate
		leave := enter(t, &g)
		if _, err := g.close(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("close = %v, want Canceled", err)
		}
		leave()
		enter(t, &g)()
		open, err := g.close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		open()
	}
}
