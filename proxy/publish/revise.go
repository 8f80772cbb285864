package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/spool"
)

// A revision is what is said of a package that is there, after it was read again: with other marks, with signatures by other
// keys, or because the index is made anew. The bytes of the package stay as they are.
type revision struct {
	path   string
	before []byte // the record that it is a revision of
	record record // without what note adds
	pkg    format.Package
	log    []backend.Signature
}

// readAgain reads a package that is there. Change may change its record before it is parsed; nil: it does not.
func (r *Repository) readAgain(ctx context.Context, p backend.Package, change func(*revision, *spool.Body) error) (*revision, error) {
	v := &revision{path: p.Path, before: p.Record}
	if err := json.Unmarshal(p.Record, &v.record); err != nil {
		return nil, fmt.Errorf("its record: %w", err)
	}
	b, err := r.Blobs.Open(ctx, p.Digest)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	body, err := r.Spool.Take(ctx, io.NewSectionReader(b, 0, b.Size()), math.MaxInt64, r.hashes...)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if got := sha256Of(body); got != p.Digest {
		return nil, fmt.Errorf("the stored bytes are damaged: their SHA-256 is %x and must be %x", got, p.Digest)
	}
	if change != nil {
		if err := change(v, body); err != nil {
			return nil, err
		}
	}
	if v.pkg, err = r.Format.Parse(v.record.Op, body, nonNil(v.record.Signatures)); err != nil {
		return nil, err
	}
	if v.pkg.Path != p.Path || v.pkg.Shard != v.record.Shard {
		return nil, fmt.Errorf("it is %q of the shard %q now, and was %q of %q", v.pkg.Path, v.pkg.Shard, p.Path, v.record.Shard)
	}
	return v, checkPackage(v.pkg)
}

// stageMark reads a package again, with its marks as they will be. It returns nil if nothing changes: npm names every version
// of a package when one is marked.
func (r *Repository) stageMark(ctx context.Context, op format.Op) (*revision, error) {
	there, err := r.State.Find(ctx, op.Paths, nil)
	if err != nil {
		return nil, err
	}
	for _, path := range op.Paths {
		i := slices.IndexFunc(there, func(p backend.Package) bool { return p.Path == path && p.Removed.IsZero() })
		if i >= 0 {
			return r.stageMarkOf(ctx, there[i], op.Marks)
		}
	}
	return nil, format.NotFoundf("there is no package at %s", op.Paths[0])
}

func (r *Repository) stageMarkOf(ctx context.Context, p backend.Package, marks map[string]string) (*revision, error) {
	var rec record
	if err := json.Unmarshal(p.Record, &rec); err != nil {
		return nil, fmt.Errorf("the record of %s: %w", p.Path, err)
	}
	changes := false
	for name, value := range marks {
		changes = changes || rec.Op.Marks[name] != value
	}
	if !changes {
		return nil, nil
	}
	if rec.Foreign != nil {
		return nil, errForeign(p.Path)
	}
	return r.readAgain(ctx, p, func(v *revision, _ *spool.Body) error {
		v.record.Op = v.record.Op.Marked(marks)
		return nil
	})
}

// vouchAgain makes the signatures that stand in the entries of a package with the keys of now. What is in the file, or beside
// it, stays as it is.
func (r *Repository) vouchAgain(v *revision, body *spool.Body) error {
	sealing, err := r.Format.Seal(r.site(r.Now()), v.record.Op, body)
	if err != nil || sealing.Splice != nil || len(sealing.Seals) == 0 {
		return err
	}
	for _, wish := range sealing.Seals {
		if wish.Text == nil || wish.Path != "" {
			return nil
		}
	}
	var s staged
	if err := r.grant(sealing.Seals, body, body, &s); err != nil {
		return err
	}
	if slices.EqualFunc(s.Signatures, v.record.Signatures, func(a, b format.Signature) bool {
		return a.Fingerprint == b.Fingerprint && bytes.Equal(a.Value, b.Value)
	}) {
		return nil
	}
	v.record.Signatures, v.log = s.Signatures, s.Log
	for i := range v.log {
		v.log[i].Name, v.log[i].Digest = v.path, sha256Of(body)
	}
	return nil
}

// revise puts what a revision says into the place of what was said.
func (g *generation) revise(v *revision) error {
	if g.puts[v.path] != nil {
		return errAlone
	}
	p, was, err := g.there(v.path)
	if err != nil {
		return err
	}
	if p == nil || !bytes.Equal(p.Record, v.before) {
		return ErrStale
	}
	rec := v.record
	rec.note(&v.pkg)
	g.broken = true // until it is through
	for _, of := range was.memberships() {
		gone := membership{Shard: of.Shard}
		for _, group := range of.Groups {
			if !slices.ContainsFunc(v.pkg.Entries, func(e format.Entry) bool {
				return e.Group == group && shardOf(&v.pkg, e) == of.Shard
			}) {
				gone.Groups = append(gone.Groups, group)
			}
		}
		if err := g.removeEntries(v.path, gone); err != nil {
			return err
		}
	}
	if err := g.setEntries(&v.pkg); err != nil {
		return err
	}
	if err := g.replaceBeside(was.Beside, v.pkg.Beside); err != nil {
		return err
	}
	if record, err := json.Marshal(rec); err != nil || !bytes.Equal(record, v.before) {
		if err := errors.Join(err, g.keepPackage(*p, rec)); err != nil {
			return err
		}
	}
	g.out.Signatures = append(g.out.Signatures, v.log...)
	g.broken = false
	return nil
}

// replaceBeside replaces those files beside a package that are not what they were.
func (g *generation) replaceBeside(was []string, now []format.Beside) error {
	for _, b := range now {
		there := false
		if slices.Contains(was, b.Path) {
			data, err := g.readAll(g.ctx, b.Path)
			if err != nil {
				return err
			}
			if there = bytes.Equal(data, b.Data); !there {
				g.dropFile(b.Path)
			}
		}
		if !there {
			g.addBeside(b)
		}
	}
	for _, path := range was {
		if !slices.ContainsFunc(now, func(b format.Beside) bool { return b.Path == path }) {
			g.dropFile(path)
		}
	}
	return nil
}
