package publish

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
	"hallmark/proxy/spool"
	"hallmark/signing"
	"hallmark/signing/scheme"
)

// seal grants the wishes of the format for an upload. It returns the bytes as they will be served: body itself, if
// nothing was spliced into it.
func (r *Repository) seal(ctx context.Context, op format.Op, body *spool.Body, s *staged) (*spool.Body, error) {
	sealing, err := r.Format.Seal(r.site(r.Now()), op, body)
	if err != nil {
		return nil, err
	}
	if err := r.grant(sealing.Seals, body, body, s); err != nil {
		return nil, err
	}
	if sealing.Splice == nil {
		return body, nil
	}
	if err := r.stamp(ctx, sealing.Seals, s.Signatures); err != nil {
		return nil, err
	}
	patches, err := sealing.Splice(s.Signatures)
	if err != nil {
		if at := slices.IndexFunc(sealing.Seals, func(w format.Seal) bool { return w.Timestamp != "" }); at >= 0 && r.Stamp != nil {
			err = fmt.Errorf("%w of %s, nothing is published: try again, or configure another server: %w", ErrTimestamp, sealing.Seals[at].Timestamp, err)
		}
		return nil, err
	}
	s.Op = s.Op.Marked(sealing.Marks)
	return splice(body, patches, body.Hashes())
}

// grant makes the signatures of a package that its format wishes for.
func (r *Repository) grant(wishes []format.Seal, b format.Blob, whole signing.Message, s *staged) error {
	now := r.Now()
	for _, wish := range wishes {
		if wish.Purpose != scheme.Package && (wish.Purpose != scheme.NPM || wish.Text == nil) {
			return fmt.Errorf("the format asks for a signature of a package with a key of purpose %s", wish.Purpose)
		}
		m, err := r.message(b, whole, wish)
		if err != nil {
			return err
		}
		signed, err := r.ringFor(wish).Sign(wish.Purpose, wish.Scheme, m, now)
		if err != nil {
			return err
		}
		sigs := r.signatures(wish, signed)
		s.Signatures = append(s.Signatures, sigs...)
		s.log(wish.Scheme, signed, now)
		if wish.Path != "" {
			s.Sidecars = append(s.Sidecars, sidecar{wish.Path, sigs[0].Value})
		}
	}
	return nil
}

// stamp gives those signatures a timestamp whose seals wish for one.
func (r *Repository) stamp(ctx context.Context, wishes []format.Seal, signatures []format.Signature) (err error) {
	for i, sig := range signatures {
		at := slices.IndexFunc(wishes, func(w format.Seal) bool { return w.Name == sig.Seal })
		if at < 0 || wishes[at].Timestamp == "" || r.Stamp == nil {
			continue
		}
		sum := sha256.Sum256(sig.Value)
		if signatures[i].Timestamp, err = r.Stamp(ctx, wishes[at].Timestamp, sum[:]); err != nil {
			return fmt.Errorf("%w, nothing is published: try again, or configure another server: %w", ErrTimestamp, err)
		}
	}
	return nil
}

// signIndex signs an index file, or part of one, with all of its seals, and notes that in the log. The seals are granted at
// the same time: uploads wait for them, and a signature of RSA takes milliseconds of one processor.
func (g *generation) signIndex(seals []format.Seal, m signing.Message, file string, digest backend.Digest) ([][]format.Signature, error) {
	for _, wish := range seals {
		if wish.Purpose != scheme.Index {
			return nil, fmt.Errorf("the format asks for a signature of %s with a key of purpose %s", file, wish.Purpose)
		}
	}
	signed := make([]*signing.Signed, len(seals))
	var granting errgroup.Group
	granting.SetLimit(runtime.GOMAXPROCS(0))
	for i, wish := range seals {
		granting.Go(func() (err error) {
			signed[i], err = g.ringFor(wish).Sign(wish.Purpose, wish.Scheme, m, g.date)
			return err
		})
	}
	if err := granting.Wait(); err != nil {
		return nil, err
	}
	made := make([][]format.Signature, len(seals))
	for i, wish := range seals {
		for _, sig := range signed[i].Signatures {
			entry := logEntry(wish.Scheme, sig, g.time)
			entry.Name, entry.Digest = file, digest
			g.out.Signatures = append(g.out.Signatures, entry)
		}
		made[i] = g.signatures(wish, signed[i])
	}
	return made, nil
}

// ringFor returns the keys that grant a wish.
func (r *Repository) ringFor(wish format.Seal) *signing.Ring {
	if wish.Single {
		return r.ring.Oldest()
	}
	return r.ring
}

// log notes the signatures of a file whose digest is not known yet.
func (s *staged) log(sch scheme.Scheme, signed *signing.Signed, at time.Time) {
	for _, sig := range signed.Signatures {
		s.Log = append(s.Log, logEntry(sch, sig, at))
	}
}

func logEntry(sch scheme.Scheme, sig signing.Signature, at time.Time) backend.Signature {
	return backend.Signature{
		Scheme: string(sch), Key: sig.Key.ID(), Message: parseDigest(sig.MessageDigest), Value: parseDigest(sig.ValueDigest), Time: at,
	}
}

// parseDigest reads what the signing package has written.
func parseDigest(text string) (d backend.Digest) {
	hex.Decode(d[:], []byte(strings.TrimPrefix(text, "sha256:")))
	return d
}

// signatures returns what a format is told of signatures that it wished for.
func (r *Repository) signatures(wish format.Seal, signed *signing.Signed) []format.Signature {
	if signed.Document != nil {
		return []format.Signature{{Seal: wish.Name, Value: signed.Document}}
	}
	var all []format.Signature
	for _, sig := range signed.Signatures {
		all = append(all, format.Signature{
			Seal: wish.Name, Key: KeyFile(r.Name, sig.Key), Fingerprint: sig.Key.Fingerprint(), Value: sig.Value,
		})
	}
	return all
}

// message returns what a seal signs of a file.
func (r *Repository) message(b format.Blob, whole signing.Message, wish format.Seal) (signing.Message, error) {
	if wish.Text != nil {
		return signing.Bytes(wish.Text), nil
	}
	if wish.Message == nil {
		return whole, nil
	}
	hashes := r.ring.Hashes(wish.Purpose)
	if wish.Scheme == scheme.RSASHA1 {
		hashes = append(hashes, crypto.SHA1)
	}
	m, err := signing.NewHashed(hashes...)
	if err != nil {
		return nil, err
	}
	for _, part := range wish.Message {
		n, err := io.Copy(m, io.NewSectionReader(b, part.Offset, part.Size))
		if err != nil {
			return nil, err
		}
		if n != part.Size {
			return nil, fmt.Errorf("the format asks for a signature of bytes %d to %d of %d", part.Offset, part.Offset+part.Size, b.Size())
		}
	}
	return m, nil
}

// splice returns a body with some ranges replaced, which shares the others with the old one.
func splice(body *spool.Body, patches []format.Patch, hashes []crypto.Hash) (*spool.Body, error) {
	var parts []io.Reader
	at := int64(0)
	for _, p := range patches {
		if p.Offset < at || p.Size < 0 || p.Offset+p.Size > body.Size() {
			return nil, fmt.Errorf("the format asks for a patch of bytes %d to %d of %d", p.Offset, p.Offset+p.Size, body.Size())
		}
		parts = append(parts, io.NewSectionReader(body, at, p.Offset-at), bytes.NewReader(p.Data))
		at = p.Offset + p.Size
	}
	parts = append(parts, io.NewSectionReader(body, at, body.Size()-at))
	return body.Spliced(io.MultiReader(parts...), hashes...)
}

// signSidecars makes F.asc and F.sigstore.json over the bytes as they will be served.
func (r *Repository) signSidecars(m signing.Message, s *staged) error {
	now := r.Now()
	pgp, err := r.ring.Sign(scheme.File, scheme.OpenPGPArmored, m, now)
	if err != nil {
		return err
	}
	bundles, err := r.ring.Sign(scheme.File, scheme.BlobBundle, m, now)
	if err != nil {
		return err
	}
	s.log(scheme.OpenPGPArmored, pgp, now)
	s.log(scheme.BlobBundle, bundles, now)
	for i := range s.Log {
		s.Log[i].Name, s.Log[i].Digest, s.Log[i].By, s.Log[i].Request = s.Package.Path, s.Digest, s.By, s.Request
	}
	s.Sidecars = append(s.Sidecars, sidecar{s.Package.Path + openpgpSuffix, pgp.Document})
	if r.spec.Aside != "" {
		s.Sidecars = append(s.Sidecars, sidecar{s.Package.Path + r.spec.Aside, pgp.Document})
	}
	// A bundle holds one signature: the newest key's has the usual name, and with several keys each has one of its own.
	for i, b := range bundles.Signatures {
		if len(bundles.Signatures) > 1 {
			s.Sidecars = append(s.Sidecars, sidecar{s.Package.Path + BundleSuffix(b.Key), b.Value})
		}
		if i == len(bundles.Signatures)-1 {
			s.Sidecars = append(s.Sidecars, sidecar{s.Package.Path + bundleSuffix, b.Value})
		}
	}
	for _, c := range s.Sidecars {
		if len(c.Data) > maxSmall {
			return errors.New("a signature is larger than what is kept of one")
		}
	}
	return nil
}

// maxSmall is the size in bytes up to which a file is kept with its name.
const maxSmall = 4 << 10

// BundleSuffix returns the end of the name of a bundle by one of several keys.
func BundleSuffix(k signing.PublicKey) string {
	return "." + strings.TrimPrefix(k.ID(), "sha256:")[:8] + bundleSuffix
}
