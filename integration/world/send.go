package world

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// NewCurl returns curl without the host's settings. It fails on statuses from 400, and shows their body.
func NewCurl(t T) Command {
	t.Helper()
	return Command{
		Path: Installed(t, "curl", "curl"),
		Args: []string{"--disable", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*"},
	}
}

// sender takes its time, which a big upload needs. Each request is a connection of its own, since a server
// may have been killed and be another one now.
var sender = &http.Client{Timeout: commandTime, Transport: &http.Transport{DisableKeepAlives: true}}

// Send sends a request with a body, which may be nil, and returns status and body of the answer. Each
// of headers is a name, a colon, a space and a value.
func Send(t T, method, address string, body []byte, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, header := range headers {
		name, value, ok := strings.Cut(header, ": ")
		if !ok {
			t.Fatalf("%q is no header", header)
		}
		r.Header.Add(name, value)
	}
	w, err := sender.Do(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return w.StatusCode, string(answer)
}

// Put uploads a file, and fails the test unless the status is want.
func Put(t T, address, file string, want int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	expect(t, http.MethodPut, address, data, want)
}

// Delete deletes what is at an address, and fails the test unless the status is want.
func Delete(t T, address string, want int) {
	t.Helper()
	expect(t, http.MethodDelete, address, nil, want)
}

// Get returns what is at an address, and fails the test unless there is something.
func Get(t T, address string) string {
	t.Helper()
	return expect(t, http.MethodGet, address, nil, http.StatusOK)
}

func expect(t T, method, address string, body []byte, want int) string {
	t.Helper()
	status, answer := Send(t, method, address, body)
	if status != want {
		t.Fatalf("%s %s: %s, want %d\n%s", method, address, strconv.Itoa(status), want, answer)
	}
	return answer
}
