package format

import (
	"crypto"
	"io"

	"hallmark/signing/scheme"
)

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

	// Beside are small files that come and go with the package: checksums, metadata taken out of it, what its marks hold.
	Beside []Beside

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
	// Root says that the group is one of the shard "", and not of the package's own.
	Root bool
}

// A Beside is a small file beside a package: at most 4 MiB.
type Beside struct {
	Path string
	Data []byte
}

// A Sealing is the signatures that a file is to have.
type Sealing struct {
	Seals []Seal
	// Splice returns the patches that put the signatures into the file itself, in the order of their offsets and without
	// overlap. Nil: they stand beside it.
	Splice func([]Signature) ([]Patch, error)
	// Marks join those of the Op for the Parse of what was spliced, and for each later one: what Splice takes out of the file and
	// nobody may lose, such as an author's signature.
	Marks map[string]string
}

// A Seal is a wish for a signature. Each key of its purpose signs, unless it is Single.
type Seal struct {
	// Name tells the seals of a sealing apart.
	Name    string
	Scheme  scheme.Scheme
	Purpose scheme.Purpose
	// Message are the parts of the file that are signed, one after the other. Nil: the whole file.
	Message []Section
	// Text is signed in place of anything of the file: what the format says of it, such as its name and digest. Nil: the file
	// is.
	Text []byte
	// Path is where the signature is served. Empty: it goes into the file, by Splice.
	Path string
	// Timestamp is the address of a server (RFC 3161) whose timestamp of each signature stands beside it. Empty: none.
	Timestamp string
	// Single says that the oldest key signs alone, since clients refuse a signature by a key that they do not know even
	// beside one that they know. Clients that trust both keys can then move from one to the other.
	Single bool
}

// A Section is a range of a file's bytes.
type Section struct{ Offset, Size int64 }

// A Signature is one that a seal has brought about. A scheme that puts the signatures of several keys into one value gives
// one Signature with the name of the first key; others give one for each key.
type Signature struct {
	Seal string // the seal's Name
	Key  string // the key's File in [Keys]
	// Fingerprint is the key's, as in Keys. It is empty for a value that is of several keys.
	Fingerprint string `json:",omitempty"`
	Value       []byte
	// Timestamp is the TimeStampToken in DER (RFC 3161 section 2.4.2) that the seal's server gave for the SHA-256 of Value, as
	// it came: the format verifies it.
	Timestamp []byte `json:",omitempty"`
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
	// File is the name under which clients keep the key, as in Alpine's "/etc/apk/keys/<File>". A key of OpenPGP has none.
	File string
	// Armored and Binary are an OpenPGP key's transferable public key; PEM is any other key's in PKIX form.
	Armored, Binary, PEM []byte
	// Certificate is the X.509 certificate of a key that has one, in DER.
	Certificate []byte
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
