package backend

import (
	"context"
	"errors"
	"io"
)

// ErrRefused: the upstream takes no such change: it does not know the method, or forbids it. It comes with [ErrUpstream].
var ErrRefused = errors.New("the upstream refuses")

// An Upstream is the server that a repository stands in front of. All methods may be called concurrently, and all errors
// but those that are named wrap ErrUpstream.
type Upstream interface {
	// Freshen makes sure, before a path of the current generation is read, that the repository says of it what the
	// upstream says, as far as that is due, and that there are signatures beside a file if it is one of them that is
	// asked for. Where the upstream fails and what it said last is still good, that is good enough. A path that there
	// is not is no error.
	Freshen(ctx context.Context, path string) error
	// Put stores a file at a path of the upstream, in place of what is there. Nil: the upstream says that it has it.
	Put(ctx context.Context, path string, size int64, r io.Reader) error
	// Delete removes what is at a path of the upstream. That there is nothing is no error.
	Delete(ctx context.Context, path string) error
	// Digest returns the SHA-256 of what the upstream has at a path, as it says just now. The error wraps fs.ErrNotExist
	// if it says that it has nothing.
	Digest(ctx context.Context, path string) (Digest, error)
	// Kept returns the bytes of a file of the upstream that need not be asked for. The error wraps fs.ErrNotExist if
	// they must.
	Kept(ctx context.Context, content Digest) (Blob, error)
}
