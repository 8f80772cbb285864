package formattest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"hallmark/formats/format"
)

// mirrorSubject returns a subject for which all checks pass if f keeps the contract.
func mirrorSubject(f *tinyMirror) Subject {
	s := tinySubject(&f.tiny)
	s.Format = f
	return s
}

func TestAMirrorThatKeepsItsContractPasses(t *testing.T) {
	for name, text := range failures(t, mirrorSubject(&tinyMirror{}), checks()...) {
		t.Errorf("%s: %s", name, text)
	}
}

func FuzzTinyMirror(f *testing.F) { FuzzMirror(f, mirrorSubject(&tinyMirror{})) }

// seeing is a mirror that does something to what it emits.
type seeing struct {
	format.Upstream
	emit func(to format.Upstream, part, context string, stanza []byte) error
}

func (s seeing) Emit(part, context string, stanza []byte) error {
	return s.emit(s.Upstream, part, context, stanza)
}

// fetching is a mirror that does something to what it fetches.
type fetching struct {
	format.Upstream
	fetch func(from format.Upstream, p string, want format.Wanted) (format.Blob, error)
}

func (f fetching) Fetch(p string, want format.Wanted) (format.Blob, error) {
	return f.fetch(f.Upstream, p, want)
}

func TestAMirrorThatBreaksItsContractIsCaught(t *testing.T) {
	const lists, trusts, hostile = "a mirror lists what its upstream lists", "a mirror takes from an upstream only what that has signed",
		"a mirror reads hostile bytes in bounded memory"
	through := func(wrap func(format.Upstream) format.Upstream) func(format.Upstream, string) (format.Edition, error) {
		return func(u format.Upstream, scope string) (format.Edition, error) { return followTiny(wrap(u), scope) }
	}
	emitting := func(emit func(to format.Upstream, part, context string, stanza []byte) error) func(format.Upstream, string) (format.Edition, error) {
		return through(func(u format.Upstream) format.Upstream { return seeing{u, emit} })
	}
	edition := func(change func(*format.Edition)) func(format.Upstream, string) (format.Edition, error) {
		return func(u format.Upstream, scope string) (format.Edition, error) {
			e, err := followTiny(u, scope)
			change(&e)
			return e, err
		}
	}
	described := func(change func(*format.Foreign)) func(format.Foreign, error) (format.Foreign, error) {
		return func(f format.Foreign, err error) (format.Foreign, error) {
			change(&f)
			return f, err
		}
	}
	counter := int64(0) // a state that no format may have
	for _, b := range []struct {
		name, check, text string
		format            tinyMirror
	}{
		{"it leaves a package out", lists, "is missing", tinyMirror{
			follow: emitting(func(u format.Upstream, part, context string, stanza []byte) error {
				if bytes.HasPrefix(stanza, []byte("pkgb")) {
					return nil
				}
				return u.Emit(part, context, stanza)
			}),
		}},
		{"it never verifies", trusts, "want format.ErrMalformed", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream { return unasked{u} }),
		}},
		{"it asks for no digest", trusts, "earlier generation", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream { return careless{u} }),
		}},
		{"it takes no answer for an absence", trusts, "does not wrap that error", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream {
				return fetching{u, func(u format.Upstream, p string, want format.Wanted) (format.Blob, error) {
					b, err := u.Fetch(p, want)
					if err != nil && !errors.Is(err, format.ErrMalformed) {
						err = fs.ErrNotExist
					}
					return b, err
				}}
			}),
		}},
		{"it says that a scope is absent of which a file is", trusts, "no such scope", tinyMirror{
			follow: func(u format.Upstream, scope string) (e format.Edition, err error) {
				e, err = followTiny(u, scope)
				if err != nil && bytes.Contains([]byte(err.Error()), []byte("not there")) {
					err = fs.ErrNotExist
				}
				return e, err
			},
		}},
		{"it emits what is known", lists, "which is known already", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream { return unknowing{u} }),
		}},
		{"it names all editions' digest alike", lists, "are not the whole", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream { return constant{u} }),
		}},
		{"its order does not grow", lists, "with time", tinyMirror{follow: edition(func(e *format.Edition) { e.Order = min(e.Order, 1) })}},
		{"its edition is another each time", lists, "for the second time", tinyMirror{
			follow: edition(func(e *format.Edition) { counter++; e.Order += counter }),
		}},
		{"its shard is another than its files'", lists, "is shown by", tinyMirror{follow: edition(func(e *format.Edition) { e.Shard = "x" })}},
		{"it fetches without a limit", lists, "without a limit", tinyMirror{
			follow: through(func(u format.Upstream) format.Upstream {
				return fetching{u, func(u format.Upstream, p string, want format.Wanted) (format.Blob, error) {
					want.Limit = 0
					return u.Fetch(p, want)
				}}
			}),
		}},
		{"it says nothing of a file's bytes", lists, "nothing says", tinyMirror{describe: described(func(f *format.Foreign) { f.SHA256 = nil })}},
		{"it describes another path", lists, "the upstream has no", tinyMirror{describe: described(func(f *format.Foreign) { f.Path += "x" })}},
		{"it describes a source outside of the upstream", lists, "is not clean", tinyMirror{describe: described(func(f *format.Foreign) { f.Source = "../x" })}},
		{"it describes a source with a password", lists, "not a plain address", tinyMirror{describe: described(func(f *format.Foreign) { f.Source = "https://a:b@example.org/x" })}},
		{"it describes a file that is beside itself", lists, "stands beside itself", tinyMirror{describe: described(func(f *format.Foreign) { f.Of = f.Path })}},
		{"it describes another source", lists, "the upstream has no", tinyMirror{describe: described(func(f *format.Foreign) { f.Source = "x" })}},
		{"it describes a path that is not clean", lists, "is not clean", tinyMirror{describe: described(func(f *format.Foreign) { f.Path = "../x" })}},
		{"it describes another digest", lists, "the upstream has no", tinyMirror{
			describe: described(func(f *format.Foreign) { f.SHA256 = make([]byte, 32) }),
		}},
		{"it lists what it describes without an entry", lists, "is missing", tinyMirror{
			describe: described(func(f *format.Foreign) { f.Entries = nil }),
		}},
		{"it panics when a stanza is short", hostile, "panics", tinyMirror{
			describe: func(f format.Foreign, err error) (format.Foreign, error) {
				if err != nil {
					panic("short")
				}
				return f, err
			},
		}},
		{"its error is none of the contract's", hostile, "none of the contract's", tinyMirror{
			describe: func(f format.Foreign, err error) (format.Foreign, error) {
				if err != nil {
					err = io.ErrUnexpectedEOF
				}
				return f, err
			},
		}},
		{"it wants much memory for a bad stanza", hostile, "allocates", tinyMirror{
			describe: func(f format.Foreign, err error) (format.Foreign, error) {
				if err != nil {
					f.SHA256 = make([]byte, 300<<20)
				}
				return f, err
			},
		}},
	} {
		t.Run(b.name, func(t *testing.T) { caught(t, mirrorSubject(&b.format), b.check, b.text) })
	}
}

// An unknowing mirror asks whether a part is known and does not listen.
type unknowing struct{ format.Upstream }

func (u unknowing) Known(part string, digest []byte) bool {
	u.Upstream.Known(part, digest)
	return false
}

// A constant mirror asks by a digest that is always the same.
type constant struct{ format.Upstream }

func (c constant) Known(part string, digest []byte) bool {
	return c.Upstream.Known(part, make([]byte, len(digest)))
}
