package upstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hallmark/formats/format"
	"hallmark/proxy/backend"
)

// serve returns a client of a server, and the requests that it got.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*ClientOptions)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL, change...)
}

func clientOf(t *testing.T, address string, change ...func(*ClientOptions)) *Client {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	o := ClientOptions{URL: base.JoinPath("/debian/"), Timeout: 10 * time.Second, UserAgent: "hallmark/test"}
	for _, c := range change {
		c(&o)
	}
	return NewClient(o)
}

func fetch(c *Client, path string) (string, error) {
	resp, err := c.Get(context.Background(), path, Validators{})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func wantFault(t *testing.T, err, is error, words ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("error %v, want one that is %v", err, is)
		return
	}
	if is == backend.ErrUpstream && errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v says that there is nothing", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestOnlyTwoAnswersSayThatThereIsNothing(t *testing.T) {
	for _, status := range []int{404, 410, 400, 401, 403, 407, 408, 429, 451, 500, 502, 503, 504, 204, 206, 304, 302} {
		c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("WWW-Authenticate", `Basic realm="hunter2"`)
			rw.WriteHeader(status)
		})
		_, err := fetch(c, "dists/x/InRelease")
		if status == 404 || status == 410 {
			wantFault(t, err, fs.ErrNotExist, c.Host(), "dists/x/InRelease")
			continue
		}
		wantFault(t, err, backend.ErrUpstream, c.Host(), fmt.Sprint(status), "dists/x/InRelease")
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the challenge passes: %v", err)
		}
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	var got *http.Request
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) { got = req; io.WriteString(rw, "ok") }, func(o *ClientOptions) {
		o.User, o.Password = "us", func() (string, error) { return "hunter2", nil }
	})
	body, err := fetch(c, "pool/g++ 1%2f~a:b?x#y;z")
	if err != nil || body != "ok" {
		t.Fatalf("%q, %v", body, err)
	}
	if want := "/debian/pool/g%2B%2B%201%252f~a:b%3Fx%23y%3Bz"; got.RequestURI != want {
		t.Errorf("asked for %s, want %s", got.RequestURI, want)
	}
	want := http.Header{
		"Accept-Encoding": {"identity"}, "User-Agent": {"hallmark/test"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("us:hunter2"))},
	}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("header %v, want %v", got.Header, want)
	}
	if _, err := fetch(c, "simple/a b/"); err != nil || got.RequestURI != "/debian/simple/a%20b/" {
		t.Errorf("asked for %s (%v), want the folder's page", got.RequestURI, err)
	}
}

func TestPathsThatLeadElsewhereAreNotAskedFor(t *testing.T) {
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) { t.Errorf("asked for %s", req.RequestURI) })
	for _, path := range []string{"", "/", "/a", "a//", "a//b", "..", "a/../b", "a/./b", "a\x00b", "a\r\nb", "a\xffb", "a\u0085b"} {
		_, err := fetch(c, path)
		wantFault(t, err, format.ErrMalformed)
		wantFault(t, c.Put(context.Background(), path, 1, strings.NewReader("x")), format.ErrMalformed)
		wantFault(t, c.Delete(context.Background(), path), format.ErrMalformed)
	}
	wantFault(t, c.Put(context.Background(), "a/", 1, strings.NewReader("x")), format.ErrMalformed)
	wantFault(t, c.Delete(context.Background(), "a/"), format.ErrMalformed)
}

func TestRedirects(t *testing.T) {
	var there []*http.Request
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		there = append(there, req)
		io.WriteString(rw, "from there")
	}))
	defer other.Close()
	for _, tt := range []struct {
		name, location string
		listed         bool
		want           string
		fault          []string
	}{
		{"within the origin", "/elsewhere/b", false, "from here", nil},
		{"to an origin that is listed", other.URL + "/b?signed=hunter2", true, "from there", nil},
		{"to an origin that is not listed", other.URL + "/b?signed=hunter2", false, "", []string{other.URL, "upstream.redirect_origins"}},
		{"with a user", strings.Replace(other.URL, "//", "//a:b@", 1), true, "", []string{"not plain http"}},
		{"to another scheme", "ftp://example.com/b", true, "", []string{"not plain http"}},
		{"in a circle", "/debian/a", false, "", []string{"more than 10 times"}},
		{"to nowhere", "", false, "", []string{"answers 302"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			there = nil
			c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
				if req.Header.Get("Authorization") == "" {
					t.Error("no credentials at the upstream's own origin")
				}
				if req.URL.Path != "/debian/a" {
					io.WriteString(rw, "from here")
					return
				}
				if tt.location != "" {
					rw.Header().Set("Location", tt.location)
				}
				rw.WriteHeader(http.StatusFound)
			}, func(o *ClientOptions) {
				o.User, o.Password = "us", func() (string, error) { return "hunter2", nil }
				if tt.listed {
					o.RedirectOrigins = []string{other.URL}
				}
			})
			got, err := fetch(c, "a")
			if tt.fault != nil {
				wantFault(t, err, backend.ErrUpstream, append(tt.fault, c.Host())...)
				if len(there) != 0 || err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%d requests to the other origin; error %v", len(there), err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("%q, %v", got, err)
			}
			for _, req := range there {
				if req.Header.Get("Authorization") != "" || req.Header.Get("Referer") != "" || req.Header.Get("Cookie") != "" {
					t.Errorf("the other origin is told %v", req.Header)
				}
			}
		})
	}
}

// What an index names by its whole address is fetched from there, if that may be, and nobody there learns a secret.
func TestAddressesOfFilesElsewhere(t *testing.T) {
	var there []*http.Request
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		there = append(there, req)
		io.WriteString(rw, "from there")
	}))
	defer other.Close()
	own := 0
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
		if own++; req.Header.Get("Authorization") == "" || req.URL.Path != "/files/a+b" {
			t.Errorf("asked for %s with %v", req.URL, req.Header)
		}
		io.WriteString(rw, "from here")
	}, func(o *ClientOptions) {
		o.User, o.Password = "us", func() (string, error) { return "hunter2", nil }
		o.RedirectOrigins = []string{other.URL}
	})
	root := strings.TrimSuffix(c.options.URL.String(), "/debian/")
	for source, want := range map[string]string{other.URL + "/x%20y/a%2Bb": "from there", root + "/files/a+b": "from here"} {
		if err := c.Reach(source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
		if got, err := fetch(c, source); err != nil || got != want {
			t.Errorf("%s: %q, %v", source, got, err)
		}
	}
	if len(there) != 1 || own != 1 {
		t.Fatalf("%d requests elsewhere, %d here", len(there), own)
	}
	if h := there[0].Header; there[0].URL.Path != "/x y/a+b" || h.Get("Authorization") != "" || h.Get("Referer") != "" || h.Get("Cookie") != "" {
		t.Errorf("elsewhere was asked for %s with %v", there[0].URL, h)
	}
	for source, why := range map[string]string{
		"http://elsewhere.example/a":                         "redirect_origins",
		strings.Replace(other.URL, "//", "//a:b@", 1):        "plain address",
		strings.Replace(other.URL, "http:", "ftp:", 1) + "/": "plain address",
		other.URL + "/a?b":                                   "plain address",
		other.URL + "/a#b":                                   "plain address",
		"http:///a":                                          "plain address",
		"http://[/a":                                         "plain address",
	} {
		_, err := fetch(c, source)
		wantFault(t, err, backend.ErrUpstream, why, c.Host())
		wantFault(t, c.Reach(source), backend.ErrUpstream, why, c.Host())
	}
	for _, source := range []string{other.URL, other.URL + "/", other.URL + "/../a", other.URL + "//a", other.URL + "/a%0Ab"} {
		_, err := fetch(c, source)
		wantFault(t, err, format.ErrMalformed)
	}
	wantFault(t, c.Put(context.Background(), other.URL+"/a", 1, strings.NewReader("x")), format.ErrMalformed)
	wantFault(t, c.Delete(context.Background(), other.URL+"/a"), format.ErrMalformed)
	if len(there) != 1 || own != 1 {
		t.Errorf("%d requests elsewhere, %d here", len(there), own)
	}
	secure := clientOf(t, "https://127.0.0.1:1", func(o *ClientOptions) { o.RedirectOrigins = []string{other.URL} })
	wantFault(t, secure.Reach(other.URL+"/a"), backend.ErrUpstream, "by https", "by http")
}

func TestHTTPSIsNotLeftForHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }))
	defer plain.Close()
	server := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer server.Close()
	c := clientOf(t, server.URL, func(o *ClientOptions) { o.RedirectOrigins = []string{plain.URL} })
	c.following.Transport = server.Client().Transport
	_, err := fetch(c, "a")
	wantFault(t, err, backend.ErrUpstream, "from https to http")
}

func TestWritesAreNotRedirected(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		requests := 0
		c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
			requests++
			rw.Header().Set("Location", "/debian/b")
			rw.WriteHeader(status)
		})
		for _, err := range []error{c.Put(context.Background(), "a", 1, strings.NewReader("x")), c.Delete(context.Background(), "a")} {
			wantFault(t, err, backend.ErrUpstream, fmt.Sprint(status))
			if errors.Is(err, backend.ErrRefused) {
				t.Errorf("%v is a refusal", err)
			}
		}
		if requests != 2 {
			t.Errorf("%d requests for a PUT and a DELETE that got %d", requests, status)
		}
	}
}

func TestWrites(t *testing.T) {
	for _, tt := range []struct {
		status      int
		put, delete error
	}{
		{200, nil, nil}, {201, nil, nil}, {204, nil, nil},
		{202, backend.ErrUpstream, backend.ErrUpstream},
		{404, backend.ErrUpstream, nil}, {410, backend.ErrUpstream, nil},
		{403, backend.ErrRefused, backend.ErrRefused}, {405, backend.ErrRefused, backend.ErrRefused}, {501, backend.ErrRefused, backend.ErrRefused},
		{401, backend.ErrUpstream, backend.ErrUpstream}, {500, backend.ErrUpstream, backend.ErrUpstream},
	} {
		content := strings.Repeat("x", 2<<20)
		c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
			if b, err := io.ReadAll(req.Body); req.Method == http.MethodPut && (err != nil || string(b) != content) {
				t.Errorf("the upstream got %d bytes, %v", len(b), err)
			}
			rw.WriteHeader(tt.status)
		})
		check := func(err, want error) {
			t.Helper()
			if want == nil {
				if err != nil {
					t.Errorf("%d: %v", tt.status, err)
				}
				return
			}
			wantFault(t, err, want, c.Host(), fmt.Sprint(tt.status), "a/b")
			wantFault(t, err, backend.ErrUpstream)
			if errors.Is(err, backend.ErrRefused) != (want == backend.ErrRefused) {
				t.Errorf("%d is a refusal: %v", tt.status, err)
			}
		}
		check(c.Put(context.Background(), "a/b", int64(len(content)), strings.NewReader(content)), tt.put)
		check(c.Delete(context.Background(), "a/b"), tt.delete)
	}
}

func TestNobodyReadsAfterPut(t *testing.T) {
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) { rw.WriteHeader(http.StatusMethodNotAllowed) })
	returned := false
	source := readerFunc(func(p []byte) (int, error) {
		if returned {
			t.Error("read after Put")
		}
		return len(p), nil
	})
	err := c.Put(context.Background(), "a", 1<<30, source)
	returned = true
	wantFault(t, err, backend.ErrRefused)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBodiesThatAreNotTheFile(t *testing.T) {
	short := func(o *ClientOptions) { o.Timeout = 100 * time.Millisecond }
	for _, tt := range []struct {
		name  string
		serve func(rw http.ResponseWriter, req *http.Request)
		words []string
	}{
		{"truncated", func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("Content-Length", "100")
			io.WriteString(rw, "only this")
		}, []string{"broke off a after 9 bytes"}},
		{"truncated without length", func(rw http.ResponseWriter, req *http.Request) {
			io.WriteString(rw, "only this")
			http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}, []string{"broke off a"}},
		{"encoded", func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
		}, []string{`encoding "gzip"`}},
		{"stalled", func(rw http.ResponseWriter, req *http.Request) {
			io.WriteString(rw, "this")
			http.NewResponseController(rw).Flush()
			<-req.Context().Done()
		}, []string{"stopped sending a"}},
		{"without an answer", func(rw http.ResponseWriter, req *http.Request) {
			<-req.Context().Done()
		}, []string{"nothing came within upstream.timeout"}},
		{"a trickle", func(rw http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				io.WriteString(rw, "x")
				http.NewResponseController(rw).Flush()
				select {
				case <-time.After(10 * time.Millisecond):
				case <-req.Context().Done():
				}
			}
		}, []string{"too slowly"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fetch(serve(t, tt.serve, short), "a")
			wantFault(t, err, backend.ErrUpstream, tt.words...)
		})
	}
}

func TestAnUpstreamThatIsDown(t *testing.T) {
	server := httptest.NewServer(nil)
	c := clientOf(t, server.URL)
	server.Close()
	_, err := fetch(c, "a")
	wantFault(t, err, backend.ErrUpstream, c.Host(), "does not answer for a", "connection refused")
	wantFault(t, c.Ready(context.Background()), backend.ErrUpstream, c.Host())
}

func TestReady(t *testing.T) {
	for status, ready := range map[int]bool{200: true, 301: true, 401: true, 403: true, 404: true, 405: true, 500: false, 503: false} {
		c := serve(t, func(rw http.ResponseWriter, req *http.Request) { rw.WriteHeader(status) })
		if err := c.Ready(context.Background()); (err == nil) != ready {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestTheCallersContextIsNotTheUpstreamsFault(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() })
	_, err := c.Get(ctx, "a", Validators{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, backend.ErrUpstream) {
		t.Errorf("%v", err)
	}
}

func TestValidators(t *testing.T) {
	modified := time.Now().Add(-time.Hour)
	c := serve(t, func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Etag", `"x"`)
		http.ServeContent(rw, req, "", modified, strings.NewReader("text"))
	})
	first, err := c.Get(context.Background(), "a", Validators{})
	if err != nil {
		t.Fatal(err)
	}
	first.Body.Close()
	if first.Validators.ETag != `"x"` || first.Validators.LastModified == "" || first.Size != 4 {
		t.Errorf("%+v", first)
	}
	second, err := c.Get(context.Background(), "a", first.Validators)
	if err != nil || !second.NotModified || second.Validators != first.Validators {
		t.Errorf("%+v, %v", second, err)
	}
	modified = time.Now()
	third, err := c.Get(context.Background(), "a", Validators{ETag: `"y"`})
	if err != nil || third.NotModified || third.Validators != (Validators{}) {
		t.Errorf("a file of this second: %+v, %v", third, err)
	}
	third.Body.Close()
}
