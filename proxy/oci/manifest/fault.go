package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrInvalid is wrapped by every error of Parse. The whole message is meant for the person who pushed.
var ErrInvalid = errors.New("invalid manifest")

// invalid returns an error about the manifest as a whole; the format is a sentence.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// A fault is an error about one place in the document. It collects the way there while it travels up.
type fault struct {
	way  []string // the steps to the place, the last one first
	what string
}

// wrong returns an error about the value that is being read; the format is a sentence without its subject.
func wrong(format string, args ...any) error {
	return &fault{what: fmt.Sprintf(format, args...)}
}

// within says that err happened one step further down, at a field (".size") or an element ("[3]").
func within(step string, err error) error {
	var f *fault
	if errors.As(err, &f) {
		f.way = append(f.way, step)
	}
	return err
}

// Error says for example "invalid manifest: layers[3].size must be a number".
func (f *fault) Error() string {
	const most = 240
	where := ""
	for _, step := range slices.Backward(f.way) {
		where += shown(step)
		if len(where) > most {
			where += "…"
			break
		}
	}
	where = strings.TrimPrefix(where, ".")
	if where == "" {
		where = "the manifest"
	}
	return fmt.Sprintf("%s: %s %s", ErrInvalid, where, f.what)
}

func (f *fault) Unwrap() error { return ErrInvalid }

// shown makes text of a client's fit for an error message: one line of ASCII, and not at length.
func shown(s string) string {
	const most = 80
	more := ""
	if len(s) > most {
		s, more = s[:most], "…"
	}
	q := strconv.QuoteToASCII(s)
	return q[1:len(q)-1] + more
}

// quoted is shown with quotation marks around it.
func quoted(s string) string {
	return `"` + shown(s) + `"`
}
