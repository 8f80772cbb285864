// Package oci is the image wire: a signing middleware in front of an OCI registry.
//
// Nothing that it lets through is visible unsigned: the signature of a manifest is stored before the manifest itself,
// in the same repository and with the pusher's own credentials. The order is described in push.go, what counts as a
// signature of ours in signature.go.
package oci

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
)

// maxManifest is the most that a manifest may have, in bytes: the limit that the specification recommends and that
// CNCF distribution enforces.
const maxManifest = 4 << 20

// An Order says whether the signature or the manifest is stored first.
type Order string

const (
	// OrderAuto is SignatureFirst until the registry refuses a signature whose image is not there yet, then ImageFirst.
	OrderAuto Order = "auto"
	// SignatureFirst: nothing is ever visible unsigned.
	SignatureFirst Order = "signature-first"
	// ImageFirst: the manifest by digest, the signature, then the tag. No tag is ever visible unsigned; a digest is, for
	// a moment. For registries that refuse the other order (Harbor before 2.8).
	ImageFirst Order = "image-first"
)

// Options are what a Repository is made of. All but the last group are required.
type Options struct {
	Name     string        // in the configuration: "images"
	Host     string        // host[:port] of public_url; what stands before an image's name in signed payloads
	Ring     *signing.Ring // with at least one key for images
	Registry Registry
	Ledger   *ledger.Ledger
	Log      *slog.Logger

	Bundles           bool  // a Sigstore bundle as a referrer, beside the signature in cosign's layout
	HideSignatureTags bool  // from tags/list
	MaxManifest       int64 // bytes; 0 is 4 MiB, which is also the most
	Order             Order // "" is OrderAuto
	// Signed is told of each signature that was asked for: how long all of it took, and how it ended.
	Signed func(scheme string, took time.Duration, err error)
}

// A Repository signs what is pushed to one registry under the keys of one ring. It is safe for concurrent use.
type Repository struct {
	Options
	keys       []signing.PublicKey
	locks      locks
	configs    nameSet     // names of images whose constant config blobs are known to be stored
	imageFirst atomic.Bool // learned: this registry wants the image first
	paused     gate
}

// New returns a Repository. It makes no request.
func New(o Options) *Repository {
	if o.MaxManifest <= 0 || o.MaxManifest > maxManifest {
		o.MaxManifest = maxManifest
	}
	if o.Signed == nil {
		o.Signed = func(string, time.Duration, error) {}
	}
	r := &Repository{Options: o}
	for _, k := range o.Ring.Keys(imagePurpose) {
		r.keys = append(r.keys, k.Public())
	}
	r.imageFirst.Store(o.Order == ImageFirst)
	return r
}

// A Caller is who sent a request, as far as is known.
type Caller struct {
	By      string // for the ledger: a user, a token's subject marked as unverified, or "anonymous"
	Request string // the request's id
}

// Serve answers a request under /v2/ that names an image of this repository. The caller has checked that c may make it,
// unless the registry does that itself. It returns an error only if nothing was written to rw yet.
func (r *Repository) Serve(rw http.ResponseWriter, req *http.Request, rt Route, c Caller) error {
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	if write {
		leave, err := r.paused.enter()
		if err != nil {
			return err
		}
		defer leave()
	}
	w := r.work(req, rt.Name, c)
	switch {
	case rt.Kind == Manifest && req.Method == http.MethodPut:
		return w.putManifest(rw, req, rt)
	case rt.Kind == Manifest && req.Method == http.MethodDelete:
		return w.deleteManifest(rw, req, rt)
	case rt.Kind == Manifest && write:
		return methodNotAllowed("GET, HEAD, PUT, DELETE")
	case rt.Kind == Blob && req.Method == http.MethodDelete:
		return w.deleteBlob(rw, req, rt)
	case rt.Kind == Blob && write:
		return methodNotAllowed("GET, HEAD, DELETE")
	case rt.Kind == Referrers && write, rt.Kind == Tags && write:
		return methodNotAllowed("GET, HEAD")
	case rt.Kind == Referrers:
		return w.getReferrers(rw, req, rt)
	case rt.Kind == Tags && r.HideSignatureTags:
		return w.listTags(rw, req)
	}
	r.Registry.ServeHTTP(rw, req)
	return nil
}

func methodNotAllowed(allow string) error {
	return &Error{
		Status: http.StatusMethodNotAllowed, Code: CodeUnsupported,
		Message: "this endpoint of the registry takes " + allow,
		Header:  http.Header{"Allow": {allow}},
	}
}

// work is what one client's request does to one image: the repository, the client's rights, and who it is.
type work struct {
	*Repository
	Session
	Caller
	name string
}

func (r *Repository) work(req *http.Request, name string, c Caller) *work {
	return &work{Repository: r, Session: r.Registry.As(req), Caller: c, name: name}
}

// image returns what a signature of the digest says.
func (w *work) image(digest string) signing.Image {
	return signing.Image{Reference: w.Host + "/" + w.name, Name: w.name, Digest: digest}
}

// afterwards returns a context for what must be done even if the client has gone.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
}

// SignStored signs a manifest that the registry has already, and, if it is an index, all that belongs to it, with the
// rights of whoever sent req. It returns the digest that reference names and how many signatures were added.
func (r *Repository) SignStored(ctx context.Context, req *http.Request, name, reference string, c Caller) (digest string, added int, err error) {
	leave, err := r.paused.enter()
	if err != nil {
		return "", 0, err
	}
	defer leave()
	w := r.work(req, name, c)
	stored, err := w.Manifest(ctx, name, reference)
	if err != nil {
		return "", 0, err
	}
	m, err := manifest.Parse(stored.MediaType, stored.Body)
	if err != nil {
		return stored.Digest, 0, invalid(err)
	}
	tag := ""
	if reference != stored.Digest {
		tag = reference
	}
	added, err = w.signTree(ctx, m, tag, 0)
	return stored.Digest, added, err
}

// Readable returns nil if whoever sent req may read a manifest, an error that wraps fs.ErrNotExist if they may and it is
// not there.
func (r *Repository) Readable(req *http.Request, name, digest string) error {
	_, err := r.work(req, name, Caller{}).Stat(req.Context(), name, digest)
	return err
}
