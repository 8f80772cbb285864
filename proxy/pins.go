package proxy

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"hallmark/proxy/backend"
)

// Some clients fetch an index and its signature by two requests, in either order, on one connection or on two, and a
// generation may be committed in between. So the generation that answered the first request answers the second, too:
// that is a pin. A client that asks for the same file again has begun anew, and sees what is current.

const (
	// pinned is for how long after the first request the second gets the same generation. Use does not renew it.
	pinned = 10 * time.Second
	// joined is for how long programs that ask for both and that begin while another at the same address is between its requests get
	// that one's generation: their second requests cannot be told apart.
	joined = 3 * time.Second
	// maxPins bounds the memory of all pins of a repository.
	maxPins = 10_000
)

// pins remembers what clients are in the middle of. The zero value is ready for use.
type pins struct {
	mu      sync.Mutex
	clients map[pinClient][]*pin // the newest last
	count   int
}

// pinClient is all that tells clients apart whose connections change.
type pinClient struct {
	address, agent, together string
}

type pin struct {
	generation int64
	connection string
	began      time.Time
	given      map[string]bool // paths; none after a HEAD
}

// pinned returns the generation from which a request for path is answered.
func (p *Packages) pinned(req *http.Request, path string) (int64, error) {
	client, ok := p.pinClient(req, path)
	if !ok {
		return backend.Current, nil
	}
	head, err := p.Tree.Head(req.Context())
	if err != nil {
		return 0, err
	}
	return p.pins.take(client, req, path, head.Generation, time.Now()), nil
}

// served takes back what pinned noted, if the client did not get the file. Who hears that it has the file already, or
// gets a part of it, has been given it: it begins anew when it asks again.
func (p *Packages) served(req *http.Request, path string, generation int64, status int) {
	switch status {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified:
		return
	}
	if client, ok := p.pinClient(req, path); ok {
		p.pins.untake(client, path, generation)
	}
}

func (p *Packages) pinClient(req *http.Request, path string) (pinClient, bool) {
	together := p.Format.Spec().Together
	if together == nil || together(path) == "" {
		return pinClient{}, false
	}
	address, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return pinClient{}, false
	}
	return pinClient{address, req.UserAgent(), together(path)}, true
}

// take returns the generation for a request, and notes that the client has been given path from it.
func (s *pins) take(client pinClient, req *http.Request, path string, current int64, now time.Time) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune(client, now)
	if old := s.begun(client, req, path); old != nil {
		if req.Method != http.MethodHead {
			old.given[path] = true
		}
		if old.connection != req.RemoteAddr && !alwaysAsksForBoth(client.agent) && req.Method != http.MethodHead {
			// zypper asks for the rest on this connection, which another at the same address has nothing to do with.
			s.add(client, &pin{generation: old.generation, connection: req.RemoteAddr, began: old.began, given: map[string]bool{path: true}})
		}
		return old.generation
	}
	generation := current
	if alwaysAsksForBoth(client.agent) && req.Header.Get("If-None-Match") == "" { // who has one asks for what is newer
		for _, other := range s.clients[client] {
			if len(other.given) == 1 && now.Sub(other.began) < joined {
				generation = other.generation
			}
		}
	}
	begun := &pin{generation: generation, connection: req.RemoteAddr, began: now, given: make(map[string]bool)}
	if req.Method != http.MethodHead {
		begun.given[path] = true
	}
	s.add(client, begun)
	return generation
}

func (s *pins) add(client pinClient, begun *pin) {
	if s.count >= maxPins {
		clear(s.clients)
		s.count = 0
	}
	if s.clients == nil {
		s.clients = make(map[pinClient][]*pin)
	}
	s.clients[client] = append(s.clients[client], begun)
	s.count++
}

// begun returns the pin that a request continues: of the same connection, or else the newest. Nil: it continues none.
func (s *pins) begun(client pinClient, req *http.Request, path string) *pin {
	if req.Method == http.MethodHead {
		return nil // it asks whether there is something new
	}
	var newest *pin
	for _, pin := range s.clients[client] {
		if pin.given[path] {
			if pin.connection == req.RemoteAddr {
				newest = nil // what came before on this connection is over
			}
			continue
		}
		newest = pin
	}
	for _, pin := range s.clients[client] {
		if pin.connection == req.RemoteAddr && !pin.given[path] {
			newest = pin
		}
	}
	return newest
}

func (s *pins) untake(client pinClient, path string, generation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pin := range s.clients[client] {
		if pin.generation == generation {
			delete(pin.given, path)
		}
	}
}

// prune forgets the pins of a client that are too old.
func (s *pins) prune(client pinClient, now time.Time) {
	all := s.clients[client]
	for len(all) > 0 && now.Sub(all[0].began) >= pinned {
		all = all[1:]
		s.count--
	}
	if len(all) == 0 {
		delete(s.clients, client)
		return
	}
	s.clients[client] = all
}

// alwaysAsksForBoth reports whether a User-Agent is of a program that always asks for both, an index and its signature.
// zypper does not: it looks at repomd.xml first, and asks for the signature only if something has changed.
func alwaysAsksForBoth(agent string) bool {
	return strings.Contains(agent, "pacman") || strings.Contains(agent, "libdnf") || strings.Contains(agent, "dnf/")
}
