package world

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below the range that the kernel gives to outgoing connections, so that a server that
// was killed can come back to its own.
const (
	lowestPort  = 20000
	highestPort = 32000
)

var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreeAddr returns a loopback address host:port where nothing listens. It never returns the same one
// twice in a process.
func FreeAddr(t T) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if given.ports[port] {
			continue
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		ln.Close()
		given.ports[port] = true
		return addr
	}
	t.Fatalf("no free port on loopback between %d and %d", lowestPort, highestPort)
	return ""
}
