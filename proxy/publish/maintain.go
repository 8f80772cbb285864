package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"time"

	"hallmark/proxy/backend"
	"hallmark/signing/scheme"
)

// fingerprintKey is the key of what the index was made with: keys and settings.
const fingerprintKey = "f"

// fingerprint tells apart the keys and settings that an index depends on.
func (r *Repository) fingerprint() []byte {
	h := sha256.New()
	for _, k := range r.ring.Keys(scheme.Index) {
		fmt.Fprintln(h, k.Public().ID())
	}
	io.WriteString(h, r.Vouchers())
	io.WriteString(h, r.Settings)
	return h.Sum(nil)
}

// Refresh makes and signs every index again if it was made with other keys or settings. It is called at each start.
//
// Where indexes hold signatures of packages, every package is read again then: npm refuses all that it audits for one
// signature by a key that the repository has no more.
func (r *Repository) Refresh(ctx context.Context) error {
	made, err := r.State.Get(ctx, fingerprintKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(made) == string(r.fingerprint()) {
		return nil
	}
	if r.Vouchers() != "" && len(made) > 0 {
		return r.Reindex(ctx, func(text string) { r.Log.Info(text, "repository", r.Name) })
	}
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	_, err = r.commit(ctx, &job{render: shards, resign: true})
	return err
}

// Vouchers tells apart the keys whose signatures of packages stand in indexes: npm's. It is empty where there are none.
func (r *Repository) Vouchers() string {
	var all strings.Builder
	for _, k := range r.ring.Keys(scheme.NPM) {
		all.WriteString(k.Public().ID())
	}
	return all.String()
}

// shards returns the names of all shards.
func (r *Repository) shards(ctx context.Context) ([]string, error) {
	var shards []string
	for kv, err := range r.State.Scan(ctx, indexKeys) {
		if err != nil {
			return nil, err
		}
		shards = append(shards, strings.TrimPrefix(kv.Key, indexKeys))
	}
	return shards, nil
}

// Indexed reports whether a path is one of an index file of the current generation.
func (r *Repository) Indexed(ctx context.Context, path string) (bool, error) {
	f, err := r.Tree.Open(ctx, backend.Current, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return f.Index, f.Close()
}

// maintain does what time or growth demands, until the repository is closed.
func (r *Repository) maintain() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { <-r.closing; cancel() }()
	ticker := time.NewTicker(r.resignEvery())
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-r.closing:
			return
		case <-ticker.C:
			err = r.resignDue(ctx)
		case <-r.grown:
			err = r.pack(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Error("maintenance failed", "repository", r.Name, "error", err)
		}
	}
}

// resignEvery is how often to look for indexes whose validity runs out.
func (r *Repository) resignEvery() time.Duration {
	if r.spec.Resign == 0 {
		return math.MaxInt64
	}
	return max(min(r.spec.Resign/8, time.Minute), 100*time.Millisecond)
}

// resignDue signs the indexes again whose validity runs out.
func (r *Repository) resignDue(ctx context.Context) error {
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	var due []string
	for _, shard := range shards {
		isDue, err := r.isDue(ctx, shard)
		if err != nil {
			return err
		}
		if isDue {
			due = append(due, shard)
		}
	}
	if len(due) == 0 {
		return nil
	}
	_, err = r.commit(ctx, &job{due: due})
	return err
}

func (r *Repository) isDue(ctx context.Context, shard string) (bool, error) {
	index, err := readIndex(ctx, r.State, shard)
	return err == nil && !r.Now().Before(index.Date.Add(r.spec.Valid-r.spec.Resign)), err
}

// resignDue signs again what no other replica has signed again meanwhile.
func (g *generation) resignDue(shards []string) error {
	for _, shard := range shards {
		due, err := g.isDue(g.ctx, shard)
		if err != nil {
			return err
		}
		if due {
			g.touch(shard)
			g.resign = true
		}
	}
	return nil
}

// Reindex reads every package again, makes the signatures that stand in the index with the keys of now, and makes and signs
// every index anew. It tells how far it is.
func (r *Repository) Reindex(ctx context.Context, tell func(string)) error {
	read := 0
	var chunk []*revision
	for p, err := range r.Tree.Packages(ctx) {
		if err != nil {
			return err
		}
		if _, _, foreign, err := ForeignOf(p); err != nil || foreign {
			if err != nil {
				return err
			}
			continue // what the upstream says of it stays as it is
		}
		e, err := r.readAgain(ctx, p, r.vouchAgain)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		read++
		if chunk = append(chunk, e); len(chunk) < reindexChunk {
			continue
		}
		if _, err := r.commit(ctx, &job{rebuild: chunk}); err != nil {
			return err
		}
		chunk = nil
		tell(fmt.Sprintf("read %d packages", read))
	}
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	if len(chunk) > 0 {
		if _, err := r.commit(ctx, &job{rebuild: chunk}); err != nil {
			return err
		}
	}
	if _, err := r.commit(ctx, &job{render: shards, resign: true}); err != nil {
		return err
	}
	tell(fmt.Sprintf("every index is made and signed again, of %d packages", read))
	return nil
}

// reindexChunk is how many packages one generation takes while a repository is reindexed.
const reindexChunk = 500

// rebuild sets the entries of all packages again, but for those that have changed since they were read.
func (g *generation) rebuild(all []*revision) error {
	for _, v := range all {
		if err := g.revise(v); err != nil && !errors.Is(err, ErrStale) {
			g.broken = true
			return err
		}
	}
	return nil
}
