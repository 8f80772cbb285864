package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"hallmark/integration/world"
)

// frontSize is how large a file is that passes a proxy in front of an upstream.
const frontSize = 100 << 20

// front puts Hallmark, and nginx with proxy_cache, in front of the same nginx that serves files from a disk, and lets a
// client fetch files that they have not seen, and files that they have.
func (b *bench) front(t world.T) {
	key, dir := world.NewOpenPGP(t, "ed25519"), t.TempDir()
	size := min(int64(frontSize), b.size.bulk/8)
	var sums bytes.Buffer
	for i := range b.pairs {
		sum := sha256.New()
		name := fmt.Sprintf("file-%d.bin", i)
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			_, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), size))
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sum.Sum(nil), name)
	}
	list := filepath.Join(dir, "SHA256SUMS")
	if err := os.WriteFile(list, sums.Bytes(), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	key.Detach(t, list, list+".asc", true)
	origin := startNginx(t, "root "+dir+";", "")
	cache := startNginx(t, "proxy_cache c; proxy_cache_valid 200 1h; proxy_pass "+origin+";",
		"proxy_cache_path "+t.TempDir()+" keys_zone=c:10m max_size=10g; ")
	p := world.StartProxy(t, world.ProxyOptions{Scenario: "front", Config: "repositories:\n  files: {format: raw, upstream: {url: \"" +
		origin + "\", key: " + key.Public(t) + "}}\nlog: {level: warn}\n"})
	for _, what := range []string{"a miss", "a hit"} {
		var rates [2][]float64
		for i := range b.pairs {
			t.Logf("front, %s, %d of %d", what, i+1, b.pairs)
			for _, side := range []int{i % 2, 1 - i%2} {
				url := []string{cache, p.URL + "/files"}[side] + fmt.Sprintf("/file-%d.bin", i)
				syscall.Sync()
				began := time.Now()
				n, err := drain(t.Context(), url)
				if err != nil || n != size {
					t.Fatalf("front: %s: %d bytes, %v", url, n, err)
				}
				rates[side] = append(rates[side], float64(n)/(1<<20)/time.Since(began).Seconds())
			}
		}
		b.add(rateRow(fmt.Sprintf("%s of a file of %s in front of an upstream, beside nginx's proxy_cache", what, bytesText(size)),
			"%.0f MiB/s", rates[0], rates[1], 0.9))
	}
}

// drain reads a file to its end.
func drain(ctx context.Context, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 256<<10))
}

// startNginx starts an nginx of one process whose only location has these settings, and returns its URL.
func startNginx(t world.T, location, outside string) string {
	dir, addr := t.TempDir(), world.FreeAddr(t)
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn; events {}
http {
  access_log off; sendfile on; proxy_max_temp_file_size 0; %[4]s
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s; location / { %[3]s } }
}
`, dir, addr, location, outside)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	n := world.Start(t, "nginx", exec.Command(world.Installed(t, "nginx-light", "nginx"), "-e", "stderr", "-c", config))
	url := "http://" + addr
	n.Await(t, world.Answers(url+"/", http.StatusForbidden, http.StatusNotFound, http.StatusOK))
	return url
}

// refresh measures how long a client waits for an index whose upstream has to be asked first: nothing has changed there,
// or there is one package more.
func (b *bench) refresh(t world.T) {
	count := min(goalSize, b.sizes[len(b.sizes)-1])
	u := &debUpstream{key: world.NewOpenPGP(t, "ed25519"), dir: t.TempDir()}
	for i := range count {
		u.add(i)
	}
	u.publish(t)
	origin := startNginx(t, "root "+u.dir+";", "")
	// Each request is later than this, and so asks.
	p := world.StartProxy(t, world.ProxyOptions{Scenario: "refresh", Config: "repositories:\n  deb: {format: debian, upstream: {url: \"" +
		origin + "\", key: " + u.key.Public(t) + ", refresh: 1ms}}\nkeys:\n  deb: [{purpose: index, generate: ed25519}]\nlog: {level: warn}\n"})
	ask := func() float64 {
		time.Sleep(2 * time.Millisecond)
		began := time.Now()
		if _, err := drain(t.Context(), p.URL+"/deb/dists/stable/InRelease"); err != nil {
			t.Fatalf("refresh: %v", err)
		}
		return time.Since(began).Seconds() * 1000
	}
	t.Logf("refresh: the first reading of %s packages", thousands(count))
	first := ask()
	time.Sleep(2 * time.Second) // until the date of the upstream's index tells it from the next one
	ask()
	var same, more []float64
	for range b.pairs {
		same = append(same, ask())
	}
	for i := range b.pairs {
		t.Logf("refresh: one package more, %d of %d", i+1, b.pairs)
		u.add(count + i)
		u.publish(t)
		more = append(more, ask())
	}
	of := fmt.Sprintf("the index of an upstream with %s packages, Debian: ", thousands(count))
	b.add(row{what: of + "read first", ours: fmt.Sprintf("%.1f s", first/1000), pairs: 1})
	b.add(row{what: of + "unchanged", ours: fmt.Sprintf("%.1f ms", median(same)), pairs: len(same)})
	const goal = 300.0
	b.add(row{what: of + "one package more", ours: fmt.Sprintf("%.0f ms", median(more)), goal: fmt.Sprintf("≤ %.0f ms", goal), pass: median(more) <= goal, pairs: len(more)})
}

// A debUpstream is an archive whose index is made without its packages.
type debUpstream struct {
	key      *world.OpenPGP
	dir      string
	packages bytes.Buffer
}

func (u *debUpstream) add(number int) {
	p := pkg{name: nameOf(number), version: "1.0-1"}
	sum := sha256.Sum256([]byte(p.name))
	fmt.Fprintf(&u.packages, "%sFilename: pool/main/%s_1.0-1_%s.deb\nSize: 1000\nSHA256: %x\n\n", debControl(p, number, 1), p.name, runtime.GOARCH, sum)
}

func (u *debUpstream) publish(t world.T) {
	dists := filepath.Join(u.dir, "dists", "stable")
	name := "main/binary-" + runtime.GOARCH + "/Packages"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(u.packages.Bytes())
	z.Close()
	release := fmt.Sprintf("Origin: bench\nSuite: stable\nCodename: stable\nDate: %s\nArchitectures: %s\nComponents: main\nSHA256:\n %x %d %s\n %x %d %s.gz\n",
		time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"), runtime.GOARCH, sha256.Sum256(u.packages.Bytes()), u.packages.Len(), name,
		sha256.Sum256(packed.Bytes()), packed.Len(), name)
	err := os.MkdirAll(filepath.Join(dists, filepath.Dir(name)), 0o755)
	for file, data := range map[string][]byte{name + ".gz": packed.Bytes(), "Release": []byte(release)} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dists, file), data, 0o644)
		}
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	u.key.Clearsign(t, filepath.Join(dists, "Release"), filepath.Join(dists, "InRelease"))
}
