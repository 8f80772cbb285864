package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"hallmark/proxy/oci"
)

// guard refuses what a web page in the browser of somebody on this machine could send us. Without auth, to reach us is
// to be allowed, and a page reaches loopback: by its address (cross-origin), or by a name that it makes resolve to
// loopback (DNS rebinding), which then stands in Host.
func (s *Server) guard(req *http.Request) error {
	if err := s.crossOrigin.Check(req); err != nil {
		return oci.Errorf(http.StatusForbidden, oci.CodeDenied, "a web page of another origin may not write here")
	}
	if s.config.Auth == nil && !s.ownHost(req.Host) && s.config.Loopback() {
		return oci.Errorf(http.StatusForbidden, oci.CodeDenied,
			"the Host of this request is %.100q; without auth only loopback's names and that of public_url are served", req.Host)
	}
	return nil
}

// ownHost reports whether a Host header names loopback or public_url.
func (s *Server) ownHost(host string) bool {
	if loopbackHost(host) {
		return true
	}
	u, err := url.Parse(s.config.PublicURL)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// SelfURL returns the scheme and host under which a client reached us: what it asked for if that is loopback, otherwise
// public_url or where we listen. Clients distrust addresses that differ from the one they know.
func (s *Server) SelfURL(req *http.Request) string {
	if !loopbackHost(req.Host) {
		return s.config.BaseURL() // with auth, a Host is not checked
	}
	if req.TLS != nil {
		return "https://" + req.Host
	}
	return "http://" + req.Host
}
