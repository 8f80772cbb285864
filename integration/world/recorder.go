package world

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Recorder stands in front of a server, passes everything on, and notes what was asked. What a client
// sends to a server is told from here, never from the client's own account.
type Recorder struct {
	URL  string // http://host:port
	Addr string // host:port

	intercept atomic.Pointer[Interceptor]

	mu       sync.Mutex
	requests []*Request
	running  int
}

// A Request is one request that was answered, or given up.
type Request struct {
	Method string
	Path   string
	Query  string
	Header http.Header // as the client sent it
	Status int         // 0 if no answer began
	Start  time.Time   // its header had arrived
	End    time.Time   // its answer was written; zero while it is not
}

// Record starts a Recorder in front of target, a URL without a path. The Host of a request is passed on,
// so that a server which names itself in its answers names the Recorder.
func Record(t T, target string) *Recorder {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatalf("record %s: %v", target, err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "recorder: "+err.Error(), http.StatusBadGateway)
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	rec := &Recorder{}
	rec.URL = Serve(t, rec.note(forward))
	rec.Addr = hostOf(rec.URL)
	return rec
}

// An Interceptor answers a request in the target's stead, or passes it on by forward. It may be called
// concurrently.
type Interceptor func(w http.ResponseWriter, r *http.Request, forward http.Handler)

// Intercept puts h between the Recorder and its target, for the requests that start from then on. A nil h
// takes it away.
func (rec *Recorder) Intercept(h Interceptor) {
	if h == nil {
		rec.intercept.Store(nil)
		return
	}
	rec.intercept.Store(&h)
}

// Requests returns what was noted since the start or the last Reset, ordered by Start. A client has its
// answer a moment before the answer's end is noted, so Requests waits for the requests that run, but not
// for those that hang.
func (rec *Recorder) Requests() []Request {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	Poll(ctx, func(context.Context) error {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		if rec.running > 0 {
			return errors.New("requests are running")
		}
		return nil
	})
	rec.mu.Lock()
	defer rec.mu.Unlock()
	noted := make([]Request, len(rec.requests))
	for i, r := range rec.requests {
		noted[i] = *r
	}
	return noted
}

// Reset forgets what was noted.
func (rec *Recorder) Reset() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.requests = nil
}

// note wraps forward so that each request is noted, also one that is aborted.
func (rec *Recorder) note(forward http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noted := rec.begin(r)
		answer := &statusWriter{ResponseWriter: w}
		defer func() { rec.end(noted, answer.status) }()
		if h := rec.intercept.Load(); h != nil {
			(*h)(answer, r, forward)
			return
		}
		forward.ServeHTTP(answer, r)
	})
}

func (rec *Recorder) begin(r *http.Request) *Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	noted := &Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Header: r.Header.Clone(), Start: time.Now(),
	}
	rec.requests = append(rec.requests, noted)
	rec.running++
	return noted
}

func (rec *Recorder) end(noted *Request, status int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	noted.Status, noted.End = status, time.Now()
	rec.running--
}

// Line returns the request in one line: method, path, query, status.
func (r Request) Line() string {
	line := r.Method + " " + r.Path
	if r.Query != "" {
		line += "?" + r.Query
	}
	return line + " " + strconv.Itoa(r.Status)
}

// InSequence returns the length of the longest chain of requests each of which began after the one before
// had ended: how many round trips the client waited for, one after another. Requests without an end do
// not count.
func InSequence(requests []Request) int {
	byEnd := slices.DeleteFunc(slices.Clone(requests), func(r Request) bool { return r.End.IsZero() })
	slices.SortFunc(byEnd, func(a, b Request) int { return a.End.Compare(b.End) })
	var n int
	var end time.Time
	for _, r := range byEnd {
		if !r.Start.Before(end) {
			n, end = n+1, r.End
		}
	}
	return n
}

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status < 200 { // 1xx is no answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status < 200 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach Flush and Hijack.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
