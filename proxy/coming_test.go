package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
)

// A lateTree is a tree whose files are on their way from an upstream.
type lateTree struct {
	*hosted.Repository
	late func(*backend.File)
}

func (l lateTree) Open(ctx context.Context, at int64, paths ...string) (*backend.File, error) {
	f, err := l.Repository.Open(ctx, at, paths...)
	if err == nil && !f.Index {
		l.late(f)
	}
	return f, err
}

// A fragment is a file of which reading fails at a place.
type fragment struct {
	io.ReadSeeker
	left int64
	err  error
	read func()
}

func (f *fragment) Read(p []byte) (int, error) {
	if f.read != nil {
		f.read()
	}
	if f.left == 0 && f.err != nil {
		return 0, f.err
	}
	if f.err != nil {
		p = p[:min(int64(len(p)), f.left)]
	}
	n, err := f.ReadSeeker.Read(p)
	f.left -= int64(n)
	return n, err
}

// lateShelf is a shelf with /raw/file, which is on its way.
func lateShelf(t *testing.T, data []byte, late func(*backend.File)) *shelf {
	h := openShelf(t)
	h.put("/raw/file", string(data))
	h.server.repositories["raw"].Packages.Tree = lateTree{h.tree, late}
	return h
}

func TestARangeOfAFileThatComesWaitsForTheWhole(t *testing.T) {
	down := fmt.Errorf("%w: it broke off", backend.ErrUpstream)
	for _, c := range []struct {
		name, method, ranges string
		fails                error
		waits                bool
		status               int
		body                 string
	}{
		{"no range", "GET", "", nil, false, 200, "0123456789"},
		{"a range", "GET", "bytes=2-4", nil, true, 206, "234"},
		{"a range from the end", "GET", "bytes=-2", nil, true, 206, "89"},
		{"two ranges", "GET", "bytes=0-0,9-9", nil, true, 206, ""},
		{"a range of a HEAD", "HEAD", "bytes=2-4", nil, true, 206, ""},
		{"a range of a file that does not match", "GET", "bytes=2-4", down, true, 502, ""},
		{"a range that is behind the file", "GET", "bytes=10-", nil, false, 200, "0123456789"},
	} {
		var mu sync.Mutex
		waited, early := 0, false
		h := lateShelf(t, []byte("0123456789"), func(f *backend.File) {
			f.ReadSeeker = &fragment{ReadSeeker: f.ReadSeeker, read: func() { mu.Lock(); early = early || c.waits && waited == 0; mu.Unlock() }}
			f.Wait = func(context.Context) error { mu.Lock(); waited++; mu.Unlock(); return c.fails }
		})
		headers := []string{}
		if c.ranges != "" {
			headers = append(headers, "Range", c.ranges)
		}
		w := h.want(c.status, c.method, "/raw/file", "", headers...)
		if (waited == 1) != c.waits || waited > 1 || early {
			t.Errorf("%s: it was waited for %d times, and read before that: %t", c.name, waited, early)
		}
		if c.body != "" && w.Body.String() != c.body || c.status == 502 && (strings.Contains(w.Body.String(), "234") || w.Header().Get("Content-Range") != "") {
			t.Errorf("%s: the answer is %q", c.name, w.Body)
		}
	}
}

// A client must not take the beginning of a file for all of it, whichever protocol it speaks.
func TestATransferThatFailsIsBrokenOff(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the upstream sends another file")
	for _, version := range []int{1, 2} {
		for how, late := range map[string]func(*backend.File, error){
			"read by us": func(f *backend.File, fails error) {
				f.ReadSeeker = &fragment{ReadSeeker: bytes.NewReader(data), left: int64(len(data) / 2), err: fails}
			},
			"sent by the system": func(f *backend.File, fails error) {
				file, err := os.Open(name)
				if err != nil {
					t.Error(err)
				}
				end := f.Close
				f.ReadSeeker, f.Close = &coming{File: file, size: int64(len(data)), fails: fails}, func() error { return errors.Join(file.Close(), end()) }
			},
		} {
			t.Run(fmt.Sprintf("HTTP/%d, %s", version, how), func(t *testing.T) {
				var mu sync.Mutex
				var fails error
				h := lateShelf(t, data, func(f *backend.File) {
					mu.Lock()
					defer mu.Unlock()
					f.Wait = func(context.Context) error { return fails }
					late(f, fails)
				})
				var log bytes.Buffer
				h.server.log = slog.New(slog.NewTextHandler(&log, nil))
				web := httptest.NewUnstartedServer(h.server)
				web.EnableHTTP2 = version == 2
				web.StartTLS()
				defer web.Close()
				get := func(err error) (got []byte, readErr error) {
					t.Helper()
					mu.Lock()
					fails = err
					mu.Unlock()
					resp, err := web.Client().Get(web.URL + "/raw/file")
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					if resp.ProtoMajor != version || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(data)) {
						t.Errorf("%s %s with %d bytes", resp.Proto, resp.Status, resp.ContentLength)
					}
					return io.ReadAll(resp.Body)
				}
				got, err := get(broken)
				if err == nil || len(got) >= len(data) || !bytes.HasPrefix(data, got) {
					t.Errorf("the client has %d of %d bytes and %v", len(got), len(data), err)
				}
				if got, err := get(nil); err != nil || !bytes.Equal(got, data) {
					t.Errorf("after that it has %d of %d bytes and %v", len(got), len(data), err)
				}
				web.Close() // then all is logged
				if text := log.String(); !strings.Contains(text, broken.Error()) || strings.Count(text, "level=ERROR") != 1 {
					t.Errorf("the log is\n%s", text)
				}
			})
		}
	}
}
