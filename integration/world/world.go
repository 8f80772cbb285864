// Package world starts the real things that the tests, the attacks and the benchmarks need: registries,
// token servers, the proxy, dockerd, and every client. It makes small images for them to carry.
//
// Everything listens on loopback, keeps its files in folders of its own, writes what it says to a log that
// a failed test shows, and is gone when its test ends, also when the test binary is killed.
// Nothing waits for a fixed time: a thing is ready when it answers.
package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// T is what the world needs of a test. *testing.T and *testing.B have it, and so does the argument that
// Run gives to a program that is no test.
type T interface {
	Helper()
	Name() string
	Context() context.Context
	TempDir() string
	Cleanup(func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Run calls f with a T outside of a test, such as for a benchmark that is a program, and returns the
// failures as one error. SIGINT and SIGTERM cancel the context of that T. What f started is gone, and its
// folders are removed, when Run returns.
func Run(ctx context.Context, name string, f func(T)) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{ctx: ctx, name: name}
	p.run(f)
	return errors.Join(p.failures...)
}

// program is the T of Run. Its methods may be called concurrently, Fatalf only where f itself runs.
type program struct {
	ctx  context.Context
	name string

	mu       sync.Mutex
	failures []error
	cleanups []func()
}

// fatal is what Fatalf panics with, to leave f.
type fatal struct{}

func (p *program) run(f func(T)) {
	defer p.clean()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(fatal); !ok {
				panic(r)
			}
		}
	}()
	f(p)
}

func (p *program) clean() {
	for {
		p.mu.Lock()
		n := len(p.cleanups)
		if n == 0 {
			p.mu.Unlock()
			return
		}
		last := p.cleanups[n-1]
		p.cleanups = p.cleanups[:n-1]
		p.mu.Unlock()
		last()
	}
}

func (p *program) Helper()                  {}
func (p *program) Name() string             { return p.name }
func (p *program) Context() context.Context { return p.ctx }

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "hallmark-"+strings.ReplaceAll(p.name, "/", "-")+"-")
	if err != nil {
		p.Fatalf("%v", err)
	}
	p.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.failures) > 0
}

func (p *program) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, p.name+": "+format+"\n", args...)
}

func (p *program) Errorf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = append(p.failures, fmt.Errorf(format, args...))
}

func (p *program) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	panic(fatal{})
}
