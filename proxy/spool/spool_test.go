package spool_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"hallmark/proxy/spool"
)

func open(t *testing.T) *spool.Spool {
	t.Helper()
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * 7 / 3)
	}
	return data
}

func TestABodyHasItsBytesAndDigests(t *testing.T) {
	s := open(t)
	for _, n := range []int{0, 1, 256 << 10, 1 << 20, 1<<20 + 1, 3<<20 + 5} {
		data := pattern(n)
		b, err := s.Take(t.Context(), iotest.HalfReader(bytes.NewReader(data)), int64(n), crypto.SHA512)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || !bytes.Equal(got, data) || b.Size() != int64(n) {
			t.Errorf("%d bytes: %d come back, %v", n, len(got), err)
		}
		sum, long := sha256.Sum256(data), sha512.Sum512(data)
		if !bytes.Equal(b.Digest(crypto.SHA256), sum[:]) || !bytes.Equal(b.Digest(crypto.SHA512), long[:]) || b.Digest(crypto.SHA1) != nil {
			t.Errorf("%d bytes: the digests are wrong", n)
		}
		state, err := b.State(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		state.Write([]byte("more"))
		if want := sha256.Sum256(append(data, "more"...)); !bytes.Equal(state.Sum(nil), want[:]) {
			t.Errorf("%d bytes: the state cannot be written on", n)
		}
		if !bytes.Equal(b.Digest(crypto.SHA256), sum[:]) {
			t.Errorf("%d bytes: writing to a state has changed the body's", n)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestABodyThatCannotBeTaken(t *testing.T) {
	s := open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		body io.Reader
		want error
	}{
		{"one that is too large", t.Context(), bytes.NewReader(make([]byte, 101)), spool.ErrTooLarge},
		{"one that is cut off", t.Context(), io.MultiReader(bytes.NewReader(make([]byte, 10)), iotest.ErrReader(io.ErrUnexpectedEOF)), spool.ErrBody},
		{"one of a client that is gone", ended, iotest.OneByteReader(bytes.NewReader(make([]byte, 100))), nil},
	} {
		b, err := s.Take(c.ctx, c.body, 100)
		if c.want != nil && (!errors.Is(err, c.want) || b != nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOpenRemovesWhatACrashHasLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "body-123")
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestASplicedBody(t *testing.T) {
	s := open(t)
	b, err := s.Take(t.Context(), bytes.NewReader([]byte("signed")), 100)
	if err != nil {
		t.Fatal(err)
	}
	spliced, err := b.Spliced(io.MultiReader(bytes.NewReader([]byte("head ")), io.NewSectionReader(b, 0, b.Size())))
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256([]byte("head signed")); !bytes.Equal(spliced.Digest(crypto.SHA256), want[:]) {
		t.Error("its digest is wrong")
	}
}
