package formattest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// An upstream is somebody's tree of files, as a mirror reads it in one run of Follow.
type upstream struct {
	guard *guard
	fetch func(string) ([]byte, error)
	// trusted are the upstream's keys. Nil: it is trusted without any.
	trusted *Trusted
	// evil says that whoever chose the bytes of the index has made all digests fit.
	evil bool
	// known are the digests of the parts of the index that are known from an earlier run.
	known map[string]string

	files   map[string]answer
	asked   []string          // the paths of files, in the order in which they were first asked for
	failed  []error           // what other errors there were than those of the contract
	parts   map[string]string // the digests that the run asked of
	skipped map[string]bool   // the parts that it was told are known
	emitted []stanza
}

// An answer is what the upstream has at a path.
type answer struct {
	data []byte
	err  error
}

// A stanza is one that a mirror emits.
type stanza struct{ part, context, text string }

var _ format.Upstream = (*upstream)(nil)

func (h *House) upstream(fetch func(string) ([]byte, error), trusted *Trusted) *upstream {
	return &upstream{
		guard: h.guard, fetch: fetch, trusted: trusted,
		files: map[string]answer{}, parts: map[string]string{}, skipped: map[string]bool{},
	}
}

// follow runs Follow, and ends the test if it breaks the contract.
func (u *upstream) follow(m format.Mirror, scope string) (e format.Edition, err error) {
	u.guard.tb.Helper()
	u.guard.calling("Follow", func() { e, err = m.Follow(u, scope) })
	switch other := slices.ContainsFunc(u.failed, func(f error) bool { return errors.Is(err, f) }); {
	case err != nil && !other:
		u.guard.checkError("Follow", err)
		if errors.Is(err, format.ErrNotAllowed) {
			u.guard.breach("Follow returns an error that says that a method is not allowed: %v", err)
		}
	case err == nil && (hasControl(e.Shard) || len(e.Shard) > 2048 || e.Order < 0):
		u.guard.breach("Follow returns the edition %+v, whose shard or order cannot be", e)
	}
	return e, err
}

func (u *upstream) Fetch(p string, want format.Wanted) (format.Blob, error) {
	u.guard.tb.Helper()
	if fault := pathFault(strings.TrimSuffix(p, "/")); fault != "" {
		u.guard.breach("Follow fetches %q, a path that %s", p, fault)
	}
	if want.Limit <= 0 || want.SHA256 != nil && len(want.SHA256) != sha256.Size || want.Size < 0 {
		u.guard.breach("Follow fetches %s as %+v, without a limit or with a digest or a size that cannot be", p, want)
	}
	got, ok := u.files[p]
	if !ok {
		got.data, got.err = u.fetch(p)
		u.files[p] = got
		u.asked = append(u.asked, p)
	}
	if got.err != nil {
		if !errors.Is(got.err, fs.ErrNotExist) {
			u.failed = append(u.failed, got.err)
		}
		return nil, fmt.Errorf("fetch %s of the upstream: %w", p, got.err)
	}
	sum := sha256.Sum256(got.data)
	switch size := int64(len(got.data)); {
	case size > want.Limit:
		return nil, format.Malformedf("%.200q of the upstream has %d bytes, and %d are allowed", p, size, want.Limit)
	case want.SHA256 != nil && !u.evil && (size != want.Size || !bytes.Equal(sum[:], want.SHA256)):
		return nil, format.Malformedf("%.200q of the upstream is not what its index says", p)
	}
	return restricted{NewBlob(got.data), u.guard.spec.Digests, u.guard}, nil
}

func (u *upstream) Verify(s scheme.Scheme, message io.Reader, signature []byte) (time.Time, error) {
	if u.trusted == nil {
		return time.Time{}, nil
	}
	data, err := io.ReadAll(message)
	if err != nil {
		return time.Time{}, err
	}
	made, err := u.trusted.signed(s, data, signature)
	if err != nil {
		return time.Time{}, format.Malformedf("no key of the upstream has signed it: %.200v", err)
	}
	return made, nil
}

func (u *upstream) Cleartext(document []byte) ([]byte, error) {
	if u.trusted == nil {
		block, _ := clearsign.Decode(document)
		if block == nil {
			return nil, format.Malformedf("this is no clear-signed document")
		}
		return block.Plaintext, nil
	}
	text, err := u.trusted.Clearsigned(document)
	if err != nil {
		return nil, format.Malformedf("no key of the upstream has signed it: %.200v", err)
	}
	return text, nil
}

// Reaches says that nothing is elsewhere.
func (u *upstream) Reaches(string) bool { return false }

func (u *upstream) Known(part string, digest []byte) bool {
	u.guard.tb.Helper()
	if len(digest) != sha256.Size {
		u.guard.breach("Follow asks whether a part is known whose digest has %d bytes", len(digest))
	}
	if _, asked := u.parts[part]; asked {
		u.guard.breach("Follow asks twice whether the part %q is known", part)
	}
	u.parts[part] = string(digest)
	u.skipped[part] = u.known[part] == string(digest)
	return u.skipped[part]
}

func (u *upstream) Emit(part, context string, text []byte) error {
	u.guard.tb.Helper()
	if u.skipped[part] {
		u.guard.breach("Follow emits a stanza of the part %q, which is known already", part)
	}
	u.emitted = append(u.emitted, stanza{part, context, string(text)})
	return nil
}

// distinct returns the stanzas that are told from each other, each once, without their parts.
func distinct(all ...[]stanza) map[stanza]bool {
	set := map[stanza]bool{}
	for _, s := range slices.Concat(all...) {
		set[stanza{context: s.context, text: s.text}] = true
	}
	return set
}

func equalStanzas(a, b []stanza) bool { return maps.Equal(distinct(a), distinct(b)) }
