package attacks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallmark/integration/world"
)

// Rule: with replicas, too, what was acknowledged is there, listed, and verifies, through each of them, and what any of
// them serves verifies at any moment, whichever of them is killed.

const (
	clusterKills = 5
	clusterRaw   = "/raw/crowd/"
	clusterKeys  = `keys:
  images: [{purpose: image, generate: p256}]
  debian: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]
  rpm: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]
  raw: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]
`
)

// A killedCluster is a cluster whose replicas are killed in turn.
type killedCluster struct {
	*world.Cluster
	depots      []*depot       // of each replica
	lives       []atomic.Int64 // of each replica, counted when it is killed
	debs, files crowd
	next, looks atomic.Int64
	cut         atomic.Int64 // uploads that nobody answered, and that were sent again
}

// Eight uploaders send packages of Debian and files, to each replica and to the balancer. One replica after the other is
// killed by SIGKILL and started again, while apt updates through the balancer, and readers look at each replica.
//
// What "no client error" means: apt-get update through the balancer ends with 0, each time. nginx asks the other replica
// where one is killed before it has begun to answer; an answer that breaks in the middle is nobody's to mend but apt's,
// which has its default of three retries here. An upload is not sent twice by nginx, which keeps no body: its client gets
// 502, or a broken connection from the replica itself, sends the very same bytes again, and must be told 200 or 201. The
// readers of one replica wait while it is down, and accept no other answer than the right one.
func TestNothingIsLostWhileTheReplicasOfAClusterAreKilled(t *testing.T) {
	k := &killedCluster{Cluster: world.StartCluster(t, "../../docker-compose.yml", clusterKeys), lives: make([]atomic.Int64, 2)}
	for _, c := range []*crowd{&k.debs, &k.files} {
		c.onTheirWay, c.acknowledged = make(map[string]bool), make(map[string]string)
	}
	for _, p := range k.Replicas {
		k.depots = append(k.depots, openDepotOf(t, p, world.ClusterUser, "debian", "raw"))
	}
	k.depots[0].put(t, "/debian/stable/main/", deb{name: "first"}.build())
	k.depots[1].put(t, clusterRaw+"first", []byte("first"))
	apt := world.NewAPT(t)
	setup := newAPI(k.Balancer, world.User{}).get(t, "/-/setup/debian?client=apt").expect(t, http.StatusOK)
	for _, script := range []string{string(setup.body), `echo 'Acquire::Retries "3";' > /etc/apt/apt.conf.d/99zretries`} {
		if err := apt.Setup(t, script); err != nil {
			t.Fatal(err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	until := func(step func() error) {
		work.Go(func() {
			for ctx.Err() == nil {
				if err := step(); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	addresses := []string{k.Replicas[0].URL, k.Replicas[1].URL, k.Balancer}
	for who := range 8 {
		a := newAPI(addresses[who%3], world.ClusterUser)
		if who%2 == 0 {
			until(func() error { return k.uploadDeb(ctx, a) })
		} else {
			until(func() error { return k.uploadFile(ctx, a) })
		}
	}
	updates := 0
	until(func() error {
		err := apt.Refresh(t)
		if err == nil {
			updates++
		}
		return err
	})
	for i, d := range k.depots {
		r := d.newReader().patiently(ctx)
		until(func() error {
			k.looks.Add(1)
			return r.look(crowdFolder, k.debs.some())
		})
		until(func() error { return k.lookAtChecksums(ctx, i) })
	}

	kills := 0
	for end := time.Now().Add(killFor(t)); (kills < clusterKills || time.Now().Before(end)) && !t.Failed(); kills++ {
		time.Sleep(time.Duration(500+mathrand.IntN(2000)) * time.Millisecond) // the moment is the point
		k.lives[kills%2].Add(1)
		k.Replicas[kills%2].Restart(t)
	}
	cancel()
	work.Wait()
	t.Logf("%d packages and %d files were acknowledged through %d kills, in %d updates of apt and %d looks; %d attempts to upload were cut",
		k.debs.count(), k.files.count(), kills, updates, k.looks.Load(), k.cut.Load())
	little := updates < 5 || k.looks.Load() < 10 || k.debs.count() < 20 || k.files.count() < 20 || k.cut.Load() == 0
	if little && !t.Failed() && !testing.Short() {
		t.Error("this is too little to show anything")
	}
	for _, d := range k.depots {
		d.allThere(t, &k.debs)
		k.allFilesThere(t, d)
		for _, repository := range []string{"debian", "raw"} {
			if out, err := d.repo(t, "verify", repository); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
}

func (k *killedCluster) uploadDeb(ctx context.Context, a *api) error {
	body, file, at := k.debs.next(int(k.next.Add(1)))
	if err := k.uploadAgain(ctx, a, "/debian/stable/main/"+file, body); err != nil {
		return err
	}
	k.debs.answered(at, body)
	return nil
}

func (k *killedCluster) uploadFile(ctx context.Context, a *api) error {
	n := k.next.Add(1)
	at, body := fmt.Sprint(clusterRaw, n), fmt.Appendf(nil, "file %d", n)
	if err := k.uploadAgain(ctx, a, at, body); err != nil {
		return err
	}
	k.files.answered(at, body)
	return nil
}

// uploadAgain sends the same bytes until a replica answers, which must take them. A 502 that nginx wrote is no answer of a replica.
func (k *killedCluster) uploadAgain(ctx context.Context, a *api, path string, body []byte) error {
	w, err := answered(ctx, func() (answer, error) {
		w, err := a.send(ctx, http.MethodPut, path, body)
		if err == nil && w.status == http.StatusBadGateway && bytes.Contains(w.body, []byte("nginx")) {
			err = errors.New("the balancer lost the replica")
		}
		if err != nil && ctx.Err() == nil {
			k.cut.Add(1)
		}
		return w, err
	})
	if err == nil && w.status != http.StatusCreated && w.status != http.StatusOK {
		err = fmt.Errorf("%d %s", w.status, w.body)
	}
	if err != nil {
		return fmt.Errorf("PUT %s: %w", path, err)
	}
	return nil
}

// lookAtChecksums reads the checksums of a folder and their signature from a replica: they fit, and list all that was
// acknowledged before. Which generation a client is reading is forgotten by a replica that is killed: then it does not count.
func (k *killedCluster) lookAtChecksums(ctx context.Context, replica int) error {
	life, d := k.lives[replica].Load(), k.depots[replica]
	k.files.mu.Lock()
	before := maps.Clone(k.files.acknowledged)
	k.files.mu.Unlock()
	reader := fmt.Sprint("checksums-", k.looks.Add(1))
	var read [][]byte
	for _, name := range []string{"SHA256SUMS", "SHA256SUMS.asc"} {
		w, err := answered(ctx, func() (answer, error) {
			return d.api.send(ctx, http.MethodGet, clusterRaw+name, nil, "User-Agent", reader)
		})
		if err != nil {
			return err
		}
		if w.status != http.StatusOK {
			return fmt.Errorf("%s: %d %s", w.line, w.status, w.body)
		}
		read = append(read, w.body)
	}
	if k.lives[replica].Load() != life {
		return nil
	}
	if err := d.fits(pair{repository: "raw"}, read[0], read[1]); err != nil {
		return fmt.Errorf("SHA256SUMS of replica %d: %w", replica+1, err)
	}
	return listsAll(read[0], before)
}

// listsAll returns an error unless checksums list files with their SHA-256.
func listsAll(sums []byte, files map[string]string) error {
	listed := make(map[string]string)
	for line := range strings.Lines(string(sums)) {
		if sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok {
			listed[clusterRaw+name] = sum
		}
	}
	for at, sum := range files {
		if listed[at] != sum {
			return fmt.Errorf("%s was acknowledged with %s, and SHA256SUMS says %q", at, sum, listed[at])
		}
	}
	return nil
}

// allFilesThere fails the test unless a replica serves and lists every file that was acknowledged, with its signatures.
func (k *killedCluster) allFilesThere(t *testing.T, d *depot) {
	t.Helper()
	if err := listsAll(d.newest().ask(t, http.MethodGet, clusterRaw+"SHA256SUMS").expect(t, http.StatusOK).body, k.files.acknowledged); err != nil {
		t.Error(err)
	}
	read := 0
	for at, sum := range k.files.acknowledged {
		if read++; read > maxBytes {
			break
		}
		data := d.api.get(t, at).expect(t, http.StatusOK).body
		if hexOf(data) != sum {
			t.Errorf("%s has other bytes", at)
		}
		if err := d.beside(d.fetch, "raw", at, data); err != nil {
			t.Error(err)
		}
	}
}
