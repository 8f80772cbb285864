package ledger

import (
	"bytes"
	_ "crypto/sha256" // go-digest knows the algorithms that are linked in
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

// A State says whether a signature counts.
type State string

const (
	// Made is a signature that was made and may have been published.
	Made State = "made"

	// Void is a signature that never became visible, or was withdrawn. That it was made stays true.
	Void State = "void"
)

// A Signature is a row of the log.
type Signature struct {
	ID   int64     // counts from 1 without a gap; given by Append
	Time time.Time // when it was made; kept in UTC, to the microsecond

	Repository string // as configured, such as "images"
	Name       string // of the image in the repository, or the path of the file
	Digest     string // of the image's manifest or of the file: "sha256:<hex>"
	Scheme     string // one of signing/scheme
	Key        string // the fingerprint of the public key: "sha256:<hex>"
	By         string // who pushed; empty for an anonymous push
	Request    string // the id of the request

	Message string // the digest of the bytes that were signed: "sha256:<hex>"
	Value   string // the digest of the signature's own bytes: "sha256:<hex>"

	State State
	Leaf  []byte // see leaf; given by Append
}

// A leaf is the form in which a tamper-evident log takes a row in: version 1 of it, a JSON object in the canonical form
// of RFC 8785 with these fields in this order, all of them strings but the version, and no others:
//
//	by, digest, key, message, name, repository, request, scheme, time, value, version
//
// The time is RFC 3339 in UTC with six digits after the point. ID and State are not in it: the former is the row's
// place in the log, and the latter may change. A leaf is made once, by Append, and kept as it is: another version, when
// there is one, is for new rows.
type leaf struct {
	By         string `json:"by"`
	Digest     string `json:"digest"`
	Key        string `json:"key"`
	Message    string `json:"message"`
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Request    string `json:"request"`
	Scheme     string `json:"scheme"`
	Time       string `json:"time"`
	Value      string `json:"value"`
	Version    int    `json:"version"`
}

// leaf returns the row's leaf. The row is valid: in it no character is left that encoding/json escapes in another way
// than RFC 8785.
func (s *Signature) leaf() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(leaf{
		By: s.By, Digest: s.Digest, Key: s.Key, Message: s.Message, Name: s.Name, Repository: s.Repository, Request: s.Request,
		Scheme: s.Scheme, Time: s.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), Value: s.Value, Version: 1,
	})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// check returns an error that names the first field that cannot be recorded.
func (s *Signature) check() error {
	if s.Time.IsZero() {
		return errors.New("it has no time")
	}
	if y := s.Time.UTC().Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("its time is in the year %d", y)
	}
	if s.State != "" && s.State != Made {
		return fmt.Errorf("its state is %q; a signature is recorded as %q first", s.State, Made)
	}
	for _, f := range []struct {
		name, value string
		required    bool
	}{
		{"repository", s.Repository, true},
		{"name", s.Name, true},
		{"scheme", s.Scheme, true},
		{"by", s.By, false},
		{"request", s.Request, false},
	} {
		if f.required && f.value == "" {
			return fmt.Errorf("it has no %s", f.name)
		}
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unwritable) {
			return fmt.Errorf("its %s %+q holds control characters, or is not UTF-8", f.name, f.value)
		}
	}
	for _, f := range []struct{ name, value string }{
		{"digest", s.Digest}, {"key", s.Key}, {"message", s.Message}, {"value", s.Value},
	} {
		if err := digest.Digest(f.value).Validate(); err != nil {
			return fmt.Errorf("its %s %+q is no digest (sha256:<hex>): %w", f.name, f.value, err)
		}
	}
	return nil
}

// unwritable reports whether a character has no business in a line of a log: controls and line separators.
func unwritable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp)
}
