package main

import (
	"io"
	"net"
	"strings"

	"hallmark/integration/world"
)

// startRelay puts a relay in front of a side that copies connections, mostly within the kernel, and looks at nothing. It
// runs in this process. It tells how much of a proxy's cost is that of one more hop on the same machine.
func startRelay(t world.T, to side) side {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { listener.Close() })
	addr := strings.TrimPrefix(to.url, "http://")
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(in, addr)
		}
	}()
	return side{"bare relay", "http://" + listener.Addr().String(), to.storage}
}

// relay ends when either end has closed: clients of HTTP do not close one half.
func relay(in net.Conn, addr string) {
	defer in.Close()
	out, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		defer out.Close()
		io.Copy(out, in)
	}()
	io.Copy(in, out)
}
