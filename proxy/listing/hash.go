package listing

import (
	"crypto"
	_ "crypto/md5"    // registers MD5
	_ "crypto/sha1"   // registers SHA-1
	_ "crypto/sha256" // registers SHA-256
	_ "crypto/sha512" // registers SHA-384 and SHA-512
	"encoding"
	"fmt"
	"hash"
	"slices"
)

// hashesOf returns SHA-256 and the others in the order of their numbers, each once.
func hashesOf(others []crypto.Hash) ([]crypto.Hash, error) {
	all := []crypto.Hash{crypto.SHA256}
	for _, h := range others {
		switch h {
		case crypto.MD5, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512:
			all = append(all, h)
		default:
			return nil, fmt.Errorf("a listing has no %v", h)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func cloneHash(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("the state of a %T cannot be copied", h)
	}
	return c.Clone()
}

// Sums are hashes that have been written to together, in the order of their crypto.Hash.
type sums []hash.Hash

func newSums(hashes []crypto.Hash) sums {
	s := make(sums, len(hashes))
	for i, h := range hashes {
		s[i] = h.New()
	}
	return s
}

// Write never fails.
func (s sums) Write(p []byte) (int, error) {
	for _, h := range s {
		h.Write(p)
	}
	return len(p), nil
}

func (s sums) clone() (sums, error) {
	c := make(sums, len(s))
	for i, h := range s {
		var err error
		if c[i], err = cloneHash(h); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// encode writes the states in the form of each hash's encoding.BinaryMarshaler.
func (s sums) encode(w *recordWriter) error {
	for _, h := range s {
		m, ok := h.(encoding.BinaryMarshaler)
		if !ok {
			return fmt.Errorf("the state of a %T cannot be saved", h)
		}
		state, err := m.MarshalBinary()
		if err != nil {
			return fmt.Errorf("save the state of a hash: %w", err)
		}
		w.bytes(state)
	}
	return nil
}

// decodeSums reads what encode wrote. It returns nil if the states are those of other implementations of the hashes,
// which happens after an update of Go and is no fault: the caller hashes again.
func decodeSums(r *recordReader, hashes []crypto.Hash) sums {
	s := newSums(hashes)
	known := true
	for _, h := range s {
		state := r.bytes()
		u, ok := h.(encoding.BinaryUnmarshaler)
		known = known && ok && r.err == nil && u.UnmarshalBinary(state) == nil
	}
	if !known {
		return nil
	}
	return s
}
