package proxy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/formats/raw"
	"hallmark/proxy/backend/hosted"
	"hallmark/proxy/blob"
	"hallmark/proxy/config"
	"hallmark/proxy/ledger"
	"hallmark/proxy/publish"
	"hallmark/proxy/spool"
	"hallmark/signing"
	"hallmark/signing/signingtest"
)

// A shelf is a server with the repository "raw".
type shelf struct {
	t       *testing.T
	server  *Server
	format  format.Format
	publish *publish.Repository
	tree    *hosted.Repository
	ring    *signing.Ring
	ago     time.Duration // how long ago uploads are said to have happened
}

func openShelf(t *testing.T) *shelf {
	t.Helper()
	f, err := raw.New(raw.Settings{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	return openShelfOf(t, f)
}

func openShelfOf(t *testing.T, f format.Format) *shelf {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	facts, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"))
	must(err)
	blobs, err := blob.Open(ctx, "inmemory", nil, nil)
	must(err)
	spooled, err := spool.Open(filepath.Join(dir, "spool"))
	must(err)
	h := &shelf{t: t, format: f, tree: hosted.New("raw", facts, blobs), ring: signingtest.Packages(t, "raw")}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h.publish, err = publish.Open(ctx, publish.Options{
		Name: "raw", Format: f, Ring: h.ring, State: h.tree, Tree: h.tree, Blobs: blobs, Spool: spooled, Log: log,
		Now: func() time.Time { return time.Now().Add(-h.ago) },
	})
	must(err)
	t.Cleanup(func() {
		h.publish.Close()
		if err := facts.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &config.Config{Listen: "127.0.0.1:8080"}
	c.Limits.Upload = 1 << 20
	h.server, err = New(Options{
		Config: c, Ledger: facts, Metrics: NewMetrics(), Log: log, AdminToken: "token",
		Repositories: []*Repository{{Name: "raw", Ring: h.ring, Packages: &Packages{Format: f, Publish: h.publish, Tree: h.tree}}},
	})
	must(err)
	return h
}

// ask sends a request. Headers are pairs.
func (h *shelf) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	req := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, req)
	return w
}

// want is ask for an answer with a status.
func (h *shelf) want(status int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	w := h.ask(method, path, body, headers...)
	if w.Code != status {
		h.t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	return w
}

func (h *shelf) put(path, body string) {
	h.t.Helper()
	if w := h.ask(http.MethodPut, path, body); w.Code != http.StatusCreated {
		h.t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
	}
}
