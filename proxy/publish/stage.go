package publish

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/spool"
)

// A Caller is who asks for a change.
type Caller struct {
	By      string // the user; empty or "anonymous": nobody that we know
	Request string // the id of the request
}

// An Upload is a file on its way in.
type Upload struct {
	Body   io.Reader
	Limit  int64  // in bytes
	SHA256 []byte // of the body, as the client says; nil: it says nothing
	// Permit returns an error for a kind of change in an envelope that the caller may not make. Nil: he may make all.
	Permit func(format.Kind) error
	Caller
}

// A Result says what became of an upload.
type Result struct {
	Path  string // where it is served; empty for one that is not
	Same  bool   // it was there already
	Waits bool   // it is stored, and visible when its set is complete
}

// String is for the person who uploaded.
func (r Result) String() string {
	switch {
	case r.Same:
		return r.Path + " is there already"
	case r.Waits:
		return "stored; it is listed when the file that completes its set is uploaded"
	case r.Path == "":
		return "the set is complete, signed and listed"
	}
	return r.Path + " is signed and listed"
}

// maxEntries bounds what a format may have us list of a package, in bytes.
const maxEntries = 64 << 20

// maxBeside is how large a file beside a package may be, in bytes.
const maxBeside = 4 << 20

// Upload takes a file in. Once it returns without an error, the file is durable, signed, listed and visible, or waits
// durably for the rest of its set. On an error nothing was changed, unless the error is one of the backend's: then it is
// open, and the same upload again finds out.
func (r *Repository) Upload(ctx context.Context, op format.Op, u Upload) (Result, error) {
	body, err := r.take(ctx, u)
	if err != nil {
		return Result{}, err
	}
	defer body.Close()
	ctx = context.WithoutCancel(ctx) // what has come as a whole is finished, also for a client that has closed its half
	s, err := r.stageUpload(ctx, op, body, u.Caller)
	if err != nil {
		return Result{}, err
	}
	if s.same {
		return Result{Path: s.Package.Path, Same: true}, nil
	}
	if err := r.forward(ctx, s); err != nil {
		return Result{}, err
	}
	results, err := r.commit(ctx, &job{changes: []change{{put: s}}})
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// take spools a body, which must be the one that the request says.
func (r *Repository) take(ctx context.Context, u Upload) (*spool.Body, error) {
	body, err := r.Spool.Take(ctx, u.Body, u.Limit, r.hashes...)
	if err == nil && u.SHA256 != nil && !bytes.Equal(u.SHA256, body.Digest(crypto.SHA256)) {
		err = format.Malformedf("the body's SHA-256 is %x, and the request says %x", body.Digest(crypto.SHA256), u.SHA256)
		body.Close()
	}
	return body, err
}

// stageUpload stages a body, and lets generations wait for it if that is done in a moment.
func (r *Repository) stageUpload(ctx context.Context, op format.Op, body *spool.Body, caller Caller) (*staged, error) {
	if body.Size() <= quick {
		r.staging.Add(1)
	}
	s, err := r.stage(ctx, op, body, caller)
	if body.Size() <= quick {
		r.staging.Add(-1)
	}
	return s, err
}

// A staged upload is stored and signed, and not visible yet. It is plain data: one that waits is kept as JSON.
type staged struct {
	Op       format.Op
	Package  format.Package
	Uploaded backend.Digest
	Digest   backend.Digest
	Size     int64
	// Signatures are those that the second Parse was given.
	Signatures []format.Signature `json:",omitempty"`
	// Sidecars are the signatures that are served beside the file.
	Sidecars []sidecar
	// Log is what the ledger is told.
	Log []backend.Signature
	Caller

	upstream backend.Digest    // of what the upstream has in its place; zero: it was not asked, or has nothing
	same     bool              // the same bytes are there already
	replaces bool              // other bytes are there, which go
	rivals   []backend.Package // that it evicts
}

// A sidecar is a signature that is served beside a file.
type sidecar struct {
	Path string
	Data []byte
}

// record is what is kept of a package so that its entries can be made again.
type record struct {
	Op         format.Op
	Signatures []format.Signature `json:",omitempty"`
	Sidecars   []string           // their paths
	Beside     []string           `json:",omitempty"` // paths of files that come and go with it
	Groups     []string           // that have an entry of it
	Root       []string           `json:",omitempty"` // those of the shard "" that have one, if it is in another
	Shard      string
	Foreign    *foreign `json:",omitempty"` // nil: it was uploaded here
}

func (s *staged) record() ([]byte, error) {
	rec := record{Op: s.Op, Signatures: s.Signatures}
	for _, c := range s.Sidecars {
		rec.Sidecars = append(rec.Sidecars, c.Path)
	}
	rec.note(&s.Package)
	return json.Marshal(rec)
}

// note takes over where the entries of a package are, and the files beside it.
func (rec *record) note(p *format.Package) {
	rec.Shard, rec.Groups, rec.Root, rec.Beside = p.Shard, nil, nil, nil
	for _, e := range p.Entries {
		if e.Root && p.Shard != "" {
			rec.Root = append(rec.Root, e.Group)
		} else {
			rec.Groups = append(rec.Groups, e.Group)
		}
	}
	for _, b := range p.Beside {
		rec.Beside = append(rec.Beside, b.Path)
	}
}

// stage makes of a body what a commit needs. It runs in parallel with other uploads.
func (r *Repository) stage(ctx context.Context, op format.Op, body *spool.Body, caller Caller) (*staged, error) {
	op.Time = r.Now().UTC().Truncate(time.Second)
	p, err := r.Format.Parse(op, body, nil)
	if err != nil {
		return nil, err
	}
	if err := checkPackage(p); err != nil {
		return nil, err
	}
	s := &staged{Op: op, Package: p, Uploaded: sha256Of(body), Caller: caller}
	if !p.Waits && !p.Unlisted {
		if r.Upstream != nil && r.spec.Overlaid {
			// An upload must not stand in front of a file of the upstream that nobody has asked for yet.
			if err := r.Upstream.Freshen(ctx, p.Path); err != nil {
				return nil, err
			}
		}
		// A look ahead, which saves the work. What counts is what the commit finds.
		there, err := r.State.Find(ctx, []string{p.Path}, nil)
		if err != nil {
			return nil, err
		}
		if err := r.askUpstream(ctx, s, there); err != nil {
			return nil, err
		}
		if s.same, err = s.compare(there); err != nil || s.same {
			return s, err
		}
	}
	sealed, err := r.seal(ctx, op, body, s)
	if err != nil {
		return nil, err
	}
	if sealed != body {
		defer sealed.Close()
	}
	if sealed != body || len(s.Signatures) > 0 { // otherwise it would read the same once more
		if s.Package, err = r.Format.Parse(s.Op, sealed, nonNil(s.Signatures)); err != nil {
			return nil, fmt.Errorf("after it was signed: %w", err)
		}
		if err := sameIdentity(p, s.Package); err != nil {
			return nil, err
		}
	}
	s.Digest, s.Size = sha256Of(sealed), sealed.Size()
	if s.Package.Unlisted {
		return s, nil // it is neither served nor kept
	}
	if err := r.signSidecars(sealed, s); err != nil {
		return nil, err
	}
	return s, r.Blobs.Put(ctx, s.Digest, s.Size, io.NewSectionReader(sealed, 0, s.Size))
}

// nonNil tells the second run of Parse from the first where there are no signatures.
func nonNil(sigs []format.Signature) []format.Signature {
	if sigs == nil {
		return []format.Signature{}
	}
	return sigs
}

// compare says how an upload stands to the package of the same path: whether it is there already, or in conflict.
func (s *staged) compare(there []backend.Package) (same bool, err error) {
	for _, t := range there {
		if t.Path != s.Package.Path {
			continue
		}
		switch {
		case t.Uploaded == s.Uploaded, t.Digest == s.Uploaded: // as it came, or as it is served
			return t.Removed.IsZero(), nil
		case s.Package.Overwrites:
		case t.Removed.IsZero():
			return false, conflictf("%s is there already with other bytes (SHA-256 %x): give the new one a new version, or delete the old one", t.Path, t.Uploaded)
		default:
			return false, conflictf("%s was deleted less than an hour ago and had other bytes, which clients may still ask for: give the new one a new version, or try again later", t.Path)
		}
	}
	return false, nil
}

func sha256Of(b *spool.Body) backend.Digest { return backend.Digest(b.Digest(crypto.SHA256)) }

// checkPackage holds what a format says of a package against the contract.
func checkPackage(p format.Package) error {
	if p.Unlisted != (p.Path == "") {
		return fmt.Errorf("the format gives the package the path %q", p.Path)
	}
	size := 0
	for _, e := range p.Entries {
		size += len(e.Data)
	}
	for _, b := range p.Beside {
		if len(b.Data) > maxBeside {
			return format.Malformedf("%s, which is taken out of the package, has more than %d bytes", b.Path, maxBeside)
		}
	}
	if size > maxEntries {
		return format.Malformedf("the index entries of the package are too long: %d bytes, at most %d are listed", size, maxEntries)
	}
	return nil
}

// sameIdentity returns an error if sealing has made another package of it.
func sameIdentity(before, after format.Package) error {
	id := func(p format.Package) [8]string {
		return [...]string{p.Path, p.Name, p.Version, p.Arch, p.Slot, p.Variant, p.Set, p.Shard}
	}
	if id(before) != id(after) || before.Waits != after.Waits || before.Unlisted != after.Unlisted {
		return fmt.Errorf("signing has changed the package from %q to %q", id(before), id(after))
	}
	return nil
}
