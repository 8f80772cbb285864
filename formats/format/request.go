package format

import (
	"crypto"
	"io"
	"maps"
	"net/url"
	"time"
)

// A Request is what a client asks, as far as a format needs to know.
type Request struct {
	// Method is GET (also for HEAD), PUT, POST or DELETE.
	Method string
	// Path is below the repository, decoded, without a slash at its beginning. No segment is empty, "." or "..", except
	// that the path may be empty or end in a slash. It is valid UTF-8 without control characters, at most 2 KiB.
	Path string
	// Query are the parameters of the URL. Accept and Type are the headers Accept and Content-Type, as they came.
	Query        url.Values
	Accept, Type string
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
	Unwrap             // an [Unwrapper] says what the body asks for
	Mark               // set the Marks of the package at the first of Paths that there is
	Clear              // remove all packages of the shard Paths[0]
	Check              // take the body if it is what is at Paths[0], which was made here: a checksum
	Ignore             // take the body and do nothing, since what the client sends is made here
	Login              // a [Registrar] says who the body names; the answer holds an API key
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

	// Type is the media type of the file that Get answers with, if its name does not say it. Addressed says that it is an
	// index file that holds [Here].
	Type      string
	Addressed bool

	// Tag is a hash whose digest of the file, in hex, is the entity tag that Get answers with, for clients that compare it
	// with what they have. Zero: they do not.
	Tag crypto.Hash `json:",omitempty"`

	// Time is when the upload came, in UTC and whole seconds. Route leaves it out.
	Time time.Time `json:",omitzero"`

	// Marks are what was noted of the package since it was uploaded: "yanked", "deprecated". An empty value takes a mark
	// away. Parse sees all that there are, and puts them into the entries; they change nothing of the identity. For an Op of
	// kind Mark they are those that change, and so they are for an upload in an envelope of what is there already.
	Marks map[string]string `json:",omitempty"`
}

// Marked returns the Op with marks more. An empty value takes a mark away.
func (op Op) Marked(marks map[string]string) Op {
	if len(marks) == 0 {
		return op
	}
	all := maps.Clone(op.Marks)
	if all == nil {
		all = map[string]string{}
	}
	for name, value := range marks {
		if all[name] = value; value == "" {
			delete(all, name)
		}
	}
	op.Marks = all
	return op
}

// A Change is one of those that a request asks for.
type Change struct {
	// Op is of kind Put, Delete, Mark or Clear.
	Op Op
	// Body are the bytes of a Put.
	Body io.Reader
}

// An Unwrapper takes apart what clients send around a package: forms, JSON with files in it. It is optional.
//
// The rules of [Format] hold: an error wraps [ErrMalformed], memory is bounded, nothing panics.
type Unwrapper interface {
	// Unwrap returns the changes that a request with this body asks for, in their order. They become visible together or not
	// at all. Each Body is read once, one after the other; it may fail with an error that wraps ErrMalformed.
	Unwrap(r Request, b Blob) ([]Change, error)
}

// A Registrar is a format whose clients log in. It is optional.
type Registrar interface {
	// Login returns the user and the password that the body of a request names.
	Login(r Request, body []byte) (user, password string, err error)
}

// An Answer is what a client is told of a request that is no document and no file.
type Answer struct {
	Status int
	// Text is one sentence for the person who sent the request.
	Text string
	// Op is what the request was understood as; the zero Op for one that was not. Paths are where the packages are that it has
	// changed.
	Op    Op
	Paths []string
	// Key is the API key that a Login is answered with.
	Key string

	// Reason stands in the status line of HTTP/1.1, for clients that show that line and nothing else. Empty: the usual one. Such
	// an answer has Data, and ends the connection.
	Reason string
	// Type and Data are what is sent. Nil: the Text as plain text. Header are more headers.
	Type   string
	Data   []byte
	Header map[string]string
}

// A Speaker puts answers into the form that its clients show to people, also refusals. It is optional.
type Speaker interface {
	// Answer returns the answer with Type, Data and Header. It may change the Status to one of the same class (2xx, 4xx) that
	// clients understand. Of the site it is told Repository and URL.
	Answer(s Site, r Request, a Answer) Answer
}
