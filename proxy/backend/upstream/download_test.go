package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// file is what the upstream of these tests has.
var file = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

type house struct {
	*Downloads
	cache *Cache
	dir   string
	log   *bytes.Buffer
}

func newHouse(t *testing.T, size int64, h http.HandlerFunc) *house {
	t.Helper()
	dir := t.TempDir()
	cache, err := OpenCache(dir, CacheOptions{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	d := NewDownloads(serve(t, h), cache, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(d.Close)
	return &house{d, cache, dir, log}
}

// left returns the files in the folder of the cache.
func (h *house) left(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(h.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func want(content []byte) Want {
	d := sha256.Sum256(content)
	return Want{Key: d, Source: "pool/a.deb", Size: int64(len(content)), SHA256: &d}
}

func TestManyClientsCauseOneRequest(t *testing.T) {
	var requests atomic.Int64
	release := make(chan struct{})
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		rw.Header().Set("Content-Length", strconv.Itoa(len(file)))
		rw.Write(file[:len(file)/2])
		http.NewResponseController(rw).Flush()
		<-release
		rw.Write(file[len(file)/2:])
	})
	var all, half sync.WaitGroup
	for range 20 {
		half.Add(1)
		all.Go(func() {
			c, err := h.Open(context.Background(), want(file))
			if err != nil {
				t.Error(err)
				half.Done()
				return
			}
			defer c.Close()
			first := make([]byte, len(file)/2)
			if _, err := io.ReadFull(c, first); err != nil {
				t.Error(err)
			}
			if _, ok := c.Complete(); ok || c.File() != nil {
				t.Error("half a file is complete")
			}
			half.Done()
			rest, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(append(first, rest...), file) {
				t.Errorf("%d bytes, %v", len(rest), err)
			}
			if d, ok := c.Complete(); !ok || d != sha256.Sum256(file) {
				t.Errorf("complete: %x, %v", d, ok)
			}
		})
	}
	half.Wait() // everybody has the first half while the second is on its way
	close(release)
	all.Wait()
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestNoByteOfTheEndComesBeforeTheDigestMatched(t *testing.T) {
	other := bytes.Clone(file)
	other[100] ^= 1
	for name, tt := range map[string]struct {
		sent []byte
		want func(Want) Want
	}{
		"a flipped bit":      {other, nil},
		"too short":          {file[:len(file)-1], nil},
		"too long":           {append(bytes.Clone(file), 'x'), nil},
		"another check":      {file, func(w Want) Want { w.SHA256, w.Check = nil, never; return w }},
		"of unknown size":    {other, func(w Want) Want { w.Size, w.Limit = -1, 1<<30; return w }},
		"above the limit":    {file, func(w Want) Want { w.Size, w.Limit = -1, 1000; return w }},
		"small, a wrong bit": {[]byte("b"), func(Want) Want { return want([]byte("a")) }},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name+", chunked "+strconv.FormatBool(chunked), func(t *testing.T) {
				h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
					if !chunked {
						rw.Header().Set("Content-Length", strconv.Itoa(len(tt.sent)))
					}
					rw.Write(tt.sent)
				})
				w := want(file)
				if tt.want != nil {
					w = tt.want(w)
				}
				c, err := h.Open(context.Background(), w)
				if err == nil {
					var got []byte
					got, err = io.ReadAll(c)
					if int64(len(got)) >= c.Size() || c.Size() > withheld && c.Size()-int64(len(got)) < 4<<10 {
						t.Errorf("%d of %d bytes left before the digest was known", len(got), c.Size())
					}
					wantFault(t, c.Wait(context.Background()), backend.ErrUpstream)
					c.Close()
				}
				wantFault(t, err, backend.ErrUpstream, h.client.Host(), "pool/a.deb")
				h.Close()
				if files, _ := h.cache.Usage(); files != 0 || len(h.left(t)) != 0 {
					t.Errorf("there are %d files, %v", files, h.left(t))
				}
				log := h.log.String()
				if name != "a flipped bit" {
					return
				}
				expected, came := sha256.Sum256(file), sha256.Sum256(tt.sent)
				for _, s := range []string{"level=ERROR", hex.EncodeToString(expected[:]), hex.EncodeToString(came[:]), h.client.Host(), "pool/a.deb"} {
					if !strings.Contains(log, s) {
						t.Errorf("the log does not say %s: %s", s, log)
					}
				}
			})
		}
	}
}

func never() (io.WriteCloser, error) { return neverRight{io.Discard}, nil }

type neverRight struct{ io.Writer }

func (neverRight) Close() error { return format.Malformedf("the checksum is another") }

func TestAnEndlessAnswerEnds(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		for {
			if _, err := rw.Write(file); err != nil {
				return
			}
		}
	})
	c, err := h.Open(context.Background(), want(file))
	if err == nil {
		_, err = io.Copy(io.Discard, c)
		c.Close()
	}
	wantFault(t, err, backend.ErrUpstream, "more than")
	_, err = h.Open(context.Background(), Want{Source: "a", Size: -1, Limit: 10 << 20})
	wantFault(t, err, backend.ErrUpstream, "more than")
}

func TestFilesOfUnknownSizeWaitForTheWhole(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		http.NewResponseController(rw).Flush()
		rw.Write(file)
	})
	w := want(file)
	w.Size, w.Limit = -1, 1<<30
	c, err := h.Open(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.Complete(); !ok || c.Size() != int64(len(file)) {
		t.Errorf("size %d, complete %v", c.Size(), ok)
	}
}

func TestEmptyFiles(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {})
	for range 2 {
		c, err := h.Open(context.Background(), want(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || len(got) != 0 || c.Size() != 0 {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()
	}
}

// What is done with a file that has arrived is done before anybody has all of it.
func TestWhoIsToldOfAnArrivalMayStillRefuse(t *testing.T) {
	refused := errors.New("refused")
	for name, refusal := range map[string]error{"taken": nil, "refused": refused} {
		h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("Etag", `"of the file"`)
			rw.Header().Set("Content-Length", strconv.Itoa(len(file)))
			rw.Write(file)
		})
		told, answer := make(chan Arrival), make(chan error)
		w := Want{Key: Key{1}, Source: "a", Size: -1, Limit: 1 << 30, Arrived: func(_ context.Context, a Arrival) error { told <- a; return <-answer }}
		c, err := h.Open(context.Background(), w)
		if err != nil {
			t.Fatal(err)
		}
		a := <-told
		if a.SHA256 != sha256.Sum256(file) || a.Size != int64(len(file)) || a.Validators.ETag != `"of the file"` {
			t.Errorf("%s: it is told of %+v", name, a)
		}
		head := make([]byte, len(file)-withheld)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Errorf("%s: the bytes before the last ones: %v", name, err)
		}
		if _, ok := c.Complete(); ok {
			t.Errorf("%s: it is complete before it was taken", name)
		}
		answer <- refusal
		tail, err := io.ReadAll(c)
		if !errors.Is(err, refusal) || (refusal == nil) != (len(tail) == withheld) || refusal != nil && len(tail) > 0 {
			t.Errorf("%s: %d bytes more, %v", name, len(tail), err)
		}
		c.Close()
		h.Close()
		if files, _ := h.cache.Usage(); (files == 1) != (refusal == nil) || len(h.left(t)) != files {
			t.Errorf("%s: %d files are kept, %q", name, files, h.left(t))
		}
	}
}

func TestAFileThatIsKnownDoesNotComeAgain(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		if req.Header.Get("If-None-Match") != `"1"` {
			rw.Write(file)
			return
		}
		rw.WriteHeader(http.StatusNotModified)
	})
	w := want(file)
	w.Since = Validators{ETag: `"1"`}
	if _, err := h.Open(context.Background(), w); !errors.Is(err, errUnchanged) {
		t.Errorf("the one that is known: %v", err)
	}
	w.Since = Validators{ETag: `"0"`}
	c, err := h.Open(context.Background(), w)
	if err != nil {
		t.Fatalf("another one: %v", err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, file) {
		t.Errorf("another one: %d bytes, %v", len(got), err)
	}
}

func TestADownloadOutlivesItsClient(t *testing.T) {
	release := make(chan struct{})
	var requests atomic.Int64
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		rw.Header().Set("Content-Length", strconv.Itoa(len(file)))
		http.NewResponseController(rw).Flush()
		<-release
		rw.Write(file)
	})
	ctx, cancel := context.WithCancel(context.Background())
	c, err := h.Open(ctx, want(file))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("reading after the client left: %v", err)
	}
	c.Close()
	c.Close()
	close(release)
	c, err = h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestRangesWaitForTheWhole(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) { rw.Write(file) })
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c.File()); err != nil || string(got) != "bcdef" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFilesBiggerThanTheCache(t *testing.T) {
	h := newHouse(t, 1000, func(rw http.ResponseWriter, req *http.Request) { rw.Write(file) })
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, file) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	c.Close()
	h.Close()
	if left := h.left(t); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

func TestFilesBiggerThanTheCacheStopWithTheirLastReader(t *testing.T) {
	stopped := make(chan struct{})
	h := newHouse(t, 1000, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(file)))
		http.NewResponseController(rw).Flush()
		<-req.Context().Done()
		close(stopped)
	})
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-stopped
	h.Close()
	if left := h.left(t); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

func TestCloseBreaksDownloadsOff(t *testing.T) {
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(file)))
		http.NewResponseController(rw).Flush()
		<-req.Context().Done()
	})
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.Close()
	if _, err := io.ReadAll(c); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := h.Open(context.Background(), want([]byte("other"))); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if left := h.left(t); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

func TestFailuresAreNotRemembered(t *testing.T) {
	status := http.StatusServiceUnavailable
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) {
		rw.WriteHeader(status)
		rw.Write(file)
	})
	_, err := h.Open(context.Background(), want(file))
	wantFault(t, err, backend.ErrUpstream, "503")
	status = http.StatusNotFound
	_, err = h.Open(context.Background(), want(file))
	wantFault(t, err, fs.ErrNotExist)
	status = http.StatusOK
	c, err := h.Open(context.Background(), want(file))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestWhatTheCacheHasOfAnotherDigestIsFetchedAgain(t *testing.T) {
	sent := []byte("one")
	h := newHouse(t, 1<<30, func(rw http.ResponseWriter, req *http.Request) { rw.Write(sent) })
	for _, content := range []string{"one", "two"} {
		sent = []byte(content)
		w := want(sent)
		w.Key = Key{1}
		c, err := h.Open(context.Background(), w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()
	}
	h.Close()
	if files, n := h.cache.Usage(); files != 1 || n != 3 || len(h.left(t)) != 1 {
		t.Errorf("%d files of %d bytes, %v", files, n, h.left(t))
	}
}
