package formattest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
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

	Fetched []string
	Emitted []string

	contexts []string // of what was emitted
}

var _ format.Upstream = (*Tree)(nil)

// Sign returns a signature of a message.
func (t *Tree) Sign(key string, s scheme.Scheme, message []byte) []byte {
	return fmt.Appendf(nil, "%s signs %x in %s", key, sha256.Sum256(message), s)
}

// Fetch returns a file.
func (t *Tree) Fetch(p string, want format.Wanted) (format.Blob, error) {
	t.Fetched = append(t.Fetched, p)
	data, ok := t.Files[p]
	switch {
	case !ok:
		return nil, fmt.Errorf("fetch %s: %w", p, fs.ErrNotExist)
	case int64(len(data)) > want.Limit:
		return nil, format.Malformedf("%s has %d bytes, and %d are allowed", p, len(data), want.Limit)
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

// Cleartext refuses every document: these signatures have no frame.
func (t *Tree) Cleartext([]byte) ([]byte, error) {
	return nil, format.Malformedf("no text is signed here")
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
