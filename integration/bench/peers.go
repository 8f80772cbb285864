package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hallmark/integration/world"
)

// peerKinds are what -peers can name.
var peerKinds = []struct {
	name, format string
	start        func(world.T, *world.OpenPGP) world.Peer
}{
	{"reprepro", "debian", func(t world.T, k *world.OpenPGP) world.Peer { return world.NewReprepro(t, k) }},
	{"aptly", "debian", func(t world.T, k *world.OpenPGP) world.Peer { return world.NewAptly(t, k) }},
	{"apt-ftparchive", "debian", func(t world.T, k *world.OpenPGP) world.Peer { return world.NewFTPArchive(t, k) }},
	{"createrepo_c", "rpm", func(t world.T, k *world.OpenPGP) world.Peer { return world.NewCreaterepo(t, k) }},
}

// startPeers returns those who keep repositories of a format as files. They sign with gpg and an Ed25519 key.
func (b *bench) startPeers(t world.T, source source) []*contender {
	var all []*contender
	for _, kind := range peerKinds {
		if kind.format != source.format || !slices.Contains(b.peers, kind.name) {
			continue
		}
		own := &scope{T: t, ctx: t.Context()}
		t.Cleanup(own.close)
		var p world.Peer
		if err := own.try(func() { p = kind.start(own, world.NewOpenPGP(own, "ed25519")) }); err != nil {
			t.Fatalf("%v", err)
		}
		all = append(all, &contender{keeper: &peer{p, source, own}, name: kind.name, most: b.peersTo, acts: 1, bound: b.patience})
	}
	return all
}

// A peer is a program that is given files.
type peer struct {
	world.Peer
	source source
	scope  *scope
}

// filesAtOnce is how many files one command is given: their names fit into its arguments.
const filesAtOnce = 10_000

func (p *peer) fill(ctx context.Context, low, high int) error {
	for low < high {
		var files []string
		for ; low < high && len(files) < filesAtOnce; low++ {
			file, err := p.source.write(p.source.make(low, 1))
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		if err := p.add(ctx, files...); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) add(ctx context.Context, files ...string) error {
	t := &scope{T: p.scope, ctx: ctx}
	return t.try(func() { p.Add(t, files...) })
}

// do includes to copy the package, as ours includes to upload it.
func (p *peer) do(ctx context.Context, a act, g pkg) error {
	if a == remove {
		t := &scope{T: p.scope, ctx: ctx}
		return t.try(func() { p.Remove(t, world.Built{Path: g.file, Name: g.name, Version: g.version}) })
	}
	file, err := p.source.write(g)
	if err != nil {
		return err
	}
	return p.add(ctx, file)
}

func (p *peer) stop() { p.scope.close() }

// A scope is a T of its own, within another: it can end earlier, and a failure in it is an error.
type scope struct {
	world.T
	ctx      context.Context
	cleanups []func()
}

type failure struct{ error }

// try calls f and returns its failure, if it calls Fatalf.
func (s *scope) try(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// Context is what the scope's programs end with.
func (s *scope) Context() context.Context { return s.ctx }

// Fatalf ends what try has called.
func (s *scope) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if cause := context.Cause(s.ctx); cause != nil {
		err = errors.Join(cause, err)
	}
	panic(failure{err})
}

// Cleanup calls f when the scope is closed.
func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// close ends what was started in the scope. It may be called twice.
func (s *scope) close() {
	for ; len(s.cleanups) > 0; s.cleanups = s.cleanups[:len(s.cleanups)-1] {
		s.cleanups[len(s.cleanups)-1]()
	}
}
