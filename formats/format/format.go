// Package format is the contract between the house and a kind of package repository.
//
// A format is a leaf without arms: a handful of pure functions from bytes and facts to facts, files and wishes. It opens
// nothing, stores nothing, signs nothing and answers nothing. What it wants signed it says in a [Seal].
package format

import (
	"crypto"
	"io"
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
	// the two calls of Parse, on the bytes as they came.
	Seal(op Op, b Blob, keys Keys) (Sealing, error)

	// Index emits all index files of one shard. It runs after each change of the shard's packages.
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
	// Kinds are the kinds of keys that the format's clients take, and Refused says why they take no others, as the end
	// of the sentence "a p256 key cannot be used here: …".
	Kinds   []string
	Refused string
}

// A Request is what a client asks, as far as a format needs to know.
type Request struct {
	// Method is GET (also for HEAD), PUT, POST or DELETE.
	Method string
	// Path is below the repository, decoded, without a slash at its beginning. No segment is empty, "." or "..", except
	// that the path may be empty or end in a slash. It is valid UTF-8 without control characters, at most 2 KiB.
	Path string
}

// Kind is what an [Op] does.
type Kind int

// The kinds of operations.
const (
	Get    Kind = iota // answer with the file at the first of Paths that there is
	Put                // take the body as a package
	Delete             // remove the package at the first of Paths that there is
	Render             // answer with a document of a [Renderer]
	List               // list the folder Paths[0], which is empty or ends in a slash
)

// An Op is a request that was understood.
type Op struct {
	Kind Kind

	// Paths are places in the tree.
	Paths []string

	// Dir is the folder that the URL of an upload names, without slashes at its ends, as far as the format gives it a
	// meaning; Name is the name of the file, or empty if the client gave none.
	Dir, Name string

	// Waits says that the upload belongs to a set that somebody completes later: see [Package].
	Waits bool

	// Author says that the name looks like one of our sidecars and is the author's own signature, which the format gives
	// a meaning. Any other upload to F.asc or F.sigstore.json is refused.
	Author bool

	// Document is what a Renderer is asked for.
	Document string
}

// A Blob is the bytes of an uploaded file.
type Blob interface {
	io.ReaderAt
	// Size is in bytes.
	Size() int64
	// Digest returns the digest of all bytes: SHA-256, or one of Spec.Digests.
	Digest(crypto.Hash) []byte
}

// A Package is one uploaded file, and what the house must know to keep it.
type Package struct {
	// Path is where it is served, in the form of [Request].Path. It is the identity of the package: other bytes for the
	// same path are a conflict.
	Path string

	// Name, Version and Arch are for people and ledgers; the last two may be empty. None holds control characters.
	Name, Version, Arch string

	// Slot holds at most one package of each Variant, and one with an empty Variant excludes all others: foo for every
	// architecture and foo for one of them cannot both be there. A package evicts an older one of its slot, by
	// Spec.Compare, and is a conflict if one that is as new is there, or where Compare is nil. Empty: none.
	Slot, Variant string

	// Overwrites says that other bytes for the same path replace the old ones.
	Overwrites bool

	// Shard is the set of index files that must be rendered again. "" is a shard like any other.
	Shard string

	// Entries are what the listings of the shard hold of this package. At most one for each group.
	Entries []Entry

	// Waits says that the file is stored and not visible until another file of the same Set completes it: one whose
	// Parts name it. It is collected after a day.
	Waits bool
	Set   string

	// Parts are files of the set that become visible together with this one, or are there already. If one is missing or
	// differs, the upload is refused.
	Parts []Part

	// Unlisted says that this file completes its set and is not served itself; its Path is empty.
	Unlisted bool
}

// A Part is a file of a set, as another file of it names it.
type Part struct {
	Name   string // as in [Op].Name
	Path   string // where it is if it is in the tree already; empty: it cannot be
	Size   int64
	SHA256 []byte // of the bytes as they were uploaded
}

// An Entry is what a listing holds of one package.
type Entry struct {
	Group string // within the shard
	Data  []byte
}

// A Sealing is the signatures that a file is to have.
type Sealing struct {
	Seals []Seal
	// Splice returns the patches that put the signatures into the file itself, in the order of their offsets and without
	// overlap. Nil: they stand beside it.
	Splice func([]Signature) ([]Patch, error)
}

// A Seal is a wish for a signature. Each key of its purpose signs, unless it is Single.
type Seal struct {
	// Name tells the seals of a sealing apart.
	Name    string
	Scheme  scheme.Scheme
	Purpose scheme.Purpose
	// Message are the parts of the file that are signed, one after the other. Nil: the whole file.
	Message []Section
	// Path is where the signature is served. Empty: it goes into the file, by Splice.
	Path string
	// Single says that the oldest key signs alone, since clients refuse a signature by a key that they do not know even
	// beside one that they know. Clients that trust both keys can then move from one to the other.
	Single bool
}

// A Section is a range of a file's bytes.
type Section struct{ Offset, Size int64 }

// A Signature is one that a seal has brought about. A scheme that puts the signatures of several keys into one value gives
// one Signature with the name of the first key; others give one for each key.
type Signature struct {
	Seal  string // the seal's Name
	Key   string // the key's File in [Keys]
	Value []byte
}

// A Patch replaces the bytes of a range by others.
type Patch struct {
	Section
	Data []byte
}

// A Key is the public half of a key.
type Key struct {
	Purpose     scheme.Purpose
	Family      scheme.Family
	Kind        string // "rsa3072", "ed25519", "p256"
	Fingerprint string
	// File is the name under which clients keep the key, as in Alpine's "/etc/apk/keys/<File>".
	File string
	// Armored and Binary are an OpenPGP key's transferable public key; PEM is any other key's in PKIX form.
	Armored, Binary, PEM []byte
}

// Keys are the public keys of a repository, the newest of each purpose last.
type Keys []Key

// Of returns the keys of a purpose and a family.
func (k Keys) Of(p scheme.Purpose, f scheme.Family) Keys {
	var of Keys
	for _, key := range k {
		if key.Purpose == p && key.Family == f {
			of = append(of, key)
		}
	}
	return of
}

// A Site is the repository that a format works for.
type Site struct {
	// Repository is its name: ^[a-z0-9][a-z0-9._-]*$.
	Repository string
	// Keys are its public keys.
	Keys Keys
	// Date is the date of the index, in UTC and whole seconds: it never goes back. Zero for a Renderer.
	Date time.Time
	// URL is where a client finds the repository, without a slash at the end. Only a Renderer has it: what is signed
	// names no host.
	URL string
	// KeysURL is the folder of its key files, and SnapshotURL that of the tree as it is now, without a slash at the end.
	// Only a Renderer has them.
	KeysURL, SnapshotURL string
	// Shards are all shards with their groups, in the order of their names. Only a Renderer has them.
	Shards []Contents
	// Behind is the upstream that the repository stands in front of. Nil: it has none.
	Behind *Behind
}

// Contents are a shard's name and its groups.
type Contents struct {
	Shard  string
	Groups []Group
}

// A Shard gives Index what a shard consists of.
type Shard interface {
	// Name is the shard's name.
	Name() string
	// Groups returns all groups that the shard has ever had entries in, in the order of their names.
	Groups() []Group
	// Entries returns the data of the entries of a group, in their order. It is for small groups, of which Index makes
	// other files than listings: the error says so if there is more than 1 MiB of it.
	Entries(group string) ([][]byte, error)
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
	// Head and Tail are functions of nothing but their argument. Nil: nothing.
	Head, Tail func(Totals) []byte
	Encodings  []Encoding
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

// A Renderer makes documents that are not stored, such as those that hold absolute addresses. It is optional.
type Renderer interface {
	// Render returns the document that an Op of kind Render asks for. The error for one that there is not wraps
	// [fs.ErrNotExist].
	Render(s Site, op Op) (Document, error)

	// Setup returns a shell script that points a client at the repository: one of Spec.Clients. It runs as root in
	// /bin/sh, can be pasted, and says on its first lines what it does. Running it again does no harm.
	Setup(s Site, client string) ([]byte, error)
}

// A Document is an answer that is made for one request.
type Document struct {
	Type string // its media type
	Data []byte
}
