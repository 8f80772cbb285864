package upstream

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
)

// A print tells stanzas apart: it is the beginning of a SHA-256 of context and bytes.
type print [16]byte

func (u *run) printOf(context string, stanza []byte) (p print) {
	u.hash.Reset()
	u.buffer = append(append(append(u.buffer[:0], u.vouchers...), context...), 0)
	u.hash.Write(u.buffer)
	u.hash.Write(stanza)
	u.buffer = u.hash.Sum(u.buffer[:0])
	copy(p[:], u.buffer)
	return p
}

// known is what is remembered of the stanzas of a scope, so that those of the next edition need not be read again. It can
// be read from the ledger at any time.
type known struct {
	paths map[print]string // of the files that they list; nil: nothing is remembered
	parts map[string]part
	// serial and uncovered are those of the ledger when this was right.
	serial, uncovered int64
}

type part struct {
	digest [sha256.Size]byte
	prints []print
}

// A note is what the ledger keeps for us of a scope.
type note struct {
	Anchor     string // the file by which the upstream is asked whether anything has changed
	Digest     []byte // of that file
	Validators Validators
	Limit      int64 // the most bytes that its format takes of it
	// Trust is that of the keys which checked it, and of those that vouch for it. With others, what was taken over must be checked again.
	Trust string
	// Reading tells apart the settings by which it was read. By others it is read again; what was taken over is good all the same.
	Reading string
	// Uncovered is how many uploads had gone: what one of them has shadowed is listed after that, though the index has not changed.
	Uncovered int64 `json:",omitempty"`
}

// trust tells apart the keys that what is listed depends on.
func (r *Repository) trust() string { return r.options.Keys.Trust() + r.publish.Vouchers() }

// reading tells apart the settings by which an index is read: those of the format, and where files may come from.
func (r *Repository) reading() string {
	return r.publish.Settings + "\n" + strings.Join(r.options.Client.options.RedirectOrigins, " ")
}

// asBefore reports whether a note was made by the keys and the settings of now.
func (r *Repository) asBefore(n note) bool { return n.Trust == r.trust() && n.Reading == r.reading() }

func noteOf(f publish.Followed) (n note, err error) {
	if len(f.Note) > 0 {
		err = json.Unmarshal(f.Note, &n)
	}
	return n, err
}

// errOlder: the upstream serves an index that is older than the one before.
var errOlder = errors.New("the index is older than the last one that was seen")

// follow asks the upstream for the index of a scope and takes it over. An error leaves everything as it was; one that
// wraps fs.ErrNotExist says that the upstream has no such scope.
func (r *Repository) follow(ctx context.Context, name string, s *scope) error {
	followed, err := r.publish.Followed(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	followedBefore := err == nil
	before, err := noteOf(followed)
	if err != nil {
		return fmt.Errorf("the note of %q: %w", name, err)
	}
	run := newRun(ctx, r, name, &s.known)
	defer func() { run.close() }()
	uncovered, err := r.publish.Uncovered(ctx)
	if err != nil {
		return err
	}
	if before.Anchor != "" && before.Uncovered == uncovered && r.asBefore(before) {
		if err := run.begin(before); err != nil || run.unchanged {
			return err
		}
	}
	if s.paths == nil || s.serial != followed.Serial || s.uncovered != uncovered {
		if s.known, err = r.remember(ctx, name); err != nil {
			return err
		}
		s.serial, s.uncovered = followed.Serial, uncovered
	}
	edition, err := r.mirror.Follow(run, name)
	if err != nil {
		return err
	}
	if torn := run.torn(); len(torn) > 0 {
		run = run.afresh(torn)
		if edition, err = r.mirror.Follow(run, name); err != nil {
			return err
		}
	}
	if edition.Order != 0 && edition.Order < followed.Order {
		return fmt.Errorf("%w: it is of %s, and that was of %s", errOlder, orderText(edition.Order), orderText(followed.Order))
	}
	change := run.change(edition)
	run.note.Trust, run.note.Reading, run.note.Uncovered = r.trust(), r.reading(), uncovered
	if change.Note, err = json.Marshal(run.note); err != nil {
		return err
	}
	if followedBefore && len(change.Add)+len(change.Remove) == 0 && sameEdition(edition, followed.Edition) && before.Anchor == "" && run.note.Anchor == "" && r.asBefore(before) {
		return nil
	}
	if err := run.fetchNow(change.Add); err != nil {
		return err
	}
	if err := r.publish.Follow(ctx, change); err != nil {
		return err
	}
	s.known = known{paths: run.paths, parts: run.parts, serial: s.serial, uncovered: uncovered}
	if len(change.Add)+len(change.Remove) > 0 {
		s.serial++
		r.options.Log.Info("the upstream's index has changed", "repository", r.options.Name, "scope", name,
			"listed", len(change.Add), "gone", len(change.Remove))
	}
	return nil
}

func sameEdition(a, b format.Edition) bool {
	return a.Shard == b.Shard && a.Order == b.Order && a.Until.Equal(b.Until) && a.Open == b.Open
}

// orderText shows a date as one, and a revision as it is.
func orderText(order int64) string {
	if order < 1<<29 {
		return fmt.Sprint(order)
	}
	return time.Unix(order, 0).UTC().Format(time.RFC3339)
}

// remember reads from the ledger what a scope lists.
func (r *Repository) remember(ctx context.Context, name string) (known, error) {
	k := known{paths: map[print]string{}, parts: map[string]part{}}
	for p, err := range r.Packages(ctx) {
		if err != nil {
			return k, err
		}
		_, prints, _, err := publish.ForeignOf(p)
		if err != nil {
			return k, err
		}
		if id, ok := prints[name]; ok {
			k.paths[print(id)] = p.Path
		}
	}
	return k, nil
}

func digestOf(b *spool.Body) backend.Digest { return backend.Digest(b.Digest(crypto.SHA256)) }
