package formattest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// A Tree is an upstream of files in memory, for tests of what one mirror reads. Its signatures are [Tree.Sign]'s: they say
// by whom and over which bytes, and are no cryptography. Those of real keys are checked by [Run].
type Tree struct {
	Files map[string][]byte
	// Key is whose signatures are good. Empty: the upstream is trusted without a key.
	Key string
	// Time is when its signatures were made.
	Time time.Time
	// Elsewhere are the whole addresses from which files may be fetched.
	Elsewhere []string

	Fetched []string
	Emitted []string

	contexts []string // of what was emitted
}

var _ format.Upstream = (*Tree)(nil)

// Sign returns a signature of a message.
func (t *Tree) Sign(key string, s scheme.Scheme, message []byte) []byte {
	return fmt.Appendf(nil, "%s signs %x in %s", key, sha256.Sum256(message), s)
}

// Clearsign returns a document that Cleartext takes.
func (t *Tree) Clearsign(key string, text []byte) []byte {
	return append(append(t.Sign(key, scheme.OpenPGPClearsigned, text), '\n'), text...)
}

// Fetch returns a file, if it is as it is wanted.
func (t *Tree) Fetch(p string, want format.Wanted) (format.Blob, error) {
	t.Fetched = append(t.Fetched, p)
	data, ok := t.Files[p]
	switch {
	case !ok:
		return nil, fmt.Errorf("fetch %s: %w", p, fs.ErrNotExist)
	case int64(len(data)) > want.Limit:
		return nil, format.Malformedf("%s has %d bytes, and %d are allowed", p, len(data), want.Limit)
	case want.SHA256 != nil && (sha256.Sum256(data) != [sha256.Size]byte(want.SHA256) || int64(len(data)) != want.Size):
		return nil, format.Malformedf("%s is not what its index says", p)
	}
	return NewBlob(data), nil
}

// Verify verifies a signature of Sign.
func (t *Tree) Verify(s scheme.Scheme, message io.Reader, signature []byte) (time.Time, error) {
	if t.Key == "" {
		return time.Time{}, nil
	}
	data, err := io.ReadAll(message)
	if err != nil {
		return time.Time{}, err
	}
	if string(signature) != string(t.Sign(t.Key, s, data)) {
		return time.Time{}, format.Malformedf("%s has not signed it", t.Key)
	}
	return t.Time, nil
}

// Reaches reports whether an address is one of Elsewhere.
func (t *Tree) Reaches(address string) bool { return slices.Contains(t.Elsewhere, address) }

// Cleartext returns the text of a document of Clearsign.
func (t *Tree) Cleartext(document []byte) ([]byte, error) {
	signature, text, framed := bytes.Cut(document, []byte("\n"))
	if !framed || t.Key != "" && string(signature) != string(t.Sign(t.Key, scheme.OpenPGPClearsigned, text)) {
		return nil, format.Malformedf("it is no text that %s has signed", t.Key)
	}
	return text, nil
}

// Known reports false.
func (t *Tree) Known(string, []byte) bool { return false }

// Emit remembers a stanza.
func (t *Tree) Emit(_, context string, stanza []byte) error {
	t.Emitted, t.contexts = append(t.Emitted, string(stanza)), append(t.contexts, context)
	return nil
}

// Describe follows a scope and describes all that it emits.
func (t *Tree) Describe(m format.Mirror, scope string) (format.Edition, []format.Foreign, error) {
	t.Fetched, t.Emitted, t.contexts = nil, nil, nil
	e, err := m.Follow(t, scope)
	if err != nil {
		return e, nil, err
	}
	var all []format.Foreign
	for i, stanza := range t.Emitted {
		foreign, err := m.Describe(scope, t.contexts[i], []byte(strings.Clone(stanza)), nil)
		if err != nil {
			return e, nil, err
		}
		all = append(all, foreign)
	}
	return e, all, nil
}
