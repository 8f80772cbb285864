package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"hallmark/proxy/backend"
)

// A fault is an error of one sentence. What it wraps does not stand in the text.
type fault struct {
	text  string
	wraps []error
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return f.wraps }

// fault returns an error that says what the upstream does.
func (c *Client) fault(format string, args ...any) error {
	return &fault{text: fmt.Sprintf("the upstream %s %s", c.Host(), fmt.Sprintf(format, args...)), wraps: []error{backend.ErrUpstream}}
}

// silent returns the error for a request that got no answer, or none that may be followed.
func (c *Client) silent(ctx context.Context, path string, err error) error {
	if f := c.interrupted(ctx, path); f != nil {
		return f
	}
	var known *fault
	if errors.As(err, &known) {
		return known
	}
	return c.fault("does not answer for %s: %s", path, reason(err))
}

// interrupted returns the error for what ended because its context did, and nil if the context goes on.
func (c *Client) interrupted(ctx context.Context, path string) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return nil
	case errors.Is(cause, errNotTaken), errors.Is(cause, errStalled):
		return c.fault("%v %s", cause, path)
	default:
		return fmt.Errorf("%s of the upstream %s: %w", path, c.Host(), cause)
	}
}

// reason is err without the address that net/http puts before it, which may be a secret where storage signs addresses.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		return "nothing came within upstream.timeout"
	}
	if errors.Is(err, io.EOF) {
		return "it closed the connection"
	}
	return err.Error()
}
