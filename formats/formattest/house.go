package formattest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/signing/scheme"
)

// ErrConflict says that there are other bytes, or a newer version, at the place of an upload.
var ErrConflict = errors.New("conflict")

// A House is a package repository in memory: it uses a format in the order in which the write path does, with keys of its
// own and real signatures. It is naive where the write path is quick: a listing is put together anew each time.
//
// A format that breaks its contract ends the test. A House is for one goroutine.
type House struct {
	// Date is the date of signatures and indexes.
	Date time.Time

	tb       testing.TB
	silent   bool // texts are not signed
	guard    *guard
	ring     keyring
	packages []*stored                     // all that are visible, in the order of their adding
	waiting  map[string]map[string]*stored // set → name
	shards   map[string]*shard
	lasting  map[string][]byte // files of older generations whose names tell their content
	overdue  map[string]bool   // shards that the next generation renders in any case
	behind   *format.Behind
	scopes   map[string][]string // of the upstream, by the shards that show them
	emissions
}

// A stored is an uploaded file.
type stored struct {
	op       format.Op
	pkg      format.Package
	of       string // the Of of a file of an upstream
	uploaded []byte
	seals    []format.Seal
	data     []byte
	sigs     []format.Signature
	sidecars map[string][]byte
}

// NewHouse returns an empty repository with two keys for each use.
func NewHouse(tb testing.TB, f format.Format) *House { return newHouse(tb, f, older, newer) }

func newHouse(tb testing.TB, f format.Format, sets ...int) *House {
	tb.Helper()
	g := newGuard(tb, f)
	ring, err := newKeyring(g.spec.Keys, sets...)
	if err != nil {
		tb.Fatal(err)
	}
	return &House{
		Date: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), tb: tb, guard: g, ring: ring,
		waiting: map[string]map[string]*stored{}, shards: map[string]*shard{}, lasting: map[string][]byte{}, overdue: map[string]bool{},
	}
}

// Put uploads a file and publishes it. The error for a file that is refused wraps [ErrConflict] or one of package format's.
// The same bytes again change nothing.
func (h *House) Put(path string, body []byte) error {
	h.tb.Helper()
	return h.putAll([]Upload{{Path: path, Body: body}})
}

// Send sends any request that changes something. See Put.
func (h *House) Send(u Upload) error {
	h.tb.Helper()
	return h.putAll([]Upload{u})
}

// putAll uploads files and publishes them in one generation.
func (h *House) putAll(uploads []Upload) error {
	h.tb.Helper()
	touched := map[string]bool{}
	for _, u := range uploads {
		changes, err := h.changes(u)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := h.apply(c, touched); err != nil {
				return err
			}
		}
	}
	h.publish(touched)
	return nil
}

// Delete removes the package at a path. The error wraps fs.ErrNotExist if there is none.
func (h *House) Delete(path string) error {
	h.tb.Helper()
	return h.putAll([]Upload{{Method: "DELETE", Path: path}})
}

// Trusted returns the keyring of a client that trusts all keys of the house.
func (h *House) Trusted() Trusted { return h.trusted(older, newer) }

func (h *House) trusted(sets ...int) Trusted { return h.ring.of(h.Date.Add(time.Hour), sets...) }

// Packages returns the paths of all packages that are served, with the digests of their bytes.
func (h *House) Packages() map[string][sha256.Size]byte {
	all := map[string][sha256.Size]byte{}
	for _, s := range h.packages {
		if s.pkg.Path != "" {
			all[s.pkg.Path] = sha256.Sum256(s.data)
		}
	}
	return all
}

// Indexes returns the index files of the current generation, with their signatures.
func (h *House) Indexes() map[string][]byte {
	all := map[string][]byte{}
	for _, f := range h.emitted {
		maps.Copy(all, f.files())
	}
	return all
}

// stage does what an upload needs before it is anybody's business: it reads, seals and reads again.
func (h *House) stage(op format.Op, body []byte) (*stored, error) {
	h.tb.Helper()
	op.Time = h.Date
	before, err := h.guard.Parse(op, NewBlob(body), nil)
	if err != nil {
		return nil, err
	}
	sealing, err := h.guard.Seal(h.site(h.Date), op, NewBlob(body))
	if err != nil {
		return nil, err
	}
	s := &stored{op: op.Marked(sealing.Marks), uploaded: body, seals: sealing.Seals}
	s.data, s.sigs, s.sidecars = h.seal("the package "+before.Path, sealing, body, packagePurposes...)
	if s.pkg, err = h.guard.Parse(s.op, NewBlob(s.data), s.sigs); err != nil {
		h.guard.breach("the package %q does not parse any more when it is sealed: %v", before.Path, err)
	}
	if a, b := identity(before), identity(s.pkg); a != b {
		h.guard.breach("sealing changes the identity of a package from %s to %s", a, b)
	}
	if s.pkg.Path == "" {
		return s, nil
	}
	for _, b := range s.pkg.Beside {
		if _, taken := s.sidecars[b.Path]; taken {
			h.guard.breach("the package %q has two files at %q beside it", s.pkg.Path, b.Path)
		}
		s.sidecars[b.Path] = b.Data
	}
	for suffix, sch := range map[string]scheme.Scheme{".asc": scheme.OpenPGPArmored, ".sigstore.json": scheme.BlobBundle} {
		sigs, err := h.ring.sign(scheme.File, sch, s.data, h.Date)
		if err != nil {
			return nil, err
		}
		if _, taken := s.sidecars[s.pkg.Path+suffix]; !taken {
			s.sidecars[s.pkg.Path+suffix] = sigs[len(sigs)-1].Value
		}
		if aside := h.guard.spec.Aside; aside != "" && sch == scheme.OpenPGPArmored {
			s.sidecars[s.pkg.Path+aside] = sigs[len(sigs)-1].Value
		}
	}
	return s, nil
}

// admit makes a file visible, or stores it until its set is complete.
func (h *House) admit(s *stored, touched map[string]bool) error {
	if s.pkg.Waits {
		if h.waiting[s.pkg.Set] == nil {
			h.waiting[s.pkg.Set] = map[string]*stored{}
		}
		h.waiting[s.pkg.Set][s.op.Name] = s
		return nil
	}
	var all []*stored
	for _, part := range s.pkg.Parts {
		other, err := h.part(s, part)
		if err != nil {
			return err
		}
		if other != nil {
			all = append(all, other)
		}
	}
	delete(h.waiting, s.pkg.Set)
	if !s.pkg.Unlisted {
		all = append(all, s)
	}
	for _, s := range all {
		if err := h.add(s, touched); err != nil {
			return err
		}
	}
	return nil
}

// part returns a file that a set names if it has yet to become visible.
func (h *House) part(of *stored, part format.Part) (*stored, error) {
	s := h.waiting[of.pkg.Set][part.Name]
	waits := s != nil
	if s == nil {
		if i := slices.IndexFunc(h.packages, func(s *stored) bool { return part.Path != "" && s.pkg.Path == part.Path }); i >= 0 {
			s = h.packages[i]
		}
	}
	if s == nil {
		return nil, format.Malformedf("%s is not there", part.Name)
	}
	if sum := sha256.Sum256(s.uploaded); int64(len(s.uploaded)) != part.Size || !bytes.Equal(sum[:], part.SHA256) {
		return nil, format.Malformedf("%s is not the one that is meant", part.Name)
	}
	if !waits {
		return nil, nil
	}
	return s, nil
}

func (h *House) remove(s *stored, touched map[string]bool) {
	h.packages = slices.DeleteFunc(h.packages, func(other *stored) bool { return other == s })
	h.exchange(s, nil, touched)
}

// rebuilt returns a house that has the same packages and was given them at once.
func (h *House) rebuilt() *House {
	h.tb.Helper()
	again := newHouse(h.tb, h.guard.format, older, newer)
	again.Date = h.Date
	again.remember(h)
	touched := map[string]bool{}
	for _, s := range h.packages {
		other := *s
		var err error
		if other.pkg, err = h.guard.Parse(s.op, NewBlob(s.data), s.sigs); err != nil {
			h.guard.breach("the package %q does not parse any more: %v", s.pkg.Path, err)
		}
		again.packages = append(again.packages, &other)
		again.exchange(nil, &other, touched)
	}
	again.publish(touched)
	return again
}

// rendererSite is the site that a Renderer is given.
func (h *House) rendererSite() format.Site {
	s := h.site(time.Time{})
	s.URL = "http://127.0.0.1:8080/" + s.Repository
	s.KeysURL = "http://127.0.0.1:8080/-/keys/" + s.Repository
	s.SnapshotURL = "http://127.0.0.1:8080/-/snapshot/7/" + s.Repository
	s.Tree = tree{h}
	return s
}

// repository is the name of the house.
const repository = "conformance.test"

func (h *House) site(date time.Time) format.Site {
	return format.Site{Repository: repository, Keys: h.ring.public(), Date: date, Behind: h.behind}
}
