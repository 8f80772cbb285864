// Package backend is the contract between the write path and the place where a repository is kept.
//
// It is cut by what is promised: [Blobs] are immutable and may be many and big; [State] is small, serial, and changes in
// one transaction; a [Tree] is what readers see of both.
package backend

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"time"

	"hallmark/proxy/listing"
)

// Errors of a backend, besides fs.ErrNotExist for what there is not.
var (
	// ErrLost: somebody else has committed a generation meanwhile. Nothing was changed; read again and render again.
	ErrLost = errors.New("another generation was committed meanwhile")
	// ErrFull: there is no space left for what was to be stored.
	ErrFull = errors.New("no space left")
	// ErrUpstream: the server behind the repository did not do what it must: it is down, refuses, or sends something else.
	// The text names it and the fault. Nothing may be concluded from it, least of all that something is not there.
	ErrUpstream = errors.New("the upstream fails")
)

// Digest is a SHA-256.
type Digest = [32]byte

// Blobs are immutable bytes that are named by their SHA-256. All methods may be called concurrently.
type Blobs interface {
	// Put stores the bytes of r, whose digest and size must be those given. They are durable once it returns nil. Putting
	// what is there already is cheap. A blob that no commit names within an hour may be collected.
	Put(ctx context.Context, d Digest, size int64, r io.Reader) error
	// Open returns a blob. The error wraps fs.ErrNotExist if there is none.
	Open(ctx context.Context, d Digest) (Blob, error)
}

// A Blob is read at any place. Reads may run concurrently.
type Blob = listing.Blob

// State is the part of a repository that changes. All methods may be called concurrently.
type State interface {
	// Head returns the current generation. A repository that nothing was committed to has the zero Head.
	Head(ctx context.Context) (Head, error)
	// Get and Scan read the key-value part.
	listing.Store
	// Object returns the bytes that a commit stored under their digest. The error wraps fs.ErrNotExist if there are none.
	Object(ctx context.Context, d Digest) ([]byte, error)
	// Find returns those of the packages at the given paths, and of those in the given slots, that there are, with those
	// that were removed within the last hour.
	Find(ctx context.Context, paths, slots []string) ([]Package, error)
	// Commit makes a new generation visible: all of it, or nothing and an error, which wraps ErrLost if Commit.Base is
	// not the current generation any more. It is durable once it returns nil. An error that wraps none of this package's
	// leaves open whether the commit took place.
	Commit(ctx context.Context, c Commit) error
}

// A Tree is the files of a repository as readers see them. All methods may be called concurrently.
type Tree interface {
	// Open returns the file at the first of the paths that has one in the generation, or in the current one if at is
	// [Current]. Files that were superseded within the last hour and whose names tell their content stay readable under
	// Current. The error wraps fs.ErrNotExist if there is no file at any of the paths.
	Open(ctx context.Context, at int64, paths ...string) (*File, error)
	// List returns the names in a folder, which is empty or ends in a slash, in their order and after the name after, at
	// most limit of them.
	List(ctx context.Context, folder, after string, limit int) ([]Name, error)
	// Head returns the current generation.
	Head(ctx context.Context) (Head, error)
	// Hold keeps a generation readable for an hour although no file of it was read yet.
	Hold(generation int64)
	// Packages yields all packages in the order of their paths.
	Packages(ctx context.Context) iter.Seq2[Package, error]
}

// Current is the generation that is the newest at the time of asking.
const Current = math.MaxInt64

// A Head is a generation's number and dates.
type Head struct {
	Generation int64
	Time       time.Time // of the commit
	Date       time.Time // of the index: whole seconds, never before that of the generation before
}

// A Package is what is kept of an uploaded file.
type Package struct {
	Path, Name, Version, Arch, Slot, Variant, Shard string

	Uploaded Digest // of the bytes as they were uploaded
	Digest   Digest // of the bytes as they are served
	Size     int64  // of the bytes as they are served
	By       string // who uploaded it; empty: nobody that we know
	Time     time.Time
	Record   []byte    // what the write path needs to make its entries again
	Removed  time.Time // zero: it is there
}

// A Name is one name in a folder.
type Name struct {
	Name   string // a folder's ends in a slash
	Size   int64
	Digest Digest
	Time   time.Time
}

// A Content is the bytes of a file: either a few that stand here, or parts of blobs and objects.
type Content struct {
	Data  []byte        // at most 4 KiB, if Parts is empty
	Parts listing.Parts // encoded for storage by the backend
	Size  int64
	// Tag differs for different contents. It is the SHA-256 of the bytes where that is known.
	Tag Digest
}

// A Put is a file that a commit makes visible.
type Put struct {
	Path string
	Content
	Index   bool // it belongs to the index: its path may have other bytes in the next generation
	Lasting bool // readable for an hour after it was superseded
}

// A Gone is a file that a commit takes out of the tree.
type Gone struct {
	Path    string
	Lasting bool // readable for an hour all the same
}

// A Commit is one new generation.
type Commit struct {
	Base       int64 // the generation that it follows
	Time, Date time.Time

	Packages []Package
	Removed  []string // paths of packages that go; their files are in Gone

	Files []Put
	Gone  []Gone

	// Objects are literal parts of contents, by their SHA-256.
	Objects map[Digest][]byte
	// State are changes of the key-value part; nil deletes.
	State map[string][]byte
	// Signatures are what this generation makes visible for the first time.
	Signatures []Signature
	// Unread are generations that are over and that nobody has read: what only they had is forgotten at once.
	Unread []int64
}

// A Signature is what the log holds of one.
type Signature struct {
	Name    string // the path of the file that it is for
	Digest  Digest // of that file
	Scheme  string
	Key     string // the key's fingerprint
	By      string // who uploaded the file
	Request string // the request's id
	Message Digest // of what was signed
	Value   Digest // of the signature
	Time    time.Time
}

// A File is an open file of a tree. It is an io.ReadSeeker for one reader.
type File struct {
	io.ReadSeeker
	Path    string
	Size    int64
	Tag     Digest
	Time    time.Time // when it became visible
	Index   bool      // it belongs to the index: its path may have other bytes in the next generation
	Lasting bool
	// Wait returns when all bytes are here and are the right ones. Nil: they are.
	Wait  func(context.Context) error
	Close func() error
}
