package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hallmark/integration/world"
)

// hallmark is our own name in a table.
const hallmark = "Hallmark"

// A shelf is a package repository of a running proxy, as its clients see it.
type shelf struct {
	*client
	goods   goods
	clients int
	url     string // ends in a slash
	proxy   *world.Proxy

	mu sync.Mutex
	at map[string]*url.URL // where a file is served
}

// Kinds of keys.
const (
	ed25519 = "ed25519"
	rsa2048 = "rsa2048"
	rsa3072 = "rsa3072"
)

// places are where a repository keeps what it has. The zero value is a disk.
type places struct {
	database string // an address of PostgreSQL; empty: SQLite
	storage  string // lines of the configuration; empty: files
}

// startShelf starts a proxy with one package repository, whose keys are of that kind. Where clients take nothing but RSA,
// the quickest such key stands in for Ed25519.
func startShelf(t world.T, g goods, purpose, key string, clients int, on places) (*world.Proxy, *shelf) {
	var c strings.Builder
	fmt.Fprintf(&c, "database: %q\n%s", on.database, on.storage)
	fmt.Fprintf(&c, "repositories:\n  %s: {format: %[1]s}\nkeys:\n  %[1]s:\n", g.format)
	fmt.Fprintf(&c, "    - {purpose: file, scheme: openpgp, generate: %s}\n    - {purpose: file, scheme: ecdsa, generate: p256}\n", key)
	index := key
	if g.onlyRSA && key == ed25519 {
		index = rsa2048
	}
	if g.keys == nil {
		fmt.Fprintf(&c, "    - {purpose: index, generate: %s}\n", index)
	}
	for _, k := range g.keys {
		c.WriteString("    - " + k + "\n")
	}
	c.WriteString("log: {level: warn}\n")
	o := world.ProxyOptions{Scenario: purpose + "-" + g.format + "-" + key, Config: c.String()}
	if on.database != "" {
		o.Data = makeKeys(t, o.Config)
	}
	p := world.StartProxy(t, o)
	return p, &shelf{
		client: newClient(p.URL, clients), goods: g, clients: clients, url: p.URL + "/" + g.format + "/", proxy: p, at: map[string]*url.URL{},
	}
}

// makeKeys returns a data folder with the keys of a configuration, which a proxy on PostgreSQL does not make.
func makeKeys(t world.T, config string) string {
	data := t.TempDir()
	file := filepath.Join(data, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	world.Command{Path: world.ProxyBinary(t)}.Run(t, "keys", "generate", "--data", data, "--config", file)
	return data
}

func (s *shelf) stop() {
	s.close()
	s.proxy.Terminate()
}

// fill uploads packages over HTTP.
func (s *shelf) fill(ctx context.Context, low, high int) error {
	return s.putMany(ctx, high-low, func(i int) pkg { return s.goods.make(low+i, 1) })
}

// putMany uploads n packages, by so many clients at once as the shelf has.
func (s *shelf) putMany(ctx context.Context, n int, get func(i int) pkg) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range s.clients {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := s.put(ctx, get(i)); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

func (s *shelf) do(ctx context.Context, a act, p pkg) error {
	if a != remove {
		return s.put(ctx, p)
	}
	s.mu.Lock()
	at := s.at[p.file]
	s.mu.Unlock()
	if at == nil {
		return fmt.Errorf("%s was not uploaded", p.file)
	}
	want := cmp.Or(s.goods.removed, http.StatusNoContent)
	_, err := s.send(ctx, http.MethodDelete, at.String(), "", nil, want)
	return err
}

func (s *shelf) put(ctx context.Context, p pkg) error {
	at, err := s.send(ctx, http.MethodPut, s.url+s.goods.folder+p.file, "", bytes.NewReader(p.data), http.StatusCreated)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[p.file] = at
	return nil
}

// putLarge uploads a package of known length.
func (s *shelf) putLarge(ctx context.Context, file string, content io.Reader, length int64) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+s.goods.folder+file, content)
	if err != nil {
		return nil, err
	}
	req.ContentLength = length
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("PUT %s: %s %s", file, resp.Status, said)
	}
	return resp.Location()
}

// get reads a file and throws it away.
func (s *shelf) get(ctx context.Context, at *url.URL) error {
	resp, err := s.client.do(ctx, http.MethodGet, at.String(), "", nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
	return err
}
