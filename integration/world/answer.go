package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Serve serves h on a free loopback port until the test ends, and returns its URL.
func Serve(t T, h http.Handler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: Patience}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return "http://" + ln.Addr().String()
}

// asker asks whether somebody is there, not who: it takes any certificate. Each question is a connection of
// its own, since a server may have been killed and be another one now.
var asker = &http.Client{
	Timeout: 10 * time.Second,
	Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	},
}

// Answers returns a check for Await and Poll: GET of address gets one of the statuses.
func Answers(address string, statuses ...int) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return stop{err}
		}
		w, err := asker.Do(r)
		if err != nil {
			return err
		}
		defer w.Body.Close()
		for _, status := range statuses {
			if w.StatusCode == status {
				return nil
			}
		}
		body, _ := io.ReadAll(io.LimitReader(w.Body, 1<<10))
		return fmt.Errorf("GET %s: %s %s", address, w.Status, strings.TrimSpace(string(body)))
	}
}

// hostOf returns the host:port of a URL that the world made itself.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Host
}
