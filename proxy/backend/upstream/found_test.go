package upstream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hallmark/proxy/backend"
)

// unverified returns a stand in front of a server that is trusted without a key.
func unverified(t *testing.T) *stand {
	return newUnverified(t, rawFormat(t))
}

// cached returns the files in the cache.
func (s *stand) cached() (files []string) {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, "cache"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// listed reports whether a file stands in our own ledger.
func (s *stand) listed(path string) bool {
	s.t.Helper()
	f, err := s.front.Ledger.Open(context.Background(), backend.Current, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	f.Close()
	return true
}

// open opens a file as a client's request does.
func (s *stand) openFile(path string) (*backend.File, error) {
	ctx := context.Background()
	if err := s.front.Freshen(ctx, path); err != nil {
		return nil, err
	}
	return s.front.Open(ctx, backend.Current, path)
}

func TestAFoundFileIsReadWhileItComes(t *testing.T) {
	s := unverified(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	s.server.set(map[string]string{"a/file": string(data)})
	release := make(chan struct{})
	s.server.atHalf(func(path string) {
		if path == "a/file" {
			<-release
		}
	})
	tags := make([]backend.Digest, 8)
	var half, all sync.WaitGroup
	for i := range tags {
		half.Add(1)
		all.Go(func() {
			f, err := s.openFile("a/file")
			if err != nil {
				t.Error(err)
				half.Done()
				return
			}
			defer f.Close()
			tags[i] = f.Tag
			first := make([]byte, len(data)/2)
			if _, err := io.ReadFull(f, first); err != nil || f.Size != int64(len(data)) || f.Wait == nil {
				t.Errorf("of %d bytes, the first half: %v", f.Size, err)
			}
			half.Done()
			rest, err := io.ReadAll(f)
			if err != nil || !bytes.Equal(append(first, rest...), data) {
				t.Errorf("%d bytes, %v", len(first)+len(rest), err)
			}
			if !s.listed("a/file") {
				t.Error("somebody has all of it, and it is not listed")
			}
		})
	}
	half.Wait() // everybody has the first half while the second is on its way
	if s.listed("a/file") {
		t.Error("it is listed before all of it is there")
	}
	close(release)
	all.Wait()
	if asked := s.server.asked(); len(slices.DeleteFunc(asked, func(line string) bool { return line != "GET a/file" })) != 1 {
		t.Errorf("the upstream is asked for %q", asked)
	}
	if sums := s.mustGet("a/SHA256SUMS"); !strings.Contains(sums, fmt.Sprintf("%x  file\n", sha256.Sum256(data))) {
		t.Errorf("it is listed as %q", sums)
	}
	f, err := s.openFile("a/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tag := range tags {
		if tag != f.Tag {
			t.Errorf("its entity tag was %x, and is %x", tag, f.Tag)
		}
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}

func TestAFoundFileThatBreaksOffIsNotListed(t *testing.T) {
	s := unverified(t)
	data := strings.Repeat("0123456789abcdef", 1<<14)
	s.server.set(map[string]string{"a/file": data})
	s.server.atHalf(func(string) { panic(http.ErrAbortHandler) })
	f, err := s.openFile("a/file")
	if err != nil {
		t.Fatal(err)
	}
	tag := f.Tag
	got, err := io.ReadAll(f)
	f.Close()
	if !errors.Is(err, backend.ErrUpstream) || errors.Is(err, fs.ErrNotExist) || len(got) >= len(data) {
		t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
	}
	if s.listed("a/file") {
		t.Error("it is listed")
	}
	s.server.atHalf(nil)
	s.server.fail(http.StatusServiceUnavailable)
	if _, err := s.openFile("a/file"); !errors.Is(err, backend.ErrUpstream) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("while the upstream is down: %v", err)
	}
	s.server.fail(0)
	other := strings.ToUpper(data)
	s.server.set(map[string]string{"a/file": other})
	if s.mustGet("a/file") != other {
		t.Error("once it comes it is another")
	}
	if f, err = s.openFile("a/file"); err != nil {
		t.Fatal(err)
	}
	if f.Close(); f.Tag == tag {
		t.Error("other bytes have the entity tag of those that broke off")
	}
	s.restart() // what is on its way into the cache, or out of it, is there or gone afterwards
	if cached := s.cached(); len(cached) != 1 {
		t.Errorf("there are %q", cached)
	}
}

func TestAFileThatNoIndexListsIsAskedForAgainNowAndThen(t *testing.T) {
	s := unverified(t)
	s.server.set(map[string]string{"a/file": "one"})
	if got := s.mustGet("a/file"); got != "one" {
		t.Fatalf("it is %q", got)
	}
	if sums := s.mustGet("a/SHA256SUMS"); !strings.Contains(sums, "  file\n") {
		t.Errorf("it is not listed: %q", sums)
	}
	if _, err := s.get("a/other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what there is not: %v", err)
	}
	s.server.asked()
	s.mustGet("a/file")
	if asked := s.server.asked(); len(asked) > 0 {
		t.Errorf("before its time the upstream is asked for %q", asked)
	}
	s.later()
	s.mustGet("a/file")
	if asked := s.server.asked(); !slices.Equal(asked, []string{"GET a/file if"}) {
		t.Errorf("the upstream is asked for %q", asked)
	}
	before := s.generation()
	s.restart()
	s.later()
	s.mustGet("a/file")
	if s.generation() != before {
		t.Error("after a restart, the same file makes a generation")
	}
	s.restart()
	if cached := s.cached(); len(cached) != 1 {
		t.Errorf("the same file is kept as %q", cached)
	}
	s.later()
	s.mustGet("a/file")
	s.server.fail(http.StatusServiceUnavailable)
	s.later()
	if got := s.mustGet("a/file"); got != "one" {
		t.Errorf("while the upstream is down it is %q", got)
	}
	s.server.fail(0)
	s.server.set(map[string]string{"a/file": "another"})
	s.later()
	s.server.asked()
	if got := s.mustGet("a/file"); got != "another" {
		t.Errorf("when it has changed it is %q", got)
	}
	if asked := s.server.asked(); !slices.Equal(asked, []string{"GET a/file if"}) {
		t.Errorf("when it has changed the upstream is asked for %q", asked)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
	delete(s.server.files, "a/file")
	s.later()
	if got, err := s.get("a/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("when it is gone it is %q, %v", got, err)
	}
	if sums, err := s.get("a/SHA256SUMS"); strings.Contains(sums, "file") {
		t.Errorf("when it is gone it is listed: %q, %v", sums, err)
	}
}

func TestTheLedgerHasTheDigestOfAFoundFile(t *testing.T) {
	s := unverified(t)
	s.server.set(map[string]string{"a/file": "found"})
	s.mustGet("a/file")
	s.mustGet("a/file.asc")
	logged, err := s.ledger.SignaturesAt(context.Background(), "front", "a/file", 10)
	want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("found")))
	if err != nil || len(logged) != 2 || logged[0].Digest != want {
		t.Errorf("the ledger has %+v, want the digest %s, %v", logged, want, err)
	}
	if err := s.verify(); err != nil {
		t.Error(err)
	}
}
