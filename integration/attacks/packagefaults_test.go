package attacks

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Rule: what cannot be stored, signed or logged does not become visible, and leaves the repository as it was and readable.

// disk mounts a file system of some MiB for a data folder that gets full.
func disk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("hallmark-test", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", mib)); err != nil {
		t.Fatalf("this test mounts a small tmpfs for the data folder, and may not: %v; run it as root, in a namespace that lets it mount", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func TestAFullDiskLeavesARepositoryAsItWas(t *testing.T) {
	for what, config := range map[string]string{
		"bytes and facts on one disk":  "",
		"facts on a disk that is full": "storage:\n  inmemory: {}\n", // so that the ledger is what cannot be written
	} {
		t.Run(what, func(t *testing.T) {
			dir := disk(t, 12)
			d := openDepot(t, shelf{repositories: []string{"debian"}, config: config, args: []string{"--data", dir}})
			var first []string
			for i := range 3 {
				first = append(first, d.put(t, "/debian/stable/main/", deb{name: fmt.Sprintf("first%d", i)}.build()))
			}
			filler := fill(t, dir)
			refused := 0
			const most = 1000
			for i := 0; refused < 5; i++ {
				if i == most {
					t.Fatalf("%d uploads after the disk was full, all of them are kept", most)
				}
				before := d.tree(t, "debian")
				u := deb{name: fmt.Sprintf("more%d", i), noise: 3000}.build()
				w := d.api.do(t, http.MethodPut, "/debian/stable/main/", u)
				if w.status == http.StatusCreated { // there was some room left
					fill(t, dir)
					continue
				}
				refused++
				if w.plainly(t, http.StatusInsufficientStorage); t.Failed() {
					return
				}
				if after := d.tree(t, "debian"); !maps.Equal(before, after) {
					t.Fatalf("after %d the repository was\n%v\nand is\n%v", w.status, before, after)
				}
				r := d.newReader()
				listed, err := r.index()
				if err == nil {
					err = r.packages(listed)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			// What is too large for the disk by itself is refused, too, and what is there can be deleted when there is room.
			d.api.do(t, http.MethodPut, "/debian/stable/main/", deb{name: "large", noise: 20 << 20}.build()).plainly(t, http.StatusInsufficientStorage)
			d.api.get(t, "/readyz").expect(t, http.StatusOK)
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			d.put(t, "/debian/stable/main/", deb{name: "last"}.build())
			d.api.do(t, http.MethodDelete, first[0], nil).expect(t, http.StatusNoContent)
			if out, err := d.repo(t, "verify", "debian"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if config != "" {
				return // memory forgets
			}
			d.proxy.Restart(t)
			if out, err := d.repo(t, "verify", "debian"); err != nil {
				t.Errorf("after a restart: %v\n%s", err, out)
			}
		})
	}
}

// A server that is killed while the disk is full starts again, serves what is there, and says why it takes nothing.
func TestAProxyStartsOnAFullDisk(t *testing.T) {
	dir := disk(t, 12)
	d := openDepot(t, shelf{repositories: []string{"debian"}, args: []string{"--data", dir}})
	d.put(t, "/debian/stable/main/", deb{}.build())
	before := d.tree(t, "debian")
	filler := fill(t, dir)
	for range 3 {
		d.api.try(http.MethodPut, "/debian/stable/main/", deb{name: "more", noise: 4 << 20}.build())
	}
	d.proxy.Restart(t)
	if after := d.tree(t, "debian"); !maps.Equal(before, after) {
		t.Errorf("the repository was\n%v\nand is\n%v", before, after)
	}
	d.api.do(t, http.MethodPut, "/debian/stable/main/", deb{name: "more", noise: 4 << 20}.build()).plainly(t, http.StatusInsufficientStorage)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d.put(t, "/debian/stable/main/", deb{name: "more"}.build())
	if out, err := d.repo(t, "verify", "debian"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A body is taken as the request says that it is, or not at all.
func TestBodiesThatLieLeaveNothingBehind(t *testing.T) {
	d := openDepot(t, shelf{repositories: []string{"raw", "debian"}, config: "limits:\n  upload: 64KiB\n"})
	d.put(t, "/raw/a/first", []byte("first"))
	d.put(t, "/debian/stable/main/", deb{name: "first"}.build())
	sum := func(data string) string {
		s := sha256.Sum256([]byte(data))
		return "sha-256=:" + base64.StdEncoding.EncodeToString(s[:]) + ":"
	}
	large := strings.Repeat("x", 64<<10+1)
	chunk := func(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }
	chunked := "Transfer-Encoding: chunked\r\n\r\n"
	length := func(n int, body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, body) }
	head := func(lines, body string) string { return lines + "\r\n" + length(len(body), body) }
	for what, c := range map[string]struct {
		request string // after the first lines
		status  int    // 0: none, or a refusal; 400: any 4xx
	}{
		"a body that is too large":                   {length(len(large), large), 413},
		"one that says it is too large":              {length(1<<40, "x"), 413},
		"one that is too large in chunks":            {chunked + chunk(large) + chunk(""), 413},
		"one that is too large in many chunks":       {chunked + strings.Repeat(chunk(large[:4096]), 17) + chunk(""), 413},
		"one that ends early":                        {length(100, "only this"), 0},
		"one that ends early in chunks":              {chunked + chunk("only this"), 0},
		"one that ends within a chunk":               {chunked + "64\r\nonly this", 0},
		"a chunk that is longer than it says":        {chunked + "2\r\nonly this\r\n0\r\n\r\n", 400},
		"a chunk of a length that is none":           {chunked + "xyz\r\nonly this\r\n0\r\n\r\n", 400},
		"two lengths":                                {"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello", 400},
		"a length below zero":                        {"Content-Length: -5\r\n\r\nhello", 400},
		"a length of words":                          {"Content-Length: many\r\n\r\nhello", 400},
		"another coding":                             {"Transfer-Encoding: gzip\r\n\r\nhello", 0},
		"an encoded body":                            {head("Content-Encoding: gzip", "hello"), 400},
		"a part of a body":                           {head("Content-Range: bytes 0-4/10", "hello"), 400},
		"another Content-Digest":                     {head("Content-Digest: "+sum("other"), "hello"), 400},
		"another Content-Digest, in other letters":   {head("content-digest: SHA-256"+sum("other")[7:], "hello"), 400},
		"another Content-Digest behind one of SHA-1": {head("Content-Digest: sha=:AAAA:, "+sum("other"), "hello"), 400},
		"a Content-Digest that is none":              {head("Content-Digest: sha-256=:AAAA:", "hello"), 400},
		"two Content-Digest":                         {head("Content-Digest: "+sum("hello")+"\r\nContent-Digest: "+sum("other"), "hello"), 400},
		"another X-Checksum-Sha256":                  {head("X-Checksum-Sha256: "+hexOf([]byte("other")), "hello"), 400},
		"an X-Checksum-Sha256 that is none":          {head("X-Checksum-Sha256: abc", "hello"), 400},
		"two digests that disagree":                  {head("X-Checksum-Sha256: "+hexOf([]byte("other"))+"\r\nContent-Digest: "+sum("hello"), "hello"), 400},
	} {
		t.Run(what, func(t *testing.T) {
			for _, path := range []string{"/raw/a/b", "/debian/stable/main/hello_1.0_amd64.deb"} {
				before := d.traces(t, path[1:strings.IndexByte(path[1:], '/')+1])
				status, body := d.raw(t, "PUT "+path+" HTTP/1.1\r\nHost: "+d.proxy.Addr+"\r\nConnection: close\r\n"+c.request)
				switch {
				case c.status == 0 && status != 0 && status < 400, c.status == 400 && (status < 400 || status > 499), c.status > 400 && status != c.status:
					t.Errorf("%s: %d %s, want %d", path, status, body, c.status)
				}
				d.leftNothing(t, path[1:strings.IndexByte(path[1:], '/')+1], before)
			}
		})
	}
	// Its twins.
	for i, request := range []string{
		length(5, "hello"), chunked + chunk("he") + chunk("llo") + chunk(""), head("Content-Digest: "+sum("hello"), "hello"),
		head("X-Checksum-Sha256: "+strings.ToUpper(hexOf([]byte("hello"))), "hello"),
		head("Content-Digest: "+sum("hello")+"\r\nX-Checksum-Sha256: "+hexOf([]byte("hello")), "hello"),
		head("Content-Encoding: identity", "hello"), head("Content-Digest: sha-512=:AAAA:", "hello"), length(len(large)-1, large[1:]),
	} {
		path := fmt.Sprintf("/raw/good/%d", i)
		status, body := d.raw(t, "PUT "+path+" HTTP/1.1\r\nHost: "+d.proxy.Addr+"\r\nConnection: close\r\n"+request)
		if status != http.StatusCreated {
			t.Errorf("%.200q: %d %s", request, status, body)
		}
		w := d.api.get(t, path).expect(t, http.StatusOK)
		if want := []byte("hello"); len(w.body) < 1000 && !bytes.Equal(w.body, want) {
			t.Errorf("%s is %q", path, w.body)
		}
	}
}

// raw sends bytes, closes its side, and returns the status and body of the answer; 0: there was none.
func (d *depot) raw(t *testing.T, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", d.proxy.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		io.WriteString(conn, request) // who is refused is not read to the end
		conn.(*net.TCPConn).CloseWrite()
	}()
	answer, _ := io.ReadAll(conn)
	text := string(answer)
	for strings.HasPrefix(text, "HTTP/1.1 100") {
		_, text, _ = strings.Cut(text, "\r\n\r\n")
	}
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	if _, err := fmt.Sscanf(head, "HTTP/1.1 %d", &status); err != nil {
		return 0, text
	}
	return status, body
}
