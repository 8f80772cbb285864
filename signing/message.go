package signing

import (
	"crypto"
	_ "crypto/sha1" // linked in, so that crypto.Hash can make them
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
)

// A Message is what is signed: a sequence of bytes, known by its hashes. So
// a file of gigabytes that was hashed while it was received is signed without
// being read again.
type Message interface {
	// State returns a hash into which the whole message was written. It is
	// the caller's: writing to it changes no other. The error wraps
	// [errors.ErrUnsupported] for a hash that the message is not known by.
	//
	// State may be called more than once, and by several goroutines.
	State(h crypto.Hash) (hash.Hash, error)
}

// Bytes is a message that is in memory. It must not change while it is in use.
// Only Bytes can be clear-signed.
type Bytes []byte

// State implements [Message].
func (b Bytes) State(h crypto.Hash) (hash.Hash, error) {
	if !h.Available() {
		return nil, fmt.Errorf("hash %v: %w", h, errors.ErrUnsupported)
	}
	s := h.New()
	s.Write(b)
	return s, nil
}

// A Hashed is a message of which only the hashes are kept: what was written to
// it. Writing must be finished before it is used as a [Message]; it is safe
// for concurrent use from then on.
type Hashed struct {
	states map[crypto.Hash]hash.Cloner
}

// NewHashed returns an empty message that keeps these hashes, of SHA-1,
// SHA-256, SHA-384 and SHA-512; see [Ring.Hashes].
func NewHashed(hashes ...crypto.Hash) (*Hashed, error) {
	m := &Hashed{states: map[crypto.Hash]hash.Cloner{}}
	for _, h := range hashes {
		if !h.Available() {
			return nil, fmt.Errorf("hash %v: %w", h, errors.ErrUnsupported)
		}
		s, ok := h.New().(hash.Cloner)
		if !ok {
			return nil, fmt.Errorf("hash %v cannot be cloned: %w", h, errors.ErrUnsupported)
		}
		m.states[h] = s
	}
	return m, nil
}

// ReadHashed returns the message that r holds up to its end.
func ReadHashed(r io.Reader, hashes ...crypto.Hash) (*Hashed, error) {
	m, err := NewHashed(hashes...)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(m, r)
	return m, err
}

// Write appends to the message. It never fails.
func (m *Hashed) Write(p []byte) (int, error) {
	for _, s := range m.states {
		s.Write(p)
	}
	return len(p), nil
}

// State implements [Message].
func (m *Hashed) State(h crypto.Hash) (hash.Hash, error) {
	s, ok := m.states[h]
	if !ok {
		return nil, fmt.Errorf("the message was not hashed with %v: %w", h, errors.ErrUnsupported)
	}
	return s.Clone()
}

// digest returns the sum of a message.
func digest(m Message, h crypto.Hash) ([]byte, error) {
	s, err := m.State(h)
	if err != nil {
		return nil, err
	}
	return s.Sum(nil), nil
}
