package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"

	"hallmark/integration/world"
)

// replicas are proxies with data folders of their own on one database and one storage.
type replicas struct {
	pg     *world.Postgres
	config string
	keys   string // the folder of the keys, which a person has made once
	all    []*world.Proxy
}

const replicasConfig = `database: %s
public_url: http://registry.test
storage: {filesystem: {rootdirectory: %s}}
keys:
  images: [{purpose: image, generate: p256}]
  debian: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]
  raw: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]
repositories:
  images: {format: oci, images: ["*"]}
  debian: {format: debian}
  raw: {format: raw}
`

// startReplicas starts n proxies.
func startReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	r := prepareReplicas(t)
	for range n {
		r.all = append(r.all, r.start(t))
	}
	return r
}

// prepareReplicas does what a person does before the first replica starts.
func prepareReplicas(t *testing.T) *replicas {
	t.Helper()
	pg := world.StartPostgres(t)
	r := &replicas{pg: pg, config: fmt.Sprintf(replicasConfig, pg.Database(t, "hallmark"), t.TempDir())}
	data := t.TempDir()
	r.keys = filepath.Join(data, "keys")
	r.command(t, data, r.config).Run(t, "keys", "generate")
	return r
}

// command is the program on a data folder, without a server.
func (r *replicas) command(t *testing.T, data, config string) world.Command {
	t.Helper()
	return world.Command{Path: world.ProxyBinary(t), Env: []string{
		"HALLMARK_DATA=" + data, "HALLMARK_CONFIG=" + write(t, "config.yml", config), "HALLMARK_LISTEN=127.0.0.1:0",
	}}
}

// start starts one more replica, which is given the keys.
func (r *replicas) start(t *testing.T) *world.Proxy {
	t.Helper()
	data := t.TempDir()
	r.give(t, data)
	return world.StartProxy(t, world.ProxyOptions{Config: r.config, Data: data, Scenario: fmt.Sprint("replica-", len(r.all))})
}

// give copies the keys to a data folder.
func (r *replicas) give(t *testing.T, data string) {
	t.Helper()
	keys := filepath.Join(data, "keys")
	must(t, os.CopyFS(keys, os.DirFS(r.keys)))
	private, err := filepath.Glob(filepath.Join(keys, "*", "*.key"))
	must(t, err)
	for _, file := range private {
		must(t, os.Chmod(file, 0o600))
	}
}

func TestAnUploadThroughOneReplicaIsVisibleThroughTheOther(t *testing.T) {
	r := startReplicas(t, 2)
	for i := range 20 {
		from, other := r.all[i%2], r.all[(i+1)%2]
		text := fmt.Sprintf("file %d", i)
		if status, said := world.Send(t, http.MethodPut, fmt.Sprintf("%s/raw/dir/%d", from.URL, i), []byte(text)); status != http.StatusCreated {
			t.Fatalf("upload %d: %d %s", i, status, said)
		}
		if got := world.Get(t, fmt.Sprintf("%s/raw/dir/%d", other.URL, i)); got != text {
			t.Errorf("through the other, file %d is %q", i, got)
		}
		world.Get(t, fmt.Sprintf("%s/raw/dir/%d.asc", other.URL, i))
		if sums := world.Get(t, other.URL+"/raw/dir/SHA256SUMS"); strings.Count(sums, "\n") != i+1 {
			t.Errorf("after %d uploads the other's index is\n%s", i+1, sums)
		}
	}
	for _, p := range r.all {
		p.Command(t).Run(t, "repo", "verify", "raw")
	}
}

// One SHA-256 wins each name, whoever comes to which replica first, and no date of an index goes back for anybody.
func TestOneOfTwoUploadsOfANameWinsAcrossReplicas(t *testing.T) {
	r := startReplicas(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var reader sync.WaitGroup
	watched := world.Package{Name: "watched", Version: "1.0.0"}.Build(t, world.Deb)
	world.Put(t, r.all[0].URL+"/debian/stable/main/"+watched.File(), watched.Path, http.StatusCreated)
	reader.Go(func() {
		var last time.Time
		for i := 0; ctx.Err() == nil; i++ {
			at, err := dateOf(ctx, r.all[i%2].URL+"/debian/dists/stable/Release")
			if ctx.Err() != nil {
				return
			}
			if err != nil || at.Before(last) {
				t.Errorf("the date goes from %v back to %v, %v", last, at, err)
				return
			}
			last = at
		}
	})
	const names, rivals = 10, 4
	for n := range names {
		var won, lost int
		var winner string
		var mu sync.Mutex
		var work sync.WaitGroup
		for i := range rivals {
			work.Go(func() {
				text := fmt.Sprintf("name %d, rival %d", n, i)
				status, said := world.Send(t, http.MethodPut, fmt.Sprintf("%s/raw/%d", r.all[i%2].URL, n), []byte(text))
				mu.Lock()
				defer mu.Unlock()
				switch status {
				case http.StatusCreated:
					won, winner = won+1, text
				case http.StatusConflict:
					lost++
				default:
					t.Errorf("%s: %d %s", text, status, said)
				}
			})
		}
		work.Wait()
		if won != 1 || lost != rivals-1 {
			t.Errorf("%d of %d won, %d lost", won, rivals, lost)
		}
		for _, p := range r.all {
			if got := world.Get(t, fmt.Sprintf("%s/raw/%d", p.URL, n)); got != winner {
				t.Errorf("%q has won, and %q is there", winner, got)
			}
		}
		deb := world.Package{Name: fmt.Sprint("n", n), Version: "1.0.0"}.Build(t, world.Deb)
		world.Put(t, r.all[n%2].URL+"/debian/stable/main/"+deb.File(), deb.Path, http.StatusCreated)
	}
	cancel()
	reader.Wait()
}

func TestWhatWasAcknowledgedOutlivesAReplicaThatIsKilled(t *testing.T) {
	r := startReplicas(t, 2)
	var mu sync.Mutex
	acknowledged := map[string]string{}
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for client := range 4 {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				path, text := fmt.Sprintf("/raw/%d-%d", client, n), fmt.Sprintf("client %d, file %d", client, n)
				for try := 0; ctx.Err() == nil; try++ { // a balancer sends it to the other
					status, err := putOnce(ctx, r.all[(client+try)%2].URL+path, text)
					if err == nil && status/100 == 2 {
						mu.Lock()
						acknowledged[path] = text
						mu.Unlock()
						break
					}
					if err == nil && status < 500 {
						t.Errorf("%s: %d", path, status)
						return
					}
				}
			}
		})
	}
	for range 4 {
		mu.Lock()
		before := len(acknowledged)
		mu.Unlock()
		err := world.Poll(t.Context(), func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if len(acknowledged) < before+20 {
				return fmt.Errorf("%d uploads were acknowledged", len(acknowledged))
			}
			return nil
		})
		must(t, err)
		r.all[1].Restart(t)
	}
	cancel()
	work.Wait()
	for path, text := range acknowledged {
		for _, p := range r.all {
			if got := world.Get(t, p.URL+path); got != text {
				t.Errorf("%s is %q", path, got)
			}
		}
	}
	if gap := r.pg.SQL(t, "hallmark", "SELECT COUNT(*) - MAX(id) FROM signatures"); strings.TrimSpace(gap) != "0" {
		t.Errorf("the ids of the log have a gap of %s", gap)
	}
	r.all[0].Command(t).Run(t, "repo", "verify", "raw")
}

func TestAnImageThroughOneReplicaVerifiesThroughTheOther(t *testing.T) {
	r := startReplicas(t, 2)
	image := world.Image(t)
	must(t, crane.Push(image, r.all[0].Addr+"/team/app:1", crane.Insecure))
	digest, err := image.Digest()
	must(t, err)
	got, err := crane.Digest(r.all[1].Addr+"/team/app:1", crane.Insecure)
	if err != nil || got != digest.String() {
		t.Fatalf("the other has %s, %v", got, err)
	}
	sig, err := crane.Digest(r.all[1].Addr+"/team/app:"+strings.Replace(digest.String(), ":", "-", 1)+".sig", crane.Insecure)
	if err != nil || sig == "" {
		t.Errorf("the signature: %v", err)
	}
	// It is signed already, which the other knows.
	must(t, crane.Push(image, r.all[1].Addr+"/team/app:2", crane.Insecure))
	if n := strings.TrimSpace(r.pg.SQL(t, "hallmark", "SELECT COUNT(*) FROM signatures WHERE repository = 'images'")); n != "1" {
		t.Errorf("%s signatures were made of one image", n)
	}
}

// The state of an upload is signed by a secret, which is the database's.
func TestABlobIsUploadedInChunksThroughBothReplicas(t *testing.T) {
	r := startReplicas(t, 2)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	half := len(content) / 2
	at := r.step(t, http.MethodPost, r.all[0].URL+"/v2/team/app/blobs/uploads/", nil, http.StatusAccepted)
	at = r.step(t, http.MethodPatch, r.all[1].URL+at, content[:half], http.StatusAccepted)
	at = r.step(t, http.MethodPatch, r.all[0].URL+at, content[half:], http.StatusAccepted)
	r.step(t, http.MethodPut, r.all[1].URL+at+"&digest="+digest, nil, http.StatusCreated)
	if got := world.Get(t, r.all[0].URL+"/v2/team/app/blobs/"+digest); got != string(content) {
		t.Errorf("%d other bytes are there", len(got))
	}
}

func TestReplicasMustHaveTheSameKeys(t *testing.T) {
	r := prepareReplicas(t)

	// One without keys makes none.
	empty := t.TempDir()
	r.command(t, empty, r.config).Refuses(t, []string{`repository "debian"`, "purpose index", "proxy keys generate"}, "serve")
	if _, err := os.Stat(filepath.Join(empty, "keys")); err == nil {
		t.Error("keys were made at a start")
	}
	r.command(t, empty, r.config).Refuses(t, []string{"have keys of debian already", "copy"}, "keys", "generate")

	// One with other keys does not start, and says which differs, until a person accepts them.
	other := t.TempDir()
	r.command(t, other, strings.Replace(r.config, r.pg.URL("hallmark"), `""`, 1)).Run(t, "keys", "generate")
	cmd := r.command(t, other, r.config)
	cmd.Refuses(t, []string{"repository debian", "its key ", "purpose", "proxy keys accept debian"}, "serve")
	cmd.Run(t, "keys", "accept")
	p := world.StartProxy(t, world.ProxyOptions{Config: r.config, Data: other})
	p.Terminate()
	old := t.TempDir()
	r.give(t, old)
	r.command(t, old, r.config).Refuses(t, []string{"its key "}, "serve")
}

// With keys that are brought along, nothing of a replica's data folder is needed.
func TestAReplicasDataFolderMayBeLost(t *testing.T) {
	r := prepareReplicas(t)
	r.config = strings.NewReplacer(
		"images: [{purpose: image, generate: p256}]", "images: [{purpose: image, key: 'file:"+r.keys+"/images/image-p256.key'}]",
		"debian: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]", r.files("debian"),
		"raw: [{purpose: index, generate: ed25519}, {purpose: file, scheme: openpgp, generate: ed25519}]", r.files("raw"),
	).Replace(r.config)
	p := world.StartProxy(t, world.ProxyOptions{Config: r.config})
	world.Put(t, p.URL+"/raw/a", write(t, "a", "kept"), http.StatusCreated)
	signature := world.Get(t, p.URL+"/raw/a.asc")
	p.Kill()
	must(t, os.RemoveAll(p.Data))
	p.Start(t)
	if got := world.Get(t, p.URL+"/raw/a"); got != "kept" {
		t.Errorf("a is %q", got)
	}
	if got := world.Get(t, p.URL+"/raw/a.asc"); got != signature {
		t.Errorf("its signature is another: %s", got)
	}
	world.Put(t, p.URL+"/raw/b", write(t, "b", "more"), http.StatusCreated)
	p.Command(t).Run(t, "repo", "verify", "raw")
}

func TestReadyzTellsThatTheDatabaseIsDown(t *testing.T) {
	r := startReplicas(t, 1)
	p := r.all[0]
	r.pg.Kill()
	status, said := world.Send(t, http.MethodGet, p.URL+"/readyz", nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(said, "database") {
		t.Errorf("without its database: %d %s", status, said)
	}
	if status, said := world.Send(t, http.MethodPut, p.URL+"/raw/a", []byte("a")); status < 500 {
		t.Errorf("an upload without the database: %d %s", status, said)
	}
	r.pg.Start(t)
	p.Await(t, world.Answers(p.URL+"/readyz", http.StatusOK))
	world.Put(t, p.URL+"/raw/a", write(t, "a", "a"), http.StatusCreated)
}

// files are the keys of a package repository as files that somebody has put somewhere.
func (r *replicas) files(repository string) string {
	folder := "file:" + r.keys + "/" + repository + "/"
	return fmt.Sprintf("%s: [{purpose: index, scheme: openpgp, key: '%sindex-openpgp-ed25519.key'}, {purpose: file, scheme: openpgp, key: '%sfile-openpgp-ed25519.key'}, {purpose: file, scheme: ecdsa, key: '%sfile-p256.key'}]",
		repository, folder, folder, folder)
}

// step is one request of an upload, which says where the next one goes.
func (r *replicas) step(t *testing.T, method, address string, body []byte, want int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	must(t, err)
	w, err := http.DefaultClient.Do(req)
	must(t, err)
	defer w.Body.Close()
	if w.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d", method, address, w.Status, want)
	}
	at, err := w.Location()
	must(t, err)
	return at.RequestURI()
}

// dateOf returns the Date of a Release file.
func dateOf(ctx context.Context, address string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return time.Time{}, err
	}
	w, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		return time.Time{}, err
	}
	_, rest, _ := strings.Cut("\n"+string(text), "\nDate: ")
	date, _, _ := strings.Cut(rest, "\n")
	return time.Parse(time.RFC1123, date)
}

// putOnce uploads a text and returns the status.
func putOnce(ctx context.Context, address, text string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, strings.NewReader(text))
	if err != nil {
		return 0, err
	}
	w, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return w.StatusCode, w.Body.Close()
}
