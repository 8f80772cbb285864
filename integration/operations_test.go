package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hallmark/integration/world"
)

// Who signed what, when and for whom stands in the ledger, for whoever may read the image.
func TestTheLedgerCanBeRead(t *testing.T) {
	in(t, everywhere, settings{}, func(t *testing.T, h *house) {
		d := h.push(t, "team/app:1.0.0")
		rows := h.rows(t, "team/app", d)
		if len(rows) != 1 {
			t.Fatalf("rows: %+v", rows)
		}
		r := rows[0]
		if made, err := time.Parse(time.RFC3339, r.Time); err != nil || time.Since(made) > time.Hour {
			t.Errorf("time %q: %v", r.Time, err)
		}
		if r.Repository != "images" || r.Name != "team/app" || r.Digest != d || r.Scheme != "cosign" || r.State != "made" || r.Request == "" {
			t.Errorf("row %+v", r)
		}
		if !strings.HasPrefix(r.Key, "sha256:") || len(r.Key) != len("sha256:")+64 {
			t.Errorf("key %q", r.Key)
		}
		switch {
		case h.user.Name == "" && r.By != "anonymous":
			t.Errorf("nobody said who they are, and it was %q", r.By)
		case h.user.Name != "" && !strings.HasPrefix(r.By, h.user.Name):
			t.Errorf("%s pushed, and it was %q", h.user.Name, r.By)
		}
		if got := h.rows(t, "team/app", "sha256:"+strings.Repeat("0", 64)); got != nil {
			t.Errorf("rows of an image that is not there: %+v", got)
		}
		if h.user.Name != "" {
			stranger := openWire(t, h.proxy.Addr, "team/app", world.User{})
			stranger.base = h.proxy.URL
			stranger.client = http.DefaultClient
			if a := stranger.do(t, http.MethodGet, "/-/signatures/images/team/app@"+d, nil); a.Status != http.StatusUnauthorized {
				t.Errorf("who may not read the image reads its signatures: %d", a.Status)
			}
		}
	})
}

// An upstream that is down makes the proxy unready, and nothing else.
func TestAnUpstreamThatIsDown(t *testing.T) {
	h := build(t, stock, settings{})
	h.push(t, "team/app:1.0.0")
	w := h.wire(t, "team/app")
	body := w.get(t, "/manifests/1.0.0").Body
	h.registry.Kill()
	t.Run("down", func(t *testing.T) {
		h.proxy.Await(t, world.Answers(h.proxy.URL+"/readyz", http.StatusServiceUnavailable))
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			a := w.do(t, method, "/manifests/1.0.0", body, "Content-Type", ociManifest)
			if a.Status != http.StatusBadGateway || a.code(t) == "" {
				t.Errorf("%s: %d %s", method, a.Status, a.Body)
			}
		}
		h.proxy.Await(t, world.Answers(h.proxy.URL+"/healthz", http.StatusOK))
		h.proxy.Await(t, world.Answers(h.key(), http.StatusOK))
	})
	h.registry.Start(t)
	h.proxy.Await(t, world.Answers(h.proxy.URL+"/readyz", http.StatusOK))
	h.push(t, "team/app:2.0.0")
}

// The proxy starts and lives without its upstream.
func TestStartingBeforeTheUpstream(t *testing.T) {
	addr := world.FreeAddr(t)
	p := world.StartProxy(t, world.ProxyOptions{Unready: true, Config: "repositories:\n  images: {format: oci, images: [\"*\"], upstream: {url: \"http://" + addr + "\"}}\n"})
	p.Await(t, world.Answers(p.URL+"/readyz", http.StatusServiceUnavailable))
	if status := p.Terminate(); status != 0 {
		t.Errorf("SIGTERM ended it with status %d", status)
	}
}

// What is on its way when the proxy is told to stop is finished.
func TestDraining(t *testing.T) {
	h := build(t, embedded, settings{})
	r, body := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, h.proxy.URL+"/v2/team/app/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	// The body is sent when the server has asked for it: so the request is on its way there before the end.
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer patient.CloseIdleConnections()
	answered := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPatch, location.String(), r)
		if err == nil {
			req.Header.Set("Content-Type", "application/octet-stream")
			req.Header.Set("Expect", "100-continue")
			var resp *http.Response
			if resp, err = patient.Do(req); err == nil {
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					err = fmt.Errorf("status %d", resp.StatusCode)
				}
			}
		}
		answered <- err
	}()
	if _, err := body.Write([]byte("the first half ")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() { ended <- h.proxy.Terminate() }()
	if err := world.Poll(t.Context(), func(context.Context) error {
		conn, err := net.Dial("tcp", h.proxy.Addr)
		if err == nil {
			conn.Close()
			return errors.New("it still takes connections")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := body.Write([]byte("and the second")); err != nil {
		t.Fatal(err)
	}
	body.Close()
	if err := <-answered; err != nil {
		t.Errorf("the upload that was on its way: %v", err)
	}
	if status := <-ended; status != 0 {
		t.Errorf("the proxy ended with status %d", status)
	}
}

func TestOneProcessHasTheData(t *testing.T) {
	h := build(t, embedded, settings{})
	c := h.proxy.Command(t)
	c.Refuses(t, []string{h.proxy.Data, "in use"}, "serve", "--listen", "127.0.0.1:0")
	h.proxy.Kill() // a lock that outlives its process would keep the next one out
	h.proxy.Start(t)
}

func TestSignatureTagsAreHidden(t *testing.T) {
	in(t, bothKinds, settings{repository: "    hide_signature_tags: true\n"}, func(t *testing.T, h *house) {
		h.push(t, "team/app:1.0.0")
		h.push(t, "team/app:2.0.0")
		if got := strings.Fields(h.crane(t).Run(t, "ls", h.ref("team/app"))); strings.Join(got, " ") != "1.0.0 2.0.0" {
			t.Errorf("the tags are %q", got)
		}
		h.verified(t, h.ref("team/app:1.0.0"))
		if got := strings.Fields(h.crane(t).Run(t, "ls", h.direct()+"/team/app")); len(got) != 4 {
			t.Errorf("behind the proxy the tags are %q", got)
		}
	})
}

// certificate writes a new certificate for 127.0.0.1 over the files and returns its serial number.
func certificate(t *testing.T, certFile, keyFile string) *big.Int {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}, certFile: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return serial
}

// A renewed certificate is used without a restart, and the commands find the server all the same.
func TestTLSCertificatesAreReloaded(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	first := certificate(t, cert, key)
	p := world.StartProxy(t, world.ProxyOptions{HTTPS: true, Config: fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key)})
	shown := func() *big.Int {
		conn, err := tls.Dial("tcp", p.Addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	if got := shown(); got.Cmp(first) != 0 {
		t.Errorf("the server shows %v, want %v", got, first)
	}
	second := certificate(t, cert, key)
	if err := world.Poll(t.Context(), func(context.Context) error {
		if got := shown(); got.Cmp(second) != 0 {
			return fmt.Errorf("the server still shows %v", got)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if out := p.Command(t).Run(t, "repo", "verify"); !strings.Contains(out, "0 tags") {
		t.Errorf("repo verify: %s", out)
	}
	// A pair that does not fit is not taken.
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got.Cmp(second) != 0 {
		t.Errorf("after a certificate that is none the server shows %v", got)
	}
}

// What a newcomer sees first: where it listens, which key signs, and the lines to type.
func TestTheFirstStart(t *testing.T) {
	addr := world.FreeAddr(t)
	dir := t.TempDir()
	cmd := exec.Command(world.ProxyBinary(t), "--listen", addr)
	cmd.Dir = dir
	p := world.Start(t, "first", cmd)
	p.Await(t, world.Answers("http://"+addr+"/readyz", http.StatusOK))
	out, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"http://" + addr, "sha256:", "docker push " + addr + "/team/app:1",
		"cosign verify --private-infrastructure=true --key http://" + addr + "/-/keys/images/cosign.pub " + addr + "/team/app:1",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the first start does not say %q:\n%s", want, out)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "data", "keys", "images", "image-p256.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
}
