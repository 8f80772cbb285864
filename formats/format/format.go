// Package format is the contract between the house and a kind of package repository.
//
// A format is a leaf without arms: a handful of pure functions from bytes and facts to facts, files and wishes. It opens
// nothing, stores nothing, signs nothing and answers nothing. What it wants signed it says in a [Seal].
package format

import (
	"crypto"
	"time"

	"hallmark/signing/scheme"
)

// A Format knows one kind of package repository. All methods are pure: the same arguments give the same results, nothing
// is kept between calls, and calls may run concurrently. Whatever a method is given stays the caller's; what it returns
// is not changed after that.
//
// Route, Parse and Seal read bytes that somebody hostile may have chosen. They never panic, and they need bounded memory
// and time.
type Format interface {
	// Spec says what the format is and what it needs.
	Spec() Spec

	// Route says what a request asks for. It is total: an error is one of those of this package.
	Route(r Request) (Op, error)

	// Parse says what an uploaded file is and where it belongs. It runs twice: on the bytes as they came, without
	// signatures, and on the bytes as they will be served, with the signatures that its seals brought about. Both times
	// it must find the same identity: path, name, version, architecture, slot and set. The entries of the second count.
	// For an upload that its seals bring no signatures to and change nothing of, there is no second run.
	//
	// The error for bytes that are no such package wraps [ErrMalformed].
	Parse(op Op, b Blob, sigs []Signature) (Package, error)

	// Seal says which signatures of its own kind a package carries, and where. The zero Sealing is: none. It runs between
	// the two calls of Parse, on the bytes as they came. Of the site it is told Repository, Keys, Date and URL, which is
	// that of the configuration.
	Seal(s Site, op Op, b Blob) (Sealing, error)

	// Index emits all index files of one shard. It runs after each change of the shard's packages, and of what shards below
	// it raise. See [Shard].
	Index(s Site, in Shard, emit func(File) error) error
}

// A Spec is what the house needs to know of a format.
type Spec struct {
	// Title names the format for people: "Debian packages".
	Title string

	// Keys are the keys that a ring of such a repository has, besides those of the sidecars, which every repository has.
	Keys []KeyUse

	// Digests are the hashes that Parse asks a Blob for, besides SHA-256.
	Digests []crypto.Hash

	// Clients are the programs that a set-up text can be had for. The first is the default.
	Clients []string

	// AnyPath says that uploads choose their paths freely, so that a file may be where another needs a folder. The later
	// one is a conflict: a copy on disk could not hold both.
	AnyPath bool

	// Aside is the end of a second name of our signature F.asc, such as ".ours.asc", where an author's may stand at F.asc: see
	// [Op].Author. Empty: there is no second name.
	Aside string

	// EscapedSlash says that clients escape slashes in names, so that "%2f" is as good as a slash.
	EscapedSlash bool

	// Overlaid says that uploads stay here where the repository stands in front of an upstream, since the upstream's protocol
	// takes no file by a PUT to its path. Of other formats they go to the upstream, too.
	Overlaid bool

	// KeyHeader is the name of the header in which clients send an API key, besides Authorization. Such a key is a user and
	// a password with a colon between them, or the base64 of that.
	KeyHeader string

	// Compare orders the versions of packages that share a slot: negative if a is older than b. Nil where packages of one
	// slot never evict each other.
	Compare func(a, b string) int

	// Together returns a name for the set of index files that a client fetches by several requests and that must be of
	// one generation (repomd.xml and its signature), and "" for every other path. Nil where the format has no such files,
	// or where the client finds out by itself.
	Together func(path string) string

	// Resign is how long before its end of validity an index is rendered and signed again; zero: what it signs is valid
	// for ever. Valid is how long an index is valid.
	Valid, Resign time.Duration
}

// A KeyUse is one use of keys by a format.
type KeyUse struct {
	Purpose scheme.Purpose
	Family  scheme.Family
	// Generate is the kind of the key that is generated where the ring has none.
	Generate string
	// Shared says that this purpose uses the keys of purpose index unless it has its own: clients keep one keyring for
	// both. In [Keys] they stand under purpose index alone.
	Shared bool
	// Certificate says that the key stands in a self-signed X.509 certificate for code signing.
	Certificate bool
	// Kinds are the kinds of keys that the format's clients take, and Refused says why they take no others, as the end
	// of the sentence "a p256 key cannot be used here: …".
	Kinds   []string
	Refused string
}
