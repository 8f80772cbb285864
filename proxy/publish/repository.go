// Package publish is the write path of package repositories: it stages uploads in parallel and commits them in series.
//
//	spool → Parse → Seal → sign → Parse again → store the blob      parallel, by each upload
//	conflicts → listings → Index → sign → commit                     serial for each repository, many uploads at once
//
// An upload that is answered without an error is durable, signed, listed and visible to the next reader. Until then
// nothing of it can be seen. It knows no HTTP, no SQL, and not where a repository is kept.
package publish

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/listing"
	"hallmark/proxy/spool"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// Errors of the write path, besides those of formats, spool and backend.
var (
	// ErrConflict: the upload cannot stand beside what is there. Sending it again does not help.
	ErrConflict = errors.New("conflict")
	// ErrStale: a package has changed since it was read, so that what was to be said of it may not hold. Nothing was changed.
	ErrStale = errors.New("the package has changed meanwhile; try again")
	// ErrTimestamp: a timestamp server does not do what it should, and nothing is published without its timestamp.
	ErrTimestamp = errors.New("no timestamp")
	// ErrClosed: the repository takes no writes any more, or not now.
	ErrClosed = errors.New("the repository takes no uploads at the moment; try again later")
)

type conflict struct{ text string }

func (c *conflict) Error() string { return c.text }
func (c *conflict) Unwrap() error { return ErrConflict }

func conflictf(text string, args ...any) error { return &conflict{fmt.Sprintf(text, args...)} }

// Options are what a Repository is made of. All are required but URL and the last four.
type Options struct {
	Name   string
	Format format.Format
	Ring   *signing.Ring
	// Settings tell apart the settings of the format: when they change, every index is made again.
	Settings string
	State    backend.State
	Tree     backend.Tree
	Blobs    backend.Blobs
	Spool    *spool.Spool
	Log      *slog.Logger
	Now      func() time.Time
	// URL is where clients find the repository, as the configuration has it.
	URL string
	// Upstream is the server that the repository stands in front of, and Behind what the format is told of it. Nil: none.
	Upstream backend.Upstream
	Behind   *format.Behind
	// Turn waits until no other replica makes a generation, and makes others wait until done is called. It is a hint: a
	// generation that another replica was faster with is made again.
	Turn func(ctx context.Context) (done func())
	// Stamp returns the token that a server has for a SHA-256; see [format.Seal]. Nil: there are no such servers.
	Stamp func(ctx context.Context, server string, sha256 []byte) ([]byte, error)
	// Observe is told of each commit: how many changes it has made visible, and how long that took.
	Observe func(changes int, took time.Duration)
}

// A Repository takes uploads and deletions. All methods may be called concurrently.
type Repository struct {
	Options
	spec   format.Spec
	ring   *signing.Ring // Options.Ring, which may sign packages with the keys of the index
	keys   format.Keys
	hashes []crypto.Hash // of each upload

	jobs    chan *job // unbuffered
	closing chan struct{}
	stopped chan struct{}
	staging atomic.Int64 // small uploads whose bodies are there and that have not reached the committer
	close   func()
	grown   chan struct{} // holds one: something was committed

	// Of the committer alone, but for mu.
	took     time.Duration // that the last generation took to be made
	mu       sync.Mutex
	current  *current
	unpacked map[string]bool // listings that have changed since the packer looked
}

// current is what the committer knows of the newest generation.
type current struct {
	backend.Head
	lists *listing.State
}

// Open returns a repository and starts its committer. The caller closes it.
func Open(ctx context.Context, o Options) (*Repository, error) {
	r := &Repository{
		Options: o, spec: o.Format.Spec(), ring: o.Ring,
		jobs: make(chan *job), closing: make(chan struct{}), stopped: make(chan struct{}),
		grown: make(chan struct{}, 1), unpacked: map[string]bool{},
	}
	for _, use := range r.spec.Keys {
		if use.Shared {
			r.ring = o.Ring.SharingIndex()
		}
	}
	if err := r.checkKeys(); err != nil {
		return nil, err
	}
	r.keys = PublicKeys(r.ring)
	if r.Turn == nil {
		r.Turn = func(context.Context) func() { return func() {} }
	}
	r.hashes = slices.Concat(r.spec.Digests, r.ring.Hashes(scheme.File, scheme.Package))
	r.close = sync.OnceFunc(func() { close(r.closing); <-r.stopped })
	if _, err := r.load(ctx); err != nil {
		return nil, err
	}
	go r.run()
	go r.maintain()
	return r, nil
}

// Close ends the repository. Changes that the committer has taken are finished first.
func (r *Repository) Close() { r.close() }

// checkKeys refuses a ring that lacks a key, or has one that the format's clients cannot use.
func (r *Repository) checkKeys() error {
	for _, use := range append(r.spec.Keys, Sidecars()...) {
		found := false
		for _, k := range r.ring.Keys(use.Purpose) {
			if k.Public().Family() != use.Family {
				continue
			}
			found = true
			if use.Certificate && k.Public().Certificate() == nil {
				return fmt.Errorf("the key %s of purpose %s stands in no X.509 certificate", k.Name(), use.Purpose)
			}
			if len(use.Kinds) > 0 && !slices.Contains(use.Kinds, k.Public().Kind()) {
				return fmt.Errorf("a %s key cannot be used here (%s, purpose %s): %s", k.Public().Kind(), k.Name(), use.Purpose,
					cmp.Or(use.Refused, "it works with "+strings.Join(use.Kinds, ", ")))
			}
		}
		if !found {
			return fmt.Errorf("its ring has no %s key of purpose %s", use.Family, use.Purpose)
		}
	}
	return nil
}

// Sidecars are the uses of keys that every package repository has: for F.asc and for F.sigstore.json.
func Sidecars() []format.KeyUse {
	return []format.KeyUse{
		{Purpose: scheme.File, Family: scheme.OpenPGP, Generate: "rsa3072",
			Kinds: []string{"rsa2048", "rsa3072", "rsa4096", "ed25519", "p256", "p384", "p521"}},
		{Purpose: scheme.File, Family: scheme.ECDSA, Generate: "p256",
			Kinds: []string{"p256", "p384", "p521", "p224"}},
	}
}

// KeyFile returns the name under which clients keep a bare key: what stands in the signatures of Alpine. It is empty for a
// key of OpenPGP.
func KeyFile(repository string, k signing.PublicKey) string {
	if k.Family() == scheme.OpenPGP {
		return ""
	}
	id := strings.TrimPrefix(k.ID(), "sha256:")[:8]
	return "hallmark-" + repository + "-" + id + "." + string(k.Family()) + ".pub"
}

// PublicKeys returns the public halves of a ring as formats see them.
func PublicKeys(ring *signing.Ring) format.Keys {
	var keys format.Keys
	for _, k := range ring.All() {
		p := k.Public()
		keys = append(keys, format.Key{
			Purpose: k.Purpose(), Family: p.Family(), Kind: p.Kind(), Fingerprint: p.Fingerprint(), File: KeyFile(ring.Repository(), p),
			Armored: p.Armored(), Binary: p.Binary(), PEM: p.PEM(), Certificate: p.Certificate(),
		})
	}
	return keys
}

// Route says what a request asks for. An upload under the name of a sidecar is refused, unless the format knows it as an
// author's signature.
func (r *Repository) Route(req format.Request) (format.Op, error) {
	op, err := r.Format.Route(req)
	if err != nil {
		return op, err
	}
	if op.Kind == format.Put {
		return op, r.checkName(op)
	}
	return op, nil
}

// checkName refuses an upload under the name of a sidecar.
func (r *Repository) checkName(op format.Op) error {
	if !op.Author {
		if file, suffix, ok := sidecarOf(op.Name); ok {
			return format.NotAllowedf("%q is where the signature of %q is served, which is made here; "+
				"an author's own may be uploaded as %q", op.Name, file, file+".author"+suffix)
		}
	}
	if r.spec.AnyPath {
		for folder := range strings.SplitSeq(op.Dir, "/") {
			if _, _, ok := sidecarOf(folder); ok {
				return format.NotAllowedf("%.200q cannot be the name of a folder: signatures have such names", folder)
			}
		}
	}
	return nil
}

// The names of the sidecars of a file.
const (
	openpgpSuffix = ".asc"
	bundleSuffix  = ".sigstore.json"
)

// sidecarOf tells the name of a sidecar from those of other files. F.author.asc is no sidecar.
func sidecarOf(name string) (file, suffix string, ok bool) {
	for _, suffix := range []string{openpgpSuffix, bundleSuffix} {
		if file, ok := strings.CutSuffix(name, suffix); ok && !strings.HasSuffix(file, ".author") {
			return file, suffix, true
		}
	}
	return "", "", false
}

// groupSeparator stands between the names of a shard and of a group or listing of it, which hold no control characters.
const groupSeparator = "\n"

// places are where the bytes of listings are.
type places struct {
	backend.Blobs
	backend.State
}

func (r *Repository) places() places { return places{r.Blobs, r.State} }

// load returns what is known of the newest generation, and reads it anew if somebody else has committed one.
func (r *Repository) load(ctx context.Context) (*current, error) {
	for range maxLost {
		head, err := r.State.Head(ctx)
		if err != nil {
			return nil, err
		}
		if r.current != nil && r.current.Generation == head.Generation {
			return r.current, nil
		}
		lists, err := listing.Load(ctx, r.State)
		if moved, headErr := r.moved(ctx, head.Generation); moved || headErr != nil {
			if headErr != nil {
				return nil, headErr
			}
			continue // what was read may be of two generations
		}
		if err != nil {
			return nil, fmt.Errorf("load the listings: %w", err)
		}
		r.current = &current{Head: head, lists: lists}
		return r.current, nil
	}
	return nil, fmt.Errorf("load the listings: %w: %d times in a row", backend.ErrLost, maxLost)
}

// moved reports whether another generation is current by now.
func (r *Repository) moved(ctx context.Context, from int64) (bool, error) {
	head, err := r.State.Head(ctx)
	return err == nil && head.Generation != from, err
}
