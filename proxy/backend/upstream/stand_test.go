package upstream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/backend/upstream"
	"hallmark/proxy/blob"
	"hallmark/proxy/ledger"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/signing"
	"hallmark/signing/scheme"
	"hallmark/signing/signingtest"
)

// A server is somebody else's: a tree of files that takes PUT and DELETE.
type server struct {
	mu       sync.Mutex
	files    map[string][]byte
	requests []string // method and path, with "if" where the request is conditional
	status   int      // of every answer; 0: what is right
	writes   int      // the status of answers to PUT and DELETE; 0: what is right
	// held is called for each PUT and DELETE before it is done, and returns the status of its answer; 0: what is right.
	held func(path string) int
	// half is called for each GET when half of the file was sent.
	half func(path string)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	write := r.Method == http.MethodPut || r.Method == http.MethodDelete
	held := 0
	if write && s.held != nil {
		held = s.held(path)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + path
	if r.Header.Get("If-None-Match") != "" {
		line += " if"
	}
	s.requests = append(s.requests, line)
	status := s.status
	if write && s.writes != 0 {
		status = s.writes
	}
	if held != 0 {
		status = held
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	switch r.Method {
	case http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.files[path] = data
		w.WriteHeader(http.StatusCreated)
	case http.MethodDelete:
		delete(s.files, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		data, ok := s.files[path]
		if !ok && path != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Etag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		if s.half != nil {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			w.Write(data[:len(data)/2])
			http.NewResponseController(w).Flush()
			s.pause(path)
			w.Write(data[len(data)/2:])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// pause calls half without the lock.
func (s *server) pause(path string) {
	half := s.half
	s.mu.Unlock()
	defer s.mu.Lock()
	half(path)
}

func (s *server) atHalf(half func(path string)) { s.mu.Lock(); defer s.mu.Unlock(); s.half = half }

func (s *server) set(files map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, data := range files {
		s.files[path] = []byte(data)
	}
}

func (s *server) remove(path string) { s.mu.Lock(); defer s.mu.Unlock(); delete(s.files, path) }

func (s *server) fail(status int) { s.mu.Lock(); defer s.mu.Unlock(); s.status = status }

// asked returns the requests since it was called last.
func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.requests
	s.requests = nil
	return asked
}

// A stand is a repository in front of a server.
type stand struct {
	t      *testing.T
	server *server
	url    *url.URL
	dir    string
	format format.Format
	// settings tell apart those of the format; files may come from origins, too.
	settings string
	origins  []string
	keys     *upstream.Keys
	ring     *signing.Ring
	theirs   *signing.Ring
	now      time.Time
	log      bytes.Buffer

	ledger  *ledger.Ledger
	front   *upstream.Repository
	publish *publish.Repository
}

// refresh is how old the index may be. The clock of a stand moves only where a test moves it.
const refresh = time.Minute

// newStand returns a stand with keys for an index and for files, and with more.
func newStand(t *testing.T, f format.Format, more ...*signing.Key) *stand {
	keys := append(more, signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519"), signingtest.Key(t, scheme.File, scheme.OpenPGP, "ed25519"),
		signingtest.Key(t, scheme.File, scheme.ECDSA, "p256"))
	s := &stand{
		t: t, server: &server{files: map[string][]byte{}}, dir: t.TempDir(), format: f, ring: signingtest.Ring(t, "front", keys...),
		theirs: signingtest.Ring(t, "theirs", signingtest.Key(t, scheme.Index, scheme.OpenPGP, "ed25519")), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	var err error
	if s.url, err = url.Parse(web.URL); err != nil {
		t.Fatal(err)
	}
	if s.keys, err = upstream.ParseKeys(s.theirs.Keys(scheme.Index)[0].Public().Armored(), func() time.Time { return s.now }); err != nil {
		t.Fatal(err)
	}
	s.open()
	t.Cleanup(s.close)
	return s
}

// newUnverified returns a stand in front of a server that is trusted without a key.
func newUnverified(t *testing.T, f format.Format, more ...*signing.Key) *stand {
	t.Helper()
	s := newStand(t, f, more...)
	s.keys = upstream.Unverified()
	s.restart()
	return s
}

func rawFormat(t *testing.T) format.Format {
	f, err := raw.New(raw.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *stand) open() {
	s.t.Helper()
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			s.t.Helper()
			s.t.Fatal(err)
		}
	}
	var err error
	s.ledger, err = ledger.Open(ctx, filepath.Join(s.dir, "ledger.db"))
	must(err)
	blobs, err := blob.Open(ctx, "filesystem", map[string]any{"rootdirectory": filepath.Join(s.dir, "storage")}, nil)
	must(err)
	spooled, err := spool.Open(filepath.Join(s.dir, "spool"))
	must(err)
	cache, err := upstream.OpenCache(filepath.Join(s.dir, "cache"), upstream.CacheOptions{Size: 64 << 20, Keep: time.Hour})
	must(err)
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	kept := hosted.New("front", s.ledger, blobs)
	s.front, err = upstream.New(upstream.Options{
		Name: "front", Format: s.format, Ledger: kept, Blobs: blobs, Cache: cache, Keys: s.keys, Spool: spooled, Refresh: refresh, Limit: 1 << 20,
		Client: upstream.NewClient(upstream.ClientOptions{URL: s.url, RedirectOrigins: s.origins, Timeout: 5 * time.Second}), Log: log, Now: func() time.Time { return s.now },
	})
	must(err)
	s.publish, err = publish.Open(ctx, publish.Options{
		Name: "front", Format: s.format, Settings: s.settings, Ring: s.ring, State: kept, Tree: s.front, Blobs: blobs, Spool: spooled, Log: log,
		Now: func() time.Time { return s.now }, Upstream: s.front, Behind: &format.Behind{},
	})
	must(err)
	s.front.Serve(s.publish)
}

func (s *stand) close() {
	s.publish.Close()
	s.front.Close()
	if err := s.ledger.Close(); err != nil {
		s.t.Error(err)
	}
}

// restart is what a new process finds.
func (s *stand) restart() { s.close(); s.open() }

// later moves the clock beyond the next refresh.
func (s *stand) later() { s.now = s.now.Add(refresh + time.Second) }

// list has the server list files of a folder, by their names, in a SHA256SUMS that it signs.
func (s *stand) list(folder string, files map[string]string) {
	s.t.Helper()
	var sums strings.Builder
	for _, name := range sortedKeys(files) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(files[name])), name)
	}
	signed, err := s.theirs.Sign(scheme.Index, scheme.OpenPGPArmored, signing.Bytes(sums.String()), s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	tree := map[string]string{folder + "SHA256SUMS": sums.String(), folder + "SHA256SUMS.asc": string(signed.Document)}
	for name, data := range files {
		tree[folder+name] = data
	}
	s.server.set(tree)
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// get reads a file as a client does.
func (s *stand) get(path string) (string, error) {
	ctx := context.Background()
	if err := s.front.Freshen(ctx, path); err != nil {
		return "", err
	}
	f, err := s.front.Open(ctx, backend.Current, path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

func (s *stand) mustGet(path string) string {
	s.t.Helper()
	data, err := s.get(path)
	if err != nil {
		s.t.Fatalf("get %s: %v", path, err)
	}
	return data
}

func (s *stand) put(path, data string) (publish.Result, error) {
	op, err := s.publish.Route(format.Request{Method: "PUT", Path: path})
	if err != nil {
		return publish.Result{}, err
	}
	return s.publish.Upload(context.Background(), op, publish.Upload{Body: strings.NewReader(data), Limit: 1 << 20, Caller: publish.Caller{By: "ci", Request: "r"}})
}

func (s *stand) delete(path string) error {
	op, err := s.publish.Route(format.Request{Method: "DELETE", Path: path})
	if err != nil {
		return err
	}
	return s.publish.Delete(context.Background(), op, publish.Caller{By: "ci"})
}

func (s *stand) generation() int64 {
	s.t.Helper()
	head, err := s.front.Head(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return head.Generation
}

func (s *stand) verify() error { return s.publish.Verify(context.Background(), func(string) {}) }
