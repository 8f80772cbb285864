package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime/debug"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
)

// A job is one change of a repository that waits for the committer. Exactly one of its kinds is set.
type job struct {
	changes []change // what a request asks for: all of it, or nothing
	render  []string // shards whose index is signed again
	due     []string // shards whose index is signed again if that is due
	expire  bool     // uploads that have waited too long go
	resign  bool     // even those files of it that have not changed

	rebuild  []*revision        // packages that were read again
	packings []*listing.Packing // packs that are taken over

	follow  *Following // a change of an upstream's index
	attest  *staged    // signatures beside a file of an upstream
	claim   *staged    // an upload that is about to be forwarded
	release string     // the path of one that was not

	ctx    context.Context
	result []Result // of each change
	done   chan error
}

// maxBatch is how many jobs one generation takes at most.
const maxBatch = 64

// commit hands a job to the committer and waits for the outcome. If ctx ends before the committer has taken it, nothing
// happens; after that the outcome is waited for.
func (r *Repository) commit(ctx context.Context, j *job) ([]Result, error) {
	j.ctx, j.done = context.WithoutCancel(ctx), make(chan error, 1)
	select {
	case r.jobs <- j:
		err := <-j.done
		return j.result, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.closing:
		return nil, ErrClosed
	}
}

// run is the committer. While it commits, jobs gather, and all that have gathered make the next generation.
func (r *Repository) run() {
	defer close(r.stopped)
	for {
		select {
		case <-r.closing:
			return
		case j := <-r.jobs:
			r.commitBatch(r.gather(j))
		}
	}
}

// gather returns a job with those that come with it: all that wait, and uploads that are being staged, if they are done
// in a moment. A generation costs more than to wait for a moment; somebody who uploads alone waits for nobody.
func (r *Repository) gather(first *job) []*job {
	batch := []*job{first}
	moment := time.NewTimer(min(max(r.took, leastGather), mostGather))
	defer moment.Stop()
	for len(batch) < maxBatch {
		select {
		case j := <-r.jobs:
			batch = append(batch, j)
			continue
		default:
		}
		if r.staging.Load() == 0 {
			break
		}
		select {
		case j := <-r.jobs:
			batch = append(batch, j)
		case <-moment.C:
			return batch
		}
	}
	return batch
}

// How long a generation waits at most for uploads that are being staged: as long as the last one took to be made, within
// bounds. Where signatures are slow, both are.
const (
	leastGather = 10 * time.Millisecond
	mostGather  = 100 * time.Millisecond
)

// quick is the size in bytes up to which an upload is staged in a moment.
const quick = 1 << 20

// commitBatch commits jobs as one generation. Where one of them is to blame for a failure, the others are tried one by
// one, so that none fails for its neighbour.
func (r *Repository) commitBatch(batch []*job) {
	taken, later, err := r.tryBatch(batch)
	if err != nil && len(taken) > 1 && !errors.Is(err, backend.ErrFull) {
		later = append(taken, later...)
	} else {
		finish(taken, err)
	}
	for _, j := range later {
		_, _, err := r.tryBatch([]*job{j})
		finish([]*job{j}, err)
	}
}

func finish(batch []*job, err error) {
	for _, j := range batch {
		j.done <- err
	}
}

// maxLost is how often in a row a generation may be lost to another replica.
const maxLost = 100

// tryBatch commits jobs as one generation, again and again while others commit first. It returns those that were taken
// into it, for the caller to finish, and those that must come later. Jobs that cannot be done were told so.
func (r *Repository) tryBatch(batch []*job) (taken, later []*job, err error) {
	var refused []refusal
	defer func() {
		// A format that panics fails the uploads of its batch, and not the program.
		if p := recover(); p != nil {
			r.forget()
			r.Log.Error("a panic while a generation was made", "repository", r.Name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("a panic while a generation was made: %v", p)
			tell(refused)
		}
	}()
	began := r.Now()
	ctx := batch[0].ctx
	defer r.Turn(ctx)()
	for range maxLost {
		taken, refused = batch, nil
		r.mu.Lock()
		now, err := r.load(ctx)
		r.mu.Unlock()
		if err != nil {
			return batch, nil, err
		}
		g := r.begin(ctx, now)
		taken, later, refused, err = g.applyAll(batch)
		if err == nil && g.dirty && len(taken) > 0 {
			err = g.commit()
		}
		if !g.ended && (err != nil || len(refused) > 0) {
			// What was read may be of two generations, and then an error of that is none.
			moved, headErr := r.moved(ctx, now.Generation)
			if moved {
				err = backend.ErrLost
			} else if err == nil {
				err = headErr
			}
		}
		if errors.Is(err, backend.ErrLost) {
			r.forget()
			continue
		}
		tell(refused)
		if err != nil {
			r.forget() // it is open what is there now
		} else if g.ended {
			r.took = r.Now().Sub(began)
			if r.Observe != nil {
				r.Observe(len(taken), r.took)
			}
		}
		return taken, later, err
	}
	return batch, nil, fmt.Errorf("%w: %d times in a row", backend.ErrLost, maxLost)
}

// A refusal is a job that cannot be done, and why.
type refusal struct {
	job *job
	err error
}

func tell(refused []refusal) {
	for _, no := range refused {
		no.job.done <- no.err
	}
}

// applyAll adds jobs to the generation. It returns those that it has taken, those that need another generation, and those
// that cannot be done. With an error, nothing of the generation can be used.
func (g *generation) applyAll(batch []*job) (taken, later []*job, refused []refusal, err error) {
	if err := g.lookAhead(batch); err != nil {
		return batch, nil, nil, err
	}
	for _, j := range batch {
		err := g.apply(j)
		if err == errAlone && len(batch) == 1 {
			err = conflictf("the request asks for changes that cannot be made at once: send them one after the other")
		}
		switch {
		case err == nil:
			taken = append(taken, j)
		case g.broken:
			return batch, nil, nil, err
		case err == errAlone && len(batch) > 1:
			later = append(later, j)
		default:
			refused = append(refused, refusal{j, err})
		}
	}
	return taken, later, refused, nil
}

func (r *Repository) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = nil
}

// A generation is one that is being made.
type generation struct {
	*Repository
	ctx    context.Context
	base   *current
	time   time.Time
	date   time.Time // of the index
	lists  *listing.Change
	out    backend.Commit
	shards map[string]bool // that are rendered again
	dirty  bool
	alone  bool // it takes no other job
	resign bool // also what has not changed
	broken bool // the listings are half changed: nothing of this can be used
	ended  bool // the backend was asked to commit it

	views   []string                     // listings that were brought up to date
	found   map[string][]backend.Package // what lookAhead has found, by path
	puts    map[string]*staged           // packages that this generation adds, by path
	removed map[string]bool              // and those that it removes
}

func (r *Repository) begin(ctx context.Context, base *current) *generation {
	now := r.Now()
	if now.Before(base.Time) {
		now = base.Time // of a replica whose clock is ahead of ours
	}
	date := now.UTC().Truncate(time.Second)
	if date.Before(base.Date) {
		date = base.Date
	}
	return &generation{
		Repository: r, ctx: ctx, base: base, time: now, date: date,
		lists:  base.lists.Begin(r.State, r.places()),
		out:    backend.Commit{Base: base.Generation, Time: now, Date: date, Objects: map[backend.Digest][]byte{}, State: map[string][]byte{}},
		shards: map[string]bool{}, puts: map[string]*staged{}, removed: map[string]bool{},
	}
}

// apply adds a job to the generation. On an error nothing was added, unless the generation is broken.
func (g *generation) apply(j *job) error {
	if g.alone {
		return errAlone
	}
	switch {
	case j.follow != nil:
		return g.follow(j.follow)
	case j.attest != nil:
		return g.attest(j.attest)
	case j.claim != nil:
		return g.claim(j.claim)
	case j.release != "":
		return g.unclaim(j.release)
	case j.changes != nil:
		return g.change(j)
	case j.render != nil:
		for _, shard := range j.render {
			g.touch(shard)
		}
		g.resign = g.resign || j.resign
	case j.due != nil:
		return g.resignDue(j.due)
	case j.rebuild != nil:
		return g.rebuild(j.rebuild)
	case j.expire:
		return errors.Join(g.expire(), g.expireClaims())
	case j.packings != nil:
		return g.adopt(j)
	}
	return nil
}

// state returns the value of a key as the generation will have it; nil if there is none.
func (g *generation) state(key string) ([]byte, error) {
	if value, changed := g.out.State[key]; changed {
		return value, nil
	}
	value, err := g.State.Get(g.ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return value, err
}

func (g *generation) touch(shard string) {
	g.shards[shard] = true
	g.dirty = true
}

// commit renders the shards that were touched and commits everything.
func (g *generation) commit() error {
	if err := g.renderAll(); err != nil {
		return err
	}
	next, writes := g.lists.Commit()
	if g.resign || g.base.Generation == 0 {
		g.out.State[fingerprintKey] = g.fingerprint()
	}
	maps.Copy(g.out.State, writes.State)
	maps.Copy(g.out.Objects, writes.Objects)
	g.ended = true
	if err := g.State.Commit(g.ctx, g.out); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, view := range g.views {
		g.unpacked[view] = true
	}
	select {
	case g.grown <- struct{}{}:
	default: // the packer knows already
	}
	g.current = &current{
		Head:  backend.Head{Generation: g.base.Generation + 1, Time: g.time, Date: g.date},
		lists: next,
	}
	return nil
}

// Render makes and signs the index of shards again.
func (r *Repository) Render(ctx context.Context, shards ...string) error {
	if len(shards) == 0 {
		return nil
	}
	_, err := r.commit(ctx, &job{render: shards})
	return err
}

// Delete removes the package at the first of op.Paths that has one, with its sidecars and its lines in the index. The
// error wraps fs.ErrNotExist if there is none.
//
// What stands in an upstream is removed there first.
func (r *Repository) Delete(ctx context.Context, op format.Op, by Caller) error {
	if r.Upstream != nil {
		ctx = context.WithoutCancel(ctx) // what is gone there must go here
		if err := r.deleteUpstream(ctx, op.Paths); err != nil {
			return err
		}
	}
	_, err := r.commit(ctx, &job{changes: []change{{remove: op.Paths}}})
	return err
}
