package format

import (
	"crypto"
	"iter"
	"time"
)

// A Site is the repository that a format works for.
type Site struct {
	// Repository is its name: ^[a-z0-9][a-z0-9._-]*$.
	Repository string
	// Keys are its public keys.
	Keys Keys
	// Date is the date of the index, in UTC and whole seconds: it never goes back. Zero for a Renderer.
	Date time.Time
	// URL is where a client finds the repository, without a slash at the end. Index does not have it: what is signed
	// names no host. See [Here].
	URL string
	// KeysURL is the folder of its key files, and SnapshotURL that of the tree as it is now, without a slash at the end.
	// Only a Renderer has them.
	KeysURL, SnapshotURL string
	// User is who asks; empty: nobody that is known. Only Render has it.
	User string
	// Tree is what there is in the repository. Only a Renderer has it.
	Tree Tree
	// Behind is the upstream that the repository stands in front of. Nil: it has none.
	Behind *Behind
}

// A Tree is what there is in a repository, in one generation.
type Tree interface {
	// Shards yields all shards with their groups, in the order of their names.
	Shards() iter.Seq2[Contents, error]
	// Entries yields the entries of a group of a shard, in their order. A group that there is not has none.
	Entries(shard, group string) iter.Seq2[[]byte, error]
}

// Contents are a shard's name and its groups.
type Contents struct {
	Shard  string
	Groups []Group
}

// A Shard gives Index what a shard consists of.
//
// Shards are in each other as folders are: a shard above another is one whose name, with a slash, begins the name of the
// other, and "" is above all. An index that says something of what is below it, such as the digest of its index, has that
// raised: shards are rendered from the bottom up.
type Shard interface {
	// Name is the shard's name.
	Name() string
	// Groups returns all groups that the shard has ever had entries in, in the order of their names.
	Groups() []Group
	// Entries returns the data of the entries of a group, in their order. It is for small groups, of which Index makes
	// other files than listings: the error says so if there is more than 64 MiB of it.
	Entries(group string) ([][]byte, error)
	// Raise puts an entry into a group of a shard above this one, in place of the one that this shard raised there before.
	// What is not raised again by a run of Index goes. A shard raises one entry to a group.
	Raise(shard, group string, data []byte) error
	// List brings listings up to date. It is called at most once in one run of Index.
	List(...Listing) ([]Listed, error)
}

// A Group is a set of entries of a shard.
type Group struct {
	Name  string
	Count int // of its entries; may be zero
}

// A Listing is a big index file: a head, the entries of some groups, a tail. Entries come in the order in which they were
// added, as far as one can rely on an order at all.
type Listing struct {
	// Name identifies the listing within its shard.
	Name   string
	Groups []string
	// Head and Tail are functions of their argument and of what Index was given. Nil: nothing. A tail that changes costs
	// nothing; for another head the whole listing is hashed again.
	Head, Tail func(Totals) []byte
	// Skip is how many bytes of the first entry are left out: where entries begin with a separator, its length. It is for
	// listings that are Plain alone.
	Skip      int
	Encodings []Encoding
	// Digests are hashes of the listing's files that Index wants to know, besides SHA-256.
	Digests []crypto.Hash
}

// Totals are what a listing's entries come to.
type Totals struct {
	Count int   // of entries
	Bytes int64 // of their data, without head and tail
}

// An Encoding is a form of a listing.
type Encoding string

// The encodings.
const (
	Plain Encoding = "plain"
	Gzip  Encoding = "gzip" // exactly one member (RFC 1952)
)

// Listed is a listing that is up to date.
type Listed struct {
	Totals
	Files map[Encoding]ListedFile
}

// A ListedFile is one encoding of a listing.
type ListedFile struct {
	Size    int64
	Digests map[crypto.Hash][]byte
}

// Here stands in an index file for Site.URL, which is put in its place when an Addressed [Op] gets the file. It is a byte
// that no text of JSON, XML or YAML holds as it is. Such a file is not signed, and has no ranges.
const Here = "\x01"

// A File is an index file. Either Data are its bytes, or it is an encoding of a listing.
type File struct {
	Path     string
	Data     []byte
	Listing  string // the Listing's Name; empty: Data
	Encoding Encoding

	// Lasting says that the name tells the content, so that clients in the middle of an update may still ask for it: it
	// stays readable for an hour after it was replaced.
	Lasting bool

	// Sealing has the signatures of the file. A Splice may only put bytes in front of a listing's.
	Sealing
}
