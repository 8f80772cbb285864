package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	plainAgent = "curl/8.0"
	dnfAgent   = "libdnf (Fedora Linux 43)"
	packAgent  = "pacman/7.0.0 (Linux x86_64) libalpm/15.0.0"
)

// A step is a request for the index or its signature, at a time, and the generation that it must be answered from. Before
// it another generation is committed: the number of the step is the current one.
type step struct {
	ask  string // method and file: "GET xml"
	from string // the connection
	at   time.Duration
	want int64
}

func TestAPinHoldsForOnePassOfAClient(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name  string
		agent string
		steps []step
	}{
		{"the signature is of the generation of the index", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "a", 0, 1}}},
		{"the index is of the generation of the signature", plainAgent, []step{{"GET asc", "a", 0, 1}, {"GET xml", "a", 0, 1}}},
		{"on two connections", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "b", 0, 1}}},
		{"the same again is a new pass", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET xml", "a", 0, 2}, {"GET asc", "a", 0, 2}}},
		{"the same again on another connection is a new pass", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET xml", "b", 0, 2}}},
		{"after both a new pass begins", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "a", 0, 1}, {"GET asc", "a", 0, 3}, {"GET xml", "a", 0, 3}}},
		{"HEAD begins a pass", plainAgent, []step{{"HEAD xml", "a", 0, 1}, {"GET asc", "a", 0, 1}, {"GET xml", "a", 0, 1}}},
		{"HEAD asks for what is new", plainAgent, []step{{"GET xml", "a", 0, 1}, {"HEAD xml", "a", 0, 2}, {"HEAD xml", "a", 0, 3}}},
		{"a pass ends in time", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "a", pinned, 2}}},
		{"a pass lasts for some seconds", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "a", pinned - 1, 1}}},
		{"what it asks for does not make a pass longer", plainAgent, []step{{"HEAD xml", "a", 0, 1}, {"GET xml", "a", 6 * second, 1}, {"GET asc", "a", pinned, 3}}},
		{"each connection is in a pass of its own", plainAgent, []step{
			{"GET xml", "a", 0, 1}, {"GET xml", "b", 0, 2}, {"GET asc", "a", 0, 1}, {"GET asc", "b", 0, 2}}},
		{"two of a kind on new connections each time", dnfAgent, []step{
			{"GET xml", "a", 0, 1}, {"GET xml", "b", second, 1}, {"GET asc", "c", second, 1}, {"GET asc", "d", second, 1}}},
		{"two of a kind, one long after the other", dnfAgent, []step{{"GET xml", "a", 0, 1}, {"GET xml", "b", joined, 2}}},
		{"two of a kind, when the first is through", packAgent, []step{{"GET xml", "a", 0, 1}, {"GET asc", "a", 0, 1}, {"GET xml", "b", 0, 3}}},
		{"others do not wait for their like", plainAgent, []step{{"GET xml", "a", 0, 1}, {"GET xml", "b", second, 2}}},
		{"who says what it has asks for what is newer", packAgent, []step{{"GET xml", "a", 0, 1}, {"tag xml", "b", 0, 2}, {"tag xml", "b", 0, 3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p pins
			start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			for i, s := range c.steps {
				method, path, _ := strings.Cut(s.ask, " ")
				req := httptest.NewRequest(strings.Replace(method, "tag", "GET", 1), "/rpm/"+path, nil)
				if method == "tag" {
					req.Header.Set("If-None-Match", `"x"`)
				}
				req.RemoteAddr = s.from
				client := pinClient{"192.0.2.1", c.agent, "repomd"}
				if got := p.take(client, req, path, int64(i+1), start.Add(s.at)); got != s.want {
					t.Errorf("step %d, %s: generation %d, want %d", i+1, s.ask, got, s.want)
				}
			}
		})
	}
}

func TestPinsOfOthersDoNotCount(t *testing.T) {
	var p pins
	now := time.Now()
	ask := func(address, agent, together, path string, current int64) int64 {
		req := httptest.NewRequest(http.MethodGet, "/rpm/"+path, nil)
		req.RemoteAddr = address + ":1"
		return p.take(pinClient{address, agent, together}, req, path, current, now)
	}
	ask("192.0.2.1", plainAgent, "one", "xml", 1)
	for what, got := range map[string]int64{
		"another address":   ask("192.0.2.2", plainAgent, "one", "asc", 2),
		"another program":   ask("192.0.2.1", dnfAgent, "one", "asc", 2),
		"another set":       ask("192.0.2.1", plainAgent, "two", "asc", 2),
		"a name like a set": ask("192.0.2.1", plainAgent, "", "asc", 2),
	} {
		if got != 2 {
			t.Errorf("%s: generation %d", what, got)
		}
	}
	if got := ask("192.0.2.1", plainAgent, "one", "asc", 2); got != 1 {
		t.Errorf("the client itself: generation %d", got)
	}
}

// A client that did not get the file is still in the middle of its pass; one that was told that it has the file is not.
func TestWhatAClientDidNotGetIsTakenBack(t *testing.T) {
	h := openShelf(t)
	for status, again := range map[int]int64{
		http.StatusOK: 2, http.StatusPartialContent: 2, http.StatusNotModified: 2, // what was asked for again begins anew
		http.StatusNotFound: 1, http.StatusRequestedRangeNotSatisfiable: 1, http.StatusPreconditionFailed: 1,
	} {
		p := &Packages{Format: h.format, Publish: h.publish, Tree: h.tree}
		req := httptest.NewRequest(http.MethodGet, "/raw/a/SHA256SUMS", nil)
		client, ok := p.pinClient(req, "a/SHA256SUMS")
		if !ok {
			t.Fatal("the checksums of a folder are in no set")
		}
		at := p.pins.take(client, req, "a/SHA256SUMS", 1, time.Now())
		p.served(req, "a/SHA256SUMS", at, status)
		if got := p.pins.take(client, req, "a/SHA256SUMS", 2, time.Now()); got != again {
			t.Errorf("after %d the same request is answered from generation %d, want %d", status, got, again)
		}
	}
}

func TestOnlySetsArePinned(t *testing.T) {
	h := openShelf(t)
	p := &Packages{Format: h.format, Publish: h.publish, Tree: h.tree}
	for path, want := range map[string]bool{"a/SHA256SUMS": true, "a/SHA256SUMS.asc": true, "SHA256SUMS": true, "a/file": false, "a/": false, "": false} {
		if _, got := p.pinClient(httptest.NewRequest(http.MethodGet, "/raw/", nil), path); got != want {
			t.Errorf("%q is pinned: %t", path, got)
		}
	}
	req := httptest.NewRequest(http.MethodGet, "/raw/", nil)
	req.RemoteAddr = "@"
	if _, ok := p.pinClient(req, "SHA256SUMS"); ok {
		t.Error("a client without an address is pinned")
	}
}

// Whoever comes under ever new names takes no more memory than there is for all.
func TestPinsAreBounded(t *testing.T) {
	var p pins
	now := time.Now()
	req := httptest.NewRequest(http.MethodGet, "/rpm/xml", nil)
	for i := range 3 * maxPins {
		p.take(pinClient{"192.0.2.1", fmt.Sprint(i), "repomd"}, req, "xml", 1, now)
		total := 0
		if i%1000 == 0 {
			for _, all := range p.clients {
				total += len(all)
			}
			if total > maxPins || p.count != total {
				t.Fatalf("there are %d pins, and they are counted as %d", total, p.count)
			}
		}
	}
	// One client alone, which asks again and again.
	one := pinClient{"192.0.2.1", "one", "repomd"}
	for i := range 1000 {
		p.take(one, req, "xml", 1, now.Add(time.Duration(i)*time.Second))
	}
	if n := len(p.clients[one]); n > int(pinned/time.Second)+1 {
		t.Errorf("%d pins of one client", n)
	}
}
