package world

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// tufHost is where npm asks for the keys of registries, before it asks the registries themselves.
const tufHost = "tuf-repo-cdn.sigstore.dev"

// A tufServer stands in for that host: a proxy that leads there, and a repository of TUF without targets
// (theupdateframework.github.io/specification).
type tufServer struct {
	proxy       string // http://host:port
	certificate string // a PEM file: whom to believe that it is the host
	root        []byte // root.json, which npm must have
}

// serveTUF serves one until the test ends.
func serveTUF(t T) *tufServer {
	t.Helper()
	signer := newTUFSigner(t)
	root := signer.sign(t, signer.root())
	targets := signer.sign(t, tufBody("targets", map[string]any{"targets": map[string]any{}}))
	snapshot := signer.sign(t, tufBody("snapshot", map[string]any{"meta": map[string]any{"targets.json": tufMeta(targets)}}))
	timestamp := signer.sign(t, tufBody("timestamp", map[string]any{"meta": map[string]any{"snapshot.json": tufMeta(snapshot)}}))
	files := map[string][]byte{"/timestamp.json": timestamp, "/1.snapshot.json": snapshot, "/1.targets.json": targets}
	certificate, pair := tufCertificate(t)
	inside := &connections{come: make(chan net.Conn), gone: make(chan struct{})}
	server := &http.Server{ReadHeaderTimeout: Patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	})}
	go server.Serve(tls.NewListener(inside, &tls.Config{Certificates: []tls.Certificate{pair}}))
	t.Cleanup(func() { server.Close() })
	proxy := Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != tufHost+":443" {
			http.Error(w, "there is no way to "+r.Host, http.StatusForbidden)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		inside.take(conn)
	}))
	return &tufServer{proxy, certificate, root}
}

// A tufSigner has one key, for all roles.
type tufSigner struct {
	private ed25519.PrivateKey
	id      string
	key     map[string]any
}

func newTUFSigner(t T) *tufSigner {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s := &tufSigner{private: private, key: map[string]any{
		"keytype": "ed25519", "scheme": "ed25519", "keyval": map[string]any{"public": hex.EncodeToString(public)},
	}}
	sum := sha256.Sum256(tufJSON(t, s.key))
	s.id = hex.EncodeToString(sum[:])
	return s
}

func tufBody(role string, more map[string]any) map[string]any {
	body := map[string]any{
		"_type": role, "spec_version": "1.0.31", "version": 1, "expires": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339),
	}
	for name, value := range more {
		body[name] = value
	}
	return body
}

func (s *tufSigner) root() map[string]any {
	roles := map[string]any{}
	for _, name := range []string{"root", "timestamp", "snapshot", "targets"} {
		roles[name] = map[string]any{"keyids": []string{s.id}, "threshold": 1}
	}
	return tufBody("root", map[string]any{"consistent_snapshot": true, "keys": map[string]any{s.id: s.key}, "roles": roles})
}

func (s *tufSigner) sign(t T, body map[string]any) []byte {
	t.Helper()
	return tufJSON(t, map[string]any{
		"signed":     body,
		"signatures": []any{map[string]any{"keyid": s.id, "sig": hex.EncodeToString(ed25519.Sign(s.private, tufJSON(t, body)))}},
	})
}

func tufMeta(file []byte) map[string]any {
	sum := sha256.Sum256(file)
	return map[string]any{"version": 1, "length": len(file), "hashes": map[string]any{"sha256": hex.EncodeToString(sum[:])}}
}

// tufJSON is canonical for texts without anything to escape: names in their order, no blanks.
func tufJSON(t T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return bytes.TrimSpace(data)
}

// tufCertificate makes a certificate of the host, and a file with it.
func tufCertificate(t T) (string, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("%v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{tufHost},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("%v", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return file(t, "tuf.crt", string(text)), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// connections is a listener of connections that somebody else has accepted.
type connections struct {
	come chan net.Conn
	once sync.Once
	gone chan struct{}
}

func (c *connections) take(conn net.Conn) {
	select {
	case c.come <- conn:
	case <-c.gone:
		conn.Close()
	}
}

func (c *connections) Accept() (net.Conn, error) {
	select {
	case conn := <-c.come:
		return conn, nil
	case <-c.gone:
		return nil, net.ErrClosed
	}
}

func (c *connections) Close() error {
	c.once.Do(func() { close(c.gone) })
	return nil
}

func (c *connections) Addr() net.Addr { return &net.TCPAddr{} }
