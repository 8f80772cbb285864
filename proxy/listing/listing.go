// Package listing keeps big index files up to date at a cost that follows what changed and not what is there.
//
// A repository has groups of entries. A [View] is one big file: a head, the entries of some groups, a tail. The entries
// of a group are cut into segments of up to 64 entries or 128 KiB. Each segment is rendered and compressed once; a view
// that is closed joins the segments' bytes, of which all but the changed ones are where they were.
//
// Three kinds of places keep it: a [Store] of small records, which only a commit of the caller changes; objects, which
// are stored by the same commit under their SHA-256; and [Blobs], in which packs of many segments lie.
//
// The package knows no format, no database and no HTTP.
package listing

import (
	"context"
	"crypto"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"slices"
)

// Limits of what is listed.
const (
	// MaxEntry is the most bytes that an entry may have.
	MaxEntry = 16 << 20
	// MaxName is the most bytes that the name of a group or a view, or the key of an entry, may have.
	MaxName = 4096
	// MaxEnds is the most bytes that a head or a tail may have.
	MaxEnds = 1 << 20
)

// Digest is a SHA-256.
type Digest = [32]byte

// A Store reads the records of one repository. What it returns may be as new as the last commit or as old as the one
// that the [State] belongs to; the caller's compare-and-swap finds out whether that mattered.
type Store interface {
	// Get returns the value of a key. The error wraps fs.ErrNotExist if there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Scan yields the keys that begin with prefix, in the order of their bytes, and ends after the first error.
	Scan(ctx context.Context, prefix string) iter.Seq2[KeyValue, error]
}

// A KeyValue is a record of a Store. All keys of this package begin with an l, are valid UTF-8 and hold no NUL.
type KeyValue struct {
	Key   string
	Value []byte
}

// A Source has the bytes of [Parts]. All methods may be called concurrently.
type Source interface {
	// Open returns a blob. The error wraps fs.ErrNotExist if there is none.
	Open(ctx context.Context, d Digest) (Blob, error)
	// Object returns the bytes that a commit stored under their digest; see [Writes]. Nobody changes them after that.
	// The error wraps fs.ErrNotExist if there are none.
	Object(ctx context.Context, d Digest) ([]byte, error)
}

// Blobs take packs, besides what a Source does.
type Blobs interface {
	Source
	// Put stores the bytes of r, whose digest and size must be those given. They are durable once it returns nil. A blob
	// that no commit names may be collected after a while.
	Put(ctx context.Context, d Digest, size int64, r io.Reader) error
}

// A Blob is read at any place. Reads may run concurrently.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Writes are what a change of the listings adds to the caller's commit: all of it together with the files of the
// closed views, or nothing.
type Writes struct {
	// State are the records that change; nil deletes.
	State map[string][]byte
	// Objects are bytes that parts of files name, by their SHA-256. One that is stored already may be stored again.
	Objects map[Digest][]byte
}

// An Entry is what a group holds under one key. Keys are unique within a group.
type Entry struct {
	Group, Key string
	Data       []byte // complete, with whatever stands between it and its neighbours
}

// Totals are what the entries of a group or a view come to.
type Totals struct {
	Count int   // of entries
	Bytes int64 // of their data, without head and tail
}

// A Group is a set of entries. Once it had an entry it stays known.
type Group struct {
	Name string
	Totals
}

// An Encoding is a form of a view.
type Encoding string

// The encodings.
const (
	Plain Encoding = "plain"
	// Gzip is exactly one member (RFC 1952) without name and time. Its deflate stream (RFC 1951) consists of pieces that
	// do not refer to each other, each ended by a sync flush.
	Gzip Encoding = "gzip"
)

// A View is one big file: the head, the entries of the groups, the tail.
//
// Entries stand in this order: first all closed segments of all groups, in the order in which they were closed, then the
// last segment of each group, in the order of Groups. A segment is closed by the entry that it has no room for. So an
// entry that is added comes near the end of the file, one that replaces another takes its place, and one that is added
// and removed again leaves no trace.
type View struct {
	// Name identifies the view within its repository.
	Name string
	// Groups are the names of its groups. Those that are not known yet count as empty.
	Groups []string
	// Head and Tail are functions of nothing but their argument. Nil: nothing.
	Head, Tail func(Totals) []byte
	// Skip is how many bytes at the beginning of the first entry are left out, which has at least so many. It is for views
	// that are Plain alone.
	Skip int
	// Encodings are the forms that are wanted. The work is done for these alone.
	Encodings []Encoding
	// Hashes are hashes of the files that are wanted besides SHA-256: SHA-1, SHA-384 or SHA-512.
	Hashes []crypto.Hash
}

// Closed is a view that is up to date.
type Closed struct {
	Totals
	Files map[Encoding]*File
	// Changed reports whether any file has other bytes than after the last commit that closed the view. If not, the
	// files of that commit may stay as they are, whatever their parts are.
	Changed bool
}

// A File is one encoding of a view. It does not change, and its methods may be called concurrently.
type File struct {
	Parts Parts
	Size  int64
	// Digests has SHA-256 and those of View.Hashes.
	Digests map[crypto.Hash][]byte

	states map[crypto.Hash]hash.Hash
}

// State returns a hash that the whole file has been written to, which is the caller's to write on. It reads nothing. The
// hash must be one of Digests.
func (f *File) State(h crypto.Hash) (hash.Hash, error) {
	state, ok := f.states[h]
	if !ok {
		return nil, fmt.Errorf("%v of a listing was not asked for", h)
	}
	return cloneHash(state)
}

// Digest returns the SHA-256 of the file.
func (f *File) Digest() Digest { return Digest(f.Digests[crypto.SHA256]) }

// Hashes returns the hashes that there are states of, in the order of their numbers.
func (f *File) Hashes() []crypto.Hash { return slices.Sorted(maps.Keys(f.states)) }
