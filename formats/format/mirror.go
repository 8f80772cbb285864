package format

import (
	"io"
	"time"

	"hallmark/signing/scheme"
)

// A Mirror is a format that can stand in front of a repository of its kind on another server, the upstream: it reads the
// upstream's index, so that what it lists is listed again, under our signature. It is optional.
//
// The rules of [Format] hold. What an upstream sends is as hostile as what an uploader sends: an error wraps [ErrMalformed],
// memory and time are bounded, nothing panics.
//
// Follow splits an index into stanzas, Describe reads one of them. So a new edition costs what has changed: a stanza that
// is known, by its bytes, is not read again.
type Mirror interface {
	// Scope returns the part of the upstream whose index says what is at a path: a distribution, a directory. It reports
	// false for paths that no request of a client for an index goes to, and that the tree alone decides.
	Scope(path string) (scope string, ok bool)

	// Follow reads the upstream's index of a scope, its signature first, and emits every stanza. If the index and its
	// signature, or two files of the index, do not belong together, the error wraps ErrMalformed. The error wraps
	// [fs.ErrNotExist] if the upstream has no such scope.
	Follow(u Upstream, scope string) (Edition, error)

	// Describe returns the file that a stanza lists. Context is that of its Emit. Where the Foreign has wishes for
	// signatures, Describe runs a second time, with them, and finds the same file: see [Format].Parse.
	Describe(scope, context string, stanza []byte, sigs []Signature) (Foreign, error)
}

// An Upstream is another server's repository, as a [Mirror] reads it in one run of Follow. It is for one goroutine.
type Upstream interface {
	// Fetch returns a file of the upstream's index, whole, as it was when this run first asked for it. A path that ends in a
	// slash is that of a folder's page. A file that does not come as it is wanted is an error that wraps [ErrMalformed]. The
	// error wraps fs.ErrNotExist only if the upstream says that there is no such file. The first file that a run asks for is
	// the one by which the upstream is asked, the next time, whether anything has changed. The Blob is good until Follow
	// returns, and needs little memory.
	Fetch(path string, want Wanted) (Blob, error)

	// Verify returns when a detached signature of a message was made, or an error that wraps ErrMalformed if no key of
	// the upstream has made it. An empty signature is one that the upstream does not have. Where the upstream is trusted
	// without a key, nothing is verified and the time is zero.
	Verify(s scheme.Scheme, message io.Reader, signature []byte) (time.Time, error)

	// Cleartext returns the text of a clear-signed document, without its signature, after that was verified. See Verify.
	Cleartext(document []byte) ([]byte, error)

	// Reaches reports whether a file may be fetched from a whole address, for indexes whose addresses may be meant otherwise:
	// see [Foreign].Source. What Follow makes of the answer belongs into the context of Emit.
	Reaches(address string) bool

	// Known reports whether all stanzas of a part of the index with these bytes are known already, so that they need not
	// be emitted. Parts are named by the format; the digest is a SHA-256 that is signed.
	Known(part string, digest []byte) bool

	// Emit takes a stanza of a part: all that the index says of one file. Context is what Describe has to know besides,
	// such as the component; it belongs to what tells stanzas apart. Neither is kept.
	Emit(part, context string, stanza []byte) error
}

// Wanted is what a file of an upstream's index must be like.
type Wanted struct {
	// Limit is the most bytes that it may have. Required.
	Limit int64
	// SHA256 and Size are what a signed file says of it. Nil: it says nothing.
	SHA256 []byte
	Size   int64
}

// An Edition is the index of a scope at one time.
type Edition struct {
	// Shard is the shard that shows the files of the scope, or that those are below which do. Index is told of the upstream
	// when it renders this one.
	Shard string
	// Order grows from one edition to the next: a date in seconds since 1970, a revision. One of a smaller order than
	// the last is refused as older. Zero: the index has none.
	Order int64
	// Until is the end of the index's validity, which ours does not exceed. Zero: it has none.
	Until time.Time
	// Open says that there are files which no index lists: whoever asks for one has the upstream asked for it. The format
	// is a [Finder] then.
	Open bool
}

// A Finder is a Mirror that has Open editions. It is optional.
type Finder interface {
	// Found returns what Describe would, for a file that no index lists and that was fetched: from its Source, which does not
	// depend on the digest. The error for a path at which no such file can be wraps fs.ErrNotExist.
	Found(path string, sha256 []byte, size int64) (Foreign, error)
}

// A Foreign is a file of an upstream. Its bytes pass as they are. A signature of its own kind that stands beside it is what
// Seal wishes for an [Op] of kind Get with its path alone: Seal then reads the file as Parse would, since nobody else has.
type Foreign struct {
	// Package is what the house knows of it. Only Path, Name, Version, Arch, Slot, Variant, Shard and Entries count.
	Package
	// Source is the path at which the upstream has it, or its whole address (http or https, no query): where that is not the
	// upstream's origin, the file is fetched only if the configuration lists the origin. Empty: Package.Path.
	Source string
	// Size is in bytes; negative: the index does not say.
	Size int64
	// SHA256 is what the index says. Nil: it does not, and Check is what the format's [Checker] goes by.
	SHA256 []byte
	Check  string
	// Marks are what the upstream has noted of the file, as in [Op].Marks: a request that names them changes nothing.
	Marks map[string]string
	// Seals are wishes for signatures that the entries hold, of what the index says of the file: each has a Text and no Path.
	Seals []Seal
	// Of is the path of the file that this one stands beside, and is nothing without: where an upload stands in the place of that
	// one, what stands beside it is the upload's. Empty: it stands for itself.
	Of string
	// Now says that the file belongs to the index: it is fetched before the edition is shown.
	Now bool
}

// A Checker is a Mirror whose indexes name other digests than SHA-256 of whole files. It is optional.
type Checker interface {
	// Check returns a writer for all bytes of a file. Its Close returns an error that wraps [ErrMalformed] if they are
	// not those of which the index says check. It keeps nothing of what is written beyond some kilobytes.
	Check(check string) (io.WriteCloser, error)
}

// A Behind is the upstream that a repository stands in front of.
type Behind struct {
	// Scopes are those of the upstream that the shard shows, in their order, also one whose index lists nothing.
	Scopes []string
	// Until is the end of validity of the upstream's index of the shard; zero: it has none. An index says no later one.
	Until time.Time
	// PackageKeys are the armored OpenPGP keys that signed the upstream's packages themselves; nil: nobody knows them.
	// They are served as upstream.asc among the key files.
	PackageKeys []byte
}
