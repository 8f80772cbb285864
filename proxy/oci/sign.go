package oci

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"hallmark/proxy/ledger"
	"hallmark/proxy/oci/manifest"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

const (
	imagePurpose = scheme.Image
	maxAttempts  = 5 // at a write that another writer undid
)

// signed is what sign added for one digest, so that it can be withdrawn.
type signed struct {
	digest  string
	rows    []int64  // of the ledger
	before  *Stored  // what stood under the signature tag; nil: nothing
	after   string   // digest of the signature manifest that we stored; "": all was there
	bundles []string // digests of the bundles that we stored
}

// sign makes sure that every image key of the ring has signed the digest, in cosign's layout. Once it returns nil, the
// signatures are stored, readable under the signature tag, and in the ledger, which they were before anybody could read
// them. The caller holds the digest's lock.
//
// For the first signature of a digest it makes four requests: it reads what is there while it stores the payload (two
// requests to most registries), then it stores the signature.
func (w *work) sign(ctx context.Context, d string) (s *signed, err error) {
	began := time.Now()
	defer func() {
		if err != nil || s.after != "" {
			w.Signed(string(scheme.Cosign), time.Since(began), err)
		}
	}()
	tag, err := manifest.SignatureTag(d)
	if err != nil {
		return nil, errorf(http.StatusBadRequest, CodeUnsupported, "%s cannot be signed: %s", d, err)
	}
	s = &signed{digest: d}
	p := &preparation{work: w, img: w.image(d)}

	// A row of the ledger means that the signature is most likely there: then nothing is prepared in vain.
	likely, err := w.Ledger.Signed(ctx, w.Options.Name, w.name, d)
	if err != nil {
		return nil, err
	}
	var current *Stored
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		current, err = w.signatureManifest(gctx, tag)
		return err
	})
	if !likely {
		g.Go(func() error { return p.all(gctx) })
	}
	err = g.Wait()
	s.before, s.rows = current, p.rows
	if err != nil {
		w.voidRows(ctx, s.rows)
		return nil, err
	}
	return s, w.addSignatures(ctx, s, p, tag, current)
}

// addSignatures stores what is missing from the current signature manifest. Where there was one, somebody else writes
// it too: then we read back what we wrote, since a registry knows no compare-and-swap.
func (w *work) addSignatures(ctx context.Context, s *signed, p *preparation, tag string, current *Stored) error {
	for range maxAttempts {
		m, missing, err := w.missing(ctx, current, p.img)
		if err != nil || len(missing) == 0 {
			return err
		}
		sigs, err := p.only(ctx, missing)
		s.rows = p.rows
		if err != nil {
			return err
		}
		_, body, err := withSignatures(m, sigs)
		if err != nil {
			return err
		}
		if err := w.putSignatureManifest(ctx, p, tag, m, body); err != nil {
			if definite(err) {
				w.voidRows(ctx, s.rows)
			}
			return err
		}
		s.after = digest.FromBytes(body).String()
		if current == nil {
			return nil
		}
		if current, err = w.signatureManifest(ctx, tag); err != nil || current != nil && current.Digest == s.after {
			return err
		}
	}
	return errorf(http.StatusConflict, CodeDenied, "somebody else keeps writing the signatures of %s; push again", s.digest)
}

// putSignatureManifest stores body. A registry may have lost the blobs that it had a while ago (a garbage collection):
// then they are stored again.
func (w *work) putSignatureManifest(ctx context.Context, p *preparation, tag string, m ocispec.Manifest, body []byte) error {
	mediaType := cmp.Or(m.MediaType, ocispec.MediaTypeImageManifest) // what somebody else began may be Docker's
	_, err := w.PutManifest(ctx, w.name, tag, mediaType, body)
	if !errors.Is(err, ErrBlobUnknown) {
		return err
	}
	w.configs.forget(w.name)
	if err := p.blobs(ctx, func() {}); err != nil {
		return err
	}
	_, err = w.PutManifest(ctx, w.name, tag, mediaType, body)
	if errors.Is(err, ErrBlobUnknown) {
		return fmt.Errorf("the signature manifest %s names blobs (its config is %s) that are no longer in the registry; delete that tag and push again: %w", tag, m.Config.Digest, err)
	}
	return err
}

// signatureManifest returns what stands under a signature tag, nil if nothing does.
func (w *work) signatureManifest(ctx context.Context, tag string) (*Stored, error) {
	s, err := w.Manifest(ctx, w.name, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(s.MediaType, s.Body)
	if err != nil || manifest.Classify(m, tag) != manifest.Signature {
		return nil, errorf(http.StatusConflict, CodeDenied, "the tag %s of %s, where the signature belongs, holds something else (%s); delete that tag and push again", tag, w.name, s.Digest)
	}
	return s, nil
}

// missing returns the signature manifest to add to, and the keys that have no valid signature in it.
func (w *work) missing(ctx context.Context, current *Stored, img signing.Image) (ocispec.Manifest, []signing.PublicKey, error) {
	if current == nil {
		return newSignatureManifest(), w.keys, nil
	}
	m, err := readSignatureManifest(current)
	if err != nil {
		return m, nil, err
	}
	valid, err := validSignatures(ctx, w, m, w.keys, img)
	if err != nil {
		return m, nil, err
	}
	var missing []signing.PublicKey
	for _, k := range w.keys {
		if _, ok := valid[k.Fingerprint()]; !ok {
			missing = append(missing, k)
		}
	}
	return m, missing, nil
}

// A preparation is everything of a signature but its manifest: made, its blobs stored, its rows in the ledger.
type preparation struct {
	*work
	img  signing.Image
	sigs []signing.ImageSignature // of every key; nil: not made yet
	rows []int64
	done map[string]bool // fingerprints of the keys whose signatures are stored and in the ledger
}

// all prepares the signatures of every key.
func (p *preparation) all(ctx context.Context) error {
	_, err := p.only(ctx, p.keys)
	return err
}

// only prepares the signatures of the given keys, each at most once.
func (p *preparation) only(ctx context.Context, keys []signing.PublicKey) ([]signing.ImageSignature, error) {
	if p.sigs == nil {
		sigs, err := p.Ring.SignImage(p.img)
		if err != nil {
			return nil, fmt.Errorf("sign %s@%s: %w", p.img.Name, p.img.Digest, err)
		}
		p.sigs, p.done = sigs, make(map[string]bool)
	}
	var wanted []signing.ImageSignature
	var rows []ledger.Signature
	for _, s := range p.sigs {
		for _, k := range keys {
			if s.Key.Fingerprint() != k.Fingerprint() {
				continue
			}
			wanted = append(wanted, s)
			if !p.done[k.Fingerprint()] {
				rows = append(rows, p.row(scheme.Cosign, p.img.Digest, k, s.Payload, s.Signature))
			}
		}
	}
	if len(rows) == 0 {
		return wanted, nil
	}

	// The log is written as soon as the registry has let the pusher in, while the payload is on its way.
	var log errgroup.Group
	logged := false
	write := func() {
		logged = true
		log.Go(func() (err error) {
			p.rows, err = p.appendRows(ctx, p.rows, rows)
			return err
		})
	}
	err := p.blobs(ctx, write)
	if err == nil && !logged {
		write()
	}
	if err := errors.Join(err, log.Wait()); err != nil {
		p.voidRows(ctx, p.rows)
		return nil, err
	}
	for _, s := range wanted {
		p.done[s.Key.Fingerprint()] = true
	}
	return wanted, nil
}

// blobs stores the payload, which is the same for every key, and the config where it is not known to be there.
func (p *preparation) blobs(ctx context.Context, granted func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.PutBlob(ctx, p.name, p.img.Payload(), granted) })
	if !p.configs.has(p.name) {
		g.Go(func() error { return p.PutBlob(ctx, p.name, []byte(signatureConfig), nil) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	p.configs.add(p.name)
	return nil
}

func (w *work) row(s scheme.Scheme, d string, k signing.PublicKey, message, value []byte) ledger.Signature {
	return ledger.Signature{
		Time: time.Now(), Repository: w.Options.Name, Name: w.name, Digest: d, Scheme: string(s), Key: k.Fingerprint(),
		By: w.By, Request: w.Request, Message: sha256Digest(message), Value: sha256Digest(value), State: ledger.Made,
	}
}

func sha256Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (w *work) appendRows(ctx context.Context, rows []int64, more []ledger.Signature) ([]int64, error) {
	ids, err := w.Ledger.Append(ctx, more...)
	if err != nil {
		return rows, fmt.Errorf("nothing is signed that cannot be logged: %w", err)
	}
	return append(rows, ids...), nil
}

// voidRows says of signatures that they did not become visible, or no longer are. A failure leaves rows that claim too
// much, never too little; it is logged.
func (w *work) voidRows(ctx context.Context, rows []int64) {
	if len(rows) == 0 {
		return
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := w.Ledger.Void(ctx, rows...); err != nil {
		w.Log.Error("the ledger could not mark signatures as void", "rows", rows, "request", w.Request, "error", err)
	}
}

// definite reports whether err is a registry's clear refusal, so that nothing was stored.
func definite(err error) bool {
	var a *Answer
	return errors.As(err, &a) && a.Status >= 400 && a.Status < 500
}
