// Package timestamptest is a timestamp server for tests: openssl ts behind HTTP.
package timestamptest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A Server answers queries until the test ends.
type Server struct {
	URL string
	// Trusted is a PEM file with its certificate.
	Trusted string

	dir string
	mu  sync.Mutex // openssl keeps the serial number in a file
}

const config = `[tsa]
default_tsa = ours
[ours]
serial = serial
signer_cert = tsa.crt
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
`

// New starts a server.
func New(tb testing.TB) *Server {
	tb.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		tb.Fatal("openssl is missing: apt-get install --no-install-recommends openssl")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Timestamps"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
		// RFC 3161 section 2.3 wants it critical.
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08")}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{dir: tb.TempDir()}
	s.Trusted = filepath.Join(s.dir, "tsa.crt")
	for name, data := range map[string][]byte{
		"tsa.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tsa.key": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"config":  []byte(config), "serial": []byte("01\n"),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// ServeHTTP answers a query.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "this is no query", http.StatusBadRequest)
		return
	}
	reply, err := s.reply(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(reply)
}

func (s *Server) reply(query []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.WriteFile(filepath.Join(s.dir, "query"), query, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("openssl", "ts", "-reply", "-config", "config", "-queryfile", "query", "-out", "reply")
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return out, err
	}
	return os.ReadFile(filepath.Join(s.dir, "reply"))
}

// Verify verifies a token of the server over data by openssl.
func (s *Server) Verify(tb testing.TB, token, data []byte) error {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range map[string][]byte{"token": token, "data": data} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.Command("openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile", s.Trusted)
	cmd.Dir = dir
	return cmd.Run()
}
