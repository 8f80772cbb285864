package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// coming is a file of which more is there each time it is asked.
type coming struct {
	*os.File
	size, there, at int64
	fails           error // when half is there
}

func (c *coming) Next(limit int64) (*os.File, int64, error) {
	if c.at >= c.size {
		return nil, 0, io.EOF
	}
	if c.fails != nil && c.at >= c.size/2 {
		return nil, 0, c.fails
	}
	if c.there == c.at {
		c.there = min(c.size, c.there+100_000)
	}
	n := min(limit, c.there-c.at)
	c.at += n
	return c.File, n, nil
}

func (c *coming) Seek(offset int64, whence int) (int64, error) {
	at, err := c.File.Seek(offset, whence)
	c.at = at
	return at, err
}

func TestAFileThatComesYetIsSentByPieces(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, fails := range map[string]error{"all of it comes": nil, "it breaks off": errors.New("the upstream broke off")} {
		server := openShelf(t).server
		var seen error
		ts := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			file, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			content := &watched{ReadSeeker: &coming{File: file, size: int64(len(data)), fails: fails}}
			tr := server.begin(rw, req)
			http.ServeContent(tr, req, "", time.Time{}, content)
			if seen = content.err; seen != nil {
				panic(http.ErrAbortHandler)
			}
		}))
		resp, err := http.Get(ts.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		ts.Close()
		if !errors.Is(seen, fails) || (err == nil) != (fails == nil) || fails == nil && !bytes.Equal(got, data) || !bytes.HasPrefix(data, got) {
			t.Errorf("%s: %d of %d bytes, the client gets %v, the server %v", what, len(got), len(data), err, seen)
		}
	}
}
