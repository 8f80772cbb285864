package proxy

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what /metrics shows, in Prometheus' text format. No label has values that clients choose.
type Metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	signed   *prometheus.CounterVec
	signing  *prometheus.HistogramVec
	upstream *prometheus.HistogramVec
	changes  *prometheus.CounterVec
	commits  *prometheus.HistogramVec
}

// NewMetrics returns Metrics in a registry of their own.
func NewMetrics() *Metrics {
	reg := prometheus.NewRegistry()
	m := &Metrics{
		handler: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallmark_requests_total", Help: "Requests, by method and status."}, []string{"method", "status"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallmark_bytes_total", Help: "Bytes of bodies, received and sent."}, []string{"direction"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hallmark_request_seconds", Help: "Time to answer a request.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"method"}),
		signed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallmark_signatures_total", Help: "Signatures asked for, by scheme and result (made, failed)."}, []string{"repository", "scheme", "result"}),
		signing: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hallmark_signing_seconds", Help: "Time to make, log and store a signature.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"repository", "scheme"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hallmark_upstream_seconds", Help: "Time to the first byte of an upstream's answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"repository"}),
	}
	m.changes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hallmark_changes_total", Help: "Uploads and deletions of packages that became visible."}, []string{"repository"})
	m.commits = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hallmark_commit_seconds", Help: "Time to render, sign and commit an index.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"repository"})
	reg.MustRegister(m.requests, m.bytes, m.seconds, m.signed, m.signing, m.upstream, m.changes, m.commits,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) request(method string, status int, received, sent int64, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, strconv.Itoa(status)).Inc()
	m.bytes.WithLabelValues("received").Add(float64(received))
	m.bytes.WithLabelValues("sent").Add(float64(sent))
	m.seconds.WithLabelValues(method).Observe(took.Seconds())
}

// Signed returns a function that counts the signatures of a repository.
func (m *Metrics) Signed(repository string) func(scheme string, took time.Duration, err error) {
	return func(scheme string, took time.Duration, err error) {
		result := "made"
		if err != nil {
			result = "failed"
		}
		m.signed.WithLabelValues(repository, scheme, result).Inc()
		m.signing.WithLabelValues(repository, scheme).Observe(took.Seconds())
	}
}

// Committed returns a function that observes the commits of a package repository.
func (m *Metrics) Committed(repository string) func(changes int, took time.Duration) {
	count, seconds := m.changes.WithLabelValues(repository), m.commits.WithLabelValues(repository)
	return func(changes int, took time.Duration) {
		count.Add(float64(changes))
		seconds.Observe(took.Seconds())
	}
}

// Upstream returns a function that observes the answers of a repository's upstream.
func (m *Metrics) Upstream(repository string) func(time.Duration) {
	h := m.upstream.WithLabelValues(repository)
	return func(took time.Duration) { h.Observe(took.Seconds()) }
}
