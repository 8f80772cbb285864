package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"hallmark/integration/world"
)

// clientsAtOnce is how many clients upload at once.
const clientsAtOnce = 8

// uploads measures how fast many small packages get in, by clients that each wait for the answer before they send the
// next one. The packages are made before. Beside it stand the peers, which are given all of them at once as files, and
// sign no more than the index.
func (b *bench) uploads(t world.T) {
	goals := map[string]float64{ed25519: 1000, rsa3072: 300}
	for _, g := range b.goods {
		packages := make([]pkg, b.size.uploads)
		for i := range packages {
			packages[i] = g.make(i, 1)
		}
		peers := b.peersAtOnce(t, g, packages)
		for _, key := range []string{ed25519, rsa3072} {
			t.Logf("uploads, %s, %s", g.title, key)
			proxy, s := startShelf(t, g, "uploads", key, clientsAtOnce, places{})
			syscall.Sync()
			began := time.Now()
			if err := s.putMany(t.Context(), len(packages), func(i int) pkg { return packages[i] }); err != nil {
				t.Fatalf("uploads of %s: %v", g.title, err)
			}
			rate := float64(len(packages)) / time.Since(began).Seconds()
			peak := mebibytes(t, proxy.Pid(), "VmHWM")
			s.stop()
			alone := peers
			if key == rsa3072 {
				alone = fmt.Sprintf("%.0f signatures/s", signaturesPerSecond(t))
			}
			b.add(row{
				what:   fmt.Sprintf("%s uploads of %d clients, %s", thousands(len(packages)), clientsAtOnce, g.title+keysOf(g, key)),
				theirs: alone,
				ours:   fmt.Sprintf("%.0f/s", rate), outcome: fmt.Sprintf("%.0f MiB at most", peak),
				goal: fmt.Sprintf("≥ %.0f/s", goals[key]), pass: rate >= goals[key], pairs: 1,
			})
		}
	}
}

// peersAtOnce says how many packages a second each peer adds.
func (b *bench) peersAtOnce(t world.T, g goods, packages []pkg) string {
	source := source{g, t.TempDir()}
	files := make([]string, len(packages))
	for i, p := range packages {
		var err error
		if files[i], err = source.write(p); err != nil {
			t.Fatalf("%v", err)
		}
	}
	var rates []string
	for _, c := range b.startPeers(t, source) {
		t.Logf("uploads, %s: %s", g.title, c.name)
		syscall.Sync()
		began := time.Now()
		if err := c.keeper.(*peer).add(t.Context(), files...); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		rates = append(rates, fmt.Sprintf("%s: %.0f/s", c.name, float64(len(files))/time.Since(began).Seconds()))
		c.leave()
	}
	return strings.Join(rates, ", ")
}

// signaturesPerSecond returns how many RSA-3072 signatures all processors make that do nothing else. Each upload needs one.
func signaturesPerSecond(t world.T) float64 {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatalf("%v", err)
	}
	sum := sha256.Sum256(nil)
	var signed atomic.Int64
	began := time.Now()
	var all errgroup.Group
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() error {
			for time.Since(began) < 2*time.Second {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
					return err
				}
				signed.Add(1)
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatalf("%v", err)
	}
	return float64(signed.Load()) / time.Since(began).Seconds()
}

// keysOf says which keys sign.
func keysOf(g goods, key string) string {
	names := map[string]string{ed25519: "Ed25519", rsa3072: "RSA-3072"}
	if g.onlyRSA && key == ed25519 {
		return ", " + names[key] + " and RSA-2048"
	}
	return ", " + names[key]
}

// large lets one large package pass a proxy, in and out again, and asks the kernel for the most memory that the process
// ever had.
func (b *bench) large(t world.T) {
	const goal = 64.0
	for _, g := range b.goods {
		t.Logf("large: a package of %s, %s", bytesText(b.size.layer), g.title)
		file, content, length := g.large(b.size.layer)
		proxy, s := startShelf(t, g, "large", ed25519, 1, places{})
		if err := s.put(t.Context(), g.make(0, 1)); err != nil { // what the first upload of all needs stays
			t.Fatalf("%v", err)
		}
		idle := mebibytes(t, proxy.Pid(), "VmRSS")
		at, err := s.putLarge(t.Context(), file, content, length)
		if err == nil {
			err = s.get(t.Context(), at)
		}
		if err != nil {
			t.Fatalf("large, %s: %v", g.title, err)
		}
		peak := mebibytes(t, proxy.Pid(), "VmHWM")
		s.stop()
		b.add(row{
			what:   fmt.Sprintf("memory while a package of %s is uploaded and downloaded, %s", bytesText(b.size.layer), g.title),
			theirs: fmt.Sprintf("%.0f MiB idle", idle), ours: fmt.Sprintf("%.0f MiB peak", peak),
			outcome: fmt.Sprintf("+ %.0f MiB", peak-idle), goal: fmt.Sprintf("< %.0f MiB", goal), pass: peak-idle < goal, pairs: 1,
		})
	}
}
