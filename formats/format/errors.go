package format

import (
	"errors"
	"fmt"
	"io/fs"
)

// The errors of a format, beside [fs.ErrNotExist] for what there is not.
var (
	// ErrMalformed: the file is not what it must be. A client that sends it again gets the same answer.
	ErrMalformed = errors.New("malformed")
	// ErrNotAllowed: the path is not for this method.
	ErrNotAllowed = errors.New("not allowed")
)

// fault is an error whose text is for the person who sent the file or the request: it does not begin with the kind.
type fault struct {
	kind error
	text string
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.kind }

// Malformedf returns an error that wraps [ErrMalformed]. The text names the thing and the fault, and where there is one
// the way out. Bytes that a client chose stand in it as %q with a bounded width.
func Malformedf(text string, args ...any) error {
	return &fault{kind: ErrMalformed, text: fmt.Sprintf(text, args...)}
}

// NotAllowedf returns an error that wraps [ErrNotAllowed]; see [Malformedf].
func NotAllowedf(text string, args ...any) error {
	return &fault{kind: ErrNotAllowed, text: fmt.Sprintf(text, args...)}
}

// NotFoundf returns an error that wraps [fs.ErrNotExist]; see [Malformedf].
func NotFoundf(text string, args ...any) error {
	return &fault{kind: fs.ErrNotExist, text: fmt.Sprintf(text, args...)}
}
