package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// verifyTree looks for files that are served below a folder and that belong neither to a package nor to an index.
func (r *Repository) verifyTree(ctx context.Context, folder string, indexed map[string]bool) error {
	const page = 1000
	for after := ""; ; {
		names, err := r.Tree.List(ctx, folder, after, page)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, n := range names {
			path := folder + n.Name
			if strings.HasSuffix(path, "/") {
				err = r.verifyTree(ctx, path, indexed)
			} else if !indexed[path] {
				err = r.verifyBelongs(ctx, path)
			}
			if err != nil {
				return err
			}
		}
		after = names[len(names)-1].Name
	}
}

// indexedPaths returns the paths of all index files of shards.
func (r *Repository) indexedPaths(ctx context.Context, shards []string) (map[string]bool, error) {
	all := make(map[string]bool)
	for _, shard := range shards {
		index, err := readIndex(ctx, r.State, shard)
		if err != nil {
			return nil, err
		}
		for path := range index.Files {
			all[path] = true
		}
	}
	return all, nil
}

// verifyBelongs returns an error if nothing accounts for a file that is served.
func (r *Repository) verifyBelongs(ctx context.Context, path string) error {
	owners := []string{path}
	for i := range path { // F.asc, F.sigstore.json, F.<key>.sigstore.json, F.sig
		if path[i] == '.' {
			owners = append(owners, path[:i])
		}
	}
	there, err := r.State.Find(ctx, owners, nil)
	if err != nil {
		return err
	}
	for _, p := range there {
		var rec record
		if err := json.Unmarshal(p.Record, &rec); err != nil {
			return fmt.Errorf("the record of %s: %w", p.Path, err)
		}
		if p.Removed.IsZero() && (p.Path == path || slices.Contains(rec.Sidecars, path)) {
			return nil
		}
	}
	shards, err := r.shards(ctx)
	if err != nil {
		return err
	}
	indexed, err := r.indexedPaths(ctx, shards) // as it is by now
	if err != nil || indexed[path] {
		return err
	}
	f, err := r.read(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has gone meanwhile
	}
	if err != nil {
		return err
	}
	f.Close()
	return fmt.Errorf("%s is served, and belongs neither to a package nor to an index", path)
}
