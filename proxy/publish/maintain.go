package publish

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
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
	io.WriteString(h, r.Settings)
	return h.Sum(nil)
}

// Refresh makes and signs every index again if it was made with other keys or settings. It is called at each start.
func (r *Repository) Refresh(ctx context.Context) error {
	made, err := r.State.Get(ctx, fingerprintKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(made) == string(r.fingerprint()) {
		return nil
	}
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	_, err = r.commit(ctx, &job{render: shards, resign: true})
	return err
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

// Reindex reads every package again, and makes and signs every index anew. It tells how far it is.
func (r *Repository) Reindex(ctx context.Context, tell func(string)) error {
	read := 0
	var chunk []stagedEntries
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
		e, err := r.parseAgain(ctx, p)
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

// stagedEntries are the entries of a package that is there.
type stagedEntries struct {
	path    string
	digest  backend.Digest
	shard   string
	entries []listing.Entry
	groups  []string // that had an entry before
	beside  []format.Beside
}

func (r *Repository) parseAgain(ctx context.Context, p backend.Package) (stagedEntries, error) {
	e := stagedEntries{path: p.Path, digest: p.Digest, shard: p.Shard}
	var rec record
	if err := json.Unmarshal(p.Record, &rec); err != nil {
		return e, fmt.Errorf("its record: %w", err)
	}
	b, err := r.Blobs.Open(ctx, p.Digest)
	if err != nil {
		return e, err
	}
	defer b.Close()
	body, err := r.Spool.Take(ctx, io.NewSectionReader(b, 0, b.Size()), math.MaxInt64, r.hashes...)
	if err != nil {
		return e, err
	}
	defer body.Close()
	if got := sha256Of(body); got != p.Digest {
		return e, fmt.Errorf("the stored bytes are damaged: their SHA-256 is %x and must be %x", got, p.Digest)
	}
	parsed, err := r.Format.Parse(rec.Op, body, nonNil(rec.Signatures))
	if err != nil {
		return e, err
	}
	for _, entry := range parsed.Entries {
		group := shardOf(&parsed, entry) + groupSeparator + entry.Group
		e.entries = append(e.entries, listing.Entry{Group: group, Key: p.Path, Data: entry.Data})
	}
	for _, m := range rec.memberships() {
		for _, group := range m.Groups {
			e.groups = append(e.groups, m.Shard+groupSeparator+group)
		}
	}
	e.beside = parsed.Beside
	return e, nil
}

// rebuild sets the entries of all packages again.
func (g *generation) rebuild(j *job) error {
	g.broken = true // until it is through
	for _, e := range j.rebuild {
		there, err := g.State.Find(g.ctx, []string{e.path}, nil)
		if err != nil {
			return err
		}
		if len(there) != 1 || !there[0].Removed.IsZero() || there[0].Digest != e.digest {
			continue // it has changed since it was read
		}
		for _, group := range e.groups {
			if !slices.ContainsFunc(e.entries, func(n listing.Entry) bool { return n.Group == group }) {
				if _, err := g.lists.Remove(g.ctx, group, e.path); err != nil {
					return err
				}
			}
		}
		for _, entry := range e.entries {
			if err := g.lists.Set(g.ctx, entry); err != nil {
				return err
			}
			shard, _, _ := strings.Cut(entry.Group, groupSeparator)
			g.touch(shard)
		}
		g.touch(e.shard)
	}
	g.broken = false
	return nil
}
