package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hallmark/formats/maven"
)

// A client that shows nothing but the status line says what was wrong.
func TestAStatusLineHoldsTheReason(t *testing.T) {
	f, err := maven.New(maven.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	h := openShelfOf(t, f)
	server := httptest.NewServer(h.server)
	defer server.Close()
	send := func(method, path, header string, size int) (*http.Response, string) {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s /raw/%s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: %d\r\n%s\r\n", method, path, size, header)
		if header == "" {
			io.WriteString(conn, strings.Repeat("x", size))
		}
		w, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return w, string(body)
	}
	const bad, reason = "g/a/1/b-1.jar", `400 "b-1.jar" does not fit its folder "g/a/1"`
	for name, header := range map[string]string{"at once": "", "to one that waits": "Expect: 100-continue\r\n"} {
		w, body := send("PUT", bad, header, 1000)
		if !strings.HasPrefix(w.Status, reason) || !strings.Contains(body, `"detail":"\"b-1.jar\" does not fit`) || w.StatusCode != 400 ||
			w.Header.Get("Content-Type") != "application/problem+json" || w.Header.Get("X-Request-Id") == "" || w.Header.Get("Date") == "" || !w.Close {
			t.Errorf("%s: %s with %v: %s", name, w.Status, w.Header, body)
		}
	}
	if w, _ := send("DELETE", "g/a/%C3%A4/%C3%A4", "", 0); w.StatusCode != 405 || strings.ContainsFunc(w.Status, func(r rune) bool { return r > '~' }) {
		t.Errorf("a reason with other letters is %q", w.Status)
	}
	if w, _ := send("GET", "g/a/1/a-1.jar", "", 0); w.Status != "404 Not Found" || w.Close {
		t.Errorf("what is not there gets %q", w.Status)
	}
	if got := printableReason("a\r\nb\x00" + strings.Repeat("ä", 1000)); len(got) != maxReason || !strings.HasPrefix(got, "a??b?") {
		t.Errorf("the reason is %q", got)
	}
}
