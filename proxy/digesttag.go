package proxy

import (
	"crypto"
	_ "crypto/md5" // a hash that formats may ask for
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"hallmark/proxy/backend"
)

// A digestTag is what clients are told of a file that they check by its entity tag.
type digestTag struct {
	etag string // a digest in hex, in quotes
	repr string // the value of Repr-Digest (RFC 9530)
}

// maxDigestTags bounds how many are remembered.
const maxDigestTags = 4096

// digestTags remembers those of files by what tells the contents apart, so that each is hashed once by this process. The zero
// value is ready for use.
type digestTags struct {
	mu   sync.Mutex
	tags map[digestTagKey]digestTag
}

type digestTagKey struct {
	content backend.Digest
	hash    crypto.Hash
}

// of returns the tag of a file, and leaves it at its beginning.
func (d *digestTags) of(f *backend.File, hash crypto.Hash) (digestTag, error) {
	key := digestTagKey{f.Tag, hash}
	d.mu.Lock()
	tag, ok := d.tags[key]
	d.mu.Unlock()
	if ok {
		return tag, nil
	}
	own, sum := hash.New(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(own, sum), f); err != nil {
		return digestTag{}, fmt.Errorf("hash %s: %w", f.Path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return digestTag{}, err
	}
	tag = digestTag{
		etag: `"` + hex.EncodeToString(own.Sum(nil)) + `"`,
		repr: "sha-256=:" + base64.StdEncoding.EncodeToString(sum.Sum(nil)) + ":",
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tags == nil || len(d.tags) >= maxDigestTags {
		d.tags = map[digestTagKey]digestTag{}
	}
	d.tags[key] = tag
	return tag, nil
}
