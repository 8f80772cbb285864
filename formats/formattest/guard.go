package formattest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime/debug"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"hallmark/formats/format"
)

// A guard stands before a format and ends the test when the format breaks its contract: when it panics, returns an error
// that is not one of the contract's, or a result that the house could not keep.
type guard struct {
	tb     testing.TB
	format format.Format
	spec   format.Spec
}

func newGuard(tb testing.TB, f format.Format) *guard {
	g := &guard{tb: tb, format: f}
	g.calling("Spec", func() { g.spec = f.Spec() })
	return g
}

func (g *guard) breach(text string, args ...any) {
	g.tb.Helper()
	g.tb.Fatalf("the format breaks its contract: "+text, args...)
}

// calling calls the format.
func (g *guard) calling(what string, call func()) {
	g.tb.Helper()
	// A test that is ended from within call unwinds the stack too, and has nothing to recover.
	defer func() {
		if r := recover(); r != nil {
			g.breach("%s panics: %v\n%s", what, r, debug.Stack())
		}
	}()
	call()
}

// errorLimit is the longest text of an error, in bytes: it is one sentence for a person.
const errorLimit = 800

// checkError looks at an error that goes to whoever sent the request.
func (g *guard) checkError(what string, err error) {
	g.tb.Helper()
	if !errors.Is(err, format.ErrMalformed) && !errors.Is(err, format.ErrNotAllowed) && !errors.Is(err, fs.ErrNotExist) {
		g.breach("%s returns an error that is none of the contract's: %q", what, err)
	}
	if text := err.Error(); len(text) > errorLimit || text == "" || hasControl(text) {
		g.breach("%s returns an error of %d bytes that is not one sentence: %.200q", what, len(text), text)
	}
}

func (g *guard) Route(r format.Request) (op format.Op, err error) {
	g.tb.Helper()
	what := fmt.Sprintf("Route(%s %q)", r.Method, r.Path)
	g.calling(what, func() { op, err = g.format.Route(r) })
	if err != nil {
		g.checkError(what, err)
		return op, err
	}
	if fault := opFault(r, op); fault != "" {
		g.breach("%s returns %+v: %s", what, op, fault)
	}
	return op, nil
}

// opFault says what is wrong with an Op that a request got.
func opFault(r format.Request, op format.Op) string {
	reading := op.Kind == format.Get || op.Kind == format.Render || op.Kind == format.List
	switch r.Method {
	case "GET", "PUT", "POST", "DELETE":
		if reading != (r.Method == "GET") {
			return "that is not what the method is for"
		}
	default:
		return "there is no such method"
	}
	return pathsFault(op)
}

// pathsFault says what is wrong with the paths of an Op.
func pathsFault(op format.Op) string {
	if len(op.Paths) > 16 {
		return "these are too many paths"
	}
	switch op.Kind {
	case format.Get, format.Delete, format.Mark, format.Check:
		if len(op.Paths) == 0 {
			return "it has no path"
		}
		for _, p := range op.Paths {
			if fault := pathFault(p); fault != "" {
				return fmt.Sprintf("the path %q %s", p, fault)
			}
		}
		if op.Kind == format.Mark && len(op.Marks) == 0 {
			return "it has no marks"
		}
	case format.Clear:
		if len(op.Paths) != 1 || hasControl(op.Paths[0]) {
			return "it does not name one shard"
		}
	case format.List:
		if len(op.Paths) != 1 {
			return "it does not list one folder"
		}
		if folder, ok := strings.CutSuffix(op.Paths[0], "/"); op.Paths[0] != "" && (!ok || pathFault(folder) != "") {
			return "it lists what is no folder"
		}
	case format.Put:
		if op.Dir != "" && pathFault(op.Dir) != "" {
			return "Dir is not a clean path"
		}
		if strings.Contains(op.Name, "/") || op.Name != "" && pathFault(op.Name) != "" {
			return "Name is not a file's name"
		}
	case format.Render:
		if op.Document == "" {
			return "it names no document"
		}
	}
	return ""
}

// pathFault says what is wrong with the path of a file, or "".
func pathFault(p string) string {
	switch {
	case p == "" || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/"):
		return "is not clean"
	case len(p) > 2048:
		return "is longer than 2 KiB"
	case hasControl(p):
		return "has control characters, or is not UTF-8"
	}
	return ""
}

func hasControl(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

func (g *guard) Parse(op format.Op, b *Blob, sigs []format.Signature) (format.Package, error) {
	g.tb.Helper()
	return g.parse(op, restricted{b, g.spec.Digests, g}, sigs)
}

func (g *guard) parse(op format.Op, b format.Blob, sigs []format.Signature) (p format.Package, err error) {
	g.tb.Helper()
	g.calling("Parse", func() { p, err = g.format.Parse(op, b, sigs) })
	if err != nil {
		g.checkError("Parse", err)
		if !errors.Is(err, format.ErrMalformed) && !errors.Is(err, format.ErrNotAllowed) {
			g.breach("Parse returns an error that says that something is not there: %v", err)
		}
		return p, err
	}
	if fault := g.packageFault(p); fault != "" {
		g.breach("Parse returns the package %q: %s", p.Path, fault)
	}
	return p, nil
}

// packageFault says what is wrong with a package, or "".
func (g *guard) packageFault(p format.Package) string {
	for name, value := range map[string]string{
		"Name": p.Name, "Version": p.Version, "Arch": p.Arch, "Slot": p.Slot, "Variant": p.Variant, "Shard": p.Shard,
	} {
		if hasControl(value) || len(value) > 2048 {
			return fmt.Sprintf("%s is %.100q, with control characters or too long", name, value)
		}
	}
	switch fault := pathFault(p.Path); {
	case p.Unlisted && (p.Path != "" || p.Set == ""):
		return "it is unlisted, and has a path or no set"
	case !p.Unlisted && fault != "":
		return "its path " + fault
	case p.Name == "":
		return "it has no name"
	case p.Variant != "" && p.Slot == "":
		return "it is a variant of no slot"
	case p.Waits && p.Set == "":
		return "it waits for no set"
	}
	seen := map[string]bool{}
	for _, e := range p.Entries {
		at := shardOf(p, e) + "\n" + e.Group
		if seen[at] {
			return fmt.Sprintf("it has two entries in the group %q", e.Group)
		}
		seen[at] = true
	}
	for _, b := range p.Beside {
		if fault := pathFault(b.Path); fault != "" || len(b.Data) > maxBeside {
			return fmt.Sprintf("the path %q of a file beside it %s, or it has more than %d bytes", b.Path, fault, maxBeside)
		}
	}
	for _, part := range p.Parts {
		if part.Name == "" || part.Path != "" && pathFault(part.Path) != "" || part.Size < 0 || len(part.SHA256) != 32 {
			return fmt.Sprintf("its part %q is not whole", part.Name)
		}
	}
	return ""
}

// maxBeside is how large a file beside a package may be.
const maxBeside = 4 << 20

func (g *guard) Seal(site format.Site, op format.Op, b *Blob) (s format.Sealing, err error) {
	g.tb.Helper()
	g.calling("Seal", func() { s, err = g.format.Seal(site, op, restricted{b, g.spec.Digests, g}) })
	if err != nil {
		g.checkError("Seal", err)
	}
	return s, err
}

func (g *guard) Index(s format.Site, in format.Shard, emit func(format.File) error) (err error) {
	g.tb.Helper()
	g.calling("Index", func() { err = g.format.Index(s, in, emit) })
	return err
}

// identity is what the two calls of Parse must agree on.
func identity(p format.Package) string {
	return fmt.Sprintf("path %q, name %q, version %q, architecture %q, slot %q, variant %q, set %q, shard %q, waiting %t, unlisted %t",
		p.Path, p.Name, p.Version, p.Arch, p.Slot, p.Variant, p.Set, p.Shard, p.Waits, p.Unlisted)
}
